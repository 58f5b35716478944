"""
The programs of `nengo_hybrid.programs`, compiled: a block of samples, a lane for each.

All integers. Sums of what synapses bring are made by a library's product of matrices:
in float32, in which integers of up to 24 bits are exact, where no sum can be larger,
and else in float64, which has 53. All else is int64, checked against the bits of a
register.
"""

import numpy as np
from numba import njit

LANES = 64
INPUT, SUM, QUANTIZER, RELU_QUANTIZER, ROTOR = -1, 0, 1, 2, 3
KINDS = {
    "input": INPUT,
    "sum": SUM,
    "quantizer": QUANTIZER,
    "relu quantizer": RELU_QUANTIZER,
    "rotor": ROTOR,
}
# Rows of the table of parameters, and registers.
BIAS, SHIFT, QUARTER, TANGENT, SINE, GAIN, GAIN_SHIFT = range(7)
COLUMNS = {
    "bias": BIAS,
    "shift": SHIFT,
    "quarter": QUARTER,
    "tangent": TANGENT,
    "sine": SINE,
    "gain": GAIN,
    "gain_shift": GAIN_SHIFT,
}
# Integers of this size and below are exact in float32.
EXACT = 2.0**24
V, M = 0, 1
REGISTERS = {"v": V, "m": M}
# What left its range: a sum or register, or a payload.
STATE, PAYLOAD = 0, 1


@njit(nogil=True, cache=True)
def _gather(now, before, sizes, start, stop, drive, matrices):
    """Sum up what comes over the synapses of a population, all lanes."""
    table, flat, flat32, reach = matrices
    drive[start:stop] = 0
    for i in range(len(table)):
        first, n_post, n_pre, post, pre, delay = table[i]
        if post != start:
            continue
        values = (before if delay else now)[pre : pre + n_pre]
        last = first + n_post * n_pre
        if reach[i] * sizes[delay, pre] <= EXACT:
            drive[start:stop] += np.dot(
                flat32[first:last].reshape(n_post, n_pre), values
            )
        else:
            drive[start:stop] += np.dot(
                flat[first:last].reshape(n_post, n_pre), values.astype(np.float64)
            )


@njit(nogil=True, cache=True)
def _emit(v, shift, sent):
    """Send what is above the threshold, keep the rest; return the largest size sent."""
    most = np.int64(0)
    for k in range(LANES):
        count = v[k] >> shift
        v[k] -= count << shift
        sent[k] = count
        most = max(most, abs(count))
    return most


@njit(nogil=True, cache=True)
def _largest(row):
    """Return the largest size in a row."""
    most = np.int64(0)
    for k in range(LANES):
        most = max(most, abs(row[k]))
    return most


@njit(nogil=True, cache=True)
def _largest_drive(row):
    most = 0.0
    for k in range(LANES):
        most = max(most, abs(row[k]))
    return np.int64(most)


@njit(nogil=True, cache=True)
def _turn(a, b, parameters, j, bits):
    """Turn a pair of registers by three shears, and by quarters."""
    quarter, tangent = parameters[QUARTER, j], parameters[TANGENT, j]
    sine = parameters[SINE, j]
    for k in range(LANES):
        x, y = a[k], b[k]
        if quarter == 1:
            x, y = -y, x
        elif quarter == 2:
            x, y = -x, -y
        elif quarter == 3:
            x, y = y, -x
        x -= (tangent * y) >> bits
        y += (sine * x) >> bits
        x -= (tangent * y) >> bits
        a[k], b[k] = x, y


@njit(nogil=True, cache=True)
def _run_rotors(start, stop, drive, registers, parameters, now, bits):
    """Turn the pairs, add what came, quantize; return largest state and payload."""
    m, v = registers[M], registers[V]
    largest, most = np.int64(0), np.int64(0)
    for j in range(start, stop - 1, 2):
        _turn(m[j], m[j + 1], parameters, j, bits)
    for j in range(start, stop):
        gain, gain_shift = parameters[GAIN, j], parameters[GAIN_SHIFT, j]
        for k in range(LANES):
            m[j, k] += np.int64(drive[j, k])
            v[j, k] += (gain * m[j, k]) >> gain_shift
        largest = max(largest, _largest(m[j]), _largest(v[j]))
        most = max(most, _emit(v[j], parameters[SHIFT, j], now[j]))
    return largest, most


@njit(nogil=True, cache=True)
def _run_quantizers(kind, start, stop, drive, registers, parameters, now):
    """Add what came, quantize; return largest state and payload."""
    v, largest, most = registers[V], np.int64(0), np.int64(0)
    for j in range(start, stop):
        bias = parameters[BIAS, j]
        for k in range(LANES):
            into = np.int64(drive[j, k]) + bias
            if kind == RELU_QUANTIZER:
                into = max(into, 0)
            v[j, k] += into
        largest = max(largest, _largest(v[j]))
        most = max(most, _emit(v[j], parameters[SHIFT, j], now[j]))
    return largest, most


@njit(nogil=True, cache=True)
def _run_sums(start, stop, drive, parameters, now):
    """Send what came and the bias; return largest sum, twice."""
    most = np.int64(0)
    for j in range(start, stop):
        bias = parameters[BIAS, j]
        for k in range(LANES):
            now[j, k] = drive[j, k] + bias
        most = max(most, _largest_drive(now[j]))
    return most, most


@njit(nogil=True, cache=True)
def _record(now, start, stop, out, n_real, step, place):
    """Write a population's payloads (n, lanes) to where they are kept."""
    for k in range(n_real):
        for j in range(start, stop):
            out[k, step, place + j - start] = np.int32(now[j, k])


@njit(nogil=True, cache=True)
def _tally(now, start, stop, tally, n_real, place):
    """Count payloads by their bits, and the ones in them."""
    for j in range(start, stop):
        row = tally[place + j - start]
        for k in range(n_real):
            size, bits = abs(np.int32(now[j, k])), 0
            while size:
                row[-1] += size & 1
                size >>= 1
                bits += 1
            row[bits] += 1


@njit(nogil=True, cache=True)
def run_graded_block(program, matrices, registers, x, kept, out, tally):
    """
    Run the samples of one block.

    Parameters
    ----------
    program : tuple of array
        Where each population starts (n_populations + 1,), its kind, the largest size of
        its payloads, and the parameters (7, n) of all neurons, int64; behind them the
        size that leaves a register, and the bits of a factor.
    matrices : tuple of array
        As `nengo_hybrid.graph_run.program` makes them; the weights in float32 too, and
        the largest sum of the sizes of a row's stored weights for each matrix.
    registers : (2, n, LANES) int64 array
    x : (n_real, n_steps, size_in) int32 array
    kept, out
        As in `nengo_hybrid.graph_run.kernel.run_block`, with int32 for ``out``.
    tally : (n, n_bits + 1) int64 array
        To which is added how many payloads had a size of so many bits, none of them if
        nothing was sent, and behind that the ones in all of these bits.

    Returns
    -------
    tuple of int
        Step and population whose integers leave their range, the largest of them, and
        what left it; a step of -1 if none does.
    """
    starts, kinds, limits, parameters, state_limit, factor_bits = program
    n, n_real, n_steps = starts[-1], x.shape[0], x.shape[1]
    now, before = np.zeros((n, LANES), np.float32), np.zeros((n, LANES), np.float32)
    drive = np.zeros((n, LANES))
    # Largest payload of each population, at its first neuron: of this step, and before.
    sizes = np.zeros((2, n))
    skipped = n_steps - out.shape[1]
    for step in range(n_steps):
        now, before = before, now
        sizes[1] = sizes[0]
        for p in range(len(kinds)):
            start, stop, kind = starts[p], starts[p + 1], kinds[p]
            largest, most, arrived = np.int64(0), np.int64(0), np.int64(0)
            if kind == INPUT:
                # Lanes without a sample repeat the last.
                for j in range(start, stop):
                    for k in range(LANES):
                        now[j, k] = x[min(k, n_real - 1), step, j - start]
                    most = max(most, _largest_drive(now[j]))
            else:
                _gather(now, before, sizes, start, stop, drive, matrices)
                for j in range(start, stop):
                    arrived = max(arrived, _largest_drive(drive[j]))
                if kind == ROTOR:
                    largest, most = _run_rotors(
                        start, stop, drive, registers, parameters, now, factor_bits
                    )
                elif kind == SUM:
                    largest, most = _run_sums(start, stop, drive, parameters, now)
                else:
                    largest, most = _run_quantizers(
                        kind, start, stop, drive, registers, parameters, now
                    )
            sizes[0, start] = most
            largest = max(largest, arrived)
            if largest >= state_limit:
                return step, p, largest, STATE
            if most > limits[p]:
                return step, p, most, PAYLOAD
            if kept[p, 1] >= 0:
                _tally(now, start, stop, tally, n_real, kept[p, 1])
            if kept[p, 0] >= 0 and step >= skipped:
                _record(now, start, stop, out, n_real, step - skipped, kept[p, 0])
    return -1, -1, np.int64(-1), STATE
