"""Pointers in compiled code."""

from typing import NamedTuple

import numba
import numpy as np
import pytest

from nengo_hybrid.emulate.pointers import move, pointer, pointers, prefetch


class Pair(NamedTuple):
    first: np.ndarray
    second: np.ndarray


@numba.njit
def copy_by_pointer(pair, n):
    pair = pointers(pair)
    for i in range(n):
        move(pair.second, 1)[i] = pair.first[i] + 1


def test_pointers_read_and_write_the_array():
    pair = Pair(np.arange(4, dtype=np.int16), np.zeros(5, np.float32))
    copy_by_pointer(pair, 4)
    assert pair.second.tolist() == [0, 1, 2, 3, 4]


@numba.njit
def fetch(numbers, first, n):
    prefetch(move(pointer(numbers), first), n)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_what_is_fetched_need_not_be_there(dtype):
    fetch(np.zeros(1, dtype), 2**40, 1000)
