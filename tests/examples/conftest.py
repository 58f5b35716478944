"""How the examples are run: as a user's file, reduced, and without a screen."""

import importlib.util
from pathlib import Path

import matplotlib
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def load():
    """Return a function that loads an example as a module."""
    matplotlib.use("Agg")

    def load(name):
        path = EXAMPLES / f"{name}.py"
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
