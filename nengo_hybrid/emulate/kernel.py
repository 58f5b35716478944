"""
The arithmetic of Loihi 1's compartments, compiled.

All integers. Per time step and compartment, with truncation toward zero and the
register offset of 1 in the current's decay, as NengoLoihi and Lava have it ::

    u <- u * (4096 - decay_u - 1) / 4096 + input
    v <- v * (4096 - decay_v) / 4096 + u + bias, cut to vmin .. vmax, 0 if refractory
    spike if v > vth; then v <- 0

Spikes arrive one step after they are sent. Only sources that spike cost anything
but the update of the compartments.
"""

import numba
import numpy as np

# Bits of the registers, without the sign: NengoLoihi's Q_BITS and U_BITS.
INPUT_BITS, CURRENT_BITS = 21, 23
NO_FAULT, INPUT_FAULT, CURRENT_FAULT, BIAS_FAULT = 0, 1, 2, 3


@numba.njit(nogil=True, cache=True)
def run_sample(program, lines, spikes, active, fault):
    """
    Run one sample from rest.

    Parameters
    ----------
    program : Program
    lines : (n_steps, n_lines) int16 array
        Spikes injected in each step.
    spikes : (n_steps, n_compartments) int8 array
        Set to 1 where a compartment spikes; has to be 0 before.
    active : (n_steps, n_blocks) int32 array
        Set to the number of compartments with a current, a voltage or a spike.
    fault : (4,) int64 array
        Set to kind, step, compartment and value of the first overflow; the run
        stops there.
    """
    n_steps, n_lines = lines.shape
    n = program.vth.size
    arriving = np.zeros(n, np.int64)
    u, v = np.zeros(n, np.int64), np.zeros(n, np.int64)
    refractory = np.zeros(n, np.int32)
    for step in range(n_steps):
        arriving[:] = 0
        if step > 0:
            for line in range(n_lines):
                if lines[step - 1, line]:
                    _deliver(program, line, lines[step - 1, line], arriving)
            for c in range(n):
                if spikes[step - 1, c]:
                    _deliver(program, n_lines + c, 1, arriving)
        for c in range(n):
            _update(program, c, step, arriving[c], u, v, refractory, spikes, fault)
            if spikes[step, c] or u[c] != 0 or v[c] != 0:
                active[step, program.block[c]] += 1
        if fault[0] != NO_FAULT:
            return


@numba.njit(nogil=True, cache=True)
def _deliver(program, source, count, arriving):
    """Add a source's weights, ``count`` times, to what arrives."""
    for s in range(program.first_segment[source], program.first_segment[source + 1]):
        base = program.base[s]
        for i in range(program.start[s], program.stop[s]):
            arriving[base + program.targets[i]] += count * program.weights[i]


@numba.njit(nogil=True, cache=True)
def _update(program, c, step, q, u, v, refractory, spikes, fault):
    """Update one compartment."""
    _check(q, INPUT_BITS, INPUT_FAULT, step, c, fault)
    u[c] = _decay(u[c], 4095 - program.decay_u[c]) + q
    _check(u[c], CURRENT_BITS, CURRENT_FAULT, step, c, fault)
    driven = u[c] + program.bias[c]
    _check(driven, CURRENT_BITS, BIAS_FAULT, step, c, fault)
    voltage = _decay(v[c], 4096 - program.decay_v[c]) + driven
    voltage = min(max(voltage, program.vmin[c]), program.vmax[c])
    if refractory[c] > 0:
        voltage = 0
    if voltage > program.vth[c]:
        spikes[step, c] = 1
        voltage = 0
        refractory[c] = program.refract_delay[c]
    v[c] = voltage
    refractory[c] = max(refractory[c] - 1, 0)


@numba.njit(nogil=True, cache=True)
def _decay(x, kept):
    """Return x * kept / 4096, truncated toward zero."""
    return (x * kept) >> 12 if x >= 0 else -((-x * kept) >> 12)


@numba.njit(nogil=True, cache=True)
def _check(value, bits, kind, step, c, fault):
    """Note the first value that does not fit its register."""
    limit = 1 << bits
    if (value < -limit or value >= limit) and fault[0] == NO_FAULT:
        fault[0], fault[1], fault[2], fault[3] = kind, step, c, value
