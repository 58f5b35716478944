"""What a chip with spikes of one bit runs: synapses, and spikes injected for counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nengo_hybrid.exceptions import ShapeError
from nengo_hybrid.graphs import (
    Population,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
    SynapseGroup,
)


def make_quantized(n_lines, *, chip_steps=4, latency_steps=0):
    """Return a quantized graph that has nothing but lines for population x."""
    return QuantizedGraph(
        target="loihi1",
        host=SpikingGraph(1.0, (Population("x", 2, "input"),), (), "x"),
        host_reasons={},
        chip_steps=chip_steps,
        latency_steps=latency_steps,
        inputs=(SpikeInput("x", "x", n_lines, ()),),
        blocks=(),
        output="h",
        errors={},
    )


counts_of_2 = hnp.arrays(
    st.sampled_from([np.int8, np.int16, np.int64]),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.just(2)),
    elements=st.integers(-100, 100),
)


def test_synapses_are_counted_by_hand():
    # Row 0 has 3 synapses for each of its atoms, row 1 has 1. Axons use rows 0, 1,
    # 0, and the last is unused.
    group = SynapseGroup(
        name="s",
        weights=(np.ones((2, 3), np.int32), np.ones((2, 1), np.int32)),
        indices=(np.zeros((2, 3), np.int32), np.zeros((2, 1), np.int32)),
        row_of_axon=np.array([0, 1, 0, 1]),
        base_of_axon=np.array([0, 0, 5, -1]),
        memory_bits=0,
        weight_exponent=0,
    )
    counts = group.synapses_per_axon([0, 1, 2, 3, -1, 0])
    assert counts.tolist() == [3, 1, 3, 0, 0, 3]
    assert group.n_axons == 4


def test_a_count_is_spread_evenly_by_hand():
    # Of 3 spikes, 0, 1, 2 and 3 are sent by the end of the four steps; of 5 negative
    # ones 1, 2, 3 and 5, on the second neuron's other line.
    injected = make_quantized(4, latency_steps=1).injected("x", np.array([[[3, -5]]]))
    assert injected[0].tolist() == [
        [0, 0, 0, 1],
        [1, 0, 0, 1],
        [1, 0, 0, 1],
        [1, 0, 0, 2],
        [0, 0, 0, 0],
    ]


@given(counts_of_2, st.integers(1, 9), st.integers(0, 3))
def test_injected_spikes_add_up_to_the_counts(counts, chip_steps, latency_steps):
    graph = make_quantized(4, chip_steps=chip_steps, latency_steps=latency_steps)
    injected = graph.injected("x", counts)
    n_samples, n_steps, _ = counts.shape
    n_chip_steps = n_steps * chip_steps
    assert injected.shape == (n_samples, n_chip_steps + latency_steps, 4)
    assert injected.dtype == np.int16
    assert not injected[:, n_chip_steps:].any()
    steps = injected[:, :n_chip_steps].reshape(n_samples, n_steps, chip_steps, 4)
    sums = steps.sum(axis=2, dtype=int)
    # On the line for their sign, and on that alone.
    assert np.array_equal(sums[..., :2], np.maximum(counts, 0).astype(int))
    assert np.array_equal(sums[..., 2:], np.maximum(-counts.astype(int), 0))
    # Spread evenly: no two steps differ by more than one spike, and no part of the
    # step is ahead of or behind its share by a whole spike.
    assert np.all(steps.max(axis=2) - steps.min(axis=2) <= 1)
    due = np.arange(1, chip_steps + 1)[:, None] / chip_steps * sums[:, :, None]
    ahead = np.cumsum(steps, axis=2, dtype=int) - due
    assert np.all(ahead > -1)
    assert np.all(ahead < 1e-9)


@given(counts_of_2, st.integers(1, 9))
def test_unsigned_populations_have_one_line_a_neuron(counts, chip_steps):
    counts = np.abs(counts)
    plain = make_quantized(2, chip_steps=chip_steps).injected("x", counts)
    signed = make_quantized(4, chip_steps=chip_steps).injected("x", counts)
    assert np.array_equal(plain, signed[..., :2])


def test_the_largest_negative_count_does_not_wrap():
    counts = np.array([[[-128, 0]]], dtype=np.int8)
    assert make_quantized(4).injected("x", counts)[0, :, 2].tolist() == [32] * 4


def test_counts_that_do_not_fit_a_line_are_refused():
    counts = np.full((1, 2, 2), 65_534)
    graph = make_quantized(2, chip_steps=2)
    assert graph.check_counts({"x": counts}) == (1, 2)
    with pytest.raises(ShapeError) as caught:
        graph.check_counts({"x": counts + 1})
    assert str(caught.value) == (
        "injected population 'x' has counts from 65535 to 65535; a step of the input "
        "can inject 65,534 spikes of a neuron"
    )
