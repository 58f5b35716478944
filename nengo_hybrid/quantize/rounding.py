"""Weights as synapses of 8 bits, one or a pair for each, and what rounding costs."""

import math

import numpy as np

from nengo_hybrid.graded_graph import GradedProjection

# A synapse has 8 bits with the sign; a high and a low one together have 16.
LARGEST_WEIGHT, LARGEST_PAIR = 127, 127 * 256 + 127


def largest_weight(in_pairs):
    """Return the largest size of a weight: in synapses of 8 bits, or in pairs."""
    return LARGEST_PAIR if in_pairs else LARGEST_WEIGHT


def store(projection, weights, *, in_pairs):
    """
    Round weights to synapses.

    Parameters
    ----------
    projection : Projection
        Of the network in floats.
    weights : (n_post, n_pre) array
        What a payload of 1 adds to each neuron, in units of its state.
    in_pairs : bool
        Whether a weight has 16 bits in two synapses: ``256 * high + low``.

    Returns
    -------
    tuple of GradedProjection
    float
        Root mean square of the rounding, relative to that of the weights.

    Examples
    --------
    300 in pairs is a synapse of 1 with the exponent 8, and one of 44.
    """
    largest = np.abs(weights).max(initial=0)
    limit = largest_weight(in_pairs)
    exponent = max(0, math.ceil(math.log2(largest / limit))) if largest else 0
    whole = np.clip(np.rint(weights / 2**exponent), -limit, limit).astype(np.int64)
    parts = [(projection.name, whole, exponent)]
    if in_pairs:
        high = (whole + 128) >> 8
        low = whole - 256 * high
        parts = [
            (f"{projection.name} (high)", high, exponent + 8),
            (f"{projection.name} (low)", low, exponent),
        ]
    stored = tuple(
        GradedProjection(
            name,
            projection.pre,
            projection.post,
            part.astype(np.int8),
            shift,
            projection.delay,
        )
        for name, part, shift in parts
        if part.any()
    )
    spread = math.sqrt(np.mean(np.square(weights)))
    error = math.sqrt(np.mean(np.square(whole * 2.0**exponent - weights)))
    return stored, error / spread if spread else 0.0
