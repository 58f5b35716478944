"""How large what a network sends becomes, on the data that ranges are taken from."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.graph_run import GraphRun, is_compiled
from nengo_hybrid.graph_run.neurons import checked_input, run_steps

# How far from a level a value may be, in levels: float32 has 24 bits.
LEVEL_TOLERANCE = 1e-4


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
    states : dict of str to (2, n_neurons) array
        Of integrate-and-fire neurons, the largest sizes of voltages and currents.
    inputs : (n_values,) array
        The sizes that input has, sorted.
    """

    largest: dict
    beyond: dict
    states: dict
    inputs: np.ndarray


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
    x = checked_input(graph, x)
    if not x.size or not np.isfinite(x).all():
        what = "values that are not finite" if x.size else f"shape {x.shape}"
        raise QuantizeError(
            f"quantization takes its ranges from finite data, got {what}; give some "
            "hundred samples of the training set"
        )
    largest = {p.name: np.zeros(p.n_neurons) for p in graph.populations}
    beyond = {p.name: 0 for p in graph.populations if p.is_hybrid}
    limit = 2 ** (payload_bits - 1) - 1
    states = {}
    for values, kept in _runs(graph, x):
        for name, value in values.items():
            sizes = np.abs(value).reshape(-1, len(largest[name]))
            largest[name] = np.maximum(largest[name], sizes.max(axis=0))
            if name in beyond:
                beyond[name] += np.count_nonzero(sizes > limit)
        states |= kept
    n_steps = x.shape[0] * x.shape[1]
    return Ranges(
        largest,
        {name: n / (n_steps * len(largest[name])) for name, n in beyond.items()},
        states,
        np.unique(np.abs(x)),
    )


def input_unit(sizes, most):
    """
    Choose what the host's input of 1 stands for.

    Parameters
    ----------
    sizes : (n_values,) array
        Of the input, sorted.
    most : int
        The largest that the host can send.

    Returns
    -------
    float
        The smallest for which the largest size fits; of those for which all sizes are
        whole numbers of it, if there are any.

    Examples
    --------
    Pixels of 0 to 16 sixteenths are 0 to 240 in 9 bits, 15 for each sixteenth.

    >>> float(1 / input_unit(np.arange(17) / 16, 255))
    240.0
    """
    largest = sizes[-1] or 1.0
    for n_levels in range(1, most + 1):
        levels = sizes * (n_levels / largest)
        if np.abs(levels - np.rint(levels)).max() < LEVEL_TOLERANCE:
            return largest / (n_levels * (most // n_levels))
    return largest / most


def safe(sizes):
    """Put 1 where there is nothing to divide by."""
    return np.where(np.asarray(sizes) > 0, sizes, 1.0)


def _runs(graph, x):
    """Yield values of populations, (..., n_neurons) each, and the largest states."""
    spiking = [p.name for p in graph.populations if p.dynamics is not None]
    if is_compiled(graph):
        run = GraphRun(graph)
        for _, values in run.pieces(x, record=[p.name for p in graph.populations]):
            yield values, {}
        return
    for _, sent, states in run_steps(graph, x):
        yield (
            sent,
            {
                name: np.stack([s.largest_voltage, s.largest_current])
                for name, s in states.items()
                if name in spiking
            },
        )
