"""What a batch is between steps, and what a call into compiled code works in."""

from typing import NamedTuple

import numpy as np

from nengo_hybrid.emulate.program import WORD, aligned
from nengo_hybrid.emulate.vectors import LANES

# Rows of registers.
CURRENT, VOLTAGE, WAITING = range(3)
N_REGISTERS = 3
# Registers that may overflow.
INPUT_FAULT, CURRENT_FAULT, BIAS_FAULT = range(3)
N_FAULTS = 3


class State(NamedTuple):
    """
    Registers of a batch, by slot, from one step to the next.

    Attributes
    ----------
    registers : (n_samples, n_slots * 3) int32 array
        ``CURRENT``, ``VOLTAGE`` and ``WAITING``, the steps for which a compartment is
        still refractory, of `LANES` slots, then of the next.
    spiked : (n_samples, n_slots / LANES) uint16 array
        A bit for each compartment.
    words : (n_samples, n_slots / WORD) uint64 array
        The same memory.
    lines : (n_samples, n_lines) int16 array
        What the host injected last.
    """

    registers: np.ndarray
    spiked: np.ndarray
    words: np.ndarray
    lines: np.ndarray


def new_state(n_samples, n_slots, n_lines):
    """Return the `State` of a batch at rest."""
    words = np.zeros((n_samples, n_slots // WORD), np.uint64)
    registers = aligned(n_samples * n_slots * N_REGISTERS, np.int32)
    return State(
        registers.reshape(n_samples, -1),
        words.view(np.uint16),
        words,
        np.zeros((n_samples, n_lines), np.int16),
    )


def spiked(state, slots):
    """Return whether compartments spiked, (n_samples, n_compartments) uint8."""
    bits = np.unpackbits(state.words.view(np.uint8), axis=1, bitorder="little")
    return bits[:, slots]


class Room(NamedTuple):
    """
    What a call works in, and no other at the same time.

    Attributes
    ----------
    arriving : (n_slots,) int32 array
        Input of a step; zeros between steps.
    bias : (n_slots,) int32 array
        With the noise of a step, if there is any.
    marks : (n_lines / LANES,) uint16 array
        A bit for each line that sent spikes.
    marked : (n_lines / WORD,) uint64 array
        The same memory.
    sources, spiking : (n_lines,) and (n_slots,) int32 array
        Lines that sent spikes, and slots that spiked, counted behind all lines.
    numbers : (2 * WORD,) int8 array
        0 to 63, and room for as many.
    overflown : (3 * LANES,) int32 array
        Values before they are cut to their registers.
    """

    arriving: np.ndarray
    bias: np.ndarray
    marks: np.ndarray
    marked: np.ndarray
    sources: np.ndarray
    spiking: np.ndarray
    numbers: np.ndarray
    overflown: np.ndarray


def new_room(program, n_lines):
    """Return the `Room` of a call."""
    n_slots = len(program.compartments)
    marked = np.zeros(n_lines // WORD + 1, np.uint64)
    return Room(
        aligned(n_slots, np.int32),
        aligned(n_slots, np.int32),
        marked.view(np.uint16),
        marked,
        aligned(n_lines, np.int32),
        aligned(n_slots, np.int32),
        np.arange(2 * WORD, dtype=np.int8),
        np.zeros(N_FAULTS * LANES, np.int32),
    )


class Noise(NamedTuple):
    """What is drawn for all samples: (n_steps, n_compartments) int32, or no rows."""

    current: np.ndarray
    voltage: np.ndarray
