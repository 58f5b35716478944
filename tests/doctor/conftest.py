"""The networks of examples/doctor.py, and how a fix is made in a network."""

import importlib.util
from pathlib import Path

import nengo_loihi
import pytest

from nengo_hybrid.parameters import object_names

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def examples():
    """Return the module of networks that do not fit."""
    spec = importlib.util.spec_from_file_location("doctor", ROOT / "examples/doctor.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def cut():
    """Return a function that sets the block shape of an ensemble by its name."""

    def set_shape(net, name, shape, whole):
        ensembles = {n: obj for obj, n in object_names(net).items()}
        nengo_loihi.add_params(net)
        shape = nengo_loihi.BlockShape(shape, whole)
        net.config[ensembles[name]].block_shape = shape

    return set_shape
