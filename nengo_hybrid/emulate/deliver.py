"""Who spiked, and what that adds to the inputs of compartments, compiled."""

import numba
import numpy as np

from nengo_hybrid.emulate.int32 import add, first_byte, prefetch, shift_left
from nengo_hybrid.emulate.layout import SCATTERED, START, STOP, TARGET, UNIFORM
from nengo_hybrid.emulate.program import AT_ONCE, FIRST_SEGMENT, KIND, PACK, SHIFT

ONES = np.uint64(0x0101010101010101)
# Synapses in a cache line.
LINE = 16
# Rows of weights that are added in one pass.
ROWS = 4


@numba.njit(nogil=True, cache=True)
def list_sent(counts, marks, words, found):
    """List the lines that sent spikes; return how many, and if any sent several."""
    several = False
    for i in range(counts.size):
        marks[i] = counts[i] != 0
        several |= counts[i] > 1
    return list_set(words, 0, found, 0), several


@numba.njit(nogil=True, cache=True)
def list_set(words, first, found, n):
    """List which bytes, counted from the first, are odd, behind ``n`` others."""
    for w in range(words.size):
        left = words[w] & ONES
        while left:
            found[n] = first + 8 * w + np.int64(first_byte(left))
            n += 1
            left &= left - np.uint64(1)
    return n


@numba.njit(nogil=True, cache=True)
def deliver(
    first_source,
    first_projection,
    projections,
    segments,
    weights,
    packed,
    sources,
    n,
    sent,
    several,
    partial,
    arriving,
):
    """Add the weights behind sources that spike, in their order; lines, as often."""
    # Sources are told by where they are in the list: to cut parts of it out, as arrays,
    # takes longer than to add a row.
    k = 0
    for group in range(first_projection.size - 1):
        first, end = k, first_source[group + 1]
        while k < n and sources[k] < end:
            k += 1
        if k == first:
            continue
        again = several and sources[first] < sent.size
        for p in range(first_projection[group], first_projection[group + 1]):
            kind, offset = projections[p, KIND], projections[p, FIRST_SEGMENT]
            shift, at_once = projections[p, SHIFT], projections[p, AT_ONCE]
            if kind == SCATTERED:
                for i in range(first, k):
                    if i + 1 < k:
                        _prefetch(segments, packed, offset + sources[i + 1])
                    for _ in range(sent[sources[i]] if again else 1):
                        _add_scattered(segments, packed, offset + sources[i], arriving)
                continue
            left = first
            if kind == UNIFORM and at_once >= ROWS and not again:
                left = _add_uniform(
                    segments,
                    weights,
                    offset,
                    sources,
                    first,
                    k,
                    at_once,
                    shift,
                    partial,
                    arriving,
                )
            for i in range(left, k):
                for _ in range(sent[sources[i]] if again else 1):
                    _add_run(segments, weights, offset + sources[i], shift, arriving)


@numba.njit(nogil=True, cache=True)
def _add_uniform(
    segments,
    weights,
    offset,
    sources,
    first,
    last,
    at_once,
    shift,
    partial,
    arriving,
):
    """
    Add segments that all have the same targets, four at a time, while there are four.

    Sums of 16 bits hold as many as ``at_once``. Returns the first that was left.
    """
    s = np.uint64(offset + sources[first])
    t = np.uint64(segments[s, TARGET])
    length = np.uint64(segments[s, STOP]) - np.uint64(segments[s, START])
    k = first
    while k + ROWS <= last:
        end = min(k + at_once, last)
        for j in range(length):
            partial[j] = 0
        while k + ROWS <= end:
            a = np.uint64(segments[np.uint64(offset + sources[k]), START])
            b = np.uint64(segments[np.uint64(offset + sources[k + 1]), START])
            c = np.uint64(segments[np.uint64(offset + sources[k + 2]), START])
            d = np.uint64(segments[np.uint64(offset + sources[k + 3]), START])
            for j in range(length):
                both = weights[a + j] + weights[b + j]
                partial[j] += both + weights[c + j] + weights[d + j]
            k += ROWS
        for j in range(length):
            arriving[t + j] = add(arriving[t + j], shift_left(partial[j], shift))
    return k


@numba.njit(nogil=True, cache=True)
def _add_run(segments, weights, segment, shift, arriving):
    """Add a segment whose targets are consecutive."""
    s = np.uint64(segment)
    a, t = np.uint64(segments[s, START]), np.uint64(segments[s, TARGET])
    for j in range(np.uint64(segments[s, STOP]) - a):
        arriving[t + j] = add(arriving[t + j], shift_left(weights[a + j], shift))


@numba.njit(nogil=True, cache=True)
def _prefetch(segments, packed, segment):
    """Fetch the scattered synapses of a segment into the cache."""
    s = np.uint64(segment)
    a = np.uint64(segments[s, START])
    while a < segments[s, STOP]:
        prefetch(packed, a)
        a += np.uint64(LINE)


@numba.njit(nogil=True, cache=True)
def _add_scattered(segments, packed, segment, arriving):
    """Add a segment whose targets are anywhere, some synapses at a time."""
    s = np.uint64(segment)
    a, t = np.uint64(segments[s, START]), np.uint64(segments[s, TARGET])
    while a < segments[s, STOP]:
        for j in range(np.uint64(PACK)):
            synapse = packed[a + j]
            c = t + (np.uint64(synapse) & np.uint64(0xFFFF))
            arriving[c] = add(arriving[c], synapse >> 16)
        a += np.uint64(PACK)
