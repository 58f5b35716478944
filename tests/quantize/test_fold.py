"""Folding: what only passes sums on goes, and the network computes the same."""

import numpy as np
import pytest

from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_graph
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.quantize.fold import fold

X = np.random.default_rng(0).random((3, 20, 1))


def graph_of(sizes, projections, output):
    """Make linear populations; the first is the input."""
    populations = tuple(
        Population(name, n, "linear" if i else "input")
        for i, (name, n) in enumerate(sizes.items())
    )
    rng = np.random.default_rng(1)
    made = tuple(
        Projection(
            f"{pre} to {post}", pre, post, rng.normal(size=(sizes[post], sizes[pre])), d
        )
        for pre, post, d in projections
    )
    return SpikingGraph(1.0, populations, made, output)


def same(graph, folded):
    """Compare what two graphs give at their output."""
    values = (run_graph(g, X, record=[g.output])[g.output] for g in (graph, folded))
    np.testing.assert_allclose(*values, atol=1e-9)


def test_a_chain_becomes_one_projection():
    graph = graph_of({"x": 1, "a": 1, "b": 3}, [("x", "a", 0), ("a", "b", 1)], "b")
    folded = fold(graph)

    assert [p.name for p in folded.populations] == ["x", "b"]
    (only,) = folded.projections
    assert (only.pre, only.post, only.delay) == ("x", "b", 1)
    same(graph, folded)


def test_parallel_ways_are_added_up():
    ways = [("x", "a", 0), ("x", "b", 0), ("a", "c", 0), ("b", "c", 0), ("x", "c", 0)]
    graph = graph_of({"x": 1, "a": 1, "b": 1, "c": 2}, ways, "c")
    folded = fold(graph)

    assert len(folded.projections) == 1
    same(graph, folded)


def test_a_bottleneck_stays():
    # 6 + 6 synapses over one value, 36 without it.
    graph = graph_of({"x": 6, "b": 1, "c": 6}, [("x", "b", 0), ("b", "c", 0)], "c")

    assert fold(graph) is graph


def test_what_remembers_stays():
    graph = graph_of(
        {"x": 1, "a": 1, "b": 1}, [("x", "a", 0), ("a", "a", 1), ("a", "b", 0)], "b"
    )

    assert fold(graph) is graph


@pytest.mark.parametrize("basis", ["legendre", "rotations"])
@pytest.mark.parametrize("loop", [False, True])
def test_a_classifier_computes_the_same(basis, loop):
    network = SequenceClassifier(
        X,
        3,
        order=6,
        theta_steps=20,
        n_hidden=5,
        basis=basis,
        quantize_loop=loop,
        seed=2,
    )
    graph = to_graph(network, dt=1.0)
    folded = fold(graph)

    assert len(folded.populations) < len(graph.populations)
    same(graph, folded)
