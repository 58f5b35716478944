"""The compiled part of a run: one block of samples, a lane for each."""

import numpy as np
from numba import njit

LANES = 64
INPUT = -1
MAX_COUNT = np.iinfo(np.int16).max


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add(total, values, columns, weights, start, stop):
    """Add weighted rows of values to a row, four at a time."""
    i = start
    while i + 4 <= stop:
        a, b, c, d = columns[i], columns[i + 1], columns[i + 2], columns[i + 3]
        wa, wb, wc, wd = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for k in range(LANES):
            total[k] += (wa * values[a, k] + wb * values[b, k]) + (
                wc * values[c, k] + wd * values[d, k]
            )
        i += 4
    while i < stop:
        a, wa = columns[i], weights[i]
        for k in range(LANES):
            total[k] += wa * values[a, k]
        i += 1


@njit(nogil=True, cache=True)
def _activate(kind, row):
    if kind == 1:
        zero = row.dtype.type(0)
        for k in range(LANES):
            row[k] = max(row[k], zero)
    elif kind == 3:
        for k in range(LANES):
            row[k] = np.tanh(row[k])
    elif kind == 4:
        for k in range(LANES):
            row[k] = 1 / (1 + np.exp(-row[k]))


@njit(nogil=True, cache=True)
def _quantize(row, voltage, scale):
    """Turn rates into counts; return whether all are within int16."""
    bad, limit = 0, row.dtype.type(MAX_COUNT)
    for k in range(LANES):
        total = voltage[k] + scale * row[k]
        count = np.floor(total)
        voltage[k] = total - count
        row[k] = count
        bad |= not (abs(count) <= limit)
    return bad == 0


@njit(nogil=True, cache=True)
def _scale(row, unit):
    """Multiply by a unit; return whether all are finite."""
    bad, infinity = 0, row.dtype.type(np.inf)
    for k in range(LANES):
        row[k] *= unit
        bad |= not (abs(row[k]) < infinity)
    return bad == 0


@njit(nogil=True, cache=True)
def _gather(now, before, start, stop, bias, rows, matrices):
    """Sum up what comes into a population, all lanes."""
    firsts, middles, columns, weights = rows
    for j in range(start, stop):
        row = now[j]
        row[:] = bias[j]
        _add(row, now, columns, weights, firsts[j], middles[j])
        _add(row, before, columns, weights, middles[j], firsts[j + 1])
    table, flat = matrices
    for i in range(len(table)):
        first, n_post, n_pre, post, pre, delay = table[i]
        if post == start:
            matrix = flat[first : first + n_post * n_pre].reshape(n_post, n_pre)
            values = before if delay else now
            now[start:stop] += np.dot(matrix, values[pre : pre + n_pre])


@njit(nogil=True, cache=True)
def _update(row, voltage, kind, scale, unit):
    """Turn what came into a neuron into what it sends; return whether that is right."""
    _activate(kind, row)
    return _quantize(row, voltage, scale) if scale > 0 else _scale(row, unit)


@njit(nogil=True, cache=True)
def _record(now, start, stop, out, n_real, step, place):
    """Write a population's values (n, lanes) to where they are kept."""
    for k in range(n_real):
        for j in range(start, stop):
            out[k, step, place + j - start] = now[j, k]


@njit(nogil=True, cache=True)
def _tally(now, start, stop, levels, n_real, place):
    """Count how often each count occurs; return whether all have a level."""
    limit, is_right = levels.shape[1] // 2, True
    for j in range(start, stop):
        for k in range(n_real):
            level = int(now[j, k]) + limit
            if 0 <= level < levels.shape[1]:
                levels[place + j - start, level] += 1
            else:
                is_right = False
    return is_right


@njit(nogil=True, cache=True)
def _largest(rows):
    """Return the largest size of a value, or one that is not finite."""
    found = 0.0
    for j in range(rows.shape[0]):
        for k in range(LANES):
            size = abs(rows[j, k])
            if not size <= found:
                found = size
    return found


@njit(nogil=True, cache=True)
def run_block(program, rows, matrices, state, x, kept, out, levels):
    """
    Run the samples of one block.

    Parameters
    ----------
    program, rows, matrices : tuple of array
        As `program.compile_graph` makes them.
    state : tuple of (n, LANES) array
        Values of this step and of the one before, and voltages.
    x : (n_real, n_steps, size_in) array
        Of at most as many samples as there are lanes.
    kept : (n_populations, 2) int array
        Where the values of each population go in ``out``, and its counts in
        ``levels``; -1 for nowhere.
    out : (n_real, n_kept, n) array
        Of the last steps.
    levels : (n, n_levels) int64 array
        Added to; of no levels, for none.

    Returns
    -------
    tuple of float
        Step and population whose values are out of range, and the largest of them; -1
        if all are right.
    """
    starts, kinds, scales, units, bias = program
    now, before, voltage = state
    n_real, n_steps = x.shape[0], x.shape[1]
    skipped = n_steps - out.shape[1]
    for step in range(n_steps):
        now, before = before, now
        for p in range(len(kinds)):
            start, stop, is_right = starts[p], starts[p + 1], True
            if kinds[p] == INPUT:
                for j in range(start, stop):
                    for k in range(n_real):
                        now[j, k] = x[k, step, j - start]
            else:
                _gather(now, before, start, stop, bias, rows, matrices)
                for j in range(start, stop):
                    is_right &= _update(
                        now[j], voltage[j], kinds[p], scales[p], units[p]
                    )
            if scales[p] > 0 and levels.shape[1] and kept[p, 1] >= 0 and is_right:
                is_right = _tally(now, start, stop, levels, n_real, kept[p, 1])
            if kept[p, 0] >= 0 and step >= skipped:
                _record(now, start, stop, out, n_real, step - skipped, kept[p, 0])
            if not is_right:
                return float(step), float(p), float(_largest(now[start:stop]))
            if scales[p] > 0:
                for j in range(start, stop):
                    for k in range(LANES):
                        now[j, k] *= units[p]
    return -1.0, -1.0, -1.0
