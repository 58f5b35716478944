"""
The arithmetic of Loihi 1's compartments, compiled.

All integers. Per time step and compartment, with truncation toward zero and the
register offset of 1 in the current's decay, as NengoLoihi and Lava have it ::

    u <- u * (4096 - decay_u - 1) / 4096 + input
    v <- v * (4096 - decay_v) / 4096 + u + bias, cut to vmin .. vmax, 0 if refractory
    spike if v > vth; then v <- 0

Spikes arrive one step after they are sent. Only sources that spike cost anything
but the update of the compartments.

What runs in every step takes plain arrays, not tuples of them, and unsigned indices,
which are never taken from the end.
"""

from typing import NamedTuple

import numba
import numpy as np

from nengo_hybrid.emulate.int32 import add, bit_or, bit_xor, scale, subtract, wrap
from nengo_hybrid.emulate.program import RUNS, SCATTERED, START, STOP, TARGET, UNIFORM

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
    ``spiked`` is uint8, padded with zeros to whole words of 8, and ``words`` the same
    memory as uint64; ``lines``, of shape (n_samples, n_lines) and int16, is what the
    host injected last.
    """

    u: np.ndarray
    v: np.ndarray
    refractory: np.ndarray
    spiked: np.ndarray
    words: np.ndarray
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
    # Taken out here: to take an array out of a tuple counts a reference to it, and two
    # threads that count the same ones in every step wait for each other.
    (
        first_source,
        first_projection,
        first_segment,
        kind,
        segments,
        weights,
        indices,
        keep_u,
        keep_v,
        vth,
        vmin,
        vmax,
        bias,
        refract_delay,
        first_compartment,
    ) = program
    bin_steps, spikes, active, every = record[:4]
    voltage_of, current_of, voltage, current, faults, n_done = record[4:]
    noise_u, noise_v = noise
    n_steps, n_lines, n = lines.shape[1], lines.shape[2], vth.size
    arriving, raw = np.zeros(n, np.int32), np.zeros(n, np.int32)
    busy, drive = np.zeros(n, np.uint8), bias.copy()
    injected, spiking = np.zeros(n_lines, np.int64), np.zeros(n, np.int64)
    any_overflow = False
    for sample in range(first, last):
        u, v = state.u[sample], state.v[sample]
        refractory, spiked = state.refractory[sample], state.spiked[sample]
        sent, words = state.lines[sample], state.words[sample]
        n_spiking = _list_spiking(spiked, words, n_lines, spiking)
        for step in range(n_steps):
            for c in range(n):
                arriving[c] = 0
            if len(noise_u):
                for c in range(n):
                    arriving[c] = noise_u[step, c]
                    drive[c] = bias[c] + noise_v[step, c]
            n_sent = _list_nonzero(sent, injected)
            for turn in range(2):
                sources = spiking[:n_spiking] if turn else injected[:n_sent]
                _deliver(
                    first_source,
                    first_projection,
                    first_segment,
                    kind,
                    segments,
                    weights,
                    indices,
                    sources,
                    sent,
                    arriving,
                )
            overflown = _update(
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
            )
            n_spiking = _list_spiking(spiked, words, n_lines, spiking)
            done = n_done[sample]
            row = done // bin_steps
            _count(
                busy,
                first_compartment,
                active[sample, row],
                spiked,
                spikes[sample, row],
            )
            if overflown:
                any_overflow = True
                _note_faults(
                    first_compartment, faults[sample], done, u, arriving, raw, drive
                )
            if (done + 1) % every == 0:
                row = done // every
                for i in range(voltage_of.size):
                    voltage[sample, row, i] = v[voltage_of[i]]
                for i in range(current_of.size):
                    current[sample, row, i] = u[current_of[i]]
            n_done[sample] += 1
            sent = lines[sample, step]
            if overflown and strict:
                break
        for i in range(n_lines):
            state.lines[sample, i] = sent[i]
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
def _list_spiking(spiked, words, n_lines, found):
    """List the sources of the compartments that spiked; return how many."""
    n = 0
    for w in range(words.size):
        if words[w]:
            for c in range(8 * w, 8 * w + 8):
                if spiked[c]:
                    found[n] = n_lines + c
                    n += 1
    return n


@numba.njit(nogil=True, cache=True)
def _deliver(
    first_source,
    first_projection,
    first_segment,
    kind,
    segments,
    weights,
    indices,
    sources,
    sent,
    arriving,
):
    """Add the weights behind sources that spike, in their order; lines, as often."""
    i = 0
    for group in range(first_projection.size - 1):
        first, end = i, first_source[group + 1]
        while i < sources.size and sources[i] < end:
            i += 1
        if i == first:
            continue
        spiking = sources[first:i]
        for p in range(first_projection[group], first_projection[group + 1]):
            offset = first_segment[p]
            if kind[p] == UNIFORM:
                _add_uniform(segments, weights, offset, spiking, arriving)
            elif kind[p] == RUNS:
                _add_runs(segments, weights, offset, spiking, arriving)
            else:
                _add_scattered(segments, weights, indices, offset, spiking, arriving)
            if spiking[0] < sent.size:
                scattered = kind[p] == SCATTERED
                _add_again(
                    segments,
                    weights,
                    indices,
                    offset,
                    spiking,
                    sent,
                    scattered,
                    arriving,
                )


@numba.njit(nogil=True, cache=True)
def _add_again(segments, weights, indices, offset, lines, sent, scattered, arriving):
    """Add segments of lines that take several spikes in a step; one was added."""
    for k in range(lines.size):
        for _ in range(sent[lines[k]] - 1):
            line = lines[k : k + 1]
            if scattered:
                _add_scattered(segments, weights, indices, offset, line, arriving)
            else:
                _add_runs(segments, weights, offset, line, arriving)


@numba.njit(nogil=True, cache=True)
def _add_uniform(segments, weights, offset, sources, arriving):
    """Add segments that all have the same targets, four at a time."""
    s = np.uint64(offset + sources[0])
    t = np.uint64(segments[s, TARGET])
    length = np.uint64(segments[s, STOP]) - np.uint64(segments[s, START])
    k = 0
    while k + 4 <= sources.size:
        a = np.uint64(segments[np.uint64(offset + sources[k]), START])
        b = np.uint64(segments[np.uint64(offset + sources[k + 1]), START])
        c = np.uint64(segments[np.uint64(offset + sources[k + 2]), START])
        d = np.uint64(segments[np.uint64(offset + sources[k + 3]), START])
        for j in range(length):
            both = weights[a + j] + weights[b + j]
            arriving[t + j] += both + weights[c + j] + weights[d + j]
        k += 4
    _add_runs(segments, weights, offset, sources[k:], arriving)


@numba.njit(nogil=True, cache=True)
def _add_runs(segments, weights, offset, sources, arriving):
    """Add segments whose targets are consecutive."""
    for k in range(sources.size):
        s = np.uint64(offset + sources[k])
        a, t = np.uint64(segments[s, START]), np.uint64(segments[s, TARGET])
        for j in range(np.uint64(segments[s, STOP]) - a):
            arriving[t + j] += weights[a + j]


@numba.njit(nogil=True, cache=True)
def _add_scattered(segments, weights, indices, offset, sources, arriving):
    """Add segments whose targets are anywhere."""
    for k in range(sources.size):
        s = np.uint64(offset + sources[k])
        a, t = np.uint64(segments[s, START]), np.uint64(segments[s, TARGET])
        for j in range(np.uint64(segments[s, STOP]) - a):
            c = t + indices[a + j]
            arriving[c] = add(arriving[c], weights[a + j])


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
def _count(busy, first_compartment, active, spiked, spikes):
    """Count active compartments by block, and spikes by compartment."""
    for b in range(active.size):
        n = np.int32(0)
        for c in range(
            np.uint64(first_compartment[b]), np.uint64(first_compartment[b + 1])
        ):
            n = add(n, busy[c])
        active[b] += n
    # All, in order: where spikes are few, to fetch each from memory takes longer.
    for c in range(spikes.size):
        spikes[c] += spiked[c]


@numba.njit(nogil=True, cache=True)
def _note_faults(first_compartment, faults, step, u, arriving, raw, drive):
    """Count what overflowed, and keep the first of each block and register."""
    for b in range(first_compartment.size - 1):
        start, stop = np.int64(first_compartment[b]), np.int64(first_compartment[b + 1])
        for c in range(start, stop):
            driven = add(u[c], drive[c])
            if wrap(arriving[c], INPUT_BITS) != arriving[c]:
                _note(faults[b, INPUT_FAULT], step, c - start, arriving[c])
            if wrap(raw[c], CURRENT_BITS) != raw[c]:
                _note(faults[b, CURRENT_FAULT], step, c - start, raw[c])
            if wrap(driven, CURRENT_BITS) != driven:
                _note(faults[b, BIAS_FAULT], step, c - start, driven)


@numba.njit(nogil=True, cache=True)
def _note(fault, step, compartment, value):
    if not fault[TIMES]:
        fault[STEP], fault[COMPARTMENT], fault[VALUE] = step, compartment, value
    fault[TIMES] += 1
