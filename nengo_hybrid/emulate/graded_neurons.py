"""
One step of each program of `nengo_hybrid.graphs.programs`, compiled: neurons by lanes.

All int64. Every function returns the largest size of a sum or register on the way, and
of a payload.
"""

import numpy as np
from numba import njit

LANES = 64
INPUT, SUM, QUANTIZER, RELU_QUANTIZER, ROTOR = -1, 0, 1, 2, 3
CUBA, CUBA_SUBTRACTS, INTEGRATOR, INTEGRATOR_SUBTRACTS = 4, 5, 6, 7
LEAKY, SIGMA_DELTA, DELTA, SIGMA = 8, 9, 10, 11
KINDS = {
    "input": INPUT,
    "sum": SUM,
    "quantizer": QUANTIZER,
    "relu quantizer": RELU_QUANTIZER,
    "rotor": ROTOR,
    "cuba lif": CUBA,
    "cuba lif, subtracting": CUBA_SUBTRACTS,
    "integrate-and-fire": INTEGRATOR,
    "integrate-and-fire, subtracting": INTEGRATOR_SUBTRACTS,
    "leaky": LEAKY,
    "sigma-delta": SIGMA_DELTA,
    "delta": DELTA,
    "sigma": SIGMA,
}
# Rows of the table of parameters, and registers.
BIAS, SHIFT, QUARTER, TANGENT, SINE, GAIN, GAIN_SHIFT = range(7)
DECAY_U, DECAY_V, THRESHOLD, MINIMUM, REFRACTORY = range(7, 12)
COLUMNS = {
    "bias": BIAS,
    "shift": SHIFT,
    "quarter": QUARTER,
    "tangent": TANGENT,
    "sine": SINE,
    "gain": GAIN,
    "gain_shift": GAIN_SHIFT,
    "decay_u": DECAY_U,
    "decay_v": DECAY_V,
    "threshold": THRESHOLD,
    "minimum": MINIMUM,
    "refractory": REFRACTORY,
}
V, M, WAIT = range(3)
# No program has two that share a place.
REGISTERS = {"v": V, "m": M, "u": M, "wait": WAIT, "sigma": V, "told": M}


@njit(nogil=True, cache=True)
def largest_size(row):
    """Return the largest size in a row."""
    most = 0.0
    for k in range(LANES):
        most = max(most, abs(row[k]))
    return np.int64(most)


@njit(nogil=True, cache=True)
def run_program(kind, part, drive, registers, parameters, now, bits):
    """
    Take the neurons of one population a step on.

    Parameters
    ----------
    kind : int
        Out of `KINDS`.
    part : (int, int)
        Where they start and stop.
    drive : (n, LANES) array
        What their synapses bring, whole numbers.
    registers : (3, n, LANES) int64 array
    parameters : (12, n) int64 array
    now : (n, LANES) array
        Gets what they send.
    bits : int
        Of a factor.

    Returns
    -------
    int, int
        The largest size of a sum or register, and of a payload.
    """
    start, stop = part
    if kind == ROTOR:
        return _run_rotors(start, stop, drive, registers, parameters, now, bits)
    if kind == SUM:
        return _run_sums(start, stop, drive, parameters, now)
    if kind == LEAKY:
        return _run_leaky(start, stop, drive, registers, parameters, now, bits)
    if kind in (SIGMA_DELTA, DELTA):
        return _run_deltas(kind, start, stop, drive, registers, parameters, now)
    if kind == SIGMA:
        return _run_sigmas(start, stop, drive, registers, now)
    if kind >= CUBA:
        return _run_spiking(kind, start, stop, drive, registers, parameters, now, bits)
    return _run_quantizers(kind, start, stop, drive, registers, parameters, now)


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
    """Turn the pairs, add what came, quantize."""
    m, v = registers[M], registers[V]
    largest, most = np.int64(0), np.int64(0)
    for j in range(start, stop - 1, 2):
        _turn(m[j], m[j + 1], parameters, j, bits)
    for j in range(start, stop):
        gain, gain_shift = parameters[GAIN, j], parameters[GAIN_SHIFT, j]
        for k in range(LANES):
            m[j, k] += np.int64(drive[j, k])
            v[j, k] += (gain * m[j, k]) >> gain_shift
        largest = max(largest, largest_size(m[j]), largest_size(v[j]))
        most = max(most, _emit(v[j], parameters[SHIFT, j], now[j]))
    return largest, most


@njit(nogil=True, cache=True)
def _run_quantizers(kind, start, stop, drive, registers, parameters, now):
    """Add what came, quantize."""
    v, largest, most = registers[V], np.int64(0), np.int64(0)
    for j in range(start, stop):
        bias = parameters[BIAS, j]
        for k in range(LANES):
            into = np.int64(drive[j, k]) + bias
            if kind == RELU_QUANTIZER:
                into = max(into, 0)
            v[j, k] += into
        largest = max(largest, largest_size(v[j]))
        most = max(most, _emit(v[j], parameters[SHIFT, j], now[j]))
    return largest, most


@njit(nogil=True, cache=True)
def _run_sums(start, stop, drive, parameters, now):
    """Send what came and the bias."""
    most = np.int64(0)
    for j in range(start, stop):
        bias = parameters[BIAS, j]
        for k in range(LANES):
            now[j, k] = drive[j, k] + bias
        most = max(most, largest_size(now[j]))
    return most, most


@njit(nogil=True, cache=True)
def _decayed(value, factor, bits):
    """Return a part of a value, rounded toward zero, as the chip's decays are."""
    left = (abs(value) * factor) >> bits
    return left if value >= 0 else -left


@njit(nogil=True, cache=True)
def _run_spiking(kind, start, stop, drive, registers, parameters, now, bits):
    """Decay, add what came, spike above the threshold."""
    v, u, wait = registers[V], registers[M], registers[WAIT]
    largest, most = np.int64(0), np.int64(0)
    has_current = kind in (CUBA, CUBA_SUBTRACTS)
    subtracts = kind in (CUBA_SUBTRACTS, INTEGRATOR_SUBTRACTS)
    for j in range(start, stop):
        bias, threshold = parameters[BIAS, j], parameters[THRESHOLD, j]
        # The register of a current's decay is 1 below what the current loses.
        keep_u = (1 << bits) - 1 - parameters[DECAY_U, j]
        keep_v = (1 << bits) - parameters[DECAY_V, j]
        for k in range(LANES):
            into = np.int64(drive[j, k])
            if has_current:
                u[j, k] = into = _decayed(u[j, k], keep_u, bits) + into
                largest = max(largest, abs(into))
            now[j, k] = 0
            if wait[j, k] > 0:
                wait[j, k] -= 1
                continue
            kept = _decayed(v[j, k], keep_v, bits) if has_current else v[j, k]
            total = max(kept + into + bias, parameters[MINIMUM, j])
            largest = max(largest, abs(total))
            if total > threshold:
                total = total - threshold if subtracts else 0
                wait[j, k] = parameters[REFRACTORY, j]
                now[j, k] = most = 1
            v[j, k] = total
    return largest, np.int64(most)


@njit(nogil=True, cache=True)
def _run_leaky(start, stop, drive, registers, parameters, now, bits):
    """Decay, add what came, send all but the lowest bits."""
    v, largest, most = registers[V], np.int64(0), np.int64(0)
    for j in range(start, stop):
        keep = (1 << bits) - parameters[DECAY_V, j]
        for k in range(LANES):
            into = np.int64(drive[j, k]) + parameters[BIAS, j]
            v[j, k] = _decayed(v[j, k], keep, bits) + into
            now[j, k] = v[j, k] >> parameters[SHIFT, j]
        largest = max(largest, largest_size(v[j]))
        most = max(most, largest_size(now[j]))
    return largest, most


@njit(nogil=True, cache=True)
def _run_deltas(kind, start, stop, drive, registers, parameters, now):
    """Send by how much what comes, or its sum above 0, has changed, if by enough."""
    sigma, told = registers[V], registers[M]
    largest, most = np.int64(0), np.int64(0)
    for j in range(start, stop):
        bias, threshold = parameters[BIAS, j], parameters[THRESHOLD, j]
        for k in range(LANES):
            act = np.int64(drive[j, k])
            if kind == SIGMA_DELTA:
                sigma[j, k] += act
                act = max(sigma[j, k] + bias, 0)
            delta = act - told[j, k]
            largest = max(largest, abs(sigma[j, k]), abs(act), abs(delta))
            now[j, k] = 0
            if abs(delta) >= threshold:
                now[j, k] = delta >> parameters[SHIFT, j]
                told[j, k] = act
        most = max(most, largest_size(now[j]))
    return largest, most


@njit(nogil=True, cache=True)
def _run_sigmas(start, stop, drive, registers, now):
    """Sum up, and send the sum."""
    sigma, largest = registers[V], np.int64(0)
    for j in range(start, stop):
        for k in range(LANES):
            sigma[j, k] += np.int64(drive[j, k])
            now[j, k] = sigma[j, k]
        largest = max(largest, largest_size(sigma[j]))
    return largest, largest
