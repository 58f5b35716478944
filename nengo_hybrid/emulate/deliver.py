"""Who spiked, and what that adds to the inputs of compartments, compiled."""

import numba
import numpy as np

from nengo_hybrid.emulate.layout import START, STOP, TARGET
from nengo_hybrid.emulate.pointers import move, prefetch
from nengo_hybrid.emulate.program import WORD
from nengo_hybrid.emulate.vectors import (
    LANES,
    add,
    as_bits,
    count_bits,
    fill,
    greater,
    list_bits,
    load,
    load_narrow,
    load_wide,
    load_word,
    lowest,
    shift_left,
    store,
    widen,
)
from nengo_hybrid.emulate.ways import (
    AT_ONCE,
    FIRST_SEGMENT,
    FIRST_WEIGHT,
    N_COLUMNS,
    PACK,
    SHIFT,
    WIDTH,
)

# Weights of a row that are added at once.
NARROW, WIDE = 2 * LANES, 16 * LANES


@numba.njit(nogil=True, cache=True)
def mark_sent(counts, n_lines, above, marks):
    """Mark lines that sent more spikes, a bit for each; tell if any sent yet more."""
    whole, last, more = n_lines // LANES, 0, 0
    for i in range(whole):
        many = load(counts, LANES * i)
        marks[i] = as_bits(greater(many, fill(many, above)))
        more |= as_bits(greater(many, fill(many, above + 1)))
    for i in range(LANES * whole, n_lines):
        last |= (counts[i] > above) << (i - LANES * whole)
        more |= counts[i] > above + 1
    marks[whole] = last
    return more != 0


@numba.njit(nogil=True, cache=True)
def list_set(words, n_words, first, found, numbers):
    """
    List which bits are set, counted from ``first`` on.

    Parameters
    ----------
    words : pointer to uint64
    n_words, first : int
    found : pointer to int32
        With room for `WORD` more.
    numbers : pointer to int8
        0 to 63, and room for 64 more.

    Returns
    -------
    int
        How many.
    """
    n, ascending = 0, load_word(numbers, 0)
    for w in range(n_words):
        store(numbers, WORD, list_bits(words[w], ascending))
        n_set = np.int64(count_bits(words[w]))
        # Once in any case: whether a word is empty is often guessed wrong.
        at = 0
        while True:
            some = widen(widen(load(numbers, WORD + at)))
            store(found, n + at, add(some, fill(some, first + WORD * w)))
            at += LANES
            if at >= n_set:
                break
        n += n_set
    return n


@numba.njit(nogil=True, cache=True)
def deliver(program, first_group, last_group, sources, n, arriving):
    """
    Add the weights behind sources that spike.

    Parameters
    ----------
    program : Program
        Of pointers.
    first_group, last_group : int
        Groups of all the sources; the last is not one of them.
    sources : pointer to int32
        In their order.
    n : int
    arriving : pointer to int32
        By slot.
    """
    k = 0
    for group in range(first_group, last_group):
        first, end = k, program.first_source[group + 1]
        while k < n and sources[k] < end:
            k += 1
        if k == first:
            continue
        for p in range(
            program.first_projection[group], program.first_projection[group + 1]
        ):
            way = move(program.projections, p * N_COLUMNS)
            segments = move(program.segments, 3 * way[FIRST_SEGMENT])
            packed, shift = move(program.packed, way[FIRST_WEIGHT]), way[SHIFT]
            distances, at_once = program.distances, way[AT_ONCE]
            some, n_some = move(sources, first), k - first
            if way[WIDTH] == 1:
                _add_scattered(
                    segments, distances, packed, some, n_some, shift, arriving
                )
            elif way[WIDTH] and at_once == PACK:
                _add_packs(
                    segments, distances, packed, PACK, some, n_some, shift, arriving
                )
            elif way[WIDTH]:
                _add_packs(
                    segments, distances, packed, 1, some, n_some, shift, arriving
                )
            else:
                weights = program.weights
                for i in range(0, n_some, at_once):
                    n_rows, rows = min(at_once, n_some - i), move(some, i)
                    _add_rows(segments, weights, rows, n_rows, shift, arriving)


@numba.njit(nogil=True, cache=True)
def _add_rows(segments, weights, sources, n, shift, arriving):
    """Add segments that all have the same consecutive targets."""
    whole = move(segments, 3 * sources[0])
    length, arriving = whole[STOP] - whole[START], move(arriving, whole[TARGET])
    at = 0
    while at < length:
        if length - at > 2 * NARROW:
            wide = widen(load_wide(weights, whole[START] + at))
            for i in range(1, n):
                start = segments[3 * sources[i] + START]
                wide = add(wide, widen(load_wide(weights, start + at)))
            sums = widen(wide)
            sums = lowest(shift_left(sums, fill(sums, shift)), length - at)
            store(arriving, at, add(load_wide(arriving, at), sums))
            at += WIDE
        else:
            narrow = widen(load_narrow(weights, whole[START] + at))
            for i in range(1, n):
                start = segments[3 * sources[i] + START]
                narrow = add(narrow, widen(load_narrow(weights, start + at)))
            some = widen(narrow)
            some = lowest(shift_left(some, fill(some, shift)), length - at)
            store(arriving, at, add(load_narrow(arriving, at), some))
            at += NARROW


@numba.njit(nogil=True, cache=True, inline="always")
def _add_packs(segments, distances, packed, at_once, sources, n, shift, arriving):
    """Add segments whose targets are so many consecutive ones here and there."""
    for i in range(n):
        segment = move(segments, 3 * sources[i])
        there = move(arriving, LANES * segment[TARGET])
        for first in range(segment[START], segment[STOP], at_once):
            for j in range(first, first + at_once):
                at = LANES * distances[j]
                weights = widen(widen(load(packed, LANES * j)))
                weights = shift_left(weights, fill(weights, shift))
                store(there, at, add(load(there, at), weights))


@numba.njit(nogil=True, cache=True)
def _add_scattered(segments, distances, packed, sources, n, shift, arriving):
    """Add segments whose targets are anywhere, some synapses at a time."""
    for i in range(n):
        if i + 1 < n:
            ahead = move(segments, 3 * sources[i + 1])
            n_ahead = ahead[STOP] - ahead[START]
            prefetch(move(distances, ahead[START]), n_ahead)
            prefetch(move(packed, ahead[START]), n_ahead)
        segment = move(segments, 3 * sources[i])
        there = move(arriving, segment[TARGET])
        for j in range(segment[START], segment[STOP], PACK):
            for k in range(PACK):
                at = distances[j + k]
                there[at] += np.int32(packed[j + k]) << shift
