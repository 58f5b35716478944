"""Graded networks in integers: equal to the chip's clock, alone or in a batch."""

import re
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.emulate import graded
from nengo_hybrid.emulate.graded import GradedRun, run_graded
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graded_trace import IntegerRange
from nengo_hybrid.graphs import (
    PROGRAMS,
    GradedGraph,
    GradedPopulation,
    GradedProjection,
    Widths,
)
from nengo_hybrid.targets import load_target

from .chip_clock import run_on_clock

N_STEPS = 12
WIDTHS = Widths.of(load_target("loihi2"))
# Seeds of graphs that stay within their registers; together they have all programs.
TAMES = (0, 2, 8, 50)
TAME = TAMES[0]


def population(rng, name, program, n):
    def whole(low, high):
        return rng.integers(low, high, n).astype(np.int32)

    shift = whole(2, 6)
    parameters = {"bias": whole(-9, 9)}
    state = {}
    if "quantizer" in program:
        parameters["shift"] = shift
        state = {"v": (rng.random(n) * 2**shift).astype(np.int32)}
    if program == "rotor":
        pairs = {
            "quarter": whole(0, 4),
            "tangent": whole(-1700, 1700),
            "sine": whole(-2900, 2900),
        }
        for values in pairs.values():
            values[1 : n - n % 2 : 2] = values[0 : n - 1 : 2]
            values[n - n % 2 :] = 0
        gain = {"gain": whole(2048, 4096), "gain_shift": whole(9, 14)}
        parameters = {**pairs, **gain, "shift": shift}
        state = {
            "m": whole(-50, 50),
            "v": (rng.random(n) * 2**shift).astype(np.int32),
        }
    if program in ("cuba lif", "integrate-and-fire"):
        program += rng.choice(["", ", subtracting"])
        parameters |= {
            "threshold": whole(0, 60),
            "minimum": -whole(0, 200),
        }
        state = {"v": whole(-40, 40)}
    if program.startswith("cuba lif"):
        parameters |= {
            "decay_u": rng.choice([0, 900, 4095], n).astype(np.int32),
            "decay_v": whole(0, 4096),
            "refractory": whole(0, 3),
        }
        state |= {"u": whole(-40, 40), "wait": whole(0, 3)}
    if program == "leaky":
        parameters |= {"decay_v": whole(0, 4096), "shift": shift}
        state = {"v": whole(-500, 500)}
    if program == "sigma-delta":
        parameters |= {"threshold": whole(0, 40), "shift": shift - 2}
        state = {"sigma": whole(-50, 50), "told": whole(0, 50)}
    if program == "delta":
        parameters = {"threshold": whole(0, 40), "shift": shift - 2}
        state = {"told": whole(-50, 50)}
    if program == "sigma":
        parameters, state = {}, {"sigma": whole(-50, 50)}
    return GradedPopulation(name, n, program, parameters, state, 24, np.ones(n))


PROGRAMS_TRIED = [
    *("quantizer", "relu quantizer", "rotor", "sum", "leaky", "sigma-delta", "sigma"),
    *("cuba lif", "integrate-and-fire", "delta"),
]
# What these send grows without bound in a loop.
UNBOUNDED = {"sum", "sigma", "leaky"}


def random_graph(seed):
    """Make a graph of an input and up to five populations, connected at random."""
    rng = np.random.default_rng(seed)
    programs = rng.choice(PROGRAMS_TRIED, rng.integers(1, 6))
    sizes = rng.integers(1, 6, len(programs) + 1)
    names = [f"p{i}" for i in range(len(sizes))]
    populations = [
        GradedPopulation("p0", sizes[0], "input", {}, {}, 9, np.ones(sizes[0]))
    ]
    populations += [
        population(rng, name, program, n)
        for name, program, n in zip(names[1:], programs, sizes[1:], strict=True)
    ]
    projections = []
    for i in range(1, len(names)):
        for j in range(len(names)):
            # From before at once; a loop has a delay, and sums do not feed back.
            delay = int(rng.choice([0, 1, 3])) if j < i else int(rng.choice([1, 2]))
            if (j >= i and programs[i - 1] in UNBOUNDED) or rng.random() < 0.4:
                continue
            weights = rng.integers(-3, 4, (sizes[i], sizes[j])).astype(np.int8)
            exponent = int(rng.integers(0, 3))
            projections.append(
                GradedProjection(
                    f"{j} to {i}", names[j], names[i], weights, exponent, delay
                )
            )
    parts = tuple(populations), tuple(projections)
    return GradedGraph("loihi2", *parts, names[-1], {}, WIDTHS)


def run(graph, x, **options):
    """Run a batch, and return what every population sends."""
    runner = GradedRun(graph, **options)
    x = runner.checked_input(x)
    names = [p.name for p in graph.populations]
    found = {name: runner.empty(name, len(x), x.shape[1]) for name in names}
    for part, values in runner.pieces(x, record=names):
        for name in names:
            found[name][part] = values[name]
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), singly=st.booleans())
def test_a_run_is_that_of_the_chips_clock(seed, singly):
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 21, (1, N_STEPS, graph.populations[0].n_neurons))
    wanted, largest, _ = run_on_clock(graph, x[0])

    if largest >= 2**23:
        with pytest.raises(EmulateError, match="a sum or state of"):
            run(graph, x)
        return
    # So small, they are matrices; as single synapses they give the same.
    with mock.patch.multiple(graded, SMALL=0 if singly else 1024, DENSE=1):
        found = run(graph, x)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name][0], values)
    ranges = run_graded(graph, x).ranges
    assert max(row.state[0] for row in ranges if row.state) == largest
    for row in ranges:
        assert row.payload[0] == np.abs(wanted[row.name]).max()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    interval=st.integers(1, N_STEPS),
    singly=st.booleans(),
)
def test_samples_in_a_stream_are_those_that_are_apart(seed, interval, singly):
    graph = random_graph(seed)
    rng = np.random.default_rng(seed)
    x = rng.integers(-20, 21, (2, 3 * interval, graph.populations[0].n_neurons))
    apart = x.reshape(6, interval, -1)

    with mock.patch.multiple(graded, SMALL=0 if singly else 1024, DENSE=1):
        try:
            wanted, traced = run(graph, apart), run_graded(graph, apart)
        except EmulateError:
            with pytest.raises(EmulateError):
                run(graph, x, reset_interval=interval)
            return
        found = run(graph, x, reset_interval=interval)
        trace = run_graded(graph, x, reset_interval=interval)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name].reshape(values.shape), values)
        np.testing.assert_array_equal(trace.by_bits[name], traced.by_bits[name])
        np.testing.assert_array_equal(trace.ones[name], traced.ones[name])
    assert trace.ranges == traced.ranges
    # On the chip's clock nothing that is late arrives in the next sample.
    wanted, _, n_time_steps = run_on_clock(graph, x[0], interval)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name][0], values)
    late = max(graph.phases.values()) - trace.latency_steps
    assert n_time_steps == trace.n_time_steps + late


def quantizer_by_hand():
    one = GradedPopulation("x", 1, "input", {}, {}, 9, np.array([0.5]))
    two = GradedPopulation(
        "q",
        1,
        "quantizer",
        {"bias": np.array([1], np.int32), "shift": np.array([2], np.int32)},
        {"v": np.array([3], np.int32)},
        6,
        np.ones(1),
    )
    synapses = GradedProjection("w", "x", "q", np.array([[3]], np.int8), 1)
    return GradedGraph("loihi2", (one, two), (synapses,), "q", {}, WIDTHS)


def test_a_quantizer_by_hand():
    # Thresholds of 4; a unit of 0.5, so 1.0 is 2 and adds 2 * 3 * 2 + 1 = 13.
    # v: 3 + 13 = 16, sends 4, keeps 0; -1.0 adds -11: sends -3, keeps 1; 0 adds 1.
    x = np.array([1.0, -1.0, 0.0, 0.0])[None, :, None]

    assert run(quantizer_by_hand(), x)["q"].ravel().tolist() == [4, -3, 0, 0]


def test_a_reset_by_hand():
    # 1.0 sends 4 and keeps 0, -1.0 sends -3 and keeps 1, as above; then from 3 again,
    # and without a reset from 1: 14 sends 3 and keeps 2, and -9 sends -3.
    x = np.array([1.0, -1.0, 1.0, -1.0])[None, :, None]
    graph = quantizer_by_hand()

    assert run(graph, x, reset_interval=2)["q"].ravel().tolist() == [4, -3, 4, -3]
    assert run(graph, x)["q"].ravel().tolist() == [4, -3, 3, -3]
    assert run_graded(graph, x, reset_interval=2).n_time_steps == 4 + 1


def test_a_message_that_is_late_at_a_reset_is_dropped():
    # Two steps late, 24 * 1.0 would come in steps 2 and 3: after 2 steps they are gone,
    # and 3 + 1 sends 1, 0 + 1 nothing. The chip waits 2 steps for them, 4 times.
    graph = quantizer_by_hand()
    late = replace(graph.projections[0], delay=2)
    graph = replace(graph, projections=(late,))
    trace = run_graded(graph, np.ones((1, 9, 1)), reset_interval=2)

    assert trace.output.ravel().tolist() == [1, 0] * 4 + [1]
    assert trace.pause_steps == 4 * 2 * graph.chip_steps
    assert trace.n_time_steps == 9 * graph.chip_steps + trace.pause_steps


@pytest.mark.parametrize("interval", [0, -3, 2.5, True, 2**31])
def test_no_interval_is_an_error(interval):
    words = (
        f"a reset_interval is a whole number of steps from 1 on, got {interval!r}; "
        "leave it out for samples that are apart"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(words)}$"):
        run_graded(quantizer_by_hand(), np.ones((1, 2, 1)), reset_interval=interval)


@pytest.mark.parametrize("interval", [None, 5])
@pytest.mark.parametrize("seed", TAMES)
def test_a_sample_alone_is_the_sample_in_a_batch(seed, interval):
    rng = np.random.default_rng(0)
    graph = random_graph(seed)
    x = rng.integers(-20, 21, (150, N_STEPS, graph.populations[0].n_neurons))
    together = run(graph, x, reset_interval=interval)

    for i in (0, 63, 64, 149):
        alone = run(graph, x[i : i + 1], reset_interval=interval)
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][i])


def test_samples_run_in_pieces_as_small_as_is_asked_for():
    rng = np.random.default_rng(0)
    graph, told = random_graph(TAME), []
    x = rng.integers(-20, 21, (150, N_STEPS, graph.populations[0].n_neurons))
    whole = run_graded(graph, x)
    parts = run_graded(
        graph, x, at_once=70, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(70, 150), (140, 150), (150, 150)]
    np.testing.assert_array_equal(whole.output, parts.output)
    for name, counts in whole.by_bits.items():
        np.testing.assert_array_equal(counts, parts.by_bits[name])
    assert whole.ranges == parts.ranges


def test_the_graphs_of_batches_have_all_programs():
    graphs = [random_graph(seed) for seed in TAMES]

    assert {p.program for graph in graphs for p in graph.populations} >= {*PROGRAMS}


def test_payloads_are_tallied():
    # 4, -3 and 0 of the test before: one of 3 bits, one of 2, one of none; 3 ones.
    trace = run_graded(quantizer_by_hand(), np.array([[[1.0], [-1.0], [0.0]]]))

    assert trace.output.ravel().tolist() == [4, -3, 0]
    assert trace.by_bits["q"][0, :4].tolist() == [1, 0, 1, 1]
    assert trace.by_bits["q"].sum() == 3
    assert (trace.ones["q"].item(), trace.spikes("q").item()) == (3, 2)
    # x at once, q a time step later: 3 steps and 1.
    assert trace.n_time_steps == 4
    assert trace.spikes_per_time_step("q").item() == 2 / 4
    assert trace.activity("q") == {
        "bits_largest": 4,
        "significant_bits": 1.0,
        "spikes_per_step": 2 / 3,
    }


def test_how_far_integers_go_by_hand():
    # v is 16, then -11, then 1, as above; 2 units and 4 counts are the most sent, of 9
    # bits and of 6.
    trace = run_graded(quantizer_by_hand(), np.array([[[1.0], [-1.0], [0.0]]]))

    assert trace.ranges == (
        IntegerRange("x", (2, 255), None, 0.0),
        IntegerRange("q", (4, 31), (16, 2**23 - 1), 0.0),
    )


def test_sums_beyond_24_bits_on_the_way_are_exact():
    # 5 x 127 x 32,767 is odd and above 2^24; what is left in the end is 635.
    x = np.array([32767] * 5 + [32766] * 5)[None, None]
    wide = GradedPopulation("x", 10, "input", {}, {}, 16, np.ones(10))
    bias = {"bias": np.zeros(1, np.int32)}
    out = GradedPopulation("out", 1, "sum", bias, {}, 24, np.ones(1))
    weights = np.array([[127] * 5 + [-127] * 5], np.int8)
    graph = GradedGraph(
        "loihi2",
        (wide, out),
        (GradedProjection("w", "x", "out", weights, 0),),
        "out",
        {},
        WIDTHS,
    )

    assert run(graph, x)["out"].item() == 635


def test_a_payload_that_does_not_fit_is_an_error():
    # 127 adds 763, and a payload of 6 bits is at most 31 thresholds of 4.
    words = (
        "population 'q' has a payload of 191 at step 0, more than 6 bits hold; "
        "quantize the network with data as large as these"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(words)}$"):
        run(quantizer_by_hand(), np.full((1, 2, 1), 63.5))


def test_input_beyond_its_bits_is_an_error():
    words = (
        "input population 'x' sends payloads of 9 bits, got 128.0, which is 256 units; "
        "quantize it with data as large as these"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(words)}$"):
        run(quantizer_by_hand(), np.full((1, 2, 1), 128.0))


def test_input_of_another_shape_is_an_error():
    with pytest.raises(ShapeError, match=r"^input population 'x' needs x of shape"):
        run(quantizer_by_hand(), np.zeros((1, 2, 2)))


def test_a_state_that_does_not_fit_is_an_error():
    graph = quantizer_by_hand()
    grows = GradedProjection("loop", "q", "q", np.array([[100]], np.int8), 4, 1)
    wide = [p if p.is_input else replace(p, payload_bits=24) for p in graph.populations]
    graph = replace(
        graph, populations=tuple(wide), projections=(*graph.projections, grows)
    )

    with pytest.raises(
        EmulateError, match=r"^population 'q' has a sum or state of \d+ at"
    ):
        run(graph, np.ones((1, 9, 1)))
