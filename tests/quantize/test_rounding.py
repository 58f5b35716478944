"""Weights as synapses of 8 bits: sums that hold, and the error that is reported."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nengo_hybrid.graphs import Projection
from nengo_hybrid.quantize.rounding import largest_weight, store

FLOATS = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


def stored(weights, in_pairs):
    weights = np.array(weights, float)
    projection = Projection("p", "a", "b", weights, delay=1)
    return store(projection, weights, 8, in_pairs=in_pairs)


def value(parts):
    return sum(p.weights * 2.0**p.exponent for p in parts)


def test_a_pair_by_hand():
    parts, error = stored([[300, -300, 5]], in_pairs=True)

    high, low = parts
    assert (high.exponent, high.weights.tolist()) == (8, [[1, -1, 0]])
    assert (low.exponent, low.weights.tolist()) == (0, [[44, -44, 5]])
    assert error == 0
    assert {p.delay for p in parts} == {1}


def test_one_synapse_by_hand():
    # 300 needs an exponent of 2: 75 and 1 of 4, and 5 becomes 4.
    (only,), error = stored([[300, -300, 5]], in_pairs=False)

    assert (only.exponent, only.weights.tolist()) == (2, [[75, -75, 1]])
    assert error == pytest.approx(1 / np.sqrt(300**2 + 300**2 + 5**2))


@given(
    weights=hnp.arrays(
        float, hnp.array_shapes(min_dims=2, max_dims=2), elements=FLOATS
    ),
    in_pairs=st.booleans(),
)
def test_no_weight_is_off_by_more_than_half_a_unit(weights, in_pairs):
    parts, error = stored(weights, in_pairs)

    largest = np.abs(weights).max()
    unit = max(1.0, 2 * largest / largest_weight(8, in_pairs))
    assert all(p.weights.dtype == np.int8 for p in parts)
    assert np.abs(value(parts) - weights).max() <= unit / 2 + 1e-9
    if weights.any():
        spread = np.sqrt(np.mean(weights**2))
        rounding = np.sqrt(np.mean((value(parts) - weights) ** 2))
        assert error == pytest.approx(rounding / spread)


def test_weights_of_zero_are_no_synapses():
    assert stored([[0, 0]], in_pairs=True) == ((), 0.0)
