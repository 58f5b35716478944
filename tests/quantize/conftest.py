"""A target with graded spikes, and small networks."""

import numpy as np
import pytest

from nengo_hybrid.targets import load_target


@pytest.fixture
def target():
    return load_target("loihi2")


@pytest.fixture(scope="module")
def x():
    """Return whole numbers of up to 255, (n_samples, n_steps, size_in)."""
    x = np.random.default_rng(3).integers(-255, 256, (6, 40, 2))
    x[0, 0, 0] = 255
    return x.astype(float)
