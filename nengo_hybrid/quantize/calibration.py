"""How large what a network sends becomes, on the data that ranges are taken from."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.graph_run import GraphRun


@dataclass(frozen=True)
class Ranges:
    """
    What a network sends on calibration data, in floats.

    Attributes
    ----------
    largest : dict of str to (n_neurons,) array
        By population, the largest size of a count, or of a value where there are none.
    beyond : dict of str to float
        Part of the counts of a population that do not fit into a payload.
    """

    largest: dict
    beyond: dict


def measure(graph, x, payload_bits):
    """
    Run a network in floats, and keep the range of what each neuron gives.

    Parameters
    ----------
    graph : SpikingGraph
    x : (n_samples, n_steps, size_in) array
    payload_bits : int
        Bits of a payload, with the sign.

    Returns
    -------
    Ranges

    Raises
    ------
    QuantizeError
        If there are no data, or they are not finite.
    ShapeError
        If they do not fit the input population.
    """
    run = GraphRun(graph)
    x = run.checked_input(x)
    if not x.size or not np.isfinite(x).all():
        what = "values that are not finite" if x.size else f"shape {x.shape}"
        raise QuantizeError(
            f"quantization takes its ranges from finite data, got {what}; give some "
            "hundred samples of the training set"
        )
    largest = {p.name: np.zeros(p.n_neurons) for p in graph.populations}
    beyond = {p.name: 0 for p in graph.populations if p.is_hybrid}
    limit = 2 ** (payload_bits - 1) - 1
    for _, values in run.pieces(x, record=list(largest)):
        for name, value in values.items():
            sizes = np.abs(value)
            largest[name] = np.maximum(largest[name], sizes.max(axis=(0, 1)))
            if name in beyond:
                beyond[name] += np.count_nonzero(sizes > limit)
    n_steps = x.shape[0] * x.shape[1]
    return Ranges(
        largest,
        {name: n / (n_steps * len(largest[name])) for name, n in beyond.items()},
    )
