"""
A pytest plugin that gives NengoDL's own tests what their conftest gave them.

The package holds the tests without the conftest beside them, so the ``Simulator`` fixture, the command line options
and the markers are supplied here, and with them what the tests, not NengoDL, need of pytest 7 and Nengo 3. NengoHybrid is
imported first, as a user does.
"""

import pytest
import pytest7  # noqa: F401

import nengo_hybrid  # noqa: F401, isort: skip
import nengo
import tensorflow as tf
from nengo_dl import utils
from nengo_dl.tests import make_test_sim

MARKERS = ("training", "performance", "gpu")


def oscillator(recurrent_tau, frequency, n_neurons):
    """Build the network that `nengo.networks` called ``Oscillator`` up to Nengo 3."""
    turn = 2 * 3.141592653589793 * frequency * recurrent_tau
    with nengo.Network() as net:
        net.input = nengo.Node(size_in=2)
        net.ensemble = nengo.Ensemble(n_neurons, dimensions=2)
        nengo.Connection(net.input, net.ensemble, synapse=None)
        transform = [[1, -turn], [turn, 1]]
        nengo.Connection(net.ensemble, net.ensemble, synapse=recurrent_tau, transform=transform)
    return net


nengo.networks.Oscillator = oscillator


def pytest_addoption(parser):
    parser.addoption("--simulator-only", action="store_true", default=False)
    parser.addoption("--inference-only", action="store_true", default=False)
    parser.addoption("--dtype", default="float32", choices=("float32", "float64"))
    parser.addoption("--unroll-simulation", default=1, type=int)
    parser.addoption("--device", default=None)
    parser.addoption("--performance", action="store_true", default=False)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: NengoDL's own marker")


@pytest.fixture(scope="session")
def Simulator(request):
    return make_test_sim(request)


@pytest.fixture(autouse=True)
def clear_session():
    tf.keras.backend.clear_session()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is not None and not utils.tf_gpu_installed:
        pytest.skip("test needs a GPU")
    if item.get_closest_marker("performance") is not None:
        pytest.skip("performance test, bound to one benchmark machine")
