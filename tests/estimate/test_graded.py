"""Counts and prices of a run in graded integers, by hand."""

import numpy as np
import pytest

from nengo_hybrid.emulate import run_graded
from nengo_hybrid.estimate import count_ops, estimate
from nengo_hybrid.graphs import GradedGraph, GradedPopulation, GradedProjection, Widths
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

LOIHI2 = load_target("loihi2")


@pytest.fixture(scope="module")
def ran():
    """Run an input into three sums, which two hear; return the placement and trace."""

    def neurons(name, n, program="sum"):
        bias = {} if program == "input" else {"bias": np.zeros(n, np.int32)}
        return GradedPopulation(name, n, program, bias, {}, 16, np.ones(n))

    graph = GradedGraph(
        "loihi2",
        (neurons("x", 1, "input"), neurons("a", 3), neurons("b", 2)),
        (
            GradedProjection("in", "x", "a", np.array([[1], [2], [0]], np.int8), 0),
            GradedProjection("on", "a", "b", np.ones((2, 3), np.int8), 0),
        ),
        "b",
        {},
        Widths.of(LOIHI2),
    )
    x = np.array([[[3.0], [0.0], [5.0]], [[0.0], [0.0], [1.0]]])
    return place(graph, LOIHI2), run_graded(graph, x)


def test_counts_are_those_of_a_hand_count(ran):
    counts = count_ops(*ran, LOIHI2)

    # x sends 3, 5 and 1 in two samples; a sends 3 and 6, 5 and 10, 1 and 2; b nine
    # sums of 9, 15 and 3, twice. A spike of x has 2 synapses: with their indices they
    # take 20 bits, and all 3 would take 24.
    assert counts.n_steps == 3 + 2
    assert counts.spikes == pytest.approx((6 + 6) / 2)
    assert counts.host_messages == pytest.approx(3 / 2)
    assert counts.synaptic_ops == pytest.approx((3 * 2 + 6 * 2) / 2)
    # 5 neurons, each in every time step.
    assert counts.neuron_updates_active == pytest.approx(5 * 5)
    # Ones: of 3, 5, 1: 2, 2, 1; of 3, 6, 5, 10, 1, 2: 2, 2, 2, 2, 1, 1; of 9, 15, 3,
    # twice: 2, 4, 2.
    assert counts.payload_ones == pytest.approx((5 + 10 + 2 * 8) / 2)
    assert counts.synaptic_ones == pytest.approx((5 * 2 + 10 * 2) / 2)


def test_what_has_no_price_withholds_the_total(ran):
    found = estimate(*ran, LOIHI2)

    assert found.energy.total_j is None
    assert "host_injection" in found.energy.unpriced
    synapses = next(t for t in found.energy.terms if t.name == "synapses")
    assert synapses.energy_j == pytest.approx(
        synapses.count * 23.6e-12, rel=1e-9, abs=0
    )


def test_a_population_works_in_one_time_step_of_two():
    one, bias = np.ones((1, 1), np.int8), {"bias": np.zeros(1, np.int32)}
    parts = [GradedPopulation("x", 1, "input", {}, {}, 9, np.ones(1))]
    parts += [
        GradedPopulation(name, 1, "sum", bias, {}, 16, np.ones(1))
        for name in ("hub", "memory")
    ]
    ways = [("x", "memory", 0), ("hub", "memory", 0), ("memory", "hub", 1)]
    graph = GradedGraph(
        "loihi2",
        tuple(parts),
        tuple(GradedProjection(f"{a} {b}", a, b, one, 0, d) for a, b, d in ways),
        "memory",
        {},
        Widths.of(LOIHI2),
    )
    counts = count_ops(
        place(graph, LOIHI2), run_graded(graph, np.ones((1, 4, 1))), LOIHI2
    )

    # 4 steps of 2 time steps, and 1 more: 2 neurons, working in half of them.
    assert graph.chip_steps == 2 and counts.n_steps == 9
    assert counts.neuron_updates_active == pytest.approx(9)
    assert counts.neuron_updates_inactive == pytest.approx(9)
