"""
A pytest plugin that gives NengoLoihi's own tests what their conftest gave them.

The wheel holds the tests without that conftest, so the markers are supplied here; and
so is what the tests themselves, not NengoLoihi, miss in Nengo 4. It comes after
`emulators`, which supplies the simulator and the other settings.
"""

import pickle
import sys
from types import ModuleType

import nengo
import pytest
from scipy.ndimage import zoom
from sklearn.datasets import load_digits

MARKERS = ("target_sim", "target_loihi", "hang", "requires_multichip_snips")

# test_conv.py takes its reference convolution from npconv2d; Nengo 4 holds the same
# functions in its builder.
npconv2d = ModuleType("npconv2d")
npconv2d.conv2d = nengo.builder.transforms
nengo._vendor.npconv2d = npconv2d
sys.modules["nengo._vendor.npconv2d"] = npconv2d
sys.modules["nengo._vendor.npconv2d.conv2d"] = npconv2d.conv2d


def pytest_addoption(parser):
    parser.addoption("--no-hang", action="store_true", default=False)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: NengoLoihi's own marker")


@pytest.fixture(scope="module", autouse=True)
def digits_for_mnist(request, tmp_path_factory):
    """Put ten digits of scikit-learn where test_conv.py looks for ten of MNIST."""
    if not hasattr(request.module, "test_dir"):
        return
    digits = load_digits()
    images = zoom(digits.images[:10] / 16, (1, 3.5, 3.5), order=1)
    directory = tmp_path_factory.mktemp("digits")
    with open(directory / "mnist10.pkl", "wb") as f:
        pickle.dump((images.reshape(10, 28 * 28), digits.target[:10]), f)
    request.module.test_dir = str(directory)


def pytest_runtest_setup(item):
    if item.get_closest_marker("target_loihi") is not None:
        pytest.skip("test only runs on hardware")
