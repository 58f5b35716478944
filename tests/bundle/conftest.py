"""A small network, deployed to either chip and run."""

import numpy as np
import pytest

from nengo_hybrid import load_target, pipeline
from nengo_hybrid.bundle import Bundle
from nengo_hybrid.datasets import Split
from nengo_hybrid.graphs import Population, Projection, SpikingGraph

N_STEPS, N_SAMPLES, READOUT_STEPS = 12, 6, 4


def hybrid(name, n, activation="RectifiedLinear", omega=2.0):
    return Population(
        name,
        n,
        activation,
        omega=omega,
        bias=np.linspace(-0.1, 0.2, n),
        initial_voltage=np.linspace(0, 0.9, n),
    )


def make_graph(seed=0, n_hidden=5):
    """Return x -> r -> h -> out with random weights."""
    rng = np.random.default_rng(seed)
    populations = (
        Population("x", 2, "input"),
        hybrid("r", 2, "Identity", omega=4.0),
        hybrid("h", n_hidden),
        hybrid("out", 3),
    )
    projections = tuple(
        Projection(f"{pre.name}->{post.name}", pre.name, post.name, weights)
        for pre, post in zip(populations, populations[1:], strict=False)
        for weights in [rng.normal(size=(post.n_neurons, pre.n_neurons))]
    )
    return SpikingGraph(1.0, populations, projections, "out")


def make_split(seed=1):
    """Return random samples with labels."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (N_SAMPLES, N_STEPS, 2))
    return Split(x, rng.integers(0, 3, N_SAMPLES))


def deploy(target, seed=0, n_hidden=5):
    """Deploy such a network."""
    about = {"seed": 0, "readout_steps": READOUT_STEPS, "history": {}}
    bundle = Bundle(make_graph(seed, n_hidden), about)
    calibration = make_split().x
    return pipeline.deploy(
        bundle, load_target(target), chip_steps=2, calibration=calibration
    )


@pytest.fixture(scope="session")
def make_deployed():
    """Return a function that deploys a random network to a target."""
    return deploy


@pytest.fixture(scope="session", params=["loihi1", "loihi2"])
def deployed(request):
    """Return a deployed network, with a run and an estimate."""
    made = deploy(request.param)
    return pipeline.estimate_run(pipeline.run_test(made, make_split()))
