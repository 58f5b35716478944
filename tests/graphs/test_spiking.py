"""A network in floats as a value."""

import dataclasses

import numpy as np
import pytest

from nengo_hybrid.exceptions import BuildError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph

GRAPH = SpikingGraph(
    dt=1.0,
    populations=(
        Population("x", 2, "input"),
        Population("h", 3, "RectifiedLinear", omega=2.0, bias=np.zeros(3)),
    ),
    projections=(Projection("w", "x", "h", np.arange(6.0).reshape(3, 2)),),
    output="h",
)


def test_population_by_name():
    assert GRAPH.population("h").n_neurons == 3
    message = "^the graph has no population 'hidden'; it has x, h$"
    with pytest.raises(BuildError, match=message):
        GRAPH.population("hidden")


def test_into_returns_what_ends_at_a_population():
    assert GRAPH.into("h") == GRAPH.projections
    assert GRAPH.into("x") == ()


def test_graphs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GRAPH.dt = 2
