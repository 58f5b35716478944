"""
The arithmetic of Loihi 1's compartments, compiled.

All integers. Per time step and compartment, with truncation toward zero and the
register offset of 1 in the current's decay, as NengoLoihi and Lava have it ::

    u <- u * (4096 - decay_u - 1) / 4096 + input
    v <- v * (4096 - decay_v) / 4096 + u + bias, cut to vmin .. vmax, 0 if refractory
    spike if v > vth; then v <- 0

Spikes arrive one step after they are sent. Only sources that spike cost anything
but the update of the compartments.

What runs in every step takes plain arrays, not tuples of them or parts cut out of
others, and unsigned indices, which are never taken from the end. Registers stand in
chunks of a fixed size in one array, and parameters in another: with an array for each,
to tell that none overlap takes longer than to update 500 compartments.
"""

from typing import NamedTuple

import numba
import numpy as np

from nengo_hybrid.emulate.deliver import deliver, list_sent, list_set
from nengo_hybrid.emulate.int32 import add, bit_or, bit_xor, scale, subtract, wrap
from nengo_hybrid.emulate.program import (
    BIAS,
    CHUNK,
    KEEP_V,
    N_PARAMETERS,
    REFRACT_DELAY,
    VMAX,
    VMIN,
    VTH,
)

# Bits of the registers, without the sign: NengoLoihi's Q_BITS and U_BITS.
INPUT_BITS, CURRENT_BITS = 21, 23
INPUT_FAULT, CURRENT_FAULT, BIAS_FAULT = 0, 1, 2
N_FAULTS = 3
# What is noted of an overflow: how often; of the first, its step, compartment, value.
TIMES, STEP, COMPARTMENT, VALUE = 0, 1, 2, 3
# Rows of a chunk's registers, and flags of a compartment.
U, V, REFRACTORY, RAW = 0, 1, 2, 3
N_REGISTERS = 4
SPIKED, ACTIVE = np.uint8(1), np.int32(2)


class State(NamedTuple):
    """
    Registers of a batch, from one step to the next.

    Attributes
    ----------
    registers : (n_samples, n_chunks * 4 * CHUNK) int32 array
        ``U``, ``V``, ``REFRACTORY`` and ``RAW``, a current before it wraps, of a chunk
        of compartments, then of the next.
    flags : (n_samples, n_chunks * CHUNK) uint8 array
        Whether a compartment is ``SPIKED`` and ``ACTIVE``.
    words : (n_samples, n_chunks * CHUNK / 8) uint64 array
        The same memory.
    lines : (n_samples, n_lines) int16 array
        What the host injected last.
    """

    registers: np.ndarray
    flags: np.ndarray
    words: np.ndarray
    lines: np.ndarray


def new_state(n_samples, n_chunks, n_lines):
    """Return the `State` of a batch at rest."""
    words = np.zeros((n_samples, n_chunks * CHUNK // 8), np.uint64)
    return State(
        np.zeros((n_samples, n_chunks * N_REGISTERS * CHUNK), np.int32),
        words.view(np.uint8),
        words,
        np.zeros((n_samples, n_lines), np.int16),
    )


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
    first_source, first_projection, projections, segments = program[:4]
    weights, packed, parameters, first_compartment = program[4:]
    bin_steps, spikes, active, every = record[:4]
    voltage_of, current_of, voltage, current, faults, n_done = record[4:]
    noise_u, noise_v = noise
    n_steps, n_lines = lines.shape[1], lines.shape[2]
    noisy = len(noise_u) > 0
    own = parameters.copy() if noisy else parameters
    arriving = np.zeros(state.flags.shape[1], np.int32)
    partial = np.zeros(arriving.size, np.int16)
    sources = np.zeros(n_lines + arriving.size, np.int64)
    marked = np.zeros(-(-n_lines // 8), np.uint64)
    marks = marked.view(np.uint8)
    any_overflow = False
    for sample in range(first, last):
        registers, flags = state.registers[sample], state.flags[sample]
        words, sent = state.words[sample], state.lines[sample]
        for step in range(n_steps):
            for c in range(arriving.size):
                arriving[c] = 0
            if noisy:
                _add_noise(noise_u[step], noise_v[step], parameters, arriving, own)
            n, several = list_sent(sent, marks, marked, sources)
            n = list_set(words, n_lines, sources, n)
            deliver(
                first_source,
                first_projection,
                projections,
                segments,
                weights,
                packed,
                sources,
                n,
                sent,
                several,
                partial,
                arriving,
            )
            overflown = _update(registers, flags, arriving, own)
            done = n_done[sample]
            row = done // bin_steps
            _count(flags, first_compartment, active[sample, row], spikes[sample, row])
            if overflown:
                any_overflow = True
                _note_faults(
                    first_compartment, faults[sample], done, registers, arriving, own
                )
            if (done + 1) % every == 0:
                row = done // every
                _read(registers, V, voltage_of, voltage[sample, row])
                _read(registers, U, current_of, current[sample, row])
            n_done[sample] += 1
            sent = lines[sample, step]
            if overflown and strict:
                break
        for i in range(n_lines):
            state.lines[sample, i] = sent[i]
    return any_overflow


@numba.njit(nogil=True, cache=True, inline="always")
def _place(compartment, row, n_rows):
    """Return where a compartment's value stands in chunks of some rows."""
    c = np.int64(compartment)
    return (c // CHUNK * n_rows + row) * CHUNK + c % CHUNK


@numba.njit(nogil=True, cache=True)
def _add_noise(noise_u, noise_v, parameters, arriving, own):
    """Put noise on what arrives, and on the bias."""
    for c in range(noise_u.size):
        at = _place(c, BIAS, N_PARAMETERS)
        arriving[c] = noise_u[c]
        own[at] = add(parameters[at], noise_v[c])


@numba.njit(nogil=True, cache=True)
def _read(registers, which, compartments, values):
    for i in range(compartments.size):
        values[i] = registers[_place(compartments[i], which, N_REGISTERS)]


@numba.njit(nogil=True, cache=True)
def _update(registers, flags, arriving, parameters):
    """Update all compartments; tell whether a register overflowed."""
    zero, one, bad = np.int32(0), np.int32(1), np.int32(0)
    for k in range(flags.size // CHUNK):
        c, r, p = k * CHUNK, k * N_REGISTERS * CHUNK, k * N_PARAMETERS * CHUNK
        c, r, p = np.uint64(c), np.uint64(r), np.uint64(p)
        for j in range(np.uint64(CHUNK)):
            arrived, u, v = (
                arriving[c + j],
                registers[r + j],
                registers[r + np.uint64(V * CHUNK) + j],
            )
            into = wrap(arrived, INPUT_BITS)
            summed = add(scale(u, parameters[p + j]), into)
            current = wrap(summed, CURRENT_BITS)
            driven = add(current, parameters[p + np.uint64(BIAS * CHUNK) + j])
            into_v = wrap(driven, CURRENT_BITS)
            bad = bit_or(bad, bit_xor(into, arrived))
            bad = bit_or(bad, bit_or(bit_xor(current, summed), bit_xor(into_v, driven)))
            voltage = add(
                scale(v, parameters[p + np.uint64(KEEP_V * CHUNK) + j]), into_v
            )
            voltage = max(voltage, parameters[p + np.uint64(VMIN * CHUNK) + j])
            voltage = min(voltage, parameters[p + np.uint64(VMAX * CHUNK) + j])
            waiting = registers[r + np.uint64(REFRACTORY * CHUNK) + j]
            voltage = zero if waiting > 0 else voltage
            spikes = (
                one if voltage > parameters[p + np.uint64(VTH * CHUNK) + j] else zero
            )
            voltage = zero if spikes > 0 else voltage
            delay = parameters[p + np.uint64(REFRACT_DELAY * CHUNK) + j]
            left = subtract(delay if spikes > 0 else waiting, one)
            left = max(left, zero)
            registers[r + j], registers[r + np.uint64(V * CHUNK) + j] = current, voltage
            registers[r + np.uint64(REFRACTORY * CHUNK) + j] = left
            registers[r + np.uint64(RAW * CHUNK) + j] = summed
            state = bit_or(bit_or(current, voltage), spikes)
            flags[c + j] = bit_or(spikes, ACTIVE if state != 0 else zero)
    return bad != 0


@numba.njit(nogil=True, cache=True)
def _count(flags, first_compartment, active, spikes):
    """Count active compartments by block, and spikes by compartment."""
    for b in range(active.size):
        n = np.int32(0)
        for c in range(
            np.uint64(first_compartment[b]), np.uint64(first_compartment[b + 1])
        ):
            n = add(n, flags[c] >> 1)
        active[b] += n
    # All, in order: where spikes are few, to fetch each from memory takes longer.
    for c in range(spikes.size):
        spikes[c] += flags[c] & SPIKED


@numba.njit(nogil=True, cache=True)
def _note_faults(first_compartment, faults, step, registers, arriving, parameters):
    """Count what overflowed, and keep the first of each block and register."""
    for b in range(first_compartment.size - 1):
        start, stop = np.int64(first_compartment[b]), np.int64(first_compartment[b + 1])
        for c in range(start, stop):
            raw = registers[_place(c, RAW, N_REGISTERS)]
            driven = add(
                registers[_place(c, U, N_REGISTERS)],
                parameters[_place(c, BIAS, N_PARAMETERS)],
            )
            if wrap(arriving[c], INPUT_BITS) != arriving[c]:
                _note(faults[b, INPUT_FAULT], step, c - start, arriving[c])
            if wrap(raw, CURRENT_BITS) != raw:
                _note(faults[b, CURRENT_FAULT], step, c - start, raw)
            if wrap(driven, CURRENT_BITS) != driven:
                _note(faults[b, BIAS_FAULT], step, c - start, driven)


@numba.njit(nogil=True, cache=True)
def _note(fault, step, compartment, value):
    if not fault[TIMES]:
        fault[STEP], fault[COMPARTMENT], fault[VALUE] = step, compartment, value
    fault[TIMES] += 1
