"""Rotations in integers: angles read off, and shears that give them back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.networks.memory import rotations
from nengo_hybrid.quantize.turns import angles, shears

BITS = 12
ONE = 2**BITS


def turned(pair, quarter, tangent, sine):
    """Turn a pair of floats by what `shears` returns."""
    x, y = pair
    for _ in range(quarter):
        x, y = -y, x
    x -= tangent / ONE * y
    y += sine / ONE * x
    return x - tangent / ONE * y, y


def test_a_right_angle_is_one_quarter():
    assert shears(math.pi / 2, BITS) == (1, 0, 0)
    assert turned((1, 0), *shears(math.pi / 2, BITS)) == (0, 1)


def test_half_a_right_angle_by_hand():
    # tan(22.5 degrees) is 1696.6 of 4096 and sin(45 degrees) 2896.3. The angle is
    # right if their product is (1 - cos) 4096^2 = 4,913,933.6, and of the products near
    # 1698 x 2894 is 78 off, 1695 x 2899 is 129, and 1697 x 2896, the nearest two, 578.
    assert shears(math.pi / 4, BITS) == (0, 1698, 2894)


@given(angle=st.floats(-math.pi, math.pi))
def test_shears_turn_by_the_angle(angle):
    quarter, tangent, sine = shears(angle, BITS)

    # The trace of a turn is 2 cos(angle), whatever ellipse it follows; the smallest
    # angle that factors of 12 bits can make is 1 / 4096.
    found = quarter * math.pi / 2 + math.copysign(
        math.acos(1 - tangent * sine / ONE**2), tangent
    )
    off = (found - angle + math.pi) % (2 * math.pi) - math.pi
    assert abs(off) < 1 / ONE


@given(angle=st.floats(0.004, 3))
def test_many_turns_keep_the_size(angle):
    quarter, tangent, sine = shears(angle, BITS)
    x, y, sizes = 1.0, 0.0, []
    for _ in range(784):
        x, y = turned((x, y), quarter, tangent, sine)
        sizes.append(math.hypot(x, y))

    assert min(sizes) > 0.8 and max(sizes) < 1.25


def test_angles_of_a_memory_are_read_off():
    found = angles(rotations(6, 20).local)
    local = rotations(6, 20).local

    np.testing.assert_allclose(np.cos(found), np.diag(local)[::2])
    np.testing.assert_allclose(np.sin(found), np.diag(local, -1)[::2])


def test_an_odd_size_has_a_value_that_stays():
    local = rotations(5, 20).local

    assert len(angles(local)) == 2
    assert angles(local * 0.999) is None


@pytest.mark.parametrize(
    "matrix",
    [np.ones((2, 2)), np.eye(3)[:2], np.diag([1, 1, 0.5]), np.diag([1.0, -1.0])],
    ids=["full", "not square", "shrinks", "mirrors"],
)
def test_what_does_not_rotate_has_no_angles(matrix):
    assert angles(matrix) is None
