"""What a run of a graph in integers did: `GradedTrace`, and `IntegerRange`."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class IntegerRange:
    """
    How far a population's integers went in a run, beside what their widths hold.

    Attributes
    ----------
    name : str
    payload : (int, int)
        The largest size that was sent, and the largest that a payload holds.
    state : (int, int) or None
        The same of its sums and registers; None of the input, which has none.
    saturated : float
        Part of its payloads that were larger than a payload holds.
    error : (float, float) or None
        Root mean square of what was sent less what the network in floats sends, over
        samples, steps and neurons, and of the latter, in its units; None where the two
        were not compared.
    """

    name: str
    payload: tuple
    state: tuple | None
    saturated: float
    error: tuple | None = None


def integer_ranges(graph, reached, by_bits, errors=None):
    """
    Tell how far the integers of each population went.

    Parameters
    ----------
    graph : GradedGraph
    reached : (n_populations, 2) int array
        The largest sizes of payloads, and of sums and registers.
    by_bits : dict of str to (n_neurons, n_bits) array
        As `GradedTrace` has it.
    errors : dict of str to (float, float), optional
        As `IntegerRange` has them.

    Returns
    -------
    tuple of IntegerRange
    """
    errors, found = errors or {}, []
    most_state = graph.widths.state_limit - 1
    for p, (payload, state) in zip(graph.populations, reached.tolist(), strict=True):
        counts, most = by_bits[p.name], 2 ** (p.payload_bits - 1) - 1
        found.append(
            IntegerRange(
                p.name,
                (payload, most),
                None if p.is_input else (state, most_state),
                float(counts[:, p.payload_bits :].sum() / max(1, counts.sum())),
                errors.get(p.name),
            )
        )
    return tuple(found)


@dataclass(frozen=True)
class GradedTrace:
    """
    What was sent, over all samples and steps.

    Attributes
    ----------
    target, graph_sha256 : str
        What was run, and on what.
    n_samples, n_steps : int
        Samples, and steps of the network per sample.
    chip_steps : int
        Time steps of the chip for each of these.
    latency_steps : int
        Time steps from the last input to the last output.
    output : (n_samples, n_kept, n_outputs) int32 array
        Payloads of the output population in the last steps.
    by_bits : dict of str to (n_neurons, n_bits) int64 array
        By population, how often each neuron's payload had a size of so many bits; of
        none, if it sent nothing.
    ones : dict of str to (n_neurons,) int64 array
        Bits that were set in all payloads of each neuron.
    ranges : tuple of IntegerRange, optional
        How far the integers of each population went; None in files of before.
    pause_steps : int
        Time steps, of each sample, in which all neurons rest after a reset, until what
        was on its way has arrived and is dropped.
    """

    target: str
    graph_sha256: str
    n_samples: int
    n_steps: int
    chip_steps: int
    latency_steps: int
    output: np.ndarray = field(repr=False)
    by_bits: dict = field(repr=False)
    ones: dict = field(repr=False)
    ranges: tuple | None = field(default=None, repr=False)
    pause_steps: int = 0

    backend = "emulator"

    @property
    def n_time_steps(self):
        """Time steps of the chip per sample."""
        working = self.n_steps * self.chip_steps + self.latency_steps
        return working + self.pause_steps

    def spikes(self, name):
        """Count the graded spikes of each neuron, (n_neurons,) int64 array."""
        return self.by_bits[name][:, 1:].sum(axis=1)

    def spikes_per_time_step(self, name):
        """Return the spikes of each neuron in a time step of the chip, on average."""
        return self.spikes(name) / (self.n_samples * self.n_time_steps)

    def activity(self, name):
        """
        Tell how many bits a population's payloads take.

        Returns
        -------
        dict of str to float
            ``bits_largest``: bits of the largest payload and a sign, mean over neurons;
            ``significant_bits``: bits set in a payload, mean over neurons and steps;
            ``spikes_per_step``: payloads that are not 0, the same.
        """
        counts = self.by_bits[name]
        widest = np.where(counts > 0, np.arange(counts.shape[1]), 0).max(axis=1)
        n = len(counts) * self.n_samples * self.n_steps
        return {
            "bits_largest": float(np.mean(widest + 1)),
            "significant_bits": float(self.ones[name].sum() / n),
            "spikes_per_step": float(self.spikes(name).sum() / n),
        }
