"""
A pytest plugin that gives NengoLoihi's own tests what their conftest gave them.

The wheel holds the tests without the conftest beside them, so the ``Simulator`` fixture, the command line options
and the markers are supplied here, and with them what the tests, not NengoLoihi, need of pytest 7 and Nengo 3. NengoHybrid is imported
first, as a user does.
"""

import pickle
import sys
from types import ModuleType

import matplotlib
import numpy as np
import pytest
import pytest7  # noqa: F401
from sklearn.datasets import load_digits

import nengo_hybrid  # noqa: F401, isort: skip
import nengo
import nengo_loihi
from nengo_loihi.builder.builder import Model, ValidationLevel
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.tests import make_test_sim

MARKERS = ("target_sim", "target_loihi", "hang", "requires_multichip_snips")

# test_conv.py takes its reference convolution from here; Nengo 4 holds the same functions in its builder.
sys.modules["nengo._vendor.npconv2d"] = nengo._vendor.npconv2d = ModuleType("npconv2d")
sys.modules["nengo._vendor.npconv2d.conv2d"] = nengo._vendor.npconv2d.conv2d = nengo.builder.transforms


def pytest_addoption(parser):
    parser.addoption("--target", default="sim", choices=("sim",))
    parser.addoption("--no-hang", action="store_true", default=False)


def pytest_configure(config):
    matplotlib.use("Agg")
    EmulatorInterface.strict = True
    nengo_loihi.set_defaults()
    Model.default_validation_level = ValidationLevel.FULL
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: NengoLoihi's own marker")


@pytest.fixture(scope="session")
def Simulator(request):
    return make_test_sim(request)


@pytest.fixture(scope="module", autouse=True)
def digits_for_mnist(request, tmp_path_factory):
    """Put ten digits of scikit-learn, of 28 by 28 pixels, where test_conv.py looks for ten of MNIST."""
    if not hasattr(request.module, "test_dir"):
        return
    digits = load_digits()
    images = np.kron(digits.images[:10] / 16, np.ones((4, 4)))[:, 2:30, 2:30]
    directory = tmp_path_factory.mktemp("digits")
    with open(directory / "mnist10.pkl", "wb") as f:
        pickle.dump((images.reshape(10, -1), digits.target[:10]), f)
    request.module.test_dir = str(directory)


def pytest_runtest_setup(item):
    if item.get_closest_marker("target_loihi") is not None:
        pytest.skip("test only runs on hardware")
