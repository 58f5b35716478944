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
    n = program.vth.size
    arriving = np.zeros(n, np.int64)
    u, v = np.zeros(n, np.int64), np.zeros(n, np.int64)
    refractory = np.zeros(n, np.int32)
    for step in range(len(lines)):
        arriving[:] = 0
        if step > 0:
            _deliver(program, lines[step - 1], 0, arriving)
            _deliver(program, spikes[step - 1], lines.shape[1], arriving)
        _update(program, arriving, u, v, refractory, spikes[step], active[step], fault)
        if fault[0] != NO_FAULT:
            fault[1] = step
            return


# Called once per step, not per spike or compartment: passing a program counts
# references to all its arrays, which costs more than an update.
@numba.njit(nogil=True, cache=True)
def _deliver(program, counts, first_source, arriving):
    """Add the weights behind every source that spikes to what arrives."""
    for i in range(counts.size):
        count = counts[i]
        if count == 0:
            continue
        source = first_source + i
        for s in range(
            program.first_segment[source], program.first_segment[source + 1]
        ):
            base = program.base[s]
            for j in range(program.start[s], program.stop[s]):
                arriving[base + program.targets[j]] += count * program.weights[j]


@numba.njit(nogil=True, cache=True)
def _update(program, arriving, u, v, refractory, spikes, active, fault):
    """Update all compartments."""
    for c in range(arriving.size):
        current = _decay(u[c], 4095 - program.decay_u[c]) + arriving[c]
        driven = current + program.bias[c]
        voltage = _decay(v[c], 4096 - program.decay_v[c]) + driven
        voltage = min(max(voltage, program.vmin[c]), program.vmax[c])
        if refractory[c] > 0:
            voltage = 0
            refractory[c] -= 1
        if voltage > program.vth[c]:
            voltage = 0
            spikes[c] = 1
            refractory[c] = program.refract_delay[c] - 1
        if spikes[c] or current != 0 or voltage != 0:
            active[program.block[c]] += 1
        u[c], v[c] = current, voltage
        if _overflows(arriving[c], INPUT_BITS):
            _note(fault, INPUT_FAULT, c, arriving[c])
        elif _overflows(current, CURRENT_BITS):
            _note(fault, CURRENT_FAULT, c, current)
        elif _overflows(driven, CURRENT_BITS):
            _note(fault, BIAS_FAULT, c, driven)


@numba.njit(nogil=True, cache=True)
def _decay(x, kept):
    """Return x * kept / 4096, truncated toward zero."""
    return (x * kept) >> 12 if x >= 0 else -((-x * kept) >> 12)


@numba.njit(nogil=True, cache=True)
def _overflows(value, bits):
    """Tell whether a value does not fit a register of some bits and a sign."""
    return value < -(1 << bits) or value >= 1 << bits


@numba.njit(nogil=True, cache=True)
def _note(fault, kind, compartment, value):
    """Keep the first fault."""
    if fault[0] == NO_FAULT:
        fault[0], fault[2], fault[3] = kind, compartment, value
