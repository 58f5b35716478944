"""Vectors in compiled code, against NumPy and Python's integers."""

import numba
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nengo_hybrid.emulate import vectors
from nengo_hybrid.emulate.pointers import pointer
from nengo_hybrid.emulate.vectors import LANES, store

LOWEST, HIGHEST = -(2**23), 2**23 - 1
values = st.integers(LOWEST, HIGHEST)


def in_lanes(first, dtype=np.int32, others=0):
    """Return a vector's numbers, of which all but the first are alike."""
    return np.array([first, *(LANES - 1) * [others]], dtype)


@numba.njit
def scale_all(numbers, shares):
    rounding = vectors.get_rounding()
    vectors.set_rounding(vectors.TOWARD_ZERO)
    found = vectors.scale(
        vectors.load(pointer(numbers), 0), vectors.load(pointer(shares), 0)
    )
    store(pointer(numbers), 0, found)
    vectors.set_rounding(rounding)
    return rounding


@numba.njit
def scale_all_wide(numbers, shares):
    store(
        pointer(numbers),
        0,
        vectors.scale_wide(
            vectors.load(pointer(numbers), 0), vectors.load(pointer(shares), 0)
        ),
    )


@given(st.integers(-(2**31), 2**31 - 1), st.integers(0, 4096))
@example(-(2**31), 4096)
@example(2**31 - 1, 4095)
@example(-(2**24) - 1, 4095)
def test_wide_scale_truncates_any_register(value, kept):
    numbers = in_lanes(value)
    scale_all_wide(numbers, np.full(LANES, kept / 4096, np.float32).view(np.int32))
    share = abs(value) * kept // 4096
    assert numbers.tolist() == in_lanes(share if value >= 0 else -share).tolist()


@given(values, st.integers(0, 4096))
@example(LOWEST, 4096)
@example(HIGHEST, 4096)
@example(LOWEST, 4095)
@example(HIGHEST, 4095)
@example(HIGHEST, 4094)
@example(LOWEST, 0)
@example(-1, 4095)
@example(-4096, 1)
@example(-4097, 1)
def test_scale_truncates_toward_zero(value, kept):
    numbers = in_lanes(value)
    shares = np.full(LANES, kept / 4096, np.float32)
    scale_all(numbers, shares.view(np.int32))
    share = abs(value) * kept // 4096
    assert numbers.tolist() == in_lanes(share if value >= 0 else -share).tolist()


def test_scale_by_hand():
    # 8388607 * 4095 / 4096 is 8386559.0002, which rounds to 8386559 in any way; but
    # 8386560 * 4095 / 4096 is 8384512.5, of which a float keeps the half, and
    # 8388606 * 4095 / 4096 is 8386558.0005.
    for value, wanted in ((8388607, 8386559), (8386560, 8384512), (-8386560, -8384512)):
        numbers = in_lanes(value)
        scale_all(numbers, np.full(LANES, 4095 / 4096, np.float32).view(np.int32))
        assert numbers[0] == wanted


def test_rounding_is_as_before():
    numbers, shares = np.zeros((2, LANES), np.int32)
    to_nearest = 1
    assert scale_all(numbers, shares) == scale_all(numbers, shares) == to_nearest


@numba.njit
def list_word(word, found):
    numbers = np.arange(64).astype(np.int8)
    ascending = vectors.load_word(pointer(numbers), 0)
    store(pointer(found), 0, vectors.list_bits(word, ascending))
    return vectors.count_bits(word)


@given(st.integers(0, 2**64 - 1))
@example(0)
@example(1)
@example(2**63)
@example(2**64 - 1)
def test_bits_are_listed_in_their_order(word):
    found = np.zeros(64, np.int8)
    n = list_word(np.uint64(word), found)
    wanted = [bit for bit in range(64) if word >> bit & 1]
    assert n == len(wanted)
    assert found[:n].tolist() == wanted


@numba.njit
def compare(a, b, larger, smaller, chosen, unsigned):
    one, other = vectors.load(pointer(a), 0), vectors.load(pointer(b), 0)
    mask = vectors.greater(one, other)
    store(pointer(larger), 0, vectors.largest(one, other))
    store(pointer(smaller), 0, vectors.smallest(one, other))
    store(pointer(chosen), 0, vectors.select(mask, one, vectors.fill(one, 7)))
    store(pointer(unsigned), 0, vectors.at_most(one, other))
    return vectors.as_bits(mask), vectors.total(one)


def test_comparisons_are_numpys():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-3, 3, (2, LANES)).astype(np.int32)
    larger, smaller, chosen, unsigned = np.zeros((4, LANES), np.int32)
    mask, total = compare(a, b, larger, smaller, chosen, unsigned)
    np.testing.assert_array_equal(larger, np.maximum(a, b))
    np.testing.assert_array_equal(smaller, np.minimum(a, b))
    np.testing.assert_array_equal(chosen, np.where(a > b, a, 7))
    unsigned_wanted = np.minimum(a.view(np.uint32), b.view(np.uint32))
    np.testing.assert_array_equal(unsigned.view(np.uint32), unsigned_wanted)
    assert mask == sum(1 << i for i in range(LANES) if a[i] > b[i])
    assert total == a.sum()


def test_sums_of_all_numbers_wrap():
    a = np.full(LANES, 2**30 + 1, np.int32)
    assert compare(a, a, *np.zeros((4, LANES), np.int32))[1] == LANES


@numba.njit
def sum_up(rows, sums, n):
    whole = vectors.widen(vectors.load_narrow(pointer(rows[0]), 0))
    for i in range(1, rows.shape[0]):
        more = vectors.widen(vectors.load_narrow(pointer(rows[i]), 0))
        whole = vectors.add(whole, more)
    wide = vectors.widen(whole)
    store(pointer(sums), 0, vectors.lowest(wide, n))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize("n", [0, 1, 31, 32])
def test_sums_are_wider_than_what_they_add(dtype, n):
    # 255 of -128 just fit 16 bits; of wider numbers sums have 32.
    rows = np.full((255, 2 * LANES), np.iinfo(dtype).min, dtype)
    rows[:, 0] = np.iinfo(dtype).max
    sums = np.zeros(2 * LANES, np.int32)
    sum_up(rows, sums, n)
    wanted = rows.sum(0, dtype=np.int64).astype(np.int32)
    wanted[n:] = 0
    assert sums.tolist() == wanted.tolist()


@numba.njit
def any_beyond(numbers, bits):
    return vectors.any_bit(vectors.load(pointer(numbers), 0), bits)


@pytest.mark.parametrize("value", [0, 1, 4, -1, 8])
def test_a_bit_of_any_number_is_found(value):
    for place in (0, LANES - 1):
        numbers = np.roll(in_lanes(value), place)
        assert any_beyond(numbers, 12) == bool(value & 12)
