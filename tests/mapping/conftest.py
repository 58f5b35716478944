"""Graphs and block graphs that are placed by hand, and random ones."""

import dataclasses

import numpy as np
import pytest

from nengo_hybrid.graph import Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_loihi
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


@pytest.fixture
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
