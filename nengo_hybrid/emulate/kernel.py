"""
The arithmetic of Loihi 1's compartments, compiled.

All integers. Per time step and compartment, with truncation toward zero and the
register offset of 1 in the current's decay, as NengoLoihi and Lava have it ::

    u <- u * (4096 - decay_u - 1) / 4096 + input
    v <- v * (4096 - decay_v) / 4096 + u + bias, cut to vmin .. vmax, 0 if refractory
    spike if v > vth; then v <- 0

Spikes arrive one step after they are sent. Only sources that spike cost anything
but the update of the compartments.

What runs in every step takes plain arrays, since handing on a named tuple counts
references to all it holds, and unsigned indices, which are never taken from the end.
"""

from typing import NamedTuple

import numba
import numpy as np

from nengo_hybrid.emulate.int32 import add, bit_or, bit_xor, scale, subtract, wrap
from nengo_hybrid.emulate.program import RUNS, UNIFORM

# Bits of the registers, without the sign: NengoLoihi's Q_BITS and U_BITS.
INPUT_BITS, CURRENT_BITS = 21, 23
INPUT_FAULT, CURRENT_FAULT, BIAS_FAULT = 0, 1, 2
N_FAULTS = 3
# What is noted of an overflow: how often; of the first, its step, compartment, value.
TIMES, STEP, COMPARTMENT, VALUE = 0, 1, 2, 3


class State(NamedTuple):
    """
    Registers of a batch, from one step to the next.

    ``u``, ``v`` and ``refractory`` are (n_samples, n_compartments) int32 arrays;
    ``spiked`` is uint8, padded with zeros to whole words of 8; ``lines``, of shape
    (n_samples, n_lines) and int16, is what the host injected last.
    """

    u: np.ndarray
    v: np.ndarray
    refractory: np.ndarray
    spiked: np.ndarray
    lines: np.ndarray


class Noise(NamedTuple):
    """What is drawn for all samples: (n_steps, n_compartments) int32, or no rows."""

    current: np.ndarray
    voltage: np.ndarray


class Record(NamedTuple):
    """
    What is kept of a run; the first axis of each array is the sample.

    Attributes
    ----------
    bin_steps : int
        Steps that are summed in one row of spikes and active updates.
    spikes : (n_samples, n_bins, n_compartments) array
    active : (n_samples, n_bins, n_blocks) int32 array
        Compartments with a current, a voltage or a spike after a step.
    every : int
        Steps from one row of voltages and currents to the next.
    voltage_of, current_of : (n_probed,) int64 array
        Compartments that are read.
    voltage, current : (n_samples, n_rows, n_probed) int32 array
    faults : (n_samples, n_blocks, 3, 4) int64 array
        Overflows, by register; see `TIMES`.
    n_done : (n_samples,) int64 array
        Steps that were run before.
    """

    bin_steps: int
    spikes: np.ndarray
    active: np.ndarray
    every: int
    voltage_of: np.ndarray
    current_of: np.ndarray
    voltage: np.ndarray
    current: np.ndarray
    faults: np.ndarray
    n_done: np.ndarray


@numba.njit(nogil=True, cache=True)
def run_samples(program, state, lines, noise, record, strict, first, last):
    """
    Run samples ``first`` to ``last`` for as many steps as there are lines.

    Parameters
    ----------
    program : Program
    state : State
    lines : (n_samples, n_steps, n_lines) int16 array
        Spikes that the host injects in each step; they arrive in the next.
    noise : Noise
    record : Record
    strict : bool
        Whether a sample stops at an overflow; otherwise the register wraps.
    first, last : int

    Returns
    -------
    bool
        Whether a register overflowed.
    """
    any_overflow = False
    n_steps, n_lines, n = lines.shape[1], lines.shape[2], program.vth.size
    arriving, raw = np.zeros(n, np.int32), np.zeros(n, np.int32)
    busy, drive = np.zeros(n, np.uint8), program.bias.copy()
    injected, spiking = np.zeros(n_lines, np.int64), np.zeros(n, np.int64)
    for sample in range(first, last):
        u, v = state.u[sample], state.v[sample]
        refractory, spiked = state.refractory[sample], state.spiked[sample]
        n_spiking = _list_spiking(spiked, n_lines, spiking)
        for step in range(n_steps):
            for c in range(n):
                arriving[c] = 0
            if len(noise.current):
                for c in range(n):
                    arriving[c] = noise.current[step, c]
                    drive[c] = program.bias[c] + noise.voltage[step, c]
            sent = lines[sample, step - 1] if step else state.lines[sample]
            n_sent = _list_nonzero(sent, injected)
            _deliver(program, injected[:n_sent], arriving)
            _deliver_again(program, sent, injected[:n_sent], arriving)
            _deliver(program, spiking[:n_spiking], arriving)
            overflown = _update(
                u,
                v,
                refractory,
                spiked,
                busy,
                arriving,
                raw,
                drive,
                program.keep_u,
                program.keep_v,
                program.vth,
                program.vmin,
                program.vmax,
                program.refract_delay,
            )
            n_spiking = _list_spiking(spiked, n_lines, spiking)
            row = record.n_done[sample] // record.bin_steps
            _count(
                busy,
                program.first_compartment,
                record.active[sample, row],
                spiking[:n_spiking],
                n_lines,
                record.spikes[sample, row],
            )
            any_overflow |= overflown
            if overflown:
                _note_faults(program, record, sample, u, arriving, raw, drive)
            _read(u, v, record, sample)
            record.n_done[sample] += 1
            if overflown and strict:
                break
        if n_steps:
            for i in range(n_lines):
                state.lines[sample, i] = lines[sample, n_steps - 1, i]
    return any_overflow


@numba.njit(nogil=True, cache=True)
def _list_nonzero(counts, found):
    """List where counts are not 0, 32 at a time if they all are; return how many."""
    n = 0
    for start in range(0, counts.size, 32):
        part, any_count = counts[start : start + 32], np.int16(0)
        for i in range(part.size):
            any_count |= part[i]
        if any_count:
            for i in range(part.size):
                if part[i]:
                    found[n] = start + i
                    n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _list_spiking(spiked, n_lines, found):
    """List the sources of the compartments that spiked; return how many."""
    n, words = 0, spiked.view(np.uint64)
    for w in range(words.size):
        if words[w]:
            for c in range(8 * w, 8 * w + 8):
                if spiked[c]:
                    found[n] = n_lines + c
                    n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _deliver(program, sources, arriving):
    """Add the weights behind sources that spike, in their order, once each."""
    start, stop, target = program.start, program.stop, program.target
    weights, indices = program.weights, program.indices
    i = 0
    for group in range(program.first_projection.size - 1):
        first, end = i, program.first_source[group + 1]
        while i < sources.size and sources[i] < end:
            i += 1
        if i == first:
            continue
        spiking = sources[first:i]
        for p in range(
            program.first_projection[group], program.first_projection[group + 1]
        ):
            segments = program.first_segment[p]
            if program.kind[p] == UNIFORM:
                _add_uniform(start, stop, target, weights, segments, spiking, arriving)
            elif program.kind[p] == RUNS:
                _add_runs(start, stop, target, weights, segments, spiking, arriving)
            else:
                _add_scattered(
                    start, stop, target, weights, indices, segments, spiking, arriving
                )


@numba.njit(nogil=True, cache=True)
def _add_uniform(start, stop, target, weights, segments, sources, arriving):
    """Add segments that all have the same targets, four at a time."""
    s = np.uint64(segments + sources[0])
    t = np.uint64(target[s])
    length = np.uint64(stop[s]) - np.uint64(start[s])
    k = 0
    while k + 4 <= sources.size:
        a = np.uint64(start[np.uint64(segments + sources[k])])
        b = np.uint64(start[np.uint64(segments + sources[k + 1])])
        c = np.uint64(start[np.uint64(segments + sources[k + 2])])
        d = np.uint64(start[np.uint64(segments + sources[k + 3])])
        for j in range(length):
            both = weights[a + j] + weights[b + j]
            arriving[t + j] += both + weights[c + j] + weights[d + j]
        k += 4
    while k < sources.size:
        a = np.uint64(start[np.uint64(segments + sources[k])])
        for j in range(length):
            arriving[t + j] += weights[a + j]
        k += 1


@numba.njit(nogil=True, cache=True)
def _add_runs(start, stop, target, weights, segments, sources, arriving):
    """Add segments whose targets are consecutive."""
    for k in range(sources.size):
        s = np.uint64(segments + sources[k])
        a, t = np.uint64(start[s]), np.uint64(target[s])
        for j in range(np.uint64(stop[s]) - a):
            arriving[t + j] += weights[a + j]


@numba.njit(nogil=True, cache=True)
def _add_scattered(start, stop, target, weights, indices, segments, sources, arriving):
    """Add segments whose targets are anywhere."""
    for k in range(sources.size):
        s = np.uint64(segments + sources[k])
        a, t = np.uint64(start[s]), np.uint64(target[s])
        for j in range(np.uint64(stop[s]) - a):
            c = t + indices[a + j]
            arriving[c] = add(arriving[c], weights[a + j])


@numba.njit(nogil=True, cache=True)
def _deliver_again(program, counts, lines, arriving):
    """Add the weights behind lines that take several spikes in a step once more."""
    for k in range(lines.size):
        for _ in range(counts[lines[k]] - 1):
            _deliver(program, lines[k : k + 1], arriving)


@numba.njit(nogil=True, cache=True)
def _update(
    u,
    v,
    refractory,
    spiked,
    busy,
    arriving,
    raw,
    drive,
    keep_u,
    keep_v,
    vth,
    vmin,
    vmax,
    refract_delay,
):
    """Update all compartments; tell whether a register overflowed."""
    zero, one, bad = np.int32(0), np.int32(1), np.int32(0)
    for c in range(u.size):
        into = wrap(arriving[c], INPUT_BITS)
        summed = add(scale(u[c], keep_u[c]), into)
        current = wrap(summed, CURRENT_BITS)
        driven = add(current, drive[c])
        into_v = wrap(driven, CURRENT_BITS)
        bad = bit_or(bad, bit_xor(into, arriving[c]))
        bad = bit_or(bad, bit_or(bit_xor(current, summed), bit_xor(into_v, driven)))
        voltage = add(scale(v[c], keep_v[c]), into_v)
        voltage = min(max(voltage, vmin[c]), vmax[c])
        waiting = refractory[c]
        voltage = zero if waiting > 0 else voltage
        spikes = one if voltage > vth[c] else zero
        voltage = zero if spikes > 0 else voltage
        waiting = refract_delay[c] if spikes > 0 else waiting
        u[c], v[c], raw[c], spiked[c] = current, voltage, summed, spikes
        refractory[c] = max(subtract(waiting, one), zero)
        state = bit_or(bit_or(current, voltage), spikes)
        busy[c] = one if state != 0 else zero
    return bad != 0


@numba.njit(nogil=True, cache=True)
def _count(busy, first_compartment, active, spiking, n_lines, spikes):
    """Count active compartments by block, and spikes by compartment."""
    for b in range(active.size):
        n = np.int32(0)
        for c in range(
            np.uint64(first_compartment[b]), np.uint64(first_compartment[b + 1])
        ):
            n = add(n, busy[c])
        active[b] += n
    for source in spiking:
        spikes[source - n_lines] += 1


@numba.njit(nogil=True, cache=True)
def _note_faults(program, record, sample, u, arriving, raw, drive):
    """Count what overflowed, and keep the first of each block and register."""
    step = record.n_done[sample]
    for b in range(program.first_compartment.size - 1):
        faults, start = record.faults[sample, b], np.int64(program.first_compartment[b])
        for c in range(start, np.int64(program.first_compartment[b + 1])):
            driven = add(u[c], drive[c])
            if wrap(arriving[c], INPUT_BITS) != arriving[c]:
                _note(faults[INPUT_FAULT], step, c - start, arriving[c])
            if wrap(raw[c], CURRENT_BITS) != raw[c]:
                _note(faults[CURRENT_FAULT], step, c - start, raw[c])
            if wrap(driven, CURRENT_BITS) != driven:
                _note(faults[BIAS_FAULT], step, c - start, driven)


@numba.njit(nogil=True, cache=True)
def _note(fault, step, compartment, value):
    if not fault[TIMES]:
        fault[STEP], fault[COMPARTMENT], fault[VALUE] = step, compartment, value
    fault[TIMES] += 1


@numba.njit(nogil=True, cache=True)
def _read(u, v, record, sample):
    """Keep the voltages and currents that are read after this step."""
    step = record.n_done[sample] + 1
    if step % record.every:
        return
    row = step // record.every - 1
    for i in range(record.voltage_of.size):
        record.voltage[sample, row, i] = v[record.voltage_of[i]]
    for i in range(record.current_of.size):
        record.current[sample, row, i] = u[record.current_of[i]]
