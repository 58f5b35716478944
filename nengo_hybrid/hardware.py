"""Run a `QuantizedGraph` through NengoLoihi: its emulator, one sample at a time."""

from types import SimpleNamespace

import numpy as np
from nengo.exceptions import SimulationError
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput as LoihiSpikeInput

from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.placement import check_placement
from nengo_hybrid.trace import make_trace, signed_spikes


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
    lines = graph.inject(host_counts)
    check_placement(graph, placement)
    shape = next(iter(lines.values())).shape[:2]
    spikes = np.zeros((*shape, graph.n_compartments), dtype=np.int8)
    active = np.zeros((*shape, len(graph.blocks)), dtype=np.int32)
    for sample in range(shape[0]):
        _run_sample(graph, lines, sample, seed, spikes[sample], active[sample])
        if progress is not None:
            progress(sample + 1, shape[0])
    return make_trace(
        graph,
        signed_spikes(graph, lines),
        spikes,
        active,
        backend="nengo-loihi",
        target_sha256=target_sha256,
        seed=seed,
    )


class _StrictEmulator(EmulatorInterface):
    """NengoLoihi's emulator, for which an overflow is an error."""

    strict = True


def _run_sample(graph, lines, sample, seed, spikes, active):
    """Run one sample; fill ``spikes`` and ``active``, (n_steps, ...)."""
    model, inputs = _to_nengo_loihi(graph)
    for name, line_input in inputs.items():
        for step, counts in enumerate(lines[name][sample]):
            if counts.any():
                spiking = np.repeat(np.arange(len(counts)), counts)
                line_input.add_spikes(step + 1, spiking)
    starts = graph.block_starts
    with _StrictEmulator(model, seed=seed) as emulator:
        for step in range(len(spikes)):
            try:
                emulator.step()
            except SimulationError as error:
                raise EmulateError(
                    f"{error} at sample {sample}, step {step}: too many spikes came at "
                    "once; raise chip_steps, or lower omega of the layer before"
                ) from error
            state = emulator.compartment
            busy = (state.current != 0) | (state.voltage != 0) | state.spiked
            spikes[step] = state.spiked
            active[step] = np.add.reduceat(busy, starts, dtype=np.int32)


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
