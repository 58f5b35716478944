"""Metrics: by hand, against a loop over every count, and the laws they keep."""

import doctest
import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nengo_hybrid import metrics
from nengo_hybrid.exceptions import ShapeError
from nengo_hybrid.metrics import (
    accuracy,
    activity_bits,
    bits_entropy,
    bits_max,
    classify,
    significant_bits,
    spikes_per_step,
    tallied_bits,
)

# One sample, four steps; the neurons have the counts 0 1 3 0 and -1 -1 -1 -1.
COUNTS = np.array([[[0, -1], [1, -1], [3, -1], [0, -1]]])

random_counts = hnp.arrays(
    st.sampled_from([np.int8, np.int16, np.int64]),
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    elements=st.integers(-40, 40),
)


def by_neuron(counts):
    """Return the counts of each neuron as a list of Python integers."""
    return [counts[:, :, i].ravel().tolist() for i in range(counts.shape[2])]


def exactly(message):
    return f"^{re.escape(message)}$"


def test_examples_in_the_docstrings_hold():
    found = doctest.testmod(metrics)
    assert (found.failed, found.attempted) == (0, 7)


def test_bits_match_hand_counts():
    # Levels 0..3 and -1 alone: log2(4) and log2(1), halved. Entropy of 2/4, 1/4, 1/4:
    # 1/2 + 1/2 + 1/2, and 0. Ones in binary: 0 + 1 + 2 + 0, and four times 1, of 8.
    # Spikes: 2 and 4 of 8.
    assert activity_bits(COUNTS) == {
        "bits_max": 1.0,
        "bits_entropy": 0.75,
        "significant_bits": 7 / 8,
        "spikes_per_step": 6 / 8,
    }


def test_bits_of_a_signed_tanh_match_the_reference():
    # Every level from -omega to omega once: the reference gives log2 of the levels.
    for omega, bits in ((1, 1.58), (4, 3.17), (6, 3.70)):
        counts = np.arange(-omega, omega + 1)[None, :, None]
        assert round(bits_max(counts), 2) == bits
        assert math.isclose(bits_entropy(counts), math.log2(2 * omega + 1))


@given(random_counts)
def test_bits_match_a_loop_over_every_count(counts):
    neurons = by_neuron(counts)
    spans = [math.log2(max(k) - min(k) + 1) for k in neurons]
    assert bits_max(counts) == pytest.approx(sum(spans) / len(spans))
    entropies = [
        -sum(n / len(k) * math.log2(n / len(k)) for n in Counter(k).values())
        for k in neurons
    ]
    assert bits_entropy(counts) == pytest.approx(sum(entropies) / len(entropies))
    values = [k for neuron in neurons for k in neuron]
    ones = [bin(abs(k)).count("1") for k in values]
    assert significant_bits(counts) == pytest.approx(sum(ones) / len(values))
    n_spikes = sum(k != 0 for k in values)
    assert spikes_per_step(counts) == pytest.approx(n_spikes / len(values))


@given(random_counts)
def test_entropy_is_at_most_the_word_length(counts):
    assert -1e-12 <= bits_entropy(counts) <= bits_max(counts) + 1e-12


@given(random_counts)
def test_one_bit_spikes_have_one_significant_bit(counts):
    signs = np.sign(counts)
    assert significant_bits(signs) == spikes_per_step(signs) == spikes_per_step(counts)


@given(random_counts, st.integers(0, 5))
def test_shifting_all_counts_left_changes_no_popcount(counts, shift):
    shifted = counts.astype(np.int64) << shift
    assert significant_bits(shifted) == significant_bits(counts)
    assert bits_entropy(shifted) == pytest.approx(bits_entropy(counts))


@given(random_counts, st.integers(0, 2**32 - 1))
def test_order_of_samples_and_steps_does_not_matter(counts, seed):
    rng = np.random.default_rng(seed)
    flat = counts.reshape(1, -1, counts.shape[2])
    shuffled = activity_bits(rng.permutation(flat, axis=1))
    assert shuffled == pytest.approx(activity_bits(counts))


def test_extreme_counts_do_not_wrap():
    # -128 has no int8 of the other sign; 8 bits of span need int16.
    counts = np.array([[[-128], [127]]], dtype=np.int8)
    assert bits_max(counts) == 8
    assert significant_bits(counts) == (1 + 7) / 2


@pytest.mark.parametrize(
    "metric", [bits_max, bits_entropy, significant_bits, spikes_per_step]
)
@pytest.mark.parametrize(
    "counts, got",
    [
        (np.zeros((2, 3, 4)), "float64 of shape (2, 3, 4)"),
        (np.zeros((2, 3), np.int16), "int16 of shape (2, 3)"),
        (np.zeros((2, 0, 4), np.int16), "int16 of shape (2, 0, 4)"),
        (np.zeros((2, 3, 4), bool), "bool of shape (2, 3, 4)"),
    ],
)
def test_bits_need_integer_counts(metric, counts, got):
    message = (
        "bit metrics need integer counts of shape (n_samples, n_steps, n_neurons), "
        f"got {got}"
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        metric(counts)


def test_accuracy_by_hand():
    assert accuracy([1, 2, 3, 4], [1, 2, 0, 4]) == 0.75
    assert type(accuracy(np.array([1]), np.array([1]))) is float


def test_accuracy_rejects_mismatched_and_empty():
    message = "accuracy needs as many predictions as labels, got (3,) and (2,)"
    with pytest.raises(ShapeError, match=exactly(message)):
        accuracy([1, 2, 3], [1, 2])
    # Broadcasting would find one of these right for every label.
    with pytest.raises(ShapeError, match="^accuracy needs as many"):
        accuracy([[1], [2]], [1, 2])
    message = "accuracy needs at least one prediction, got none"
    with pytest.raises(ShapeError, match=exactly(message)):
        accuracy([], [])


def test_classify_looks_at_the_last_steps_only():
    activity = np.array([[[9, 0, 0], [0, 1, 0], [0, 0, 2]]])
    assert [int(classify(activity, n)[0]) for n in (1, 2, 3)] == [2, 2, 0]


def test_classify_takes_the_first_of_equals():
    assert classify(np.array([[[1, 3, 3]], [[0, 0, 0]]]), 1).tolist() == [1, 0]


def test_classify_sums_one_byte_spikes_without_wrapping():
    spikes = np.ones((1, 300, 2), dtype=np.int8)
    spikes[0, :150, 1] = 0
    assert classify(spikes, 300).tolist() == [0]


@pytest.mark.parametrize("readout_steps", [0, -1, 4])
def test_classify_needs_steps_that_are_there(readout_steps):
    message = (
        "classify needs readout_steps in 1..3, the steps of the activity; got "
        f"{readout_steps}"
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        classify(np.zeros((2, 3, 4)), readout_steps)


@given(random_counts)
def test_tallied_bits_are_those_of_the_counts(counts):
    levels = np.zeros((counts.shape[2], 81), int)
    for neuron, found in enumerate(by_neuron(counts)):
        np.add.at(levels[neuron], np.array(found) + 40, 1)
    assert tallied_bits(levels) == pytest.approx(activity_bits(counts))


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 5)])
def test_tallied_bits_refuses_what_is_no_tally(shape):
    with pytest.raises(ShapeError) as caught:
        tallied_bits(np.zeros(shape, int))
    assert str(caught.value) == (
        "tallied_bits needs levels of shape (n_neurons, n_levels), an odd number of "
        f"levels, and a count of each neuron; got shape {shape}"
    )


def test_front_by_hand():
    # 9 right for 5; 8 for as much; 7 for 1; and for nobody knows what.
    rows = [{"right": r, "cost": c} for r, c in ((9, 5), (8, 5), (7, 1), (7, None))]
    found = metrics.pareto_front(rows, high=("right",), low=("cost",))
    assert found == [True, False, True, False]


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12))
def test_front_is_what_nothing_beats(values):
    rows = [dict(zip("abc", v, strict=True)) for v in values]
    found = metrics.pareto_front(rows, high=("a",), low=("b", "c"))

    def beats(one, other):
        as_good = one[0] >= other[0] and one[1] <= other[1] and one[2] <= other[2]
        return as_good and one != other

    expected = [not any(beats(v, own) for v in values) for own in values]
    assert found == expected and any(found)
