"""Arithmetic in registers of 32 bits, against Python's integers, which have no end."""

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nengo_hybrid.emulate import int32

LOWEST, HIGHEST = -(2**31), 2**31 - 1
values = st.integers(LOWEST, HIGHEST)


def as_register(value, bits):
    """Read the lowest bits of any integer as a signed number, in two's complement."""
    return (value + 2**bits) % 2 ** (bits + 1) - 2**bits


def call(function, *arguments):
    return int(function(*map(np.int32, arguments)))


@given(values, st.integers(0, 31))
@example(LOWEST, 31)
@example(HIGHEST, 31)
@example(2**21 - 1, 21)
@example(2**21, 21)
@example(-(2**21), 21)
@example(-(2**21) - 1, 21)
def test_wrap_is_twos_complement(value, bits):
    assert call(int32.wrap, value, bits) == as_register(value, bits)


def test_wrap_by_hand():
    # Three bits and a sign hold -8 .. 7.
    wrapped = [call(int32.wrap, value, 3) for value in range(-10, 11)]
    assert wrapped == [6, 7, *range(-8, 8), -8, -7, -6]


@given(values, st.integers(0, 4096))
@example(LOWEST, 4096)
@example(HIGHEST, 4096)
@example(LOWEST, 4095)
@example(HIGHEST, 4095)
@example(LOWEST, 0)
@example(-1, 4095)
@example(-1, 1)
@example(-4096, 1)
@example(-4097, 1)
def test_scale_truncates_toward_zero(value, kept):
    share = abs(value) * kept // 4096
    assert call(int32.scale, value, kept) == (share if value >= 0 else -share)


def test_scale_by_hand():
    # Half of 3 and of -3 are 1.5 and -1.5.
    assert call(int32.scale, 3, 2048) == 1
    assert call(int32.scale, -3, 2048) == -1
    assert call(int32.scale, -3, 4096) == -3


def test_scale_gives_the_series_of_a_decaying_current():
    # A decay of 256 and the register's offset of 1, so that 3839 of 4096 are kept:
    # 5998.4, 5621.7 and 5268.3.
    series = [6400]
    for _ in range(3):
        series.append(call(int32.scale, series[-1], 4096 - 256 - 1))
    assert series == [6400, 5998, 5621, 5268]


@pytest.mark.parametrize(
    "name, exact",
    [
        ("add", lambda a, b: a + b),
        ("subtract", lambda a, b: a - b),
        ("multiply", lambda a, b: a * b),
        ("bit_or", lambda a, b: a | b),
        ("bit_and", lambda a, b: a & b),
        ("bit_xor", lambda a, b: a ^ b),
    ],
)
@given(a=values, b=values)
@example(a=HIGHEST, b=1)
@example(a=LOWEST, b=-1)
@example(a=LOWEST, b=1)
@example(a=LOWEST, b=LOWEST)
def test_operations_wrap_around(compiled, name, exact, a, b):
    assert call(compiled[name], a, b) == as_register(exact(a, b), 31)


@given(values, st.integers(0, 31))
def test_shifts_wrap_around_and_keep_the_sign(compiled, value, bits):
    assert call(compiled["shift_left"], value, bits) == as_register(value << bits, 31)
    assert call(compiled["shift_right"], value, bits) == value >> bits


@pytest.fixture(scope="module")
def compiled():
    """Return functions of single operations, which compiled code alone can call."""
    names = "add subtract multiply bit_or bit_and bit_xor shift_left shift_right"
    functions = {}
    for name in names.split():
        operation = getattr(int32, name)
        functions[name] = numba.njit(lambda a, b, f=operation: f(a, b))
    return functions
