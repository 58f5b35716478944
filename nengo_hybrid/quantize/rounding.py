"""Weights as synapses of few bits, one or a pair for each, and what rounding costs."""

import math

import numpy as np

from nengo_hybrid.graphs import GradedProjection

# Bits of a state below those of a weight, as on Loihi 1.
FINER = 6


def largest_weight(bits, in_pairs):
    """Return the largest size of a weight: in synapses of so many bits, or in pairs."""
    largest = 2 ** (bits - 1) - 1
    return largest * 2**bits + largest if in_pairs else largest


def unit_bits(weights_fit, states_fit):
    """
    Choose how many units of its state make one of what a neuron adds up.

    As many as its weights fit into their bits with, and up to `FINER` bits more where
    its state has room, so that biases, decays and small weights are not lost in
    rounding. These are the same for all neurons, since the synapses of a projection
    have one exponent.

    Parameters
    ----------
    weights_fit, states_fit : (n,) array
        With how many units the largest weight fits, and the largest state.

    Returns
    -------
    (n,) array
        Whole powers of 2.

    Examples
    --------
    >>> unit_bits(np.array([100.0, 10.0]), np.array([2.0**9, 2.0**20]))
    array([9., 6.])
    """
    bits = np.floor(np.log2(np.minimum(weights_fit, states_fit)))
    finer = np.floor(np.log2(states_fit)) - bits
    return bits + min(FINER, finer.min(initial=FINER))


def store(projection, weights, bits, *, in_pairs):
    """
    Round weights to synapses.

    Parameters
    ----------
    projection : Projection
        Of the network in floats.
    weights : (n_post, n_pre) array
        What a payload of 1 adds to each neuron, in units of its state.
    bits : int
        Of a synapse, with the sign; at most 8.
    in_pairs : bool
        Whether a weight is two synapses: ``2**bits * high + low``.

    Returns
    -------
    tuple of GradedProjection
    float
        Root mean square of the rounding, relative to that of the weights.

    Examples
    --------
    300 in pairs of 8 bits is a synapse of 1 with the exponent 8, and one of 44.
    """
    largest = np.abs(weights).max(initial=0)
    limit = largest_weight(bits, in_pairs)
    exponent = max(0, math.ceil(math.log2(largest / limit))) if largest else 0
    whole = np.clip(np.rint(weights / 2**exponent), -limit, limit).astype(np.int64)
    parts = [(projection.name, whole, exponent)]
    if in_pairs:
        high = (whole + 2 ** (bits - 1)) >> bits
        low = whole - (high << bits)
        parts = [
            (f"{projection.name} (high)", high, exponent + bits),
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
