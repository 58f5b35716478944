"""The compiled search: sums that moves change, and the optimum of small cases."""

import itertools

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.mapping import anneal as module
from nengo_hybrid.mapping.anneal import (
    EMPTY,
    Seats,
    Traffic,
    anneal,
    cost,
    exchange_groups,
    exchange_slots,
    of_groups,
    of_slots,
)


def random_case(seed, n_items, n_places):
    """Draw symmetric traffic and symmetric distances."""
    rng = np.random.default_rng(seed)
    messages = np.triu(rng.integers(0, 4, (n_items, n_items)), 1)
    distance = np.triu(rng.integers(1, 6, (n_places, n_places)), 1)
    matrix = scipy.sparse.csr_array((messages + messages.T).astype(float))
    return matrix, (distance + distance.T).astype(float), rng


@given(st.integers(0, 999), st.integers(1, 9), st.integers(1, 3))
def test_moves_change_what_they_say(seed, n_items, group_size):
    matrix, distance, rng = random_case(seed, n_items, 12)
    traffic = Traffic(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data
    )
    n_slots = n_items + int(rng.integers(0, 3))
    item_in = np.full(n_slots, EMPTY)
    item_in[:n_items] = np.arange(n_items)
    seats = Seats(np.arange(n_items), item_in, rng.permutation(12), group_size)
    n_groups = (n_slots - 1) // group_size + 1

    def now():
        return cost(traffic, distance, seats.place_of[seats.slot_of // group_size])

    for _ in range(10):
        before = now()
        item, slot = rng.integers(n_items), rng.integers(n_slots)
        more = of_slots(traffic, distance, seats, item, slot)
        exchange_slots(seats, item, slot)
        assert now() - before == more
        before = now()
        one, other = rng.integers(n_groups), rng.integers(12)
        more = of_groups(traffic, distance, seats, one, other)
        exchange_groups(seats, one, other)
        assert now() - before == more
        filled = np.flatnonzero(seats.item_in != EMPTY)
        assert sorted(seats.slot_of) == filled.tolist()
        assert (seats.item_in[seats.slot_of] == np.arange(n_items)).all()


@pytest.mark.parametrize("seed", range(5))
def test_six_items_find_their_optimum(seed):
    matrix, distance, _ = random_case(seed, 6, 6)
    dense = matrix.toarray()
    found = anneal(
        matrix,
        distance,
        group_size=1,
        n_slots=6,
        n_movable=6,
        n_moves=500,
        n_tries=3,
        seed=seed,
    )
    assert sorted(found) == list(range(6))
    orders = (list(order) for order in itertools.permutations(range(6)))
    least = min((dense * distance[np.ix_(order, order)]).sum() for order in orders)
    assert (dense * distance[np.ix_(found, found)]).sum() == least


def test_without_traffic_nothing_moves():
    matrix = scipy.sparse.csr_array((5, 5))
    distance = np.ones((3, 3)) - np.eye(3)
    options = {"group_size": 2, "n_slots": 6, "n_movable": 3, "n_moves": 10}
    assert anneal(matrix, distance, **options).tolist() == [0, 0, 1, 1, 2]


def test_a_search_that_ends_worse_is_not_taken(monkeypatch):
    # A chain in order is as short as can be.
    chain = np.diag(np.ones(4), 1)
    matrix = scipy.sparse.csr_array(chain + chain.T)
    distance = np.abs(np.arange(5.0)[:, None] - np.arange(5))
    ends = iter(np.array([[0, 2, 1, 3, 4], [4, 3, 2, 1, 0], [1, 0, 2, 3, 4]]))
    monkeypatch.setattr(module, "search", lambda *arguments: next(ends))
    options = {"group_size": 1, "n_slots": 5, "n_movable": 5, "n_moves": 1}
    assert anneal(matrix, distance, n_tries=3, **options).tolist() == [0, 1, 2, 3, 4]
