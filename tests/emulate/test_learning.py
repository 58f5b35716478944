"""Learning on the chip: one update by hand, random rounding, and its warnings."""

import dataclasses
import re
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid import emulate
from nengo_hybrid.emulate import Emulator
from nengo_hybrid.emulate.learning import _round
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graphs import (
    AxonGroup,
    Block,
    Learning,
    Population,
    Probe,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
    SynapseGroup,
)
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

# With a rate of 2**-5 the product of trace and error is in 128ths of a weight, and a
# spike makes a trace of 64.
RULE = Learning(
    rate_mantissa=1,
    rate_exponent=-5,
    weight_exponent=0,
    shift_bits=0,
    trace_tau=10,
    trace_increment=64.0,
    trace_epoch=2,
    weight_epoch=2,
    error_scale=10.0,
)


def make_graph(weights, rule=RULE, *, axons=None, n_lines=None):
    """Return lines onto one block that learns; its currents are probed."""
    weights = np.array(weights, np.int32)
    n_axons, n = weights.shape
    synapses = SynapseGroup(
        name="s",
        weights=tuple(row[None] for row in weights),
        indices=tuple(np.arange(n, dtype=np.int32)[None] for _ in weights),
        row_of_axon=np.arange(n_axons),
        base_of_axon=np.zeros(n_axons, int),
        memory_bits=0,
        weight_exponent=rule.weight_exponent,
        learning=rule,
    )
    values = {"decay_u": 4095, "decay_v": 4096, "vth": 2**20, "bias": 0}
    block = Block(
        name="b",
        population="b",
        neurons=np.arange(n),
        **{key: np.full(n, value, np.int32) for key, value in values.items()},
        refract_delay=np.ones(n, np.int32),
        vmin=-(2**23),
        vmax=2**23 - 1,
        synapses=(synapses,),
        axons=(),
    )
    axons = np.arange(n_axons) if axons is None else np.array(axons)
    out = AxonGroup(0, 0, axons, np.zeros_like(axons), n_slots=len(axons))
    population = Population("x", len(axons), "input")
    return QuantizedGraph(
        target="loihi1",
        host=SpikingGraph(1.0, (population,), (), ""),
        host_reasons={},
        chip_steps=1,
        latency_steps=0,
        inputs=(SpikeInput("x", "x", len(axons), (out,)),),
        blocks=(block,),
        output="b",
        errors={},
        probes=(Probe("current", "current", ((0, np.arange(n)),)),),
    )


def spikes(*steps):
    """Return one sample: per step, which lines spike."""
    return np.array([steps], np.int16)


def reach(graph, *targets):
    """Return the graph with the targets of each axon in another order."""
    (block,) = graph.blocks
    (synapses,) = block.synapses
    indices = tuple(np.array([row], np.int32) for row in targets)
    synapses = dataclasses.replace(synapses, indices=indices)
    block = dataclasses.replace(block, synapses=(synapses,))
    return dataclasses.replace(graph, blocks=(block,))


def weights_after(graph, lines, errors=(), *, seed=0, **options):
    """Return the weights, (n_axons, n_targets), after a run with some errors."""
    emulator = Emulator(graph, seed=seed, **options)
    emulator.set_errors(errors)
    emulator.run(lines)
    shape = len(graph.blocks[0].synapses[0].weights), graph.n_compartments
    return emulator.program.weights.reshape(shape).tolist()


def test_one_update_by_hand():
    # Two dimensions: compartments 0 and 2 are a pair, and 1 and 3. Line 0 spikes in
    # the first step, so that its trace is 64 in the second; errors of 0.2 and -0.4
    # are 2 and -4, and so weights change by 64 * 2 / 128 = 1 and by -2.
    graph = make_graph([[20, 20, 20, 20], [5, 6, 7, 8]])
    errors = [(0, 0, np.array([0.2, -0.4]))]
    one = spikes([1, 0])
    two = spikes([1, 0], [0, 0])
    assert weights_after(graph, one, errors) == [[20, 20, 20, 20], [5, 6, 7, 8]]
    assert weights_after(graph, two, errors) == [[19, 22, 21, 18], [5, 6, 7, 8]]


def test_new_weights_hold_from_the_next_step_on():
    # What the first spike brings is of the old weights, though they change as it
    # arrives; what the second brings, of the new ones.
    graph = make_graph([[20, 20]])
    emulator = Emulator(graph, seed=0)
    emulator.set_errors([(0, 0, np.array([0.2]))])
    (currents,) = emulator.run(spikes([1], [1], [0])).probes
    assert currents[0].tolist() == [[0, 0], [20, 20], [19, 21]]


def test_weights_that_reach_anywhere_learn():
    # As by hand above, but each axon has its targets in an order of its own. Weights
    # learn by their place in the row: of the first axon by -1, 2, 1 and -2.
    graph = make_graph([[20, 21, 22, 23], [1, 2, 3, 4]])
    graph = reach(graph, [2, 0, 3, 1], [3, 1, 0, 2])
    emulator = Emulator(graph, seed=0)
    emulator.set_errors([(0, 0, np.array([0.2, -0.4]))])
    (currents,) = emulator.run(spikes([1, 0], [1, 1], [0, 0])).probes
    assert currents[0].tolist() == [
        [0, 0, 0, 0],
        [21, 23, 20, 22],
        [23 + 3, 21 + 2, 19 + 4, 23 + 1],
    ]


def test_weights_are_stored_without_their_lowest_bits():
    # Of 8 bits 2 are not stored: whole numbers of 4, times 2**3. An error of 8 and a
    # trace of 64 are 4 of those; so 20 * 8 becomes 16 * 8 and 24 * 8.
    rule = dataclasses.replace(RULE, weight_exponent=3, shift_bits=2)
    graph = make_graph([[160, 160]], rule)
    errors = [(0, 0, np.array([0.8]))]
    assert weights_after(graph, spikes([1], [0]), errors) == [[128, 192]]


def test_the_rate_is_a_mantissa_and_an_exponent():
    rule = dataclasses.replace(RULE, rate_mantissa=3, rate_exponent=-4)
    graph, errors = make_graph([[20, 20]], rule), [(0, 0, np.array([0.2]))]
    assert weights_after(graph, spikes([1], [0]), errors) == [[20 - 6, 20 + 6]]


def test_errors_are_rounded_added_and_zero_where_there_are_none():
    # 0.26 and 0.04 are 3 and 0; rounded first, then added.
    graph, lines = make_graph([[20, 20]]), spikes([1], [0])
    both = [(0, 0, np.array([0.26])), (0, 0, np.array([0.04]))]
    found = weights_after(graph, lines, both)
    assert abs(found[0][1] - (20 + 64 * 3 / 128)) == 0.5
    assert weights_after(graph, lines, [(0, 0, np.array([0.2]))] * 2) == [[18, 22]]
    assert weights_after(graph, lines) == [[20, 20]]
    emulator = Emulator(graph, seed=0)
    emulator.set_errors(both)
    emulator.set_errors([])
    emulator.run(lines)
    assert emulator.program.weights.tolist() == [20, 20]


def test_errors_hold_until_others_are_set():
    # A spike before each update; the trace keeps exp(-2 / 10) of 64, 52.4, and so is
    # at its largest of 127 at most from the second on.
    graph = make_graph([[100, 100]])
    lines = spikes([1], [0], [1], [0], [0], [0])
    emulator = Emulator(graph, seed=0)
    emulator.set_errors([(0, 0, np.array([0.2]))])
    emulator.run(lines[:, :2])
    first = emulator.program.weights.copy()
    emulator.run(lines[:, 2:4])
    second = emulator.program.weights.copy()
    emulator.set_errors([])
    emulator.run(lines[:, 4:])
    assert first.tolist() == [99, 101]
    assert second[0] < first[0] and second[1] > first[1]
    assert emulator.program.weights.tolist() == second.tolist()


def test_a_trace_decays_as_its_time_constant_says():
    # The mean of a trace that is rounded at random is the trace: after two epochs
    # 64 * exp(-4 / 10) = 42.9. Weights change by 127 / 128 of it.
    rule = dataclasses.replace(RULE, weight_epoch=6, error_scale=1.0)
    n_axons = 400
    graph = make_graph(np.full((n_axons, 2), 100), rule)
    lines = np.zeros((1, 6, n_axons), np.int16)
    lines[0, 0] = 1
    emulator = Emulator(graph, seed=1)
    emulator.set_errors([(0, 0, np.array([127]))])
    emulator.run(lines)
    change = (emulator.program.weights.reshape(n_axons, 2) - 100) * 128 / 127
    wanted = 64 * np.exp(-0.4)
    # Each is rounded three times, by less than 1: the mean is good to 0.2.
    assert abs(change[:, 1].mean() - wanted) < 0.3
    assert abs(change[:, 0].mean() + wanted) < 0.3


def test_without_spikes_nothing_is_learned():
    graph, errors = make_graph([[20, 20]]), [(0, 0, np.array([5.0]))]
    assert weights_after(graph, spikes([0], [0], [0], [0]), errors) == [[20, 20]]


def test_neurons_without_an_axon_leave_no_trace():
    graph = make_graph([[20, 20], [30, 30]], axons=[-1, 0])
    errors = [(0, 0, np.array([0.2]))]
    lines = spikes([1, 0], [0, 0])
    assert weights_after(graph, lines, errors) == [[20, 20], [30, 30]]
    lines = spikes([0, 1], [0, 0])
    assert weights_after(graph, lines, errors) == [[19, 21], [30, 30]]


def test_reset_brings_the_deployed_weights_back():
    graph, errors = make_graph([[20, 20]]), [(0, 0, np.array([0.2]))]
    before = graph.sha256
    emulator = Emulator(graph, seed=0)
    emulator.set_errors(errors)
    first = emulator.run(spikes([1], [1], [0])).probes[0]
    assert emulator.program.weights.tolist() != [20, 20]
    emulator.reset(0)
    assert emulator.program.weights.tolist() == [20, 20]
    # The errors are forgotten too.
    (currents,) = emulator.run(spikes([1], [1], [0])).probes
    assert currents[0].tolist() == [[0, 0], [20, 20], [20, 20]]
    emulator.reset(0)
    emulator.set_errors(errors)
    np.testing.assert_array_equal(emulator.run(spikes([1], [1], [0])).probes[0], first)
    assert dataclasses.replace(graph).sha256 == before


@pytest.mark.parametrize("x", [0.0, 2.25, -2.25, 0.5, -7.9, 3.0, -3.0])
def test_rounding_gives_the_mean_it_rounds(x):
    n, rng = 40_000, np.random.RandomState(0)
    rounded = _round(np.full(n, x), rng, 127, "x")
    assert set(rounded.tolist()) <= {int(np.floor(x)), int(np.ceil(x))}
    # Of a fraction p, the deviation of the mean is sqrt(p * (1 - p) / n) <= 0.0025.
    assert abs(rounded.mean() - x) < 5 * 0.0025
    assert rounded.dtype == np.int32


@given(
    st.lists(st.integers(-127, 127), min_size=1, max_size=20), st.integers(0, 2**32 - 1)
)
def test_whole_numbers_are_not_rounded(numbers, seed):
    x = np.array(numbers, dtype=float)
    assert _round(x, np.random.RandomState(seed), 127, "x").tolist() == numbers


def test_rounding_draws_one_number_for_each():
    rng, fresh = np.random.RandomState(4), np.random.RandomState(4)
    x = np.linspace(-3, 3, 20).reshape(4, 5)
    up = np.modf(np.abs(x))[0] > fresh.rand(4, 5)
    wanted = np.sign(x) * (np.floor(np.abs(x)) + up)
    np.testing.assert_array_equal(_round(x, rng, 127, "x"), wanted)
    assert rng.rand() == fresh.rand()


def test_traces_that_are_too_large_are_clipped_with_a_warning():
    rule = dataclasses.replace(RULE, trace_increment=200.0)
    graph, errors = make_graph([[20, 20]], rule), [(0, 0, np.array([12.8 * 0.1]))]
    with pytest.warns(UserWarning) as caught:
        found = weights_after(graph, spikes([1], [0]), errors)
    assert [str(w.message) for w in caught] == ["clipped traces of 's' to 127"]
    # An error of 13 and a trace of 127, not 200: 12.9, not 20.3.
    assert abs(found[0][1] - 20 - 127 * 13 / 128) < 1


def test_weights_that_are_too_large_are_clipped_with_a_warning():
    graph, errors = make_graph([[-250, 250]]), [(0, 0, np.array([2.0]))]
    with pytest.warns(UserWarning) as caught:
        found = weights_after(graph, spikes([1], [0]), errors)
    assert [str(w.message) for w in caught] == ["clipped learned weights of 's' to 255"]
    assert found == [[-255, 255]]


def test_an_error_that_is_too_large_is_clipped_with_a_warning():
    emulator = Emulator(make_graph([[20, 20]]), seed=0)
    with pytest.warns(UserWarning) as caught:
        emulator.set_errors([(0, 0, np.array([-20.0]))])
    assert [str(w.message) for w in caught] == [
        "PES error of 20 is more than the 12.7 that the chip takes; lower "
        "pes_error_scale"
    ]
    emulator.run(spikes([1], [0]))
    # 64 * 127 / 128 = 63.5, in either direction.
    low, high = emulator.program.weights - 20
    assert low in (63, 64) and high in (-64, -63)


def test_the_largest_error_is_taken_without_a_warning():
    emulator = Emulator(make_graph([[20, 20]]), seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emulator.set_errors([(0, 0, np.array([12.7]))])


LOST = (
    "Synaptic trace spikes lost: synapses 's' got two spikes on an axon in 2 steps; "
    "the trace counts one"
)


# They arrive in the third and fourth step; traces are updated in the second and fourth.
TWICE = spikes([0], [1], [1], [0])


def test_a_spike_that_the_trace_loses_is_an_error():
    emulator = Emulator(make_graph([[20, 20]]), seed=0)
    with pytest.raises(EmulateError, match=f"^{re.escape(LOST)}$"):
        emulator.run(TWICE)


def test_a_spike_that_the_trace_loses_is_a_warning():
    graph = make_graph([[20, 20]])
    with pytest.warns(UserWarning) as caught:
        found = weights_after(
            graph, TWICE, [(0, 0, np.array([0.2]))], on_overflow="warn"
        )
    assert [str(w.message) for w in caught] == [LOST]
    assert found == [[19, 21]]


def test_spikes_in_two_epochs_are_not_lost():
    # They arrive in the second and in the third step.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights_after(make_graph([[20, 20]]), spikes([1], [1], [0], [0]))


def test_two_lines_on_one_axon_lose_a_spike():
    graph = make_graph([[20, 20]], axons=[0, 0])
    with pytest.raises(EmulateError, match=f"^{re.escape(LOST)}$"):
        Emulator(graph).run(spikes([1, 1], [0, 0]))


def test_two_spikes_of_a_line_in_one_step_lose_one():
    with pytest.raises(EmulateError, match=f"^{re.escape(LOST)}$"):
        Emulator(make_graph([[20, 20]])).run(spikes([2], [0]))


def test_samples_learn_apart_and_one_after_the_other():
    # No errors come here, so that the deployed weights stay; a batch needs a sample.
    graph = make_graph([[20, 20]])
    placement = place(graph, load_target("loihi1"))
    counts = np.array([[[1], [0]], [[0], [0]], [[1], [0]]])
    trace = emulate.run(graph, placement, {"x": counts})
    assert trace.probes["current"][:, 1].tolist() == [[20, 20], [0, 0], [20, 20]]
    words = "^a batch needs a whole number of samples, at least 1, got 0$"
    with pytest.raises(EmulateError, match=words):
        emulate.run(graph, placement, {"x": counts[:0]})


@pytest.mark.parametrize(
    "block, synapses, error, words",
    [
        (
            0,
            0,
            np.zeros(2),
            "synapses 0 of block 0 need errors of shape (1,), got (2,)",
        ),
        (0, 0, 0.5, "synapses 0 of block 0 need errors of shape (1,), got ()"),
        (
            0,
            1,
            np.zeros(1),
            "synapses 1 of block 0 need errors of shape None, got (1,)",
        ),
        (
            3,
            0,
            np.zeros(1),
            "synapses 0 of block 3 need errors of shape None, got (1,)",
        ),
    ],
)
def test_errors_of_another_shape_are_refused(block, synapses, error, words):
    with pytest.raises(ShapeError, match=f"^{re.escape(words)}$"):
        Emulator(make_graph([[20, 20]])).set_errors([(block, synapses, error)])
