"""Where the weights of a `QuantizedGraph` are, and what leads to them."""

from typing import NamedTuple

import numpy as np

from nengo_hybrid.exceptions import EmulateError

# How the targets of a projection's segments lie: the same consecutive compartments
# for all sources, consecutive ones, or scattered ones.
UNIFORM, RUNS, SCATTERED = 0, 1, 2
# Columns of a segment.
START, STOP, TARGET = 0, 1, 2


class Layout(NamedTuple):
    """
    Sources, and the weights behind each.

    Sources are the lines of the inputs and, behind all lines, the compartments of the
    blocks; a group is all of one input or block. A projection leads from a group to
    the synapses of one block. A spike of source ``s`` runs through its segment
    ``first_segment[projection] + s``: the weights from ``start`` to ``stop``, onto
    compartments from ``target`` on, or onto ``target + indices`` if they are
    scattered. Axons that share weights share the run.

    Attributes
    ----------
    first_source : (n_groups + 1,) int64 array
    first_projection : (n_groups + 1,) int64 array
        Projections are sorted by group.
    first_segment : (n_projections,) int64 array
    kind : (n_projections,) int64 array
        `UNIFORM`, `RUNS` or `SCATTERED`.
    synapses : (n_projections, 2) int64 array
        The block, and which of its synapses.
    segments : (n_segments, 3) int64 array
        `START`, `STOP` and `TARGET`.
    weights : (n_stored,) int32 array
    indices : (n_stored,) int64 array
    """

    first_source: np.ndarray
    first_projection: np.ndarray
    first_segment: np.ndarray
    kind: np.ndarray
    synapses: np.ndarray
    segments: np.ndarray
    weights: np.ndarray
    indices: np.ndarray


class Runs(NamedTuple):
    """Where the weights of a `SynapseGroup` are; arrays of shape (n_rows, n_atoms)."""

    start: np.ndarray
    stop: np.ndarray
    first: np.ndarray
    last: np.ndarray
    dense: np.ndarray


def lay_out_graph(graph):
    """
    Lay a graph out, as it is stored.

    Parameters
    ----------
    graph : QuantizedGraph

    Returns
    -------
    Layout
    runs : dict of (int, int) to Runs

    Raises
    ------
    EmulateError
        If synapses reach compartments that their block does not have.
    """
    runs, weights, indices = store_weights(graph)
    groups = *graph.inputs, *graph.blocks
    first_source = np.cumsum([0, *(_n_sources(group) for group in groups)])
    projections = [
        _project(graph, group, axon, runs) for group in groups for axon in group.axons
    ]
    lengths = [len(segments) for _, segments in projections]
    axons = [axon for group in groups for axon in group.axons]
    synapses = [(axon.target_block, axon.target_synapses) for axon in axons]
    n_axons = [len(group.axons) for group in groups]
    # Counted so that adding a source, not its place in the group, gives the segment.
    origin = np.repeat(first_source[:-1], n_axons)
    layout = Layout(
        first_source.astype(np.int64),
        np.cumsum([0, *n_axons]).astype(np.int64),
        (np.cumsum([0, *lengths])[:-1] - origin).astype(np.int64),
        np.array([kind for kind, _ in projections], dtype=np.int64),
        np.array(synapses, dtype=np.int64).reshape(-1, 2),
        np.concatenate([np.zeros((0, 3), np.int64), *(s for _, s in projections)]),
        weights,
        indices,
    )
    return layout, runs


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
    return kind, np.stack([start, stop, target], axis=1)


def per_compartment(graph, name):
    """Return a parameter of all compartments, (n_compartments,) int32."""
    values = [
        np.broadcast_to(getattr(block, name), (block.n_compartments,))
        for block in graph.blocks
    ]
    return np.concatenate(values).astype(np.int32)
