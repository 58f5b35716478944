"""Graphs and block graphs that are placed by hand, and random ones."""

import dataclasses

import numpy as np
import pytest

from nengo_hybrid.graphs import (
    BlockGraph,
    BlockNeeds,
    Population,
    Projection,
    SpikingGraph,
)
from nengo_hybrid.lower import to_loihi
from nengo_hybrid.placement import Route
from nengo_hybrid.targets import load_target


def hybrid_population(name, n, activation="RectifiedLinear"):
    zeros = np.zeros(n)
    return Population(name, n, activation, omega=1.0, bias=zeros, initial_voltage=zeros)


def quantized(n_hidden=3, *, activation="Identity", seed=0):
    """Quantize 2 neurons on the host, ``n_hidden`` and 2 on the chip."""
    rng = np.random.default_rng(seed)
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", 1, "input"),
            hybrid_population("r", 2, activation),
            hybrid_population("h", n_hidden),
            hybrid_population("out", 2),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.ones((2, 1))),
            Projection("r_to_h", "r", "h", rng.normal(size=(n_hidden, 2))),
            Projection("h_to_out", "h", "out", rng.normal(size=(2, n_hidden))),
        ),
        output="out",
    )
    return to_loihi(graph)


@pytest.fixture
def graph():
    return quantized()


@pytest.fixture(scope="session")
def loihi1():
    return load_target("loihi1")


def changed_limits(target, **values):
    """Return the target with other numbers for some limits."""
    limits = dict(target.limits)
    for name, value in values.items():
        limits[name] = value and dataclasses.replace(limits[name], value=value)
    return dataclasses.replace(target, limits=limits)


@pytest.fixture
def hybrid():
    return hybrid_population


@pytest.fixture
def make_graph():
    return quantized


@pytest.fixture
def with_limits():
    return changed_limits


def block_graph(n_blocks, ways):
    """Make blocks of one neuron each, and ways (source, target, messages a spike)."""
    blocks = [
        BlockNeeds(f"b{i}", "p", np.array([i]), 1, 1, 1, 64) for i in range(n_blocks)
    ]
    routes = [
        Route(
            population="x" if source is None else "p",
            neurons=np.array([0 if source is None else source]),
            source=source,
            target=target,
            messages=np.array([messages]),
            synapses=np.array([1]),
        )
        for source, target, messages in ways
    ]
    return BlockGraph("loihi1", tuple(blocks), tuple(routes))


@pytest.fixture(scope="session")
def blocks():
    return block_graph


@pytest.fixture(scope="session")
def small():
    """Return a function that makes Loihi 1 with another mesh."""

    def small(cores_per_chip, cores_per_tile, mesh_columns, **limits):
        return changed_limits(
            load_target("loihi1"),
            cores_per_chip=cores_per_chip,
            cores_per_tile=cores_per_tile,
            mesh_columns=mesh_columns,
            **limits,
        )

    return small
