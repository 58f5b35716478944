"""Run a `QuantizedGraph` through NengoLoihi: its emulator, one sample at a time."""

from types import SimpleNamespace

import numpy as np
from nengo.exceptions import SimulationError
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput as LoihiSpikeInput

from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graph import digest
from nengo_hybrid.trace import PopulationTrace, Trace


def run(graph, placement, host_counts, *, target_sha256="", seed=0, progress=None):
    """
    Run the chip part of a graph on NengoLoihi's emulator.

    The state of the chip is reset before every sample.

    Parameters
    ----------
    graph : QuantizedGraph
    placement : Placement
        Where the blocks are; this backend runs any that fits the graph.
    host_counts : dict of str to (n_samples, n_steps, n_neurons) int array
        What the host computed: spike counts of every injected population.
    target_sha256 : str
        Digest of the target, for the record.
    seed : int
        Of the chip's noise.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` after every sample.

    Returns
    -------
    Trace

    Raises
    ------
    ShapeError
        If an injected population is missing, of another size, or not of whole
        numbers, or has negative counts where there are no lines for them.
    EmulateError
        If a value overflows the chip's registers.
    """
    n_samples, n_input_steps = _check_counts(graph, host_counts)
    if len(placement.blocks) != len(graph.blocks):
        raise ShapeError(
            f"the placement has {len(placement.blocks)} blocks, the graph has "
            f"{len(graph.blocks)}; place this graph first"
        )
    lines = {i.name: graph.injected(i.name, host_counts[i.name]) for i in graph.inputs}
    n_steps = n_input_steps * graph.chip_steps + graph.latency_steps
    record = _Record(graph, n_samples, n_steps)
    for sample in range(n_samples):
        _run_sample(graph, lines, sample, seed, record)
        if progress is not None:
            progress(sample + 1, n_samples)
    populations = _host_traces(graph, lines) | record.traces()
    return Trace(
        backend="nengo-loihi",
        target=graph.target,
        target_sha256=target_sha256,
        graph_sha256=digest(graph),
        seed=seed,
        n_samples=n_samples,
        n_steps=n_steps,
        n_input_steps=n_input_steps,
        output=graph.output,
        populations=populations,
        host_macs_per_step=sum(
            int(np.count_nonzero(p.weights)) for p in graph.host.projections
        ),
        host_updates_per_step=sum(
            p.n_neurons
            for p in graph.host.populations
            if p.activation not in ("input", "linear")
        ),
    )


def _check_counts(graph, host_counts):
    shapes = set()
    for lines in graph.inputs:
        counts = host_counts.get(lines.name)
        n_neurons = graph.host.population(lines.population).n_neurons
        if counts is None or counts.ndim != 3 or counts.shape[2] != n_neurons:
            got = None if counts is None else counts.shape
            raise ShapeError(
                f"injected population {lines.name!r} needs counts of shape (n_samples, "
                f"n_steps, {n_neurons}), got {got}"
            )
        _check_values(lines, counts, n_neurons)
        shapes.add(counts.shape[:2])
    if len(shapes) != 1:
        raise ShapeError(
            f"injected populations need counts of one length, got {sorted(shapes)}"
        )
    return shapes.pop()


def _check_values(lines, counts, n_neurons):
    if not np.issubdtype(counts.dtype, np.integer):
        raise ShapeError(
            f"injected population {lines.name!r} needs counts in whole numbers, got "
            f"{counts.dtype}; run the host's part without rates=True"
        )
    if lines.n_lines == n_neurons and np.any(counts < 0):
        raise ShapeError(
            f"injected population {lines.name!r} has one line a neuron, for counts of "
            f"at least 0, got {counts.min()}"
        )


class _StrictEmulator(EmulatorInterface):
    """NengoLoihi's emulator, for which an overflow is an error."""

    strict = True


class _Record:
    """Spikes and updates of each population, filled as samples run."""

    def __init__(self, graph, n_samples, n_steps):
        self.blocks = graph.blocks
        sizes = {}
        for block in graph.blocks:
            sizes[block.population] = sizes.get(block.population, 0) + len(
                block.neurons
            )
        self.spikes = {
            name: np.zeros((n_samples, n_steps, size), dtype=np.int8)
            for name, size in sizes.items()
        }
        self.active = {
            name: np.zeros((n_samples, n_steps), dtype=np.int64) for name in sizes
        }
        self.sizes = sizes

    def note(self, sample, step, state):
        """Read the emulator's compartments after a step."""
        active = (state.current != 0) | (state.voltage != 0) | state.spiked
        start = 0
        for block in self.blocks:
            stop = start + block.n_compartments
            spikes = self.spikes[block.population]
            spikes[sample, step, block.neurons] = state.spiked[start:stop]
            n_active = np.count_nonzero(active[start:stop])
            self.active[block.population][sample, step] += n_active
            start = stop

    def traces(self):
        """Return a `PopulationTrace` by population."""
        return {
            name: PopulationTrace(
                on_chip=True,
                spikes=self.spikes[name],
                updates_active=self.active[name],
                updates_inactive=size - self.active[name],
            )
            for name, size in self.sizes.items()
        }


def _run_sample(graph, lines, sample, seed, record):
    model, inputs = _to_nengo_loihi(graph)
    for name, line_input in inputs.items():
        for step, counts in enumerate(lines[name][sample]):
            if counts.any():
                spiking = np.repeat(np.arange(len(counts)), counts)
                line_input.add_spikes(step + 1, spiking)
    with _StrictEmulator(model, seed=seed) as emulator:
        for step in range(record.spikes[graph.output].shape[1]):
            try:
                emulator.step()
            except SimulationError as error:
                raise EmulateError(
                    f"{error} at sample {sample}, step {step}: too many spikes came at "
                    "once; raise chip_steps, or lower omega of the layer before"
                ) from error
            record.note(sample, step, emulator.compartment)


def _to_nengo_loihi(graph):
    """Make NengoLoihi's mutable model of a graph, with new state."""
    blocks = [_make_block(block) for block in graph.blocks]
    for block, made in zip(graph.blocks, blocks, strict=True):
        _add_axons(made, block.axons, blocks)
    inputs = {}
    for lines in graph.inputs:
        inputs[lines.name] = LoihiSpikeInput(lines.n_lines, label=lines.name)
        _add_axons(inputs[lines.name], lines.axons, blocks)
    model = SimpleNamespace(
        blocks=blocks, inputs=list(inputs.values()), probes=[], dt=1.0
    )
    return model, inputs


def _make_block(block):
    made = LoihiBlock(block.n_compartments, label=block.name)
    compartment = made.compartment
    for name in ("decay_u", "decay_v", "vth", "bias", "refract_delay", "vmin", "vmax"):
        setattr(compartment, name, getattr(block, name))
    compartment.scale_u = compartment.scale_v = False
    for group in block.synapses:
        synapse = Synapse(group.n_axons, label=group.name)
        synapse.weights, synapse.indices = list(group.weights), list(group.indices)
        synapse.axon_to_weight_map = group.row_of_axon
        synapse.axon_compartment_bases = group.base_of_axon
        made.add_synapse(synapse)
    return made


def _add_axons(source, groups, blocks):
    for group in groups:
        axon = Axon(len(group.axon_of_neuron))
        axon.target = blocks[group.target_block].synapses[group.target_synapses]
        axon.set_compartment_axon_map(group.axon_of_neuron, group.atom_of_neuron)
        source.add_axon(axon)


def _host_traces(graph, lines):
    """Return what was injected, per neuron with its sign, over the chip's steps."""
    traces = {}
    for line_input in graph.inputs:
        spikes = lines[line_input.name].astype(np.int32)
        n_neurons = graph.host.population(line_input.population).n_neurons
        if line_input.n_lines == 2 * n_neurons:
            spikes = spikes[..., :n_neurons] - spikes[..., n_neurons:]
        none = np.zeros(spikes.shape[:2], dtype=np.int64)
        traces[line_input.population] = PopulationTrace(False, spikes, none, none)
    return traces
