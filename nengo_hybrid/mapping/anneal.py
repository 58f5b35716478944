"""
Give items places so that those with much traffic are close: compiled annealing.

A quadratic assignment. Items sit in slots, ``group_size`` of which make a group, and
every group has a place. Two kinds of moves keep what is where nearly as it is: two
slots exchange what is in them, or two groups exchange their places. What either
changes is summed over the neighbours of what moves alone. A move that costs more is
taken with the probability of Metropolis, at a temperature that falls geometrically.
"""

from typing import NamedTuple

import numba
import numpy as np

EMPTY = -1
# The first and the last temperature, in units of what an average item's move changes.
HOT, COLD = 0.5, 5e-4
# Share of the moves of groups; and of other moves, those to a slot anywhere.
OFTEN_GROUPS, OFTEN_ELSEWHERE = 0.125, 0.25
# Less than rounding could make it.
CLEARLY = 1 - 1e-9


class Traffic(NamedTuple):
    """Messages between items: rows of a symmetric sparse matrix, no diagonal."""

    starts: np.ndarray
    others: np.ndarray
    messages: np.ndarray


class Seats(NamedTuple):
    """
    Who sits where, changed in place.

    ``slot_of`` has shape (n_items,), ``item_in`` (n_slots,), ``place_of`` (n_groups,).
    """

    slot_of: np.ndarray
    item_in: np.ndarray
    place_of: np.ndarray
    group_size: int


def anneal(
    matrix, distance, *, group_size, n_slots, n_movable, n_moves, n_tries=1, seed=0
):
    """
    Search a place for every item, starting with item ``i`` in slot ``i``.

    Parameters
    ----------
    matrix : (n_items, n_items) sparse array
        Messages between two items in either direction; symmetric, without a diagonal.
    distance : (n_places, n_places) float array
        What a message costs between two places; symmetric, 0 on the diagonal.
    group_size : int
        Slots of a group; at the start group ``g`` has place ``g``.
    n_slots : int
        Slots that items may use, at least one an item.
    n_movable : int
        Groups that may exchange their places: the first so many, empty ones too.
    n_moves : int
        Of each try, for every item.
    n_tries : int
        Searches, of which the best counts.
    seed : int

    Returns
    -------
    (n_items,) int array
        Place of each item. It never costs more than the start.
    """
    n_items = matrix.shape[0]
    traffic = Traffic(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int64),
        matrix.data.astype(np.float64),
    )
    distance = np.ascontiguousarray(distance, dtype=np.float64)
    best = np.arange(n_items) // group_size
    least = cost(traffic, distance, best)
    if least == 0:
        return best
    scale = matrix.sum() / n_items * distance[distance > 0].min()
    rng = np.random.default_rng(seed)
    for _ in range(n_tries):
        item_in = np.full(n_slots, EMPTY)
        item_in[:n_items] = np.arange(n_items)
        places = np.arange(len(distance))
        found = search(
            traffic,
            distance,
            Seats(np.arange(n_items), item_in, places, group_size),
            n_movable,
            (HOT * scale, COLD * scale),
            n_moves * n_items,
            rng,
        )
        reached = cost(traffic, distance, found)
        if reached < least * CLEARLY:
            best, least = found, reached
    return best


def cost(traffic, distance, place):
    """Sum messages times distance over all pairs of items."""
    rows = np.repeat(np.arange(len(place)), np.diff(traffic.starts))
    apart = distance[place[rows], place[traffic.others]]
    return float(traffic.messages @ apart) / 2


@numba.njit(nogil=True, cache=True)
def search(traffic, distance, seats, n_movable, temperatures, n_moves, rng):
    """Make moves at a falling temperature; return where each item ends."""
    hot, cold = temperatures
    n_items, n_slots = seats.slot_of.size, seats.item_in.size
    n_open = min((n_slots - 1) // seats.group_size + 1, n_movable)
    for move in range(n_moves):
        temperature = hot * (cold / hot) ** (move / n_moves)
        if n_movable > 1 and rng.random() < OFTEN_GROUPS:
            one, other = rng.integers(0, n_open), rng.integers(0, n_movable)
            more = of_groups(traffic, distance, seats, one, other)
            if more <= 0 or rng.random() < np.exp(-more / temperature):
                exchange_groups(seats, one, other)
        else:
            item = rng.integers(0, n_items)
            slot = propose(traffic, seats, item, rng)
            more = of_slots(traffic, distance, seats, item, slot)
            if more <= 0 or rng.random() < np.exp(-more / temperature):
                exchange_slots(seats, item, slot)
    return seats.place_of[seats.slot_of // seats.group_size]


@numba.njit(nogil=True, cache=True)
def propose(traffic, seats, item, rng):
    """Draw a slot: mostly in the group of an item that this one has traffic with."""
    n_slots = seats.item_in.size
    first, last = traffic.starts[item], traffic.starts[item + 1]
    if first == last or rng.random() < OFTEN_ELSEWHERE:
        return rng.integers(0, n_slots)
    other = traffic.others[first + rng.integers(0, last - first)]
    start = seats.slot_of[other] // seats.group_size * seats.group_size
    return start + rng.integers(0, min(seats.group_size, n_slots - start))


@numba.njit(nogil=True, cache=True)
def of_slots(traffic, distance, seats, item, slot):
    """Sum what changes if an item and what is in a slot exchange their slots."""
    here = seats.place_of[seats.slot_of[item] // seats.group_size]
    there = seats.place_of[slot // seats.group_size]
    if here == there:
        return 0.0
    other = seats.item_in[slot]
    more = of_item(traffic, distance, seats, item, here, there, other)
    if other != EMPTY:
        more += of_item(traffic, distance, seats, other, there, here, item)
    return more


@numba.njit(nogil=True, cache=True)
def of_item(traffic, distance, seats, item, here, there, but):
    """Sum what changes if an item moves, leaving out its messages with ``but``."""
    more = 0.0
    for k in range(traffic.starts[item], traffic.starts[item + 1]):
        other = traffic.others[k]
        if other != but:
            at = seats.place_of[seats.slot_of[other] // seats.group_size]
            more += traffic.messages[k] * (distance[there, at] - distance[here, at])
    return more


@numba.njit(nogil=True, cache=True)
def of_groups(traffic, distance, seats, one, other):
    """Sum what changes if two groups exchange their places."""
    more = 0.0
    for group, swapped in ((one, other), (other, one)):
        here, there = seats.place_of[group], seats.place_of[swapped]
        start = group * seats.group_size
        for slot in range(start, min(start + seats.group_size, seats.item_in.size)):
            item = seats.item_in[slot]
            if item == EMPTY:
                continue
            for k in range(traffic.starts[item], traffic.starts[item + 1]):
                far = seats.slot_of[traffic.others[k]] // seats.group_size
                if far != one and far != other:
                    at = seats.place_of[far]
                    step = distance[there, at] - distance[here, at]
                    more += traffic.messages[k] * step
    return more


@numba.njit(nogil=True, cache=True)
def exchange_slots(seats, item, slot):
    """Let an item and what is in a slot exchange their slots."""
    left, other = seats.slot_of[item], seats.item_in[slot]
    seats.item_in[left] = other
    if other != EMPTY:
        seats.slot_of[other] = left
    seats.item_in[slot], seats.slot_of[item] = item, slot


@numba.njit(nogil=True, cache=True)
def exchange_groups(seats, one, other):
    """Let two groups exchange their places."""
    place = seats.place_of[one]
    seats.place_of[one] = seats.place_of[other]
    seats.place_of[other] = place
