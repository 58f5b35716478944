"""A target with graded spikes, and small networks."""

from dataclasses import replace

import numpy as np
import pytest

from nengo_hybrid.targets import Sourced, load_target


@pytest.fixture
def target():
    """Return Loihi 1 with spikes of 24 bits."""
    chip = load_target("loihi1")
    bits = Sourced(24, "bit", 24, 24, "architectural", "nengo-loihi")
    formats = {**chip.formats, "spike_payload_bits": bits}
    return replace(chip, name="graded", formats=formats)


@pytest.fixture(scope="module")
def x():
    """Return whole numbers of up to 255, (n_samples, n_steps, size_in)."""
    x = np.random.default_rng(3).integers(-255, 256, (6, 40, 2))
    x[0, 0, 0] = 255
    return x.astype(float)
