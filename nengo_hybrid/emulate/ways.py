"""What is behind each source of a `QuantizedGraph`: rows of weights, and packs."""

import numpy as np

from nengo_hybrid.emulate.layout import SCATTERED, START, STOP, TARGET, UNIFORM
from nengo_hybrid.emulate.vectors import LANES

# Columns of a projection: what is read together stands together.
WIDTH, FIRST_SEGMENT, SHIFT, AT_ONCE, FIRST_WEIGHT = range(5)
N_COLUMNS = 5
# Where some sources have more packs than others, so many are added at a time, the last
# of them zeros: to guess wrong how many there are takes longer. Unless zeros make them
# more than so many times as many.
PACK = 4
MOST_PADDED = 2.5
# So many scattered synapses take as long as one vector of them.
SYNAPSES_PER_PACK = 3
# Rows of 8 bits that a sum of 16 holds.
ROWS = 255


def order_compartments(layout, block, start, n):
    """
    Order a block's compartments so that those with the same sources are neighbours.

    In a convolution they are the channels of a pixel, which are apart if channels come
    first. Where all that a source reaches is in a row anyway, it stays so.
    """
    into = np.flatnonzero(layout.synapses[:, 0] == block)
    if np.any(layout.kind[into] != SCATTERED):
        return np.arange(n)
    # Compartments with the same sources get the same sum, and hardly any others.
    drawn, sums = np.random.default_rng(0), np.zeros(n)
    for p in into:
        group = np.searchsorted(layout.first_projection, p, "right") - 1
        first, last = layout.first_source[group : group + 2] + layout.first_segment[p]
        source, target, _ = _expand(layout, layout.segments[first:last])
        numbers = drawn.random(last - first)
        sums += np.bincount(target - start, numbers[source], minlength=n)
    _, first, same = np.unique(sums, return_index=True, return_inverse=True)
    return np.argsort(first[same.reshape(-1)], kind="stable")


class Ways:
    """What is behind all sources, group by group."""

    def __init__(self, layout, slots, shifts, learning, are_bytes):
        self.layout, self.slots, self.shifts = layout, slots, shifts
        self.learning = learning
        self.at_once = ROWS if are_bytes else np.iinfo(np.int32).max
        self.segments, self.distances, self.packed = [], [], []
        self.projections, self.first_projection = [], [0]
        self.n_segments = self.n_packs = self.n_packed = 0

    def add(self, group, where, first, n):
        """Add the projections of a group, of which each source is somewhere."""
        layout, scattered = self.layout, []
        for p in range(*layout.first_projection[group : group + 2]):
            start = layout.first_segment[p] + layout.first_source[group]
            own = np.zeros((n, 3), np.int64)
            own[where] = layout.segments[start : start + len(where)]
            synapses = tuple(layout.synapses[p].tolist())
            is_scattered = layout.kind[p] == SCATTERED
            if is_scattered and synapses not in self.learning:
                scattered.append(own)
                continue
            # Packs are copies, which do not learn.
            parts = _columns(layout, own) if is_scattered else [own]
            at_once = self.at_once if layout.kind[p] == UNIFORM else 1
            for part in parts:
                if len(self.slots):
                    part[:, TARGET] = self.slots[part[:, TARGET]]
                self._add(part, first, (0, self.shifts.get(synapses, 0), at_once, 0))
        for synapses in self._choose(scattered):
            self._add_packs(*synapses, first, n)
        self.first_projection.append(len(self.projections))

    def _add(self, segments, first, projection):
        # Counted so that adding a source, not its place in a group, gives the segment.
        width, *others = projection
        self.projections.append((width, self.n_segments - first, *others))
        self.segments.append(segments)
        self.n_segments += len(segments)

    def _choose(self, projections):
        """Put scattered projections together, unless sources share more as they are."""
        parts = [_expand(self.layout, segments) for segments in projections]
        if not parts:
            return []
        whole = [np.concatenate(values) for values in zip(*parts, strict=True)]
        width = _width(whole[0], self.slots[whole[1]])
        n = len(projections[0])
        together = [_pack(whole[0], self.slots[whole[1]], whole[2], width, n)]
        if not any(_shares(segments) for segments in projections):
            return together
        apart = [_pack(source, self.slots[t], w, width, n) for source, t, w in parts]
        fewer = sum(len(distances) for _, distances, _, _ in apart)
        return apart if fewer < len(together[0][1]) else together

    def _add_packs(self, segments, distances, packed, at_once, first, n):
        width = packed.shape[1]
        bits = int(np.bitwise_or.reduce(abs(packed), axis=None)) if packed.size else 0
        shift = max((bits & -bits).bit_length() - 1, 0)
        at = -(-self.n_packed // width) * width
        filling = np.zeros(at - self.n_packed, np.int64)
        segments = segments + np.array([self.n_packs, self.n_packs, 0])
        self._add(segments, first, (width, shift, at_once, at - width * self.n_packs))
        self.distances.append(distances)
        self.packed += [filling, packed.ravel() >> shift]
        self.n_packs += len(distances)
        self.n_packed = at + packed.size


def _expand(layout, segments):
    """Return source, target and weight of all synapses of some segments."""
    start = segments[:, START]
    length = segments[:, STOP] - start
    source = np.repeat(np.arange(len(segments)), length)
    behind = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    at = np.repeat(start, length) + behind
    target = np.repeat(segments[:, TARGET], length) + layout.indices[at]
    return source, target, layout.weights[at].astype(np.int64)


def _columns(layout, segments):
    """Cut segments to one synapse each, the first of all sources, then the second."""
    parts, length = [], segments[:, STOP] - segments[:, START]
    for i in range(length.max(initial=0)):
        part, has = np.zeros_like(segments), length > i
        at = segments[has, START] + i
        target = segments[has, TARGET] + layout.indices[at]
        part[has] = np.stack([at, at + 1, target], axis=1)
        parts.append(part)
    return parts


def _shares(segments):
    """Tell whether any sources have the same weights behind them."""
    used = segments[segments[:, STOP] > segments[:, START], START]
    return len(np.unique(used)) < len(used)


def _width(source, slot):
    """Return how wide packs of some synapses should be."""
    n_packs = len(np.unique(source * (slot.max(initial=0) + 1) + slot // LANES))
    return LANES if SYNAPSES_PER_PACK * n_packs < len(source) else 1


def _pack(source, slot, weight, width, n):
    """
    Put the synapses of all sources into packs; those that are alike share them.

    Returns
    -------
    segments : (n, 3) int64 array
    distances : (n_packs,) int64 array
    packed : (n_packs, width) int64 array
    at_once : int
        Packs of a source are a multiple of it.
    """
    n_places = slot.max(initial=0) // width + 1
    packs, pack = np.unique(source * n_places + slot // width, return_inverse=True)
    weights = np.zeros((len(packs), width), np.int64)
    np.add.at(weights, (pack, slot % width), weight)
    place, ends = packs % n_places, np.searchsorted(packs // n_places, np.arange(n + 1))
    at_once = PACK if width == 1 else _at_once(np.diff(ends))
    known, segments, n_packs = {}, np.zeros((n, 3), np.int64), 0
    for s in range(n):
        own = slice(ends[s], ends[s + 1])
        size = -(-(own.stop - own.start) // at_once) * at_once
        if not size:
            continue
        base = place[own.start]
        alike = (place[own] - base).tobytes(), weights[own].tobytes()
        if alike not in known:
            known[alike] = n_packs, own
            n_packs += size
        first = known[alike][0]
        segments[s] = first, first + size, base
    distances, packed = (
        np.zeros(n_packs, np.int64),
        np.zeros((n_packs, width), np.int64),
    )
    for first, own in known.values():
        last = first + own.stop - own.start
        distances[first:last] = place[own] - place[own.start]
        packed[first:last] = weights[own]
        # Zeros go behind it: to add to the same place again would take longer.
        n_zeros = (first - last) % at_once
        distances[last : last + n_zeros] = distances[last - 1] + np.arange(n_zeros) + 1
    return segments, distances, packed, at_once


def _at_once(n_packs):
    """Choose how many packs of a source are added at a time, `PACK` or one."""
    padded = -(-n_packs // PACK) * PACK
    varies = len(np.unique(n_packs[n_packs > 0])) > 1
    return PACK if varies and padded.sum() <= MOST_PADDED * n_packs.sum() else 1
