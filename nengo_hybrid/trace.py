"""What a run did: `Trace`."""

from dataclasses import dataclass, field

import numpy as np

from nengo_hybrid.graph import digest


@dataclass(frozen=True)
class PopulationTrace:
    """
    What one population did.

    Attributes
    ----------
    on_chip : bool
        Whether it ran on the chip (or its emulator) or on the host.
    spikes : (n_samples, n_steps, n_neurons) int array
        Spike counts; of either sign for graded and signed spikes.
    updates_active, updates_inactive : (n_samples, n_steps) int array
        Compartments with and without a current, a voltage or a spike after the
        step; both zero for populations on the host.
    """

    on_chip: bool
    spikes: np.ndarray
    updates_active: np.ndarray
    updates_inactive: np.ndarray


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
    host_macs_per_step: int = 0
    host_updates_per_step: int = 0

    @property
    def output_spikes(self):
        """Spikes of the output population, (n_samples, n_steps, n_outputs)."""
        return self.populations[self.output].spikes


def make_trace(graph, lines, spikes, active, *, backend, target_sha256, seed):
    """
    Sort what a backend recorded by population.

    Parameters
    ----------
    graph : QuantizedGraph
    lines : dict of str to (n_samples, n_steps, n_lines) int array
        What was injected; see `QuantizedGraph.inject`.
    spikes : (n_samples, n_steps, n_compartments) int8 array
        Of all blocks, one after the other.
    active : (n_samples, n_steps, n_blocks) int array
        Active compartments of each block.
    backend : str
    target_sha256 : str
    seed : int

    Returns
    -------
    Trace
    """
    n_samples, n_steps = spikes.shape[:2]
    chip = {name: _chip_trace(graph, name, spikes, active) for name in _sizes(graph)}
    neurons = [p for p in graph.host.populations if p.has_neurons]
    return Trace(
        backend=backend,
        target=graph.target,
        target_sha256=target_sha256,
        graph_sha256=digest(graph),
        seed=seed,
        n_samples=n_samples,
        n_steps=n_steps,
        n_input_steps=(n_steps - graph.latency_steps) // graph.chip_steps,
        output=graph.output,
        populations=_host_traces(graph, lines) | chip,
        host_macs_per_step=sum(
            int(np.count_nonzero(p.weights)) for p in graph.host.projections
        ),
        host_updates_per_step=sum(p.n_neurons for p in neurons),
    )


def _sizes(graph):
    """Return the number of neurons on the chip by population, in their order."""
    sizes = {}
    for block in graph.blocks:
        sizes[block.population] = sizes.get(block.population, 0) + block.n_compartments
    return sizes


def _chip_trace(graph, name, spikes, active):
    n_neurons = _sizes(graph)[name]
    own = np.zeros((*spikes.shape[:2], n_neurons), dtype=spikes.dtype)
    n_active = np.zeros(spikes.shape[:2], dtype=np.int64)
    for i, (block, start) in enumerate(
        zip(graph.blocks, graph.block_starts, strict=True)
    ):
        if block.population == name:
            own[..., block.neurons] = spikes[..., start : start + block.n_compartments]
            n_active += active[..., i]
    return PopulationTrace(True, own, n_active, n_neurons - n_active)


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
