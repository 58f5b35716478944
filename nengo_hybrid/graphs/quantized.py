"""What a chip with spikes of one bit runs, in integers: `QuantizedGraph`."""

import functools
from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import ShapeError
from nengo_hybrid.graphs.content import digest
from nengo_hybrid.graphs.spiking import SpikingGraph


@dataclass(frozen=True)
class Learning:
    """
    How the weights of a `SynapseGroup` learn on the chip, by PES.

    Attributes
    ----------
    rate_mantissa, rate_exponent : int
        The learning rate is ``rate_mantissa * 2**rate_exponent``.
    weight_exponent : int
        A stored weight is a whole number times 2 to this power.
    shift_bits : int
        Lowest bits of a weight that are not stored.
    trace_tau : int
        Time constant of the presynaptic trace, in steps of the chip.
    trace_increment : float
        What a spike adds to the trace, in 128ths.
    trace_epoch, weight_epoch : int
        Steps of the chip between updates of the traces, and of the weights.
    error_scale : float
        Factor of an error before it is rounded and cut to -127 .. 127.
    """

    rate_mantissa: int
    rate_exponent: int
    weight_exponent: int
    shift_bits: int
    trace_tau: int
    trace_increment: float
    trace_epoch: int
    weight_epoch: int
    error_scale: float


@dataclass(frozen=True)
class SynapseGroup:
    """
    Stored synapses of one block: a list of weight rows, shared between axons.

    ``weights[r]`` and ``indices[r]`` have shape (n_atoms, n_targets); axon ``a``
    uses row ``row_of_axon[a]``, shifted by ``base_of_axon[a]`` compartments, and
    is unused where that is negative. ``memory_bits`` is what the rows occupy.
    """

    name: str
    weights: tuple
    indices: tuple
    row_of_axon: np.ndarray
    base_of_axon: np.ndarray
    memory_bits: int
    weight_exponent: int
    learning: Learning | None = None

    @property
    def n_axons(self):
        return len(self.row_of_axon)

    def synapses_per_axon(self, axons):
        """Count the synapses behind each axon, for any atom; 0 where unused."""
        sizes = np.array([row.shape[1] for row in self.weights], dtype=np.int64)
        axons = np.asarray(axons)
        used = (axons >= 0) & (self.base_of_axon[axons] >= 0)
        return np.where(used, sizes[self.row_of_axon[axons]], 0)


@dataclass(frozen=True)
class AxonGroup:
    """
    Where the spikes of a block or input go: one `SynapseGroup` of one block.

    ``axon_of_neuron`` is -1 for neurons that are not connected; ``atom_of_neuron``
    picks among the weights of a population spike. ``n_slots`` is what the group
    occupies of the source core's output axons.
    """

    target_block: int
    target_synapses: int
    axon_of_neuron: np.ndarray
    atom_of_neuron: np.ndarray
    n_slots: int


@dataclass(frozen=True)
class SpikeInput:
    """Lines over which the host injects the spikes of a population."""

    name: str
    population: str
    n_lines: int
    axons: tuple


@dataclass(frozen=True)
class Noise:
    """
    Uniform noise of a block's compartments, drawn anew in every step.

    With x drawn from -127 .. 127, a compartment that is ``enabled``, of shape
    (n_compartments,), gets ``(x + 64 * offset) * 2**(exponent - 7)``, truncated
    toward zero: on its voltage if ``at_membrane``, else on its current.
    """

    enabled: np.ndarray
    exponent: int
    offset: int
    at_membrane: bool


@dataclass(frozen=True)
class Probe:
    """
    What is read from some compartments in every step.

    Attributes
    ----------
    name : str
    variable : str
        "spiked", "voltage" or "current".
    parts : tuple of (int, array)
        Index of a block, and which of its compartments, in their order.
    """

    name: str
    variable: str
    parts: tuple


@dataclass(frozen=True)
class Block:
    """
    Compartments that share a core, with integer parameters (CUBA-LIF).

    Arrays have shape (n_compartments,) and dtype int32. ``neurons`` are the
    indices of these compartments within ``population``.
    """

    name: str
    population: str
    neurons: np.ndarray
    decay_u: np.ndarray
    decay_v: np.ndarray
    vth: np.ndarray
    bias: np.ndarray
    refract_delay: np.ndarray
    vmin: int
    vmax: int
    synapses: tuple
    axons: tuple
    noise: Noise | None = None

    @property
    def n_compartments(self):
        return len(self.neurons)


@dataclass(frozen=True)
class QuantizedGraph:
    """
    A network as a target runs it: a host part in floats, a chip part in integers.

    Attributes
    ----------
    target : str
        Name of the target it was quantized for.
    host : SpikingGraph
        What runs on the host, in steps of the input; its output is injected.
    host_reasons : dict of str to str
        Why each of the host's populations is not on the chip.
    chip_steps : int
        Time steps of the chip for every step of the input.
    latency_steps : int
        Chip steps from an injected spike to its effect on the output.
    inputs : tuple of SpikeInput
    blocks : tuple of Block
    output : str
        Population whose spikes are the answer.
    errors : dict of str to float
        Largest weight error per population, relative to its largest weight.
    probes : tuple of Probe
    """

    target: str
    host: SpikingGraph
    host_reasons: dict
    chip_steps: int
    latency_steps: int
    inputs: tuple
    blocks: tuple
    output: str
    errors: dict
    probes: tuple = ()

    @functools.cached_property
    def sha256(self):
        """Digest of the whole graph; see `digest`."""
        return digest(self)

    @functools.cached_property
    def n_lines(self):
        return sum(lines.n_lines for lines in self.inputs)

    @functools.cached_property
    def learns(self):
        """Whether any synapses change while it runs."""
        return any(s.learning for block in self.blocks for s in block.synapses)

    @functools.cached_property
    def n_compartments(self):
        return sum(block.n_compartments for block in self.blocks)

    @functools.cached_property
    def block_starts(self):
        """Index of each block's first compartment, counting over all blocks."""
        return np.cumsum([0] + [block.n_compartments for block in self.blocks])[:-1]

    def fan_out(self, population):
        """
        Count the stored synapses behind each neuron of a population.

        Returns
        -------
        (n_neurons,) int64 array
            Synaptic operations that a spike causes; both signs of a neuron weigh
            alike.
        """
        parts = [
            (block.neurons, block.axons)
            for block in self.blocks
            if block.population == population
        ]
        for lines in self.inputs:
            if lines.population == population:
                n_neurons = self.host.population(population).n_neurons
                neurons = np.arange(n_neurons)
                parts.append((neurons, lines.axons))
        total = np.zeros(sum(len(neurons) for neurons, _ in parts), dtype=np.int64)
        for neurons, axons in parts:
            for axon in axons:
                group = self.blocks[axon.target_block].synapses[axon.target_synapses]
                per_spike = group.synapses_per_axon(axon.axon_of_neuron)
                total[neurons] += per_spike[: len(neurons)]
        return total

    def inject(self, host_counts):
        """
        Turn what the host computed into spikes on the lines of every input.

        Parameters
        ----------
        host_counts : dict of str to (n_samples, n_steps, n_neurons) int array
            Spike counts of every injected population.

        Returns
        -------
        dict of str to (n_samples, n_steps, n_lines) int16 array
            See `injected`; of one length for all inputs.

        Raises
        ------
        ShapeError
            If an injected population is missing, of another size, or not of whole
            numbers, or has negative counts where there are no lines for them.
        """
        self.check_counts(host_counts)
        return {i.name: self.injected(i.name, host_counts[i.name]) for i in self.inputs}

    def check_counts(self, host_counts):
        """
        Check what the host computed; see `inject` for what is raised.

        Returns
        -------
        tuple of int
            Samples, and steps of the input.
        """
        for lines in self.inputs:
            self._check_counts(lines, host_counts.get(lines.name))
        lengths = {host_counts[lines.name].shape[:2] for lines in self.inputs}
        if len(lengths) != 1:
            raise ShapeError(
                f"injected populations need counts of one length, got {sorted(lengths)}"
            )
        return lengths.pop()

    def chip_time_steps(self, n_input_steps):
        """Return the time steps that the chip takes for some steps of the input."""
        return n_input_steps * self.chip_steps + self.latency_steps

    def _check_counts(self, lines, counts):
        who = f"injected population {lines.name!r}"
        n_neurons = self.host.population(lines.population).n_neurons
        if counts is None or counts.ndim != 3 or counts.shape[2] != n_neurons:
            got = None if counts is None else counts.shape
            raise ShapeError(
                f"{who} needs counts of shape (n_samples, n_steps, {n_neurons}), got "
                f"{got}"
            )
        if not np.issubdtype(counts.dtype, np.integer):
            raise ShapeError(
                f"{who} needs counts in whole numbers, got {counts.dtype}; run the "
                "host's part without rates=True"
            )
        most = np.iinfo(np.int16).max * self.chip_steps
        if max(counts.max(initial=0), -counts.min(initial=0)) > most:
            raise ShapeError(
                f"{who} has counts from {counts.min()} to {counts.max()}; a step of "
                f"the input can inject {most:,} spikes of a neuron"
            )
        if lines.n_lines == n_neurons and np.any(counts < 0):
            raise ShapeError(
                f"{who} has one line a neuron, for counts of at least 0, got "
                f"{counts.min()}"
            )

    def injected(self, name, counts):
        """
        Turn the counts of an injected population into one-bit spikes on its lines.

        A count k of one step of the input becomes ``abs(k)`` spikes, spread evenly
        over the ``chip_steps`` steps of the chip, on the neuron's line for its sign.

        Parameters
        ----------
        name : str
            Population, one of ``inputs``.
        counts : (n_samples, n_steps, n_neurons) int array

        Returns
        -------
        (n_samples, n_steps * chip_steps + latency_steps, n_lines) int16 array
            Spikes per line and chip step; a line takes several in one step.
        """
        lines = next(i for i in self.inputs if i.name == name).n_lines
        n_samples, n_steps, n_neurons = counts.shape
        counts = counts.astype(np.int64)
        signed = [np.maximum(counts, 0)]
        if lines == 2 * n_neurons:
            signed.append(np.maximum(-counts, 0))
        per_step = np.concatenate(signed, axis=2)
        spread = np.zeros((n_samples, n_steps, self.chip_steps, lines), dtype=np.int16)
        for j in range(self.chip_steps):
            sent, due = j * per_step, (j + 1) * per_step
            spread[:, :, j] = due // self.chip_steps - sent // self.chip_steps
        spread = spread.reshape(n_samples, n_steps * self.chip_steps, lines)
        return np.pad(spread, ((0, 0), (0, self.latency_steps), (0, 0)))
