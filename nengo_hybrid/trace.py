"""What a run did: `Trace`."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class PopulationTrace:
    """
    What one population did.

    Attributes
    ----------
    on_chip : bool
        Whether it ran on the chip (or its emulator) or on the host.
    spikes : (n_samples, n_bins, n_neurons) int array
        Spike counts; of either sign for graded and signed spikes.
    updates_active, updates_inactive : (n_samples, n_bins) int array
        Compartments with and without a current, a voltage or a spike after the
        step; both zero for populations on the host.
    fan_out : (n_neurons,) int array
        Stored synapses behind each neuron.
    active_by_block : (n_samples, n_bins, n_blocks) int array, optional
        ``updates_active`` of each of the population's blocks, in their order; None
        where they were not told apart.
    """

    on_chip: bool
    spikes: np.ndarray
    updates_active: np.ndarray
    updates_inactive: np.ndarray
    fan_out: np.ndarray
    active_by_block: np.ndarray | None = None

    @property
    def synaptic_ops(self):
        """Spikes delivered through one stored synapse each, (n_samples, n_bins)."""
        return np.abs(self.spikes).astype(np.int64) @ self.fan_out


@dataclass(frozen=True)
class Trace:
    """
    What a run did, per population and step.

    Attributes
    ----------
    backend : str
        "emulator", "nengo-loihi" or "nxsdk".
    target : str
    target_sha256, graph_sha256 : str
        Digests of what was run, and on what.
    seed : int
        Of the host's initial voltages and of the chip's noise.
    n_samples, n_steps : int
        Samples, and time steps of the chip per sample.
    n_input_steps : int
        Steps of the input per sample; the host computes once for each.
    output : str
        Population whose spikes are the answer.
    populations : dict of str to PopulationTrace
    probes : dict of str to (n_samples, n_rows, n_probed) array
        What the graph's probes read.
    bin_steps : int
        Time steps that one bin of the populations sums up.
    host_macs_per_step : int
        Multiply-accumulates of the host per step of the input.
    host_updates_per_step : int
        Neuron updates of the host per step of the input.
    """

    backend: str
    target: str
    target_sha256: str
    graph_sha256: str
    seed: int
    n_samples: int
    n_steps: int
    n_input_steps: int
    output: str
    populations: dict = field(repr=False)
    probes: dict = field(default_factory=dict, repr=False)
    bin_steps: int = 1
    host_macs_per_step: int = 0
    host_updates_per_step: int = 0

    @property
    def output_spikes(self):
        """Spikes of the output population, (n_samples, n_bins, n_outputs)."""
        return self.populations[self.output].spikes

    @property
    def n_bins(self):
        return -(-self.n_steps // self.bin_steps)


def make_trace(
    graph,
    injected,
    spikes,
    active,
    *,
    backend,
    target_sha256,
    seed,
    n_steps=None,
    bin_steps=1,
    probes=(),
):
    """
    Sort what a backend recorded by population.

    Parameters
    ----------
    graph : QuantizedGraph
    injected : dict of str to (n_samples, n_bins, n_neurons) int array
        Spikes that the host injected, by population; see `signed_spikes`.
    spikes : (n_samples, n_bins, n_compartments) int array
        Of all blocks, one after the other.
    active : (n_samples, n_bins, n_blocks) int array
        Active compartments of each block.
    backend : str
    target_sha256 : str
    seed : int
    n_steps : int, optional
        Time steps of the chip; by default as many as there are bins.
    bin_steps : int
        Time steps in a bin, but for the last one.
    probes : tuple of arrays
        What each of the graph's probes read.

    Returns
    -------
    Trace
    """
    n_samples, n_bins = spikes.shape[:2]
    n_steps = n_bins if n_steps is None else n_steps
    in_bin = np.full(n_bins, bin_steps)
    in_bin[n_bins - 1 :] = n_steps - (n_bins - 1) * bin_steps
    chip = {
        name: _chip_trace(graph, name, spikes, active, in_bin) for name in _sizes(graph)
    }
    neurons = [p for p in graph.host.populations if p.has_neurons]
    return Trace(
        backend=backend,
        target=graph.target,
        target_sha256=target_sha256,
        graph_sha256=graph.sha256,
        seed=seed,
        n_samples=n_samples,
        n_steps=n_steps,
        n_input_steps=(n_steps - graph.latency_steps) // graph.chip_steps,
        output=graph.output,
        populations=_host_traces(graph, injected) | chip,
        probes=_by_name(graph, probes) if probes else {},
        bin_steps=bin_steps,
        host_macs_per_step=sum(
            int(np.count_nonzero(p.weights)) for p in graph.host.projections
        ),
        host_updates_per_step=sum(p.n_neurons for p in neurons),
    )


def _by_name(graph, probes):
    names = [probe.name for probe in graph.probes]
    return dict(zip(names, probes, strict=True))


def signed_spikes(graph, lines, bin_steps=1):
    """
    Return what was injected, per neuron with its sign, summed over bins of steps.

    Parameters
    ----------
    graph : QuantizedGraph
    lines : dict of str to (n_samples, n_steps, n_lines) int array
        What was injected; see `QuantizedGraph.inject`.
    bin_steps : int

    Returns
    -------
    dict of str to (n_samples, n_bins, n_neurons) int array
        By population.
    """
    found = {}
    for line_input in graph.inputs:
        spikes = lines[line_input.name]
        n_steps, starts = spikes.shape[1], np.arange(0, spikes.shape[1], bin_steps)
        if bin_steps > 1 and n_steps:
            spikes = np.add.reduceat(spikes, starts, axis=1, dtype=np.int32)
        n_neurons = graph.host.population(line_input.population).n_neurons
        if line_input.n_lines == 2 * n_neurons:
            spikes = spikes[..., :n_neurons] - spikes[..., n_neurons:]
        found[line_input.population] = spikes
    return found


def _sizes(graph):
    """Return the number of neurons on the chip by population, in their order."""
    sizes = {}
    for block in graph.blocks:
        sizes[block.population] = sizes.get(block.population, 0) + block.n_compartments
    return sizes


def _chip_trace(graph, name, spikes, active, in_bin):
    n_neurons = _sizes(graph)[name]
    blocks = [i for i, block in enumerate(graph.blocks) if block.population == name]
    neurons = np.concatenate([graph.blocks[i].neurons for i in blocks])
    first = graph.block_starts[blocks[0]]
    in_order = np.array_equal(neurons, np.arange(n_neurons))
    if in_order and blocks == list(range(blocks[0], blocks[-1] + 1)):
        own = spikes[..., first : first + n_neurons]
    else:
        own = np.zeros((*spikes.shape[:2], n_neurons), dtype=spikes.dtype)
        for i in blocks:
            start, block = graph.block_starts[i], graph.blocks[i]
            part = spikes[..., start : start + block.n_compartments]
            own[..., block.neurons] = part
    by_block = active[..., blocks]
    n_active = by_block.sum(axis=2, dtype=np.int64)
    fan_out, n_updates = graph.fan_out(name), n_neurons * in_bin
    n_inactive = n_updates - n_active
    return PopulationTrace(True, own, n_active, n_inactive, fan_out, by_block)


def _host_traces(graph, injected):
    """Sort what was injected by population."""
    traces = {}
    for line_input in graph.inputs:
        spikes = injected[line_input.population]
        fan_out = graph.fan_out(line_input.population)
        none = np.zeros(spikes.shape[:2], dtype=np.int64)
        trace = PopulationTrace(False, spikes, none, none, fan_out)
        traces[line_input.population] = trace
    return traces
