"""
What might make the blocks of a part fit, the smallest change first.

A remedy is a function from an outline, the number of a part and a target to pairs of a
changed outline and a `Change`. Each pair was counted and fits, as far as that part
goes; whoever asks counts the whole.
"""

from itertools import product
from math import ceil, prod

import numpy as np

from nengo_hybrid.checkup import Change
from nengo_hybrid.doctor.limits import fits
from nengo_hybrid.lower import count_part, split_shape
from nengo_hybrid.mapping.limits import LIMITS
from nengo_hybrid.outline import Pattern

# Atoms of the axons of pop_type 16; more run in the emulator only.
MAX_ATOMS_16 = 32


def shape_blocks(outline, number, target):
    """
    Cut a part into other blocks: the fewest that fit, and of these those whose axons
    repeat least.

    Nothing that the network computes changes.
    """
    part = outline.parts[number]
    if not part.is_ensemble:
        return
    best = None
    for shape, n_blocks in block_shapes(part, target):
        if best is not None and n_blocks > best[0]:
            break
        changed = outline.with_part(number, shape=shape)
        blocks, _ = count_part(changed, number)
        if fits(blocks, target) and is_aligned(changed, number):
            n_axons = sum(block.input_axons for block in blocks)
            if best is None or n_axons < best[1]:
                best = n_blocks, n_axons, changed, shape
    if best is not None:
        n_blocks, _, changed, shape = best
        words = (
            f"cut {part.owner!r} into {n_blocks} blocks: net.config[ensemble]"
            f".block_shape = nengo_loihi.BlockShape({shape}, {part.whole})"
        )
        value = shape, part.whole
        yield changed, Change(part.owner, "block shape", words, value)


def block_shapes(part, target):
    """
    List shapes of blocks that hold no more compartments than a core, fewest first.

    Parameters
    ----------
    part : Part
    target : Target

    Returns
    -------
    list of (tuple of int, int)
        Shape, and how many blocks it makes. Of the shapes that cut an axis into as
        many pieces, only the one with the most even pieces.
    """
    room = target.limit(LIMITS["compartments"])
    axes = [sorted({ceil(n / k) for k in range(1, n + 1)}) for n in part.whole]
    found = []
    for shape in product(*axes):
        if prod(shape) <= room:
            pieces = zip(part.whole, shape, strict=True)
            found.append((shape, prod(ceil(n / step) for n, step in pieces)))
    return sorted(found, key=lambda pair: (pair[1], prod(pair[0])))


def is_aligned(outline, number):
    """Tell whether axons of pop_type 16 onto a part begin where NengoLoihi wants it."""
    inlets = [i for i in outline.inlets_of(number) if outline.inlets[i].pop_type == 16]
    if not inlets:
        return True
    _, counted = count_part(outline, number)
    return all(counted[i].is_aligned for i in inlets)


def take_narrow_axons(outline, number, target):
    """
    Send spikes to convolutions on axons of pop_type 16, half as many.

    Nothing that the network computes changes.
    """
    changed, names = outline, []
    for wire in outline.wires:
        inlet = outline.inlets[wire.inlet]
        if wire.source != number or inlet.pop_type != 32:
            continue
        if inlet.pattern.n_atoms <= MAX_ATOMS_16:
            trial = changed.with_inlet(wire.inlet, pop_type=16)
            if is_aligned(trial, inlet.part):
                changed, names = trial, [*names, wire.owner]
    if names and fits(count_part(changed, number)[0], target):
        listed = " and ".join(map(repr, names))
        words = f"for {listed}: net.config[connection].pop_type = 16"
        yield changed, Change(outline.parts[number].owner, "pop_type", words, 16)


def _room_for(outline, number, chosen, target):
    """Count the input axons that the other inlets of a part leave for one of them."""
    others = [i for i in outline.inlets_of(number) if i != chosen]
    room = target.limit(LIMITS["input_axons"])
    return int(room) - sum(outline.inlets[i].n_axons for i in others)


def _widest(outline, number):
    """Return the number of the inlet with the most axons, None if there is none."""
    inlets = outline.inlets_of(number)
    return max(inlets, key=lambda i: outline.inlets[i].n_axons, default=None)


def thin_weights(outline, number, target):
    """
    Let each block read as many inputs as it can, another choice in every block.

    Only where all reach all: the result is what a sparse transform can say. Some
    weights go, no input does.
    """
    part, chosen = outline.parts[number], _widest(outline, number)
    if chosen is None or not part.is_ensemble:
        return
    inlet = outline.inlets[chosen]
    room, n_axons = _room_for(outline, number, chosen, target), inlet.n_axons
    if inlet.is_solved or inlet.pattern is not None or not 0 < room < n_axons:
        return
    n, tried = part.n_compartments, set()
    for k in range(max(2, ceil(n_axons / room)), n + 1):
        step = ceil(n / k)
        n_blocks = ceil(n / step)
        if n_blocks in tried or n_blocks * room < n_axons:
            continue
        tried.add(n_blocks)
        pattern = windows(n_axons, room, split_shape((step,), (n,)))
        changed = outline.with_inlet(chosen, pattern=pattern, weights=None)
        changed = changed.with_part(number, shape=(step,), whole=(n,))
        if fits(count_part(changed, number)[0], target):
            words = (
                f"make the transform of {inlet.owner!r} sparse: each of {n_blocks} "
                f"blocks of {step} neurons reads {room} of the {n_axons} inputs, "
                f"{room / n_axons:.1%} of the weights; with net.config[ensemble]"
                f".block_shape = nengo_loihi.BlockShape({(step,)}, {(n,)})"
            )
            value = room, n_blocks
            yield changed, Change(inlet.owner, "sparse weights", words, value)
            return


def windows(n_axons, room, split):
    """
    Let every block read a window of the inputs, evenly shifted from block to block.

    Parameters
    ----------
    n_axons, room : int
        Inputs, and how many of them a block reads.
    split : Split
        Of the compartments.

    Returns
    -------
    Pattern
    """
    n = len(split.block_of)
    starts = split.block_of * n_axons // split.n_blocks
    axons = (starts[:, None] + np.arange(room)) % n_axons
    targets = np.repeat(np.arange(n), room)
    order = np.argsort(axons.ravel(), kind="stable")
    return Pattern(axons.ravel()[order], targets[order], np.arange(n * room))


def thin_rows(outline, number, target):
    """
    Let each input reach as many neurons of a block as the block has memory for.

    Only where all reach all, and in the blocks as they are.
    """
    part, chosen = outline.parts[number], _heaviest(outline, number)
    if chosen is None or not part.is_ensemble or part.shape is None:
        return
    inlet, split = outline.inlets[chosen], split_shape(part.shape, part.whole)
    if inlet.is_solved or inlet.pattern is not None:
        return
    fewest, most, best = 1, int(split.sizes.max()) - 1, None
    while fewest <= most:
        n_reached = (fewest + most) // 2
        pattern = rings(inlet.n_axons, n_reached, split)
        changed = outline.with_inlet(chosen, pattern=pattern, weights=None)
        if fits(count_part(changed, number)[0], target):
            best, fewest = (n_reached, changed), n_reached + 1
        else:
            most = n_reached - 1
    if best is not None:
        n_reached, changed = best
        size = int(split.sizes.max())
        words = (
            f"make the transform of {inlet.owner!r} sparse: each input reaches "
            f"{n_reached} of the {size} neurons of a block, {n_reached / size:.1%} of "
            "the weights"
        )
        value = n_reached, size
        yield changed, Change(inlet.owner, "sparse weights", words, value)


def _heaviest(outline, number):
    """Return the number of the inlet with the most memory, None if there is none."""
    _, counted = count_part(outline, number)
    return max(counted, key=lambda i: counted[i].bits.max(), default=None)


def rings(n_axons, n_reached, split):
    """
    Let every input reach neighbours in each block, the next input those behind them.

    Parameters
    ----------
    n_axons, n_reached : int
        Inputs, and how many compartments of a block each reaches.
    split : Split
        Of the compartments.

    Returns
    -------
    Pattern
    """
    order = np.argsort(split.block_of, kind="stable")
    axons, targets = [], []
    starts = np.cumsum(split.sizes) - split.sizes
    for start, size in zip(starts, split.sizes, strict=True):
        n = min(n_reached, int(size))
        places = (np.arange(n_axons)[:, None] * n + np.arange(n)) % size
        axons.append(np.repeat(np.arange(n_axons), n))
        targets.append(order[start + places.ravel()])
    axons, targets = np.concatenate(axons), np.concatenate(targets)
    by_axon = np.argsort(axons, kind="stable")
    return Pattern(axons[by_axon], targets[by_axon], np.arange(len(axons)))


def drop_inputs(outline, number, target):
    """
    Read fewer inputs; of what is decoded, fewer neurons.

    Where a solver makes weights of all neurons of an ensemble, the ensemble has to
    be smaller.
    """
    chosen = _widest(outline, number)
    if chosen is None:
        return
    inlet = outline.inlets[chosen]
    room = _room_for(outline, number, chosen, target)
    if inlet.pop_type or not 0 < room < inlet.n_axons:
        return
    sources = [w.source for w in outline.wires if w.inlet == chosen]
    if inlet.is_solved:
        if len(sources) != 1 or sources[0] is None:
            return
        changed = shrink(outline, sources[0], room)
        name, kind = outline.parts[sources[0]].owner, "fewer neurons"
        words = (
            f"give {name!r} {room} neurons instead of {inlet.n_axons}, all of which "
            f"{inlet.owner!r} decodes; or make several ensembles of it"
        )
    else:
        changed = read_first(outline, chosen, room)
        name, kind = inlet.owner, "fewer inputs"
        words = f"let {name!r} read {room} inputs instead of {inlet.n_axons}"
    if fits(count_part(changed, number)[0], target):
        yield changed, Change(name, kind, words, room)


def read_first(outline, number, n):
    """Return an outline in which an inlet reads the first ``n`` of its inputs only."""
    inlet = outline.inlets[number]
    weights = None if inlet.weights is None else inlet.weights[:n]
    pattern = inlet.pattern and _part_of(inlet.pattern, inlet.pattern.axons < n)
    changed = outline.with_inlet(number, n_axons=n, weights=weights, pattern=pattern)
    for i, wire in enumerate(outline.wires):
        if wire.inlet == number:
            axon_of = np.where(wire.axon_of < n, wire.axon_of, -1)
            n_axons = min(wire.n_axons, n)
            changed = changed.with_wire(i, axon_of=axon_of, n_axons=n_axons)
    return changed


def shrink(outline, number, n):
    """Return an outline in which a part has its first ``n`` compartments only."""
    changed = outline.with_part(number, n_compartments=n, shape=None, whole=(n,))
    for i in outline.inlets_of(number):
        inlet = outline.inlets[i]
        weights = None if inlet.weights is None else inlet.weights[:, :n]
        pattern = inlet.pattern and _part_of(inlet.pattern, inlet.pattern.targets < n)
        changed = changed.with_inlet(i, weights=weights, pattern=pattern)
    for i, wire in enumerate(outline.wires):
        if wire.source != number:
            continue
        axon_of = wire.axon_of[:n]
        n_axons = min(wire.n_axons, n)
        changed = changed.with_wire(i, axon_of=axon_of, n_axons=n_axons)
        feeds_alone = sum(w.inlet == wire.inlet for w in outline.wires) == 1
        if feeds_alone and outline.inlets[wire.inlet].n_axons > n:
            changed = read_first(changed, wire.inlet, n)
    return changed


def _part_of(pattern, kept):
    return Pattern(
        pattern.axons[kept],
        pattern.targets[kept],
        pattern.labels[kept],
        pattern.values,
        pattern.n_atoms,
        pattern.is_shared,
    )


def narrow_weights(outline, number, target):
    """
    Store weights of fewer bits, the most that fit.

    NengoLoihi's builder has no setting for it; who builds otherwise may.
    """
    inlets = outline.inlets_of(number)
    most = max((outline.inlets[i].weight_bits for i in inlets), default=0)
    for bits in sorted(target.format("weight_bits"), reverse=True):
        if bits >= most:
            continue
        changed = outline
        for i in inlets:
            changed = changed.with_inlet(i, weight_bits=int(bits))
        if fits(count_part(changed, number)[0], target):
            owner = outline.parts[number].owner
            words = (
                f"store the weights onto {owner!r} in {bits} bits; NengoLoihi's "
                "builder stores 8 and has no setting for it"
            )
            yield changed, Change(owner, "weight bits", words, int(bits))
            return


# By what a change costs: nothing, some weights, some inputs, the precision of all.
REMEDIES = {
    "block shape": (shape_blocks,),
    "pop_type": (take_narrow_axons,),
    "sparse weights": (thin_weights, thin_rows),
    "fewer inputs": (drop_inputs,),
    "weight bits": (narrow_weights,),
}
