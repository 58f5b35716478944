"""
Time the parts of our emulator's step alone, on the networks of `emulate.py`.

    python benchmarks/emulate_phases.py [--only NAME,...]

Microseconds of processor time for a step of a sample, in one thread: the update of all
compartments, the lists of who spiked, and the delivery of what they sent. All get the
spikes that a run of 16 samples gave, so that branches are guessed as they are there;
the update goes on from the last step of a sample, without input.
"""

import argparse
import statistics
import time

import numba
import numpy as np
from emulate import choose
from emulate_open import open_cases
from networks import build

# isort: split
from nengo_hybrid.emulate import Emulator, kernel
from nengo_hybrid.emulate.deliver import deliver, list_set, mark_sent
from nengo_hybrid.emulate.pointers import move, pointer, pointers
from nengo_hybrid.emulate.program import WORD
from nengo_hybrid.emulate.state import new_room
from nengo_hybrid.emulate.vectors import (
    TOWARD_ZERO,
    get_rounding,
    set_rounding,
)
from nengo_hybrid.lower import read_chip

N_SAMPLES, N_STEPS, N_REPETITIONS = 16, 100, 9


@numba.njit(nogil=True)
def update(program, state, room, active, faults, n_times):
    """Update all compartments of the first sample, some times."""
    n_stretches, bias = program.stretches.shape[0], pointer(program.bias)
    program, state, room = pointers(program), pointers(state), pointers(room)
    registers, spiked = state.registers, state.spiked
    active, faults, rounding = pointer(active), pointer(faults), get_rounding()
    set_rounding(TOWARD_ZERO)
    for _ in range(n_times):
        kernel._update(
            program, n_stretches, room, bias, registers, spiked, active, faults, 0
        )
    set_rounding(rounding)


@numba.njit(nogil=True)
def send(program, room, lines, words, n_inputs, delivers):
    """List who spiked in each step, and deliver that, if asked for."""
    n_steps, n_lines, n_words = lines.shape[0], lines.shape[1], words.shape[1]
    n_groups, arriving = program.first_projection.size - 1, pointer(room.arriving)
    lines, words = pointer(lines), pointer(words)
    program, room = pointers(program), pointers(room)
    for step in range(n_steps):
        mark_sent(move(lines, step * n_lines), n_lines, 0, room.marks)
        marked, numbers = room.marked, room.numbers
        n = list_set(marked, n_lines // WORD + 1, 0, room.sources, numbers)
        own = move(words, step * n_words)
        n_spiking = list_set(own, n_words, n_lines, room.spiking, numbers)
        if delivers:
            deliver(program, 0, n_inputs, room.sources, n, arriving)
            deliver(program, n_inputs, n_groups, room.spiking, n_spiking, arriving)


def measure(make, draw):
    """Return microseconds of update, lists, and lists with delivery, and of a step."""
    graph = read_chip(build(make()))
    lines = draw(N_SAMPLES, N_STEPS, graph.n_lines).astype(np.int16)
    emulator = Emulator(graph, N_SAMPLES, seed=0, n_threads=1)
    program, spikes = emulator.program, emulator.run(lines).spikes
    state, room = emulator._state, new_room(program, graph.n_lines)
    flags = np.zeros((N_SAMPLES * N_STEPS, len(program.compartments)), np.uint8)
    flags[:, program.slots] = spikes.reshape(len(flags), -1)
    words = np.packbits(flags, axis=1, bitorder="little").view(np.uint64)
    lines = lines.reshape(len(flags), -1)
    active = np.zeros(len(graph.blocks), np.int32)
    faults = np.zeros((len(graph.blocks), 3, 4), np.int64)
    sent = program, room, lines, words, len(graph.inputs)
    return {
        "update": _time(update, program, state, room, active, faults, len(flags)),
        "lists": _time(send, *sent, False),
        "lists and delivery": _time(send, *sent, True),
    }


def _time(function, *arguments):
    function(*arguments)
    times = []
    for _ in range(N_REPETITIONS):
        started = time.thread_time()
        function(*arguments)
        times.append(time.thread_time() - started)
    return 1e6 * statistics.median(times) / N_SAMPLES / N_STEPS


def main():
    """Print a row per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--only", default="*", help="names, separated by commas")
    known = open_cases()
    for name in choose(parser.parse_args().only, list(known)):
        found = measure(*known[name])
        parts = [f"{what} {value:.3f} us" for what, value in found.items()]
        print(f"{name:18}{', '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
