"""A `QuantizedGraph` as flat arrays, the way the compiled kernel reads it."""

from typing import NamedTuple

import numpy as np

from nengo_hybrid.emulate.layout import (
    SCATTERED,
    START,
    STOP,
    TARGET,
    lay_out_graph,
    per_compartment,
)

# Columns of a projection: what is read together stands together.
KIND, FIRST_SEGMENT, SHIFT, AT_ONCE = 0, 1, 2, 3
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
    layout, runs = lay_out_graph(graph)
    shifts = {} if graph.learns else _shifts(layout.weights, runs)
    projections, segments, packed = [], [], []
    n_segments, n_packed, first_projection = 0, 0, [0]
    for group, first in enumerate(layout.first_source[:-1]):
        for kind, key, found, synapses in _project_all(layout, group):
            # Counted as in the layout, by adding a source.
            projections.append((kind, n_segments - first, *shifts.get(key, (0, 0))))
            moved = n_packed if kind == SCATTERED else 0
            segments.append(found + np.array([moved, moved, 0]))
            packed.append(synapses)
            n_segments, n_packed = n_segments + len(found), n_packed + len(synapses)
        first_projection.append(len(projections))
    weights = layout.weights
    for key, (shift, _) in shifts.items():
        weights[_span(runs[key])] >>= shift
    return Program(
        layout.first_source,
        np.array(first_projection),
        np.array(projections, np.int64).reshape(-1, 4),
        np.concatenate([np.zeros((0, 3)), *segments]).astype(np.uint32),
        weights if graph.learns else _narrow(_narrow(weights, 16), 8),
        _narrow(np.concatenate([np.zeros(0, np.int64), *packed]), 32),
        _lay_out_parameters(graph),
        np.append(graph.block_starts, graph.n_compartments).astype(np.uint32),
    )


def _project_all(layout, group):
    """Return kind, synapses, segments and what is packed of a group's projections."""
    first, last = layout.first_source[group : group + 2]
    dense, scattered = [], []
    for p in range(*layout.first_projection[group : group + 2]):
        start = layout.first_segment[p]
        segments = layout.segments[start + first : start + last]
        if layout.kind[p] == SCATTERED:
            scattered.append(segments)
        else:
            key, none = tuple(layout.synapses[p].tolist()), np.zeros(0, np.int64)
            dense.append((layout.kind[p], key, segments, none))
    return dense + _pack_best(scattered, layout.weights, layout.indices)


def _span(run):
    """Return where the weights of some synapses are."""
    return slice(run.start.flat[0], run.stop.flat[-1]) if run.start.size else slice(0)


def _shifts(weights, runs):
    """Find the lowest bits that no weight has, and how many fit a sum of 16 bits."""
    found = {}
    for key, run in runs.items():
        own = abs(weights[_span(run)])
        bits = int(np.bitwise_or.reduce(own)) if len(own) else 0
        if bits:
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


def _lay_out_parameters(graph):
    # The register offset of 1 is in the current's decay only.
    decays = per_compartment(graph, "decay_u") + 1, per_compartment(graph, "decay_v")
    names = "vth", "vmin", "vmax", "bias", "refract_delay"
    values = [4096 - decay for decay in decays]
    values += [per_compartment(graph, name) for name in names]
    chunks = np.zeros(
        (-(-graph.n_compartments // CHUNK), N_PARAMETERS, CHUNK), np.int32
    )
    n = np.arange(graph.n_compartments)
    for row, value in enumerate(values):
        chunks[n // CHUNK, row, n % CHUNK] = value
    return chunks.reshape(-1)
