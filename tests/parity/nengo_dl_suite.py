"""
A pytest plugin that gives NengoDL's own tests what their conftest gave them.

The package holds the tests without that conftest, so the ``Simulator`` fixture, the
options and the markers are supplied here; and so is what the tests themselves, not
NengoDL, miss in Nengo 4. It comes after `shims_first`.
"""

import math

import nengo
import pytest
import tensorflow as tf
from nengo_dl import utils
from nengo_dl.tests import make_test_sim

MARKERS = ("training", "performance", "gpu")


def oscillator(recurrent_tau, frequency, n_neurons):
    """Build what `nengo.networks` called ``Oscillator`` up to Nengo 3."""
    turn = 2 * math.pi * frequency * recurrent_tau
    with nengo.Network() as net:
        net.input = nengo.Node(size_in=2)
        net.ensemble = nengo.Ensemble(n_neurons, dimensions=2)
        nengo.Connection(net.input, net.ensemble, synapse=None)
        nengo.Connection(
            net.ensemble,
            net.ensemble,
            synapse=recurrent_tau,
            transform=[[1, -turn], [turn, 1]],
        )
    return net


nengo.networks.Oscillator = oscillator


def pytest_addoption(parser):
    parser.addoption("--inference-only", action="store_true", default=False)
    parser.addoption("--dtype", default="float32", choices=("float32", "float64"))
    parser.addoption("--unroll-simulation", default=1, type=int)
    parser.addoption("--device", default=None)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: NengoDL's own marker")


@pytest.fixture(name="Simulator", scope="session")
def simulator(request):
    return make_test_sim(request)


@pytest.fixture(autouse=True)
def clear_session():
    tf.keras.backend.clear_session()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is not None and not utils.tf_gpu_installed:
        pytest.skip("test needs a GPU")
    if item.get_closest_marker("performance") is not None:
        pytest.skip("test is bound to one benchmark machine")
