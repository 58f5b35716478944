"""
The arithmetic of Loihi 1's compartments, compiled.

All integers. Per time step and compartment, with truncation toward zero and the
register offset of 1 in the current's decay, as NengoLoihi and Lava have it ::

    u <- u * (4096 - decay_u - 1) / 4096 + input
    v <- v * (4096 - decay_v) / 4096 + u + bias, cut to vmin .. vmax, 0 if refractory
    spike if v > vth; then v <- 0

Spikes arrive one step after they are sent. Only sources that spike cost anything
but the update of the compartments.

What runs in every step works on `LANES` compartments at once, and on pointers.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from nengo_hybrid.emulate.deliver import deliver, list_set, mark_sent
from nengo_hybrid.emulate.pointers import move, pointer, pointers, prefetch
from nengo_hybrid.emulate.program import (
    BLOCK,
    DEEP,
    FIRST_SLOT,
    KEEP_U,
    KEEP_V,
    KIND,
    LAST_SLOT,
    LEAKY,
    N_PARAMETERS,
    REFRACTORY,
    REST,
    STEADY,
    STRETCH_COLUMNS,
    VMAX,
    VMIN,
    VTH,
    WORD,
)
from nengo_hybrid.emulate.record import COMPARTMENT, N_NOTES, STEP, TIMES, VALUE
from nengo_hybrid.emulate.state import (
    BIAS_FAULT,
    CURRENT,
    CURRENT_FAULT,
    INPUT_FAULT,
    N_FAULTS,
    N_REGISTERS,
    VOLTAGE,
    WAITING,
)
from nengo_hybrid.emulate.vectors import (
    LANES,
    TOWARD_ZERO,
    add,
    any_bit,
    as_bits,
    at_most,
    bit_or,
    fill,
    get_rounding,
    greater,
    largest,
    load,
    scale,
    scale_wide,
    select,
    set_rounding,
    shift_left,
    shift_right,
    smallest,
    store,
    subtract,
    total,
)

# Bits of the registers, without the sign: NengoLoihi's Q_BITS and U_BITS.
INPUT_BITS, CURRENT_BITS = 21, 23
# Steps for which lines, and room for spikes, are fetched ahead.
AHEAD = 2


@numba.njit(nogil=True, cache=True)
def run_samples(program, state, room, lines, noise, record, strict, first, last):
    """
    Run samples ``first`` to ``last`` for as many steps as there are lines.

    Parameters
    ----------
    program : Program
    state : State
    room : Room
        Of this call alone.
    lines : (n_samples, n_steps, n_lines) int16 array
        Spikes that the host injects in each step; they arrive in the next. Those of a
        step stand in a row.
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
    n_steps, n_lines, n_slots = lines.shape[1], lines.shape[2], program.bias.size
    n_compartments, n_words = program.slots.size, n_slots // WORD
    n_stretches, n_blocks = program.stretches.shape[0], record.active.shape[2]
    n_groups, noisy = program.first_projection.size - 1, len(noise.current) > 0
    first_block = n_groups - n_blocks
    n_bins, n_kept = record.spikes.shape[1], record.spikes.shape[2]
    counts_all = record.sums.size > 0
    n_rows, n_voltages, n_currents = record.voltage.shape[1:] + record.current.shape[2:]
    per_sample, per_step = lines.strides[0] // 2, lines.strides[1] // 2
    every_line, noise = pointer(lines), pointers(noise)
    program, state = pointers(program), pointers(state)
    room, record = pointers(room), pointers(record)
    bias = room.bias if noisy else program.bias
    any_overflow, rounding = False, get_rounding()
    set_rounding(TOWARD_ZERO)
    for sample in range(first, last):
        registers = move(state.registers, sample * n_slots * N_REGISTERS)
        spiked = move(state.spiked, sample * (n_slots // LANES))
        words = move(state.words, sample * n_words)
        sent = move(state.lines, sample * n_lines)
        sums = move(record.sums, sample * n_slots)
        faults = move(record.faults, sample * n_blocks * N_FAULTS * N_NOTES)
        n_spiking = list_set(words, n_words, n_lines, room.spiking, room.numbers)
        for step in range(n_steps):
            if noisy:
                _add_noise(noise, step * n_compartments, program, n_compartments, room)
            _deliver_lines(program, first_block, sent, n_lines, room)
            spiking = room.spiking
            deliver(program, first_block, n_groups, spiking, n_spiking, room.arriving)
            done = record.n_done[sample]
            row = sample * n_bins + done // record.bin_steps
            active = move(record.active, row * n_blocks)
            overflown = _update(
                program,
                n_stretches,
                room,
                bias,
                registers,
                spiked,
                active,
                faults,
                done,
            )
            n_spiking = list_set(words, n_words, n_lines, spiking, room.numbers)
            spikes = move(record.spikes, row * n_kept)
            for i in range(n_spiking):
                slot = spiking[i] - n_lines
                column = record.column[slot]
                if counts_all:
                    sums[slot] += 1
                if column >= 0:
                    spikes[column] += 1
            if (done + 1) % record.every == 0:
                row = sample * n_rows + done // record.every
                read = move(record.voltage, row * n_voltages)
                _read(registers, VOLTAGE, program, record.voltage_of, n_voltages, read)
                read = move(record.current, row * n_currents)
                _read(registers, CURRENT, program, record.current_of, n_currents, read)
            record.n_done[sample] = done + 1
            sent = move(every_line, sample * per_sample + step * per_step)
            # Both come from memory, and too few at a time to be foreseen.
            prefetch(move(sent, AHEAD * per_step), n_lines)
            prefetch(move(spikes, AHEAD * n_kept), n_kept)
            any_overflow |= overflown
            if overflown and strict:
                break
        for i in range(n_lines):
            state.lines[sample * n_lines + i] = sent[i]
    set_rounding(rounding)
    return any_overflow


@numba.njit(nogil=True, cache=True)
def _read(registers, which, program, compartments, n, values):
    """Read a register of some compartments."""
    for i in range(n):
        slot = program.slots[compartments[i]]
        chunk = slot // LANES * N_REGISTERS + which
        values[i] = registers[chunk * LANES + slot % LANES]


@numba.njit(nogil=True, cache=True)
def _add_noise(noise, first, program, n_compartments, room):
    """Put the noise of a step on what arrives, and on the bias."""
    for c in range(n_compartments):
        slot = program.slots[c]
        room.arriving[slot] = noise.current[first + c]
        room.bias[slot] = program.bias[slot] + noise.voltage[first + c]


@numba.njit(nogil=True, cache=True)
def _deliver_lines(program, n_groups, sent, n_lines, room):
    """Deliver what lines sent; several spikes of one in as many rounds."""
    n_words, above, more = n_lines // WORD + 1, 0, True
    while more:
        more = mark_sent(sent, n_lines, above, room.marks)
        n = list_set(room.marked, n_words, 0, room.sources, room.numbers)
        deliver(program, 0, n_groups, room.sources, n, room.arriving)
        above += 1


class Shared(NamedTuple):
    """What the compartments of a stretch share, as vectors."""

    keep_u: Any
    keep_v: Any
    vth: Any
    vmin: Any
    vmax: Any
    refractory: Any
    rest: Any


@numba.njit(nogil=True, cache=True)
def _update(program, n_stretches, room, bias, registers, spiked, active, faults, step):
    """Update all compartments; tell whether a register overflowed."""
    overflown = False
    for k in range(n_stretches):
        stretch = move(program.stretches, k * STRETCH_COLUMNS)
        parameters = move(program.parameters, k * N_PARAMETERS * LANES)
        shared = Shared(
            load(parameters, KEEP_U * LANES),
            load(parameters, KEEP_V * LANES),
            load(parameters, VTH * LANES),
            load(parameters, VMIN * LANES),
            load(parameters, VMAX * LANES),
            load(parameters, REFRACTORY * LANES),
            load(parameters, REST * LANES),
        )
        i, last, n_active = stretch[FIRST_SLOT], stretch[LAST_SLOT], 0
        while i < last:
            if stretch[KIND] == STEADY:
                i, n = _update_stretch(
                    STEADY, shared, room, bias, registers, spiked, i, last
                )
            elif stretch[KIND] == LEAKY:
                i, n = _update_stretch(
                    LEAKY, shared, room, bias, registers, spiked, i, last
                )
            else:
                i, n = _update_stretch(
                    DEEP, shared, room, bias, registers, spiked, i, last
                )
            n_active += n
            if i < last:
                n_active += _update_overflowing(
                    shared,
                    room,
                    bias,
                    registers,
                    spiked,
                    i,
                    program.compartments,
                    move(faults, stretch[BLOCK] * N_FAULTS * N_NOTES),
                    step,
                )
                i += LANES
                overflown = True
        active[stretch[BLOCK]] += n_active
    return overflown


@numba.njit(nogil=True, cache=True, inline="always")
def _update_stretch(kind, shared, room, bias, registers, spiked, i, last):
    """Update up to where a register overflows; return that, and how many are active."""
    n_active = fill(shared.rest, 0)
    while i < last:
        own, arrived = move(registers, N_REGISTERS * i), load(room.arriving, i)
        current = add(scale(load(own, CURRENT * LANES), shared.keep_u), arrived)
        driven = add(current, load(bias, i))
        if any_bit(_beyond(arrived, current, driven), -(2 << INPUT_BITS)):
            break
        store(room.arriving, i, fill(arrived, 0))
        bits = move(spiked, i // LANES)
        n_active = add(n_active, _finish(kind, shared, own, current, driven, bits))
        i += LANES
    return i, np.int64(total(n_active))


@numba.njit(nogil=True, cache=True, inline="always")
def _finish(kind, shared, own, current, driven, spiked):
    """Update what follows from currents; return 1 where compartments are active."""
    zero = fill(current, 0)
    store(own, CURRENT * LANES, current)
    voltage = load(own, VOLTAGE * LANES)
    if kind == LEAKY:
        voltage = scale(voltage, shared.keep_v)
    elif kind == DEEP:
        voltage = scale_wide(voltage, shared.keep_v)
    voltage = largest(add(voltage, driven), shared.vmin)
    voltage = smallest(voltage, shared.vmax)
    if kind != STEADY:
        waiting = load(own, WAITING * LANES)
        voltage = select(greater(waiting, zero), zero, voltage)
    spikes = greater(voltage, shared.vth)
    one, active = fill(zero, 1), bit_or(current, voltage)
    if kind == DEEP:
        # Elsewhere 0 is not above any threshold.
        active = select(spikes, one, active)
    voltage = select(spikes, shared.rest, voltage)
    store(own, VOLTAGE * LANES, voltage)
    if kind != STEADY:
        waiting = largest(subtract(waiting, one), zero)
        store(own, WAITING * LANES, select(spikes, shared.refractory, waiting))
    spiked[0] = as_bits(spikes)
    return at_most(active, one)


@numba.njit(nogil=True, cache=True)
def _update_overflowing(
    shared, room, bias, registers, spiked, i, compartments, faults, step
):
    """Note which registers overflow, and go on with what is left in them."""
    own, arrived = move(registers, N_REGISTERS * i), load(room.arriving, i)
    raw = scale(load(own, CURRENT * LANES), shared.keep_u)
    raw = add(raw, _wrap(arrived, INPUT_BITS))
    current = _wrap(raw, CURRENT_BITS)
    driven = add(current, load(bias, i))
    store(room.arriving, i, fill(arrived, 0))
    store(room.overflown, INPUT_FAULT * LANES, arrived)
    store(room.overflown, CURRENT_FAULT * LANES, raw)
    store(room.overflown, BIAS_FAULT * LANES, driven)
    _note_faults(faults, step, room.overflown, move(compartments, i))
    driven = _wrap(driven, CURRENT_BITS)
    bits = move(spiked, i // LANES)
    return np.int64(total(_finish(DEEP, shared, own, current, driven, bits)))


@numba.njit(nogil=True, cache=True, inline="always")
def _beyond(arrived, current, driven):
    """Return numbers that are below 0 or have more bits than an input where one has."""
    most = fill(current, 1 << CURRENT_BITS)
    two = fill(current, CURRENT_BITS - INPUT_BITS)
    wide = bit_or(add(current, most), add(driven, most))
    return bit_or(add(arrived, fill(arrived, 1 << INPUT_BITS)), shift_right(wide, two))


@numba.njit(nogil=True, cache=True, inline="always")
def _wrap(values, bits):
    """Cut values to a register of some bits and a sign, as two's complement does."""
    beyond = fill(values, 31 - bits)
    return shift_right(shift_left(values, beyond), beyond)


@numba.njit(nogil=True, cache=True)
def _note_faults(faults, step, values, compartments):
    """Count what overflowed, and keep the first of each register."""
    for register in range(N_FAULTS):
        fault = move(faults, N_NOTES * register)
        bits = INPUT_BITS if register == INPUT_FAULT else CURRENT_BITS
        for i in range(LANES):
            value, compartment = values[register * LANES + i], compartments[i]
            if -(1 << bits) <= value < 1 << bits:
                continue
            earlier = fault[STEP] == step and compartment < fault[COMPARTMENT]
            if not fault[TIMES] or earlier:
                fault[STEP], fault[COMPARTMENT], fault[VALUE] = step, compartment, value
            fault[TIMES] += 1
