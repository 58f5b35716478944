"""A `QuantizedGraph` as flat arrays, the way the compiled kernel reads it."""

from typing import NamedTuple

import numpy as np

from nengo_hybrid.emulate.layout import (
    lay_out_graph,
    per_compartment,
)
from nengo_hybrid.emulate.vectors import LANES
from nengo_hybrid.emulate.ways import N_COLUMNS, Ways, order_compartments

# Kinds of stretches, and bits of a voltage, without the sign, in all but the last.
STEADY, LEAKY, DEEP = range(3)
VOLTAGE_BITS = 23
# Slots come in words of so many.
WORD = 64
# Elements that may be read behind the last weight, or behind the last slot.
MARGIN = 16 * LANES
# Types of weights.
NARROW = "int8", "int16", "int32"
# Columns of a stretch.
FIRST_SLOT, LAST_SLOT, BLOCK, KIND = range(4)
STRETCH_COLUMNS = 4
# Rows of parameters.
KEEP_U, KEEP_V, VTH, VMIN, VMAX, REFRACTORY, REST = range(7)
N_PARAMETERS = 7


class Program(NamedTuple):
    """
    Everything a step needs. Arrays are int32 unless said otherwise.

    Compartments stand in slots: those of a block in a row, from a multiple of `LANES`
    on; behind the last of a block, slots may be empty. Sources are the lines of the
    inputs and, behind all lines, the slots; a group is all of one input or block. A
    projection leads from a group to the synapses of one block, or of several if its
    targets are scattered. A spike of source ``s`` runs through its segment
    ``first_segment + s``: the weights from ``start`` to ``stop``, onto slots from
    ``target`` on; or packs of ``width`` weights, from ``start`` to ``stop``, onto as
    many slots from ``width * (target + distance)`` on. Sources may share what is
    behind them.

    Attributes
    ----------
    first_source : (n_groups + 1,) int64 array
    first_projection : (n_groups + 1,) int64 array
        Projections are sorted by group.
    projections : (n_projections, 5) int64 array
        ``WIDTH`` of its packs, 1 or `LANES`, or 0 if it has rows; ``FIRST_SEGMENT``;
        ``SHIFT``, by which its weights are to be shifted left; ``AT_ONCE``, how many of
        its rows are summed up at a time, or of its packs added; ``FIRST_WEIGHT`` of its
        packs.
    segments : (n_segments, 3) uint32 array
        `START`, `STOP` and `TARGET`.
    weights : (n_stored,) int8, int16 or int32 array
        Without the lowest bits that no weight of the same synapses has; the narrowest
        if all fit and none learn: less to read. `MARGIN` more may be read.
    distances : (n_packs,) uint16 or uint32 array
    packed : (n_packed,) int8, int16 or int32 array
        Weights of the packs.
    stretches : (n_stretches, 4) int64 array
        Slots of a block with the same parameters, or `LANES` with any: ``FIRST_SLOT``,
        ``LAST_SLOT`` and ``BLOCK``; and the ``KIND``, which is `LEAKY` if any leaks, or
        is refractory for longer than the step of a spike, `DEEP` if in any the voltage
        may have more bits than a float, or a threshold is negative, or else `STEADY`.
    parameters : (n_stretches * 7 * LANES,) array
        Of the `LANES` slots: ``KEEP_U`` and ``KEEP_V``, what a current and a voltage
        keep in a step, as the bits of a float32; ``VTH``, ``VMIN``, ``VMAX``; the steps
        behind a spike that are ``REFRACTORY``; and the voltage at ``REST``, 0, which
        compilers would turn into more instructions if they knew it.
    bias : (n_slots,) array
    slots : (n_compartments,) int64 array
    compartments : (n_slots,) int64 array
        In each slot; 0 in empty ones.
    """

    first_source: np.ndarray
    first_projection: np.ndarray
    projections: np.ndarray
    segments: np.ndarray
    weights: np.ndarray
    distances: np.ndarray
    packed: np.ndarray
    stretches: np.ndarray
    parameters: np.ndarray
    bias: np.ndarray
    slots: np.ndarray
    compartments: np.ndarray


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
    ends, slots, compartments = _place(graph, layout)
    rows = layout.weights.copy()
    shifts = {} if graph.learns else _shifts(layout.weights, runs)
    for key, shift in shifts.items():
        rows[_span(runs[key])] >>= shift
    rows = rows if graph.learns else _narrow(rows, *NARROW)
    first_source = np.append(
        layout.first_source[: len(graph.inputs)], graph.n_lines + ends
    )
    learning = {(b, s) for b, s in runs if graph.blocks[b].synapses[s].learning}
    ways = Ways(layout, slots, shifts, learning, rows.dtype == np.int8)
    for group, first in enumerate(first_source[:-1]):
        where = np.arange(first, first_source[group + 1])
        if group >= len(graph.inputs):
            own = layout.first_source[group : group + 2] - graph.n_lines
            where = graph.n_lines + slots[slice(*own)]
        ways.add(group, where - first, first, first_source[group + 1] - first)
    stretches, parameters, bias = _lay_out_parameters(
        graph, ends, slots, len(compartments)
    )
    return Program(
        first_source,
        np.array(ways.first_projection),
        np.array(ways.projections, np.int64).reshape(-1, N_COLUMNS),
        np.concatenate([np.zeros((0, 3)), *ways.segments]).astype(np.uint32),
        _aligned([rows], rows.dtype),
        _aligned(ways.distances, "uint16", "uint32"),
        _aligned(ways.packed, *NARROW),
        stretches,
        _aligned(parameters, "int32"),
        _aligned([bias], "int32"),
        slots,
        compartments,
    )


def aligned(n, dtype):
    """Return zeros from where a cache line starts, with a margin behind them."""
    n_bytes = (n + MARGIN) * np.dtype(dtype).itemsize
    memory = np.zeros(n_bytes + 64, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first : first + n_bytes].view(dtype)[:n]


def _aligned(parts, *dtypes):
    """Join arrays as one in the first type that holds their numbers."""
    values = _narrow(np.concatenate([np.zeros(0, np.int64), *parts]), *dtypes)
    copy = aligned(len(values), values.dtype)
    copy[:] = values
    return copy


def _place(graph, layout):
    """Give each compartment a slot; return where blocks start, and both ways round."""
    n_slots = [-(-block.n_compartments // LANES) * LANES for block in graph.blocks]
    ends = np.cumsum([0, *n_slots])
    slots = np.zeros(graph.n_compartments, np.int64)
    for b, block in enumerate(graph.blocks):
        start = graph.block_starts[b]
        order = order_compartments(layout, b, start, block.n_compartments)
        slots[start + order] = ends[b] + np.arange(block.n_compartments)
    compartments = np.zeros(-(-ends[-1] // WORD) * WORD, np.int64)
    compartments[slots] = np.arange(graph.n_compartments)
    return ends, slots, compartments


def _span(run):
    """Return where the weights of some synapses are."""
    return slice(run.start.flat[0], run.stop.flat[-1]) if run.start.size else slice(0)


def _shifts(weights, runs):
    """Find the lowest bits that no weight of some synapses has."""
    bits = {
        key: int(np.bitwise_or.reduce(abs(weights[_span(run)]), initial=0))
        for key, run in runs.items()
    }
    return {key: (b & -b).bit_length() - 1 for key, b in bits.items() if b}


def _narrow(values, *dtypes):
    """Return values in the first type that holds them all."""
    lowest, highest = values.min(initial=0), values.max(initial=0)
    for dtype in dtypes:
        limits = np.iinfo(dtype)
        if limits.min <= lowest and highest <= limits.max:
            return values.astype(dtype)
    raise AssertionError(f"{lowest} to {highest} do not fit {dtype}")


def _lay_out_parameters(graph, ends, slots, n_slots):
    """Lay out stretches, their parameters and biases; see `Program`."""
    # The register offset of 1 is in the current's decay only.
    decays = per_compartment(graph, "decay_u") + 1, per_compartment(graph, "decay_v")
    keep = [np.float32((4096 - decay) / 4096).view(np.int32) for decay in decays]
    levels = [per_compartment(graph, name) for name in ("vth", "vmin", "vmax")]
    refractory = np.maximum(per_compartment(graph, "refract_delay") - 1, 0)
    values = np.zeros((N_PARAMETERS, n_slots), np.int32)
    values[:REST, slots] = [*keep, *levels, refractory]
    bias, kinds = np.zeros((2, n_slots), np.int32)
    bias[slots] = per_compartment(graph, "bias")
    most = 1 << VOLTAGE_BITS
    deep = (levels[1] < -most) | (levels[2] >= most)
    leaky = (decays[1] != 0) | (refractory != 0)
    kind = np.where(leaky, np.where(deep, DEEP, LEAKY), STEADY)
    kinds[slots] = np.where(levels[0] < 0, DEEP, kind)
    stretches, parameters = [], []
    for b, (first, last) in enumerate(zip(ends[:-1], ends[1:], strict=True)):
        n = graph.blocks[b].n_compartments
        used = values[:, first : first + n]
        if n and np.all(used == used[:, :1]) and _is_silent_alone(used[:, 0]):
            values[:, first:last] = used[:, :1]
            parts = [(first, last)]
        else:
            parts = [(i, i + LANES) for i in range(first, last, LANES)]
        stretches += [(i, j, b, kinds[i:j].max()) for i, j in parts]
        parameters += [values[:, i : i + LANES].ravel() for i, _ in parts]
    return np.array(stretches, np.int64).reshape(-1, STRETCH_COLUMNS), parameters, bias


def _is_silent_alone(parameters):
    """Tell whether an empty slot with some parameters stays at rest."""
    vth, vmin, vmax = parameters[[VTH, VMIN, VMAX]]
    return vmin <= 0 <= min(vmax, vth)
