"""Graphs in integers: the order within a step, laid out on the chip's clock."""

import numpy as np
import pytest

from nengo_hybrid.exceptions import BuildError
from nengo_hybrid.graphs import GradedGraph, GradedPopulation, GradedProjection, Widths


def graph_of(names, projections):
    populations = tuple(
        GradedPopulation(name, 1, "sum", {}, {}, 8, np.ones(1)) for name in names
    )
    one = np.ones((1, 1), np.int8)
    made = tuple(
        GradedProjection(f"{pre} to {post}", pre, post, one, 0, delay)
        for pre, post, delay in projections
    )
    widths = Widths(state=24, factor=12, weight=8)
    return GradedGraph("loihi2", populations, made, names[-1], {}, widths)


def test_a_message_takes_a_time_step():
    # x at 0, a at 1, b hears both: at 2; what a reads of x waits for nothing.
    graph = graph_of(["x", "a", "b"], [("x", "a", 0), ("a", "b", 0), ("x", "b", 0)])

    assert graph.phases == {"x": 0, "a": 1, "b": 2}
    assert graph.chip_steps == 1
    assert [graph.synaptic_delay(p) for p in graph.projections] == [0, 0, 1]


def test_a_loop_over_two_populations_takes_two_time_steps():
    # The hub hears the memory of the step before, and the memory the hub of this one.
    graph = graph_of(
        ["x", "hub", "memory"],
        [("x", "memory", 0), ("hub", "memory", 0), ("memory", "hub", 1)],
    )

    assert graph.phases == {"x": 0, "hub": 0, "memory": 1}
    assert graph.chip_steps == 2
    assert [graph.synaptic_delay(p) for p in graph.projections] == [0, 0, 0]


def test_what_hears_the_past_acts_as_late_as_it_may():
    graph = graph_of(
        ["x", "hub", "a", "memory"],
        [("x", "a", 0), ("a", "memory", 0), ("hub", "memory", 0), ("memory", "hub", 1)],
    )

    assert graph.phases == {"x": 0, "hub": 1, "a": 1, "memory": 2}
    assert graph.chip_steps == 2


def test_a_late_loop_takes_no_more_time_steps():
    # The memory is heard 2 steps of the network later, in which 2 time steps have room.
    graph = graph_of(
        ["x", "hub", "memory"],
        [("x", "memory", 0), ("hub", "memory", 0), ("memory", "hub", 2)],
    )

    assert graph.chip_steps == 1
    assert [graph.synaptic_delay(p) for p in graph.projections] == [0, 0, 0]


def test_digest_tells_graphs_apart():
    graph, other = (graph_of(["x", "a"], [("x", "a", d)]) for d in (0, 1))

    assert graph.sha256 != other.sha256


def test_population_names_the_known_ones():
    with pytest.raises(
        BuildError, match=r"^the graph has no population 'b'; it has a$"
    ):
        graph_of(["a"], []).population("b")
