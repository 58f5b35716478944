"""A `QuantizedGraph` as flat arrays, the way the compiled kernel reads it."""

from typing import NamedTuple

import numpy as np

from nengo_hybrid.exceptions import EmulateError

# How the targets of a projection's segments lie: the same consecutive compartments
# for all sources, consecutive ones, or scattered ones.
UNIFORM, RUNS, SCATTERED = 0, 1, 2
# Columns of a projection, and of a segment: what is read together stands together.
KIND, FIRST_SEGMENT, SHIFT, AT_ONCE = 0, 1, 2, 3
START, STOP, TARGET = 0, 1, 2
# Scattered synapses come in so many at a time, padded with zeros.
PACK = 4
# Compartments lie in chunks, of which each has a row per parameter.
CHUNK = 64
KEEP_U, KEEP_V, VTH, VMIN, VMAX, BIAS, REFRACT_DELAY = range(7)
N_PARAMETERS = 7


class Program(NamedTuple):
    """
    Everything a step needs. Arrays are int32 unless said otherwise.

    Sources are the lines of the inputs and, behind all lines, the compartments of the
    blocks; a group is all of one input or block. A projection leads from a group to
    the synapses of one block, or of several if its targets are scattered. A spike of
    source ``s`` runs through its segment ``first_segment + s``: the synapses from
    ``start`` to ``stop``, onto compartments from ``target`` on. Axons that share
    weights share the run.

    Attributes
    ----------
    first_source : (n_groups + 1,) int64 array
    first_projection : (n_groups + 1,) int64 array
        Projections are sorted by group.
    projections : (n_projections, 4) int64 array
        ``KIND``, which is `UNIFORM`, `RUNS` or `SCATTERED`; ``FIRST_SEGMENT``;
        ``SHIFT``, by which its weights are to be shifted left; ``AT_ONCE``, how many
        of its weights a sum of 16 bits holds, unshifted.
    segments : (n_segments, 3) uint32 array
        `START`, `STOP` and `TARGET`.
    weights : (n_stored,) int16 or int32 array
        Without the lowest bits that no weight of the same synapses has; the narrower
        if all fit and none learn: half as much to read.
    packed : (n_packed,) int32 or int64 array
        Scattered synapses: in the lowest 16 bits the distance from the target, and
        above the weight.
    parameters : (n_chunks * 7 * CHUNK,) array
        ``KEEP_U`` and ``KEEP_V``, what a current and a voltage keep in a step in
        4096ths, ``VTH``, ``VMIN``, ``VMAX``, ``BIAS`` and ``REFRACT_DELAY`` of a chunk
        of compartments, then of the next; zeros behind the last compartment.
    first_compartment : (n_blocks + 1,) uint32 array
        Of each block.
    """

    first_source: np.ndarray
    first_projection: np.ndarray
    projections: np.ndarray
    segments: np.ndarray
    weights: np.ndarray
    packed: np.ndarray
    parameters: np.ndarray
    first_compartment: np.ndarray


class Runs(NamedTuple):
    """Where the weights of a `SynapseGroup` are; arrays of shape (n_rows, n_atoms)."""

    start: np.ndarray
    stop: np.ndarray
    first: np.ndarray
    last: np.ndarray
    dense: np.ndarray


def compile_graph(graph):
    """
    Lay a graph out as a `Program`.

    Parameters
    ----------
    graph : QuantizedGraph

    Returns
    -------
    Program

    Raises
    ------
    EmulateError
        If synapses reach compartments that their block does not have.
    """
    runs, weights, indices = store_weights(graph)
    groups = *graph.inputs, *graph.blocks
    first_source = np.cumsum([0, *(_n_sources(group) for group in groups)])
    shifts = _shifts(weights, runs, learns=graph.learns)
    projections, segments, packed = [], [], []
    n_segments, n_packed, first_projection = 0, 0, [0]
    for group, first in zip(groups, first_source, strict=False):
        dense, scattered = _project_all(graph, group, runs)
        scattered = _pack_best(scattered, weights, indices)
        for kind, key, found, synapses in dense + scattered:
            # Counted so that adding a source, not its place in the group, gives it.
            shift, at_once = shifts.get(key, (0, 0))
            projections.append((kind, n_segments - first, shift, at_once))
            segments.append(
                found + np.array([n_packed, n_packed, 0]) * (kind == SCATTERED)
            )
            packed.append(synapses)
            n_segments, n_packed = n_segments + len(found), n_packed + len(synapses)
        first_projection.append(len(projections))
    for key, (shift, _) in shifts.items():
        weights[_span(runs[key])] >>= shift
    return Program(
        first_source.astype(np.int64),
        np.array(first_projection),
        np.array(projections, np.int64).reshape(-1, 4),
        np.concatenate([np.zeros((0, 3)), *segments]).astype(np.uint32),
        weights if graph.learns else _narrow(_narrow(weights, 16), 8),
        _narrow(np.concatenate([np.zeros(0, np.int64), *packed]), 32),
        _lay_out_parameters(graph),
        np.append(graph.block_starts, graph.n_compartments).astype(np.uint32),
    )


def _project_all(graph, group, runs):
    """Describe the projections of a group: those that are dense, and the others."""
    found = [_project(graph, group, axon, runs) for axon in group.axons]
    none = np.zeros(0, np.int64)
    dense = [(k, key, s, none) for k, key, s in found if k != SCATTERED]
    return dense, [s for k, _, s in found if k == SCATTERED]


def _span(run):
    """Return where the weights of some synapses are."""
    return slice(run.start.flat[0], run.stop.flat[-1]) if run.start.size else slice(0)


def _shifts(weights, runs, *, learns):
    """Find the lowest bits that no weight has, and how many fit a sum of 16 bits."""
    found = {}
    for key, run in runs.items():
        own = abs(weights[_span(run)])
        bits = int(np.bitwise_or.reduce(own)) if len(own) else 0
        if bits and not learns:
            shift = (bits & -bits).bit_length() - 1
            found[key] = shift, np.iinfo(np.int16).max // int(own.max() >> shift)
    return found


def _pack_best(projections, weights, indices):
    """Pack scattered projections as one, unless axons share more as they are."""
    if not projections:
        return []
    apart = [_pack([segments], weights, indices) for segments in projections]
    together = [_pack(projections, weights, indices)]
    if together[0] is None or len(together[0][1]) > sum(len(p) for _, p in apart):
        together = apart
    return [(SCATTERED, None, segments, packed) for segments, packed in together]


def _pack(projections, weights, indices):
    """
    Put what each source reaches through some projections behind one another.

    Returns
    -------
    segments : (n_sources, 3) array
    packed : (n_packed,) int64 array
    """
    parts = np.stack(projections, axis=1)
    start, length = parts[..., START], parts[..., STOP] - parts[..., START]
    used = length > 0
    base = np.where(used, parts[..., TARGET], np.iinfo(np.int64).max).min(axis=1)
    base = np.where(used.any(axis=1), base, 0)
    away = np.where(used, parts[..., TARGET] - base[:, None], 0)
    rows, row = np.unique(
        np.concatenate([start, length, away], 1), axis=0, return_inverse=True
    )
    start, length, away = np.split(rows, 3, axis=1)
    filled = length.sum(axis=1)
    stop = np.cumsum(-(-filled // PACK) * PACK)
    first = np.concatenate([[0], stop])[:-1]
    # Where each part comes to be, and from where.
    to = first[:, None] + np.cumsum(length, axis=1) - length
    within = np.arange(length.sum()) - np.repeat(
        np.cumsum(length) - length.ravel(), length.ravel()
    )
    source = np.repeat(start.ravel(), length.ravel()) + within
    distance = indices[source] + np.repeat(away.ravel(), length.ravel())
    if distance.max(initial=0) >= 2**16:
        return None
    packed = np.zeros(stop[-1] if len(stop) else 0, np.int64)
    packed[np.repeat(to.ravel(), length.ravel()) + within] = (
        weights[source].astype(np.int64) << 16 | distance
    )
    row = row.reshape(-1)
    return np.stack([first[row], stop[row], base], axis=1), packed


def _narrow(values, bits):
    """Return values in integers of some bits if they all fit."""
    narrow = np.dtype(f"int{bits}")
    limits = np.iinfo(narrow)
    fits = values.min(initial=0) >= limits.min and values.max(initial=0) <= limits.max
    return values.astype(narrow) if fits else values


def _n_sources(group):
    return getattr(group, "n_lines", None) or group.n_compartments


def store_weights(graph):
    """
    Put all rows of weights behind one another.

    Returns
    -------
    runs : dict of (int, int) to Runs
        By block and synapses.
    weights : (n_stored,) int32 array
    indices : (n_stored,) int64 array
        Compartments that they reach, from the lowest of their row; the axon's base is
        added to it.
    """
    runs, weights, indices, n_stored = {}, [], [], 0
    for b, block in enumerate(graph.blocks):
        for s, group in enumerate(block.synapses):
            runs[b, s], stored, reached = lay_out(group, n_stored)
            weights.append(stored)
            indices.append(reached)
            n_stored += len(stored)
    flat = np.concatenate([np.zeros(0, np.int32), *weights])
    reached = np.concatenate([np.zeros(0, np.int64), *indices])
    if reached.max(initial=0) > np.iinfo(np.uint16).max:
        raise EmulateError(
            f"an axon reaches compartments {reached.max():,} apart in one block; at "
            f"most {np.iinfo(np.uint16).max:,} can be emulated"
        )
    return runs, flat.astype(np.int32), reached


def lay_out(group, n_stored):
    """Say where the rows of a group come to be; return weights and indices too."""
    n_atoms = max((len(row) for row in group.weights), default=1)
    sizes = np.repeat([row.shape[1] for row in group.weights], n_atoms).astype(np.int64)
    stop = np.cumsum(sizes)
    start = stop - sizes
    weights = np.concatenate([np.zeros(0, int), *(w.ravel() for w in group.weights)])
    reached = np.concatenate([np.zeros(0, int), *(i.ravel() for i in group.indices)])
    steps, filled = np.diff(reached), sizes > 0
    steps[start[filled][1:] - 1] = 1  # from one row to the next
    lowest, highest = np.zeros((2, len(sizes)), dtype=np.int64)
    if filled.any():
        lowest[filled] = np.minimum.reduceat(reached, start[filled])
        highest[filled] = np.maximum.reduceat(reached, start[filled])
    # Counted up, so that a run is told by the count between its ends.
    ones = np.concatenate([[0], np.cumsum(steps == 1)])
    end = np.where(filled, stop - 1, start)
    dense = ~filled | (ones[end % len(ones)] - ones[start % len(ones)] == end - start)
    for row in np.unique(np.searchsorted(stop, np.flatnonzero(steps <= 0), "right")):
        inside = slice(start[row], stop[row])
        weights[inside] = _last_wins(weights[inside], reached[inside])
    arrays = n_stored + start, n_stored + stop, lowest, highest, dense
    shape = len(group.weights), n_atoms
    runs = Runs(*(array.reshape(shape) for array in arrays))
    return runs, weights, reached - np.repeat(lowest, sizes)


def _last_wins(weights, reached):
    """Clear weights whose target comes again in the row: NengoLoihi ignores them."""
    from_the_end = np.unique(reached[::-1], return_index=True)[1]
    wins = np.zeros(len(weights), dtype=bool)
    wins[len(weights) - 1 - from_the_end] = True
    return np.where(wins, weights, 0)


def _project(graph, source, axon, runs):
    """Describe one projection: its kind, and its segments, (n_sources, 3)."""
    block = graph.blocks[axon.target_block]
    group = block.synapses[axon.target_synapses]
    run = runs[axon.target_block, axon.target_synapses]
    axons = axon.axon_of_neuron
    base = np.where(axons >= 0, group.base_of_axon[axons], -1)
    row = group.row_of_axon[axons], axon.atom_of_neuron
    used = (base >= 0) & (run.stop[row] > run.start[row])
    lowest, highest = base + run.first[row], base + run.last[row]
    if np.any(used & ((lowest < 0) | (highest >= block.n_compartments))):
        raise EmulateError(
            f"synapses {group.name!r} of block {block.name!r} reach compartments "
            f"{lowest[used].min()} to {highest[used].max()}; the block has "
            f"{block.n_compartments}, counted from 0; {source.name!r} sends spikes "
            "through them"
        )
    dense = bool(run.dense[row][used].all())
    target = np.where(used, lowest + graph.block_starts[axon.target_block], 0)
    start = np.where(used, run.start[row], 0)
    stop = np.where(used, run.stop[row], 0)
    ends = {*zip(target.tolist(), (stop - start).tolist(), strict=True)}
    uniform = dense and used.all() and len(ends) == 1
    kind = UNIFORM if uniform else RUNS if dense else SCATTERED
    key = axon.target_block, axon.target_synapses
    return kind, key, np.stack([start, stop, target], axis=1)


def _lay_out_parameters(graph):
    # The register offset of 1 is in the current's decay only.
    decays = _per_compartment(graph, "decay_u") + 1, _per_compartment(graph, "decay_v")
    names = "vth", "vmin", "vmax", "bias", "refract_delay"
    values = [4096 - decay for decay in decays]
    values += [_per_compartment(graph, name) for name in names]
    chunks = np.zeros(
        (-(-graph.n_compartments // CHUNK), N_PARAMETERS, CHUNK), np.int32
    )
    n = np.arange(graph.n_compartments)
    for row, value in enumerate(values):
        chunks[n // CHUNK, row, n % CHUNK] = value
    return chunks.reshape(-1)


def _per_compartment(graph, name):
    values = [
        np.broadcast_to(getattr(block, name), (block.n_compartments,))
        for block in graph.blocks
    ]
    return np.concatenate(values).astype(np.int32)
