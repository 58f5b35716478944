"""
What the blocks of an outline need of their cores, as NengoLoihi would split them.

Nothing is built: full synapses are counted from their shape, others from the pattern
of what reaches what. Where NengoLoihi splits a block, it stores equal rows of weights
once; weights that are not known yet (drawn or solved for) are taken to differ.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import scipy.sparse
from nengo_loihi.block import (
    MAX_COMPARTMENTS,
    MAX_IN_AXONS,
    MAX_OUT_AXONS,
    MAX_SYNAPSE_BITS,
    SynapseConfig,
)

from nengo_hybrid.graphs import BlockNeeds

# Compartments that the base of an axon can skip, as in NengoLoihi.
BASE_STEP = 256
# Where axons of pop_type 16 have to begin.
ALIGNMENT = 4
# NengoLoihi's rows of weights in memory: runs of 64; 3 is for full rows, whose
# targets need no index, and 0 for rows with indices.
RUN_CODE, FULL_ROWS, INDEXED_ROWS = 63, 3, 0
# Odd numbers of 64 bits, to mix labels and targets into a signature of a row.
MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)


@dataclass(frozen=True)
class InletCount:
    """
    What an inlet takes on each block of its part.

    Attributes
    ----------
    axons, bits : (n_blocks,) int array
    reached : (n_axons, n_blocks) scipy.sparse.csr_array of int, or None
        1 where an axon reaches a block; None if every axon reaches every block.
    is_aligned : bool
        Whether the compartments where axons begin are multiples of 4, as NengoLoihi
        wants them for axons of pop_type 16.
    """

    axons: np.ndarray
    bits: np.ndarray
    reached: scipy.sparse.csr_array | None = None
    is_aligned: bool = True


@dataclass(frozen=True)
class Count:
    """
    What was counted of an outline.

    Attributes
    ----------
    blocks : tuple of tuple of BlockNeeds
        Of each part, in NengoLoihi's order.
    inlets : tuple of InletCount
    wires : tuple of array
        Output axons of each wire in each block of its source; none of the host's.
    wholes : tuple of BlockNeeds
        What each part would need in one block.
    """

    blocks: tuple
    inlets: tuple
    wires: tuple
    wholes: tuple

    @property
    def n_cores(self):
        """(int) Cores that the blocks take, one each."""
        return sum(map(len, self.blocks))


@dataclass(frozen=True)
class Split:
    """Which block has each compartment of a part, and where within it."""

    block_of: np.ndarray
    local_of: np.ndarray
    sizes: np.ndarray

    @property
    def n_blocks(self):
        return len(self.sizes)


def count_needs(outline):
    """
    Count what each block of an outline needs of its core.

    Parameters
    ----------
    outline : Outline

    Returns
    -------
    Count
    """
    counting = _Counting(outline)
    return Count(
        blocks=tuple(counting.blocks(i) for i in range(len(outline.parts))),
        inlets=tuple(counting.inlet(i) for i in range(len(outline.inlets))),
        wires=tuple(counting.wire(i) for i in range(len(outline.wires))),
        wholes=tuple(counting.whole(i) for i in range(len(outline.parts))),
    )


def count_part(outline, number):
    """
    Count what the blocks of one part need, which takes less time than all.

    Parameters
    ----------
    outline : Outline
    number : int
        Index into ``outline.parts``.

    Returns
    -------
    tuple of BlockNeeds
    inlets : dict of int to InletCount
        Those of the part.
    """
    counting = _Counting(outline)
    blocks = counting.blocks(number)
    return blocks, {i: counting.inlet(i) for i in outline.inlets_of(number)}


class _Counting:
    """Counts of one outline, each made once, when it is first asked for."""

    def __init__(self, outline):
        self.outline = outline
        self.inlets_of = _by(outline.inlets, "part")
        self.wires_of = _by(outline.wires, "source")
        self._splits, self._inlets, self._wires, self._wholes = {}, {}, {}, {}

    def split(self, number):
        if number not in self._splits:
            self._splits[number] = self._split(number)
        return self._splits[number]

    def inlet(self, number):
        if number not in self._inlets:
            inlet = self.outline.inlets[number]
            self._inlets[number] = _count_inlet(inlet, self.split(inlet.part))
        return self._inlets[number]

    def wire(self, number):
        if number not in self._wires:
            self._wires[number] = self._wire(self.outline.wires[number])
        return self._wires[number]

    def blocks(self, number):
        """List the needs of a part's blocks."""
        split = self.split(number)
        axons, bits, out = np.zeros((3, split.n_blocks), np.int64)
        for i in self.inlets_of.get(number, ()):
            axons += self.inlet(i).axons
            bits += self.inlet(i).bits
        for i in self.wires_of.get(number, ()):
            out += self.wire(i)
        owner = self.outline.parts[number].owner
        order = np.argsort(split.block_of, kind="stable")
        neurons = np.split(order, np.cumsum(split.sizes)[:-1])
        return tuple(
            BlockNeeds(
                name=owner if split.n_blocks == 1 else f"{owner}[{k}]",
                population=owner,
                neurons=neurons[k],
                compartments=int(split.sizes[k]),
                input_axons=int(axons[k]),
                output_axons=int(out[k]),
                synapse_bits=int(bits[k]),
            )
            for k in range(split.n_blocks)
        )

    def whole(self, number):
        """Count what a part would need in one block, before anything is split."""
        if number not in self._wholes:
            part = self.outline.parts[number]
            inlets = [self.outline.inlets[i] for i in self.inlets_of.get(number, ())]
            wires = [self.outline.wires[i] for i in self.wires_of.get(number, ())]
            one = split_shape((part.n_compartments,), (part.n_compartments,))
            slots = (w.n_axons * _slots(self.outline.inlets[w.inlet]) for w in wires)
            self._wholes[number] = BlockNeeds(
                name=part.owner,
                population=part.owner,
                neurons=one.local_of,
                compartments=part.n_compartments,
                input_axons=sum(inlet.n_axons for inlet in inlets),
                output_axons=sum(slots),
                synapse_bits=sum(int(_count_inlet(i, one).bits[0]) for i in inlets),
            )
        return self._wholes[number]

    def _split(self, number):
        """Split a part as its shape says, or else as NengoLoihi does by itself."""
        part = self.outline.parts[number]
        if part.shape is not None:
            return split_shape(part.shape, part.whole)
        n, needs = part.n_compartments, self.whole(number)
        n_splits = max(
            ceil(needs.compartments / MAX_COMPARTMENTS),
            ceil(needs.input_axons / MAX_IN_AXONS),
            ceil(needs.output_axons / MAX_OUT_AXONS),
            ceil(needs.synapse_bits / MAX_SYNAPSE_BITS),
        )
        return split_shape((ceil(n / n_splits),), (n,))

    def _wire(self, wire):
        """Count the output axons of a wire in each block of its source."""
        if wire.source is None:
            return np.zeros(0, np.int64)
        inlet = self.outline.inlets[wire.inlet]
        source, target = self.split(wire.source), self.split(inlet.part)
        used = wire.axon_of >= 0
        places = source.block_of[used], wire.axon_of[used]
        ones = np.ones(len(places[0]), np.int64)
        shape = source.n_blocks, inlet.n_axons
        sends = scipy.sparse.csr_array((ones, places), shape=shape)
        sends.sum_duplicates()
        sends.data[:] = 1
        # Before what it reaches, which takes longer and is not needed of one block.
        if target.n_blocks == 1 or inlet.pattern is None:
            return sends.sum(axis=1) * target.n_blocks * _slots(inlet)
        return (sends @ self.inlet(wire.inlet).reached).sum(axis=1) * _slots(inlet)


def _by(items, attribute):
    """Return the numbers of items by what an attribute of theirs is."""
    found = {}
    for number, item in enumerate(items):
        found.setdefault(getattr(item, attribute), []).append(number)
    return found


def split_shape(shape, whole):
    """
    Split compartments into blocks of a shape.

    Parameters
    ----------
    shape, whole : tuple of int
        Of a block, and of all compartments; those at the ends may be smaller.

    Returns
    -------
    Split
    """
    n = int(np.prod(whole))
    places = np.unravel_index(np.arange(n), whole)
    grid = [ceil(size / step) for size, step in zip(whole, shape, strict=True)]
    steps = tuple(p // step for p, step in zip(places, shape, strict=True))
    block_of = np.ravel_multi_index(steps, grid)
    sizes = np.bincount(block_of, minlength=int(np.prod(grid)))
    order = np.argsort(block_of, kind="stable")
    local_of = np.empty_like(order)
    local_of[order] = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Split(block_of, local_of, sizes)


def _slots(inlet):
    """Return the output axons that one axon to an inlet takes."""
    return 2 if inlet.pop_type == 32 else 1


def _count_inlet(inlet, split):
    if inlet.pattern is not None:
        return _count_pattern(inlet, split)
    rows = _n_full_rows(inlet, split)
    axons = np.full(split.n_blocks, inlet.n_axons)
    return InletCount(axons, rows * _row_bits(inlet, split.sizes, FULL_ROWS))


def _n_full_rows(inlet, split):
    """Count the rows of weights that each block stores."""
    if split.n_blocks == 1 or inlet.weights is None:
        return np.full(split.n_blocks, inlet.n_axons)
    rows = []
    for k in range(split.n_blocks):
        part = np.ascontiguousarray(inlet.weights[:, split.block_of == k], np.float32)
        rows.append(len({row.tobytes() for row in part}))
    return np.array(rows)


def _row_bits(inlet, sizes, compression, index_bits=0):
    """Count the bits of rows of so many weights."""
    config = SynapseConfig(
        weight_bits=SynapseConfig.WEIGHT_BITS_MAP.index(inlet.weight_bits),
        idx_bits=index_bits,
        n_synapses=RUN_CODE,
        compression=compression,
    )
    known, which = np.unique(sizes, return_inverse=True)
    bits = np.array([config.bits_per_axon(int(n)) for n in known], np.int64)
    return bits[which]


def _count_pattern(inlet, split):
    """Count the rows that axons take: one for each block that an axon reaches."""
    pattern, n_blocks = inlet.pattern, split.n_blocks
    is_whole = n_blocks == 1
    block, local = split.block_of[pattern.targets], split.local_of[pattern.targets]
    row = pattern.axons * n_blocks + block
    order = np.argsort(row, kind="stable")
    row, local = row[order], local[order]
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    axon, block = row[starts] // n_blocks, row[starts] % n_blocks
    sizes = np.diff(starts, append=len(row))
    base = np.zeros(len(starts), np.int64)
    if pattern.is_shared and len(starts):
        base = np.minimum.reduceat(local, starts) % BASE_STEP
        local = local - np.repeat(base, sizes)
    kept = np.arange(len(starts))
    if len(starts) and (pattern.is_shared or not is_whole):
        labels = pattern.labels[order]
        if pattern.values is not None and not is_whole:
            labels = pattern.values[labels]
        kept = _distinct_rows(labels, local, starts, block)
    weights, home = sizes[kept] * pattern.n_atoms, block[kept]
    bits = np.zeros(n_blocks, np.int64)
    if pattern.is_shared:
        largest = np.zeros(n_blocks, np.int64)
        np.maximum.at(largest, np.repeat(block, sizes), local)
        codes = _index_codes(largest)[home]
        for code in np.unique(codes):
            rows = codes == code
            found = _row_bits(inlet, weights[rows], INDEXED_ROWS, int(code))
            np.add.at(bits, home[rows], found)
    else:
        np.add.at(bits, home, _row_bits(inlet, weights, FULL_ROWS))
    is_aligned = bool((base % ALIGNMENT == 0).all())
    if is_whole:
        return InletCount(np.array([inlet.n_axons]), bits, None, is_aligned)
    places = np.ones(len(starts), np.int64), (axon, block)
    reached = scipy.sparse.csr_array(places, shape=(inlet.n_axons, n_blocks))
    axons = np.bincount(block, minlength=n_blocks)
    return InletCount(axons, bits, reached, is_aligned)


def _distinct_rows(labels, local, starts, block):
    """Return one of each set of rows with the same weights for the same targets."""
    mixed = labels.astype(np.uint64) * MIX[0] ^ (local.astype(np.uint64) + MIX[1])
    # The finalizer of splitmix64, so that sums of neighbours do not meet by chance.
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    signature = np.add.reduceat(mixed ^ (mixed >> np.uint64(31)), starts)
    rows = np.stack([block.astype(np.uint64), signature], axis=1)
    return np.unique(rows, axis=0, return_index=True)[1]


def _index_codes(largest):
    """Return NengoLoihi's code for the bits that indices of up to ``largest`` take."""
    bits = np.ceil(np.log2(largest + 1)).astype(int)
    codes = np.searchsorted(SynapseConfig.INDEX_BITS_MAP, bits)
    # What is too large for any code is going to be split; until then it has the last.
    return np.minimum(codes, len(SynapseConfig.INDEX_BITS_MAP) - 1)
