"""Programs of single neurons by hand, and what they refuse."""

import re

import numpy as np
import pytest

from nengo_hybrid.emulate.graded import GradedRun, run_graded
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graphs import (
    PROGRAMS,
    GradedGraph,
    GradedPopulation,
    GradedProjection,
    Widths,
)
from nengo_hybrid.targets import load_target

WIDTHS = Widths.of(load_target("loihi2"))
# All of a current, or none of a voltage, is lost in a step.
GONE, KEPT = 4095, 0


def alone(program, *, state=None, **parameters):
    """Make one neuron behind an input of whole numbers, with a weight of 1."""
    parameters |= {"bias": parameters.get("bias", 0)}
    needed = PROGRAMS[program]
    given = {n: np.array([parameters[n]], np.int32) for n in needed.parameters}
    start = dict.fromkeys(needed.registers, 0) | (state or {})
    start = {name: np.array([value], np.int32) for name, value in start.items()}
    return GradedGraph(
        "loihi2",
        (
            GradedPopulation("x", 1, "input", {}, {}, 24, np.ones(1)),
            GradedPopulation("n", 1, program, given, start, 24, np.ones(1)),
        ),
        (GradedProjection("w", "x", "n", np.ones((1, 1), np.int8), 0),),
        "n",
        {},
        WIDTHS,
    )


def sent(graph, x):
    x = np.array(x, float)[None, :, None]
    return run_graded(graph, x).output.ravel().tolist()


LIF = {"decay_u": GONE, "decay_v": KEPT, "minimum": -99, "refractory": 0}


def test_a_threshold_has_to_be_exceeded():
    # 6, 12, which is over 10: to 0; then 10 is not over it, 11 is.
    assert sent(alone("cuba lif", threshold=10, **LIF), [6, 6, 10, 1]) == [0, 1, 0, 1]


def test_a_reset_by_subtraction_keeps_the_rest():
    # 12 leaves 2, 12 again leaves 2, 10 is not over 10.
    graph = alone("cuba lif, subtracting", threshold=10, **LIF)

    assert sent(graph, [12, 10, 8, 1]) == [1, 1, 0, 1]


def test_an_integrator_does_what_a_lif_without_a_leak_does():
    x = np.random.default_rng(0).integers(-9, 20, 50)
    for reset in ("", ", subtracting"):
        lif = alone("cuba lif" + reset, threshold=25, bias=1, **LIF)
        bounds = {"threshold": 25, "minimum": -99, "bias": 1}
        integrator = alone("integrate-and-fire" + reset, **bounds)
        assert sent(lif, x) == sent(integrator, x)
        assert sum(sent(lif, x)) > 5


def test_a_voltage_does_not_fall_below_its_minimum():
    # -50 stays at -3, so that 14 makes 11.
    lowest = LIF | {"minimum": -3}

    assert sent(alone("cuba lif", threshold=10, **lowest), [-50, 14]) == [0, 1]


def test_a_refractory_neuron_waits_and_its_current_does_not():
    # Spikes at once; two steps of 11 are lost, the third is not.
    waits = LIF | {"refractory": 2}
    assert sent(alone("cuba lif", threshold=10, **waits), [11] * 5) == [1, 0, 0, 1, 0]

    # A current that stays whole adds up meanwhile: 8, 16, 24, of which 24 is not lost.
    graph = alone("cuba lif, subtracting", threshold=7, **waits | {"decay_u": 0})
    assert sent(graph, [8, 8, 8, 8, 0]) == [1, 0, 0, 1, 0]


def test_decays_round_toward_zero_and_have_an_offset_of_1():
    # A decay of 256: 6400 x 3839 / 4096 = 5998.4, then 5621.7 and 5268.5, which the
    # voltage, of which all is lost, is in each step. Of -6400 the same.
    for sign in (1, -1):
        known = {"threshold": 8000, "minimum": -(2**22), "refractory": 0}
        graph = alone("cuba lif", decay_u=256, decay_v=4096, **known)
        for n, current in ((1, 6400), (2, 5998), (3, 5621), (4, 5268)):
            threshold = (current - 1) if sign > 0 else -current - 1
            bound = graph.population("n").parameters["threshold"]
            bound[:] = threshold
            x = [sign * 6400] + [0] * (n - 1)
            assert sent(graph, x)[-1] == 1
            bound[:] = threshold + 1
            assert sent(graph, x)[-1] == 0


def test_a_leaky_state_by_hand():
    # Half is lost: 100, 53, 26, 13, 6 - 19 and -6, rounded toward zero; sent in fours,
    # which round down.
    graph = alone("leaky", decay_v=2048, shift=2)

    assert sent(graph, [100, 3, 0, 0, -19, 0]) == [25, 13, 6, 3, -4, -2]


def test_a_sigma_delta_neuron_sends_what_changes():
    # 5 is below 8; 12 is told; -2 more is not enough; 0 of the -90 is left: -12.
    graph = alone("sigma-delta", threshold=8, shift=0)

    assert sent(graph, [5, 7, -2, -100, 0]) == [0, 12, 0, -12, 0]


def test_what_a_sigma_sums_up_is_what_a_sigma_delta_has():
    # Whatever is held back is smaller than the threshold.
    rng = np.random.default_rng(1)
    x = rng.integers(-30, 31, 200)
    deltas = sent(alone("sigma-delta", threshold=16, shift=0), x)
    told = np.array(sent(alone("sigma"), deltas))

    wanted = np.maximum(np.cumsum(x), 0)
    assert np.abs(told - wanted).max() < 16
    assert 10 < np.count_nonzero(deltas) < 150


def test_a_state_beyond_its_register_is_an_error():
    graph = alone("cuba lif", threshold=2**22, **LIF | {"minimum": -(2**23) + 1})
    words = "population 'n' has a sum or state of 8388608 at step 1, more than 24 bits"
    with pytest.raises(EmulateError, match=f"^{words}"):
        sent(graph, [2**22, 2**22])


def test_a_parameter_that_is_missing_is_an_error():
    graph = alone("leaky", decay_v=1, shift=0)
    del graph.population("n").parameters["decay_v"]
    words = (
        "population 'n' runs the program 'leaky', which needs parameters bias, "
        "decay_v, shift; got bias, shift"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(words)}$"):
        GradedRun(graph)
