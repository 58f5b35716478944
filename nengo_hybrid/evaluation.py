"""What a network answers on a data set, and the spikes that it takes to do so."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.graph_run import GraphRun
from nengo_hybrid.metrics import accuracy, classify, tallied_bits

# Counts beyond are an error, which names the population.
LARGEST_COUNT = 1023


@dataclass(frozen=True)
class Evaluation:
    """
    A network on a data set.

    Attributes
    ----------
    answers : (n_samples,) int array
    accuracy : float
        In [0, 1].
    levels : dict of str to (n_neurons, 2 * LARGEST_COUNT + 1) int64 array
        By hybrid-spiking population, how often each neuron sends each count, in all
        steps of all samples; the level in the middle is 0.
    """

    answers: np.ndarray
    accuracy: float
    levels: dict

    @property
    def activity(self):
        """The four bit metrics by population, see `nengo_hybrid.metrics`."""
        return {name: tallied_bits(levels) for name, levels in self.levels.items()}

    @property
    def overall(self):
        """The same over the neurons of all populations; None if none sends counts."""
        levels = list(self.levels.values())
        return tallied_bits(np.concatenate(levels)) if levels else None

    @property
    def largest(self):
        """Size of the largest count of each neuron, by population."""
        sizes = np.abs(np.arange(-LARGEST_COUNT, LARGEST_COUNT + 1))
        return {
            name: np.max(np.where(levels > 0, sizes, 0), axis=1)
            for name, levels in self.levels.items()
        }

    @property
    def spikes(self):
        """Spikes a sample, by population; a count of 3 is one spike of 2 bits."""
        return {
            name: int(levels.sum() - levels[:, LARGEST_COUNT].sum()) / len(self.answers)
            for name, levels in self.levels.items()
        }

    def to_json(self):
        """Return the activity, and how often which count was sent, as plain values."""
        counts = range(-LARGEST_COUNT, LARGEST_COUNT + 1)
        return {
            "activity": self.activity,
            "overall": self.overall,
            "spikes": self.spikes,
            "counts": {
                name: {
                    str(count): int(n)
                    for count, n in zip(counts, levels.sum(axis=0), strict=True)
                    if n
                }
                for name, levels in self.levels.items()
            },
        }


def evaluate(graph, split, *, readout_steps, seed=None, progress=None, at_once=None):
    """
    Run a network on a part of a data set, and count what it sends.

    Parameters
    ----------
    graph : SpikingGraph
    split : nengo_hybrid.datasets.Split
    readout_steps : int
        How many of the last steps the answer is read from.
    seed : int, optional
        Of initial voltages, drawn anew for every sample; by default those of the graph.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` now and then.
    at_once : int, optional
        Samples that are run before the next ones, at most.

    Returns
    -------
    Evaluation

    Raises
    ------
    ShapeError
        If the data do not fit the network.
    EmulateError
        If a value is no longer finite, or a count beyond `LARGEST_COUNT`.
    """
    run = GraphRun(graph)
    x = run.checked_input(split.x)
    levels = {
        p.name: np.zeros((p.n_neurons, 2 * LARGEST_COUNT + 1), np.int64)
        for p in graph.populations
        if p.is_hybrid
    }
    answers = np.zeros(len(x), dtype=int)
    output = {"record": [graph.output], "last_steps": readout_steps}
    output["at_once"] = at_once
    for part, found in run.pieces(x, seed=seed, levels=levels, **output):
        answers[part] = classify(found[graph.output], readout_steps)
        if progress is not None:
            progress(part.stop, len(x))
    return Evaluation(answers, accuracy(answers, split.y), levels)


def synaptic_ops(graph, evaluation):
    """
    Count the synaptic operations that hybrid-spiking populations cause.

    One is a spike of any size that comes through one weight other than 0.

    Parameters
    ----------
    graph : SpikingGraph
    evaluation : Evaluation
        Of this graph.

    Returns
    -------
    float
        A sample.

    Examples
    --------
    A neuron that spikes three times in all steps of two samples, into five weights, of
    which one is 0, causes 3 * 4 / 2 = 6 a sample.
    """
    total = 0
    for name, levels in evaluation.levels.items():
        n_spikes = levels.sum(axis=1) - levels[:, LARGEST_COUNT]
        fan_out = sum(
            np.count_nonzero(p.weights, axis=0)
            for p in graph.projections
            if p.pre == name
        )
        total += int(np.sum(n_spikes * fan_out))
    return total / len(evaluation.answers)
