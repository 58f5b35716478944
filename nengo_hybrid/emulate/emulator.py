"""The chip's part of a graph with its state, for a batch of samples: `Emulator`."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numba
import numpy as np

from nengo_hybrid.emulate.kernel import CURRENT_BITS, INPUT_BITS, run_samples
from nengo_hybrid.emulate.learning import Learner
from nengo_hybrid.emulate.noise import NoiseSource
from nengo_hybrid.emulate.program import compile_graph
from nengo_hybrid.emulate.record import COMPARTMENT, STEP, TIMES, VALUE, Recorder
from nengo_hybrid.emulate.state import (
    BIAS_FAULT,
    CURRENT_FAULT,
    INPUT_FAULT,
    new_room,
    new_state,
)
from nengo_hybrid.exceptions import EmulateError, ShapeError

REGISTERS = {
    INPUT_FAULT: ("an input", INPUT_BITS),
    CURRENT_FAULT: ("a current", CURRENT_BITS),
    BIAS_FAULT: ("a current with its bias", CURRENT_BITS),
}
OVERFLOW = ("raise", "warn")
# Compartments times steps of a call into compiled code, which cannot be interrupted;
# some tens of milliseconds.
CALL_UPDATES = 50_000_000
# Fewer than these are done before a thread has started.
LEAST_UPDATES = 100_000


class Recorded(NamedTuple):
    """
    What was recorded of a run.

    Attributes
    ----------
    spikes : (n_samples, n_bins, n_compartments) array
        Of all blocks, one after the other; summed over each bin.
    active : (n_samples, n_bins, n_blocks) int32 array
        Active compartments of each block, summed over each bin.
    probes : tuple of arrays
        One per probe of the graph, (n_samples, n_rows, n_probed).
    """

    spikes: np.ndarray
    active: np.ndarray
    probes: tuple


class Emulator:
    """
    Run the chip part of a graph step by step, bit for bit as NengoLoihi does.

    Samples run in parallel and do not know of each other: a sample gives the same
    result in a batch of any size, and on any number of threads. All samples see
    the same noise, that of one sample run alone with the same seed.

    Parameters
    ----------
    graph : QuantizedGraph
    n_samples : int
        Size of the batch, at least 1.
    seed : int, optional
        Of the noise and of the rounding of learned weights; by default a new one.
    on_overflow : str
        What to do when a register overflows: "raise" an `EmulateError`, or "warn"
        and go on with the value that is left in the register.
    n_threads : int, optional
        By default as many as there are processors.

    Attributes
    ----------
    n_steps : int
        Steps that were run since the start or the last `reset`.

    Raises
    ------
    EmulateError
        If the batch has no samples, or several of a graph that learns; see also
        `compile_graph`.
    """

    def __init__(
        self, graph, n_samples=1, *, seed=None, on_overflow="raise", n_threads=None
    ):
        check_batch(graph, n_samples)
        if on_overflow not in OVERFLOW:
            raise EmulateError(
                f"on_overflow has to be one of {', '.join(OVERFLOW)}, got "
                f"{on_overflow!r}"
            )
        self.graph, self.n_samples, self.on_overflow = graph, n_samples, on_overflow
        if n_threads is not None and not _is_whole(n_threads):
            raise EmulateError(
                f"n_threads has to be a whole number, at least 1, got {n_threads!r}"
            )
        self.n_threads = n_threads or os.cpu_count()
        self.program = compile_graph(graph)
        self._stored_weights = self.program.weights.copy() if graph.learns else None
        self._recorder = Recorder(graph, self.program)
        self._pool, self._rng, self._entries, self._rooms = None, None, {}, []
        self._noise = NoiseSource(graph)
        self._learner = Learner(graph, self.program, strict=self.strict)
        self.reset(seed)

    def reset(self, seed=None, *, n_samples=None, first_sample=0):
        """
        Go back to rest, with the weights that were deployed.

        Parameters
        ----------
        seed : int, optional
            As for a new one.
        n_samples : int, optional
            Another size of the batch.
        first_sample : int
            What messages call the first sample, if the batch is a part of a larger.
        """
        if n_samples is not None:
            check_batch(self.graph, n_samples)
            self.n_samples = n_samples
        self._first_sample = first_sample
        self.n_steps, self._overflown = 0, False
        self.seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        # To seed takes as long as some steps of a small network.
        if self._noise.noisy or self.graph.learns:
            self._rng = np.random.RandomState(self.seed)
        if self.graph.learns:
            self.program.weights[:] = self._stored_weights
            self._learner = Learner(self.graph, self.program, strict=self.strict)
        n_slots = len(self.program.compartments)
        self._state = new_state(self.n_samples, n_slots, self.graph.n_lines)

    @property
    def strict(self):
        """Whether an overflow is an error."""
        return self.on_overflow == "raise"

    def set_errors(self, errors):
        """
        Give the synapses that learn the errors that hold from the next step on.

        Parameters
        ----------
        errors : iterable of (int, int, (n,) array)
            Index of the block, of its synapses, and the error of each dimension;
            synapses without one get zeros, and several for the same are added.
        """
        self._learner.set_errors(errors)

    def new_record(
        self, n_samples, n_steps, *, bin_steps=1, sample_every=1, only_probed=False
    ):
        """
        Make room for a run of some samples and steps; see `Record`.

        Parameters
        ----------
        n_samples, n_steps : int
        bin_steps, sample_every : int
            See `nengo_hybrid.emulate.run`.
        only_probed : bool
            Keep the spikes of what a probe reads, and of all others the sums alone.

        Returns
        -------
        Record
        """
        return self._recorder.new_record(
            n_samples,
            n_steps,
            bin_steps=bin_steps,
            sample_every=sample_every,
            only_probed=only_probed,
        )

    def run(self, lines):
        """
        Run some steps.

        Parameters
        ----------
        lines : (n_samples, n_steps, n_lines) int16 array
            Spikes that the host injects in each step, on the lines of all inputs one
            after the other. They arrive in the step after.

        Returns
        -------
        Recorded

        Raises
        ------
        ShapeError
            If ``lines`` has another shape or type.
        EmulateError
            If a register overflows; names sample, step, population and value.
        """
        self._check_lines(lines)
        record = self.new_record(self.n_samples, lines.shape[1])
        first_step = self.n_steps
        self.advance(lines, record)
        self.warn_of_overflows(record, first_step)
        return self.read(record)

    def advance(self, lines, record):
        """
        Run some steps, as `run` does, behind those that a record holds already.

        Parameters
        ----------
        lines : (n_samples, n_steps, n_lines) int16 array
        record : Record
            From `new_record`, with room for the steps.

        Raises
        ------
        ShapeError
            If the record has no room for them.
        EmulateError
            If a register overflows that is to raise.
        """
        n_steps, done = lines.shape[1], int(record.n_done[0])
        first_step = self.n_steps - done
        room = record.spikes.shape[1] * record.bin_steps - done
        if n_steps > room or len(record.spikes) != self.n_samples:
            raise ShapeError(
                f"{self.n_samples} samples of {n_steps} steps need room in the record, "
                f"which has it for {len(record.spikes)} of {room}; make a new record"
            )
        per_step = self.graph.n_compartments * -(-self.n_samples // self.n_threads)
        most = 1 if self._learner.groups else max(1, CALL_UPDATES // max(1, per_step))
        for start in range(0, n_steps, most):
            stop = min(start + most, n_steps)
            learned = ()
            if self._learner.groups:
                learned = self._learner.step(self.n_steps + 1, self._state, self._rng)
            noise = self._noise.draw(stop - start, self._rng, always=bool(learned))
            part = np.ascontiguousarray(lines[:, start:stop])
            overflown = self._call(part, noise, record)
            self._overflown |= overflown
            self._learner.store(learned)
            self.n_steps += stop - start
            if overflown and self.strict:
                raise EmulateError(self._describe(record, first_step)[0])

    def _call(self, lines, noise, record):
        """Run compiled code, in threads if long; tell whether a register overflowed."""
        if lines.strides[2] != lines.itemsize:
            lines = np.ascontiguousarray(lines)
        after = lines, noise, record, self.strict
        n_updates = self.n_samples * lines.shape[1] * self.graph.n_compartments
        threads = min(self.n_threads, self.n_samples)
        if threads == 1 or n_updates < LEAST_UPDATES:
            return self._compiled(record, (*self._before(0), *after))
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n_threads)
        # In more shares than threads, so that they even out.
        share = max(1, self.n_samples // (4 * threads))
        futures = [
            self._pool.submit(
                run_samples,
                *self._before(a // share),
                *after,
                a,
                min(a + share, self.n_samples),
            )
            for a in range(0, self.n_samples, share)
        ]
        # If this is interrupted, threads go on in these rooms for a while.
        rooms, self._rooms = self._rooms, []
        overflown = any([future.result() for future in futures])
        self._rooms = rooms
        return overflown

    def _before(self, share):
        """Return the first arguments of compiled code, with room for one share."""
        while len(self._rooms) <= share:
            self._rooms.append(new_room(self.program, self.graph.n_lines))
        return self.program, self._state, self._rooms[share]

    def _compiled(self, record, arguments):
        """Run all samples in this thread."""
        # To find out the types of all arguments takes as long as a step of a small
        # network; they differ only with those of the record.
        arguments = *arguments, 0, self.n_samples
        kind = record.spikes.dtype
        if kind in self._entries:
            return self._entries[kind](*arguments)
        found = run_samples(*arguments)
        types = tuple(numba.typeof(argument) for argument in arguments)
        self._entries[kind] = run_samples.overloads[types].entry_point
        return found

    def read(self, record):
        """
        Return what a record holds, sorted by probe.

        Returns
        -------
        Recorded
        """
        numbers = range(len(self.graph.probes))
        read = tuple(self.read_probe(record, i) for i in numbers)
        return Recorded(record.spikes, record.active, read)

    def read_probe(self, record, number, samples=slice(None), rows=slice(None)):
        """Return what one probe of the graph read, (n_samples, n_rows, n_probed)."""
        return self._recorder.read_probe(record, number, samples, rows)

    def read_sums(self, record):
        """
        Return the spikes of all compartments, summed over the steps of a record.

        Parameters
        ----------
        record : Record
            Made with ``only_probed``.

        Returns
        -------
        (n_samples, n_compartments) int32 array
        """
        return np.take(record.sums, self.program.slots, axis=1)

    def _check_lines(self, lines):
        wanted = self.n_samples, self.graph.n_lines
        shape = getattr(lines, "shape", None)
        if shape is None or len(shape) != 3 or (shape[0], shape[2]) != wanted:
            raise ShapeError(
                f"lines need the shape ({wanted[0]}, n_steps, {wanted[1]}): samples, "
                f"steps and lines of the graph's inputs; got {shape}"
            )
        if lines.dtype != np.int16:
            raise ShapeError(f"lines need spike counts in int16, got {lines.dtype}")
        if lines.min(initial=0) < 0:
            raise ShapeError(f"lines need counts of at least 0, got {lines.min()}")

    def warn_of_overflows(self, record, first_step):
        """
        Warn of the first overflow of each register and block in a record.

        Parameters
        ----------
        record : Record
        first_step : int
            The step at which the record starts.
        """
        if self._overflown and not self.strict:
            for words in self._describe(record, first_step):
                warnings.warn(words, stacklevel=3)

    def _describe(self, record, first_step):
        """Describe the first overflow of each block and register, in their order."""
        found = np.argwhere(record.faults[..., TIMES] > 0)
        steps = [record.faults[(*at, STEP)] for at in found]
        first = {}
        for at in found[np.argsort(steps, kind="stable")]:
            first.setdefault(tuple(at[1:]), tuple(at))
        return [self._words(record, at, first_step) for at in first.values()]

    def _words(self, record, at, first_step):
        sample, b, register = at
        fault, times = record.faults[at], record.faults[:, b, register, TIMES].sum()
        block, (what, bits) = self.graph.blocks[b], REGISTERS[register]
        neuron = block.neurons[fault[COMPARTMENT] - self.graph.block_starts[b]]
        more = f" ({times} times in all)" if not self.strict else ""
        return (
            f"population {block.population!r}, neuron {neuron} has {what} of "
            f"{fault[VALUE]} at sample {self._first_sample + sample}, step "
            f"{first_step + fault[STEP]}: more than the {bits} bits and sign of its "
            f"register{more}. Lower the rates, or the weights, of what feeds it"
        )


def check_batch(graph, n_samples):
    """
    Check that a graph can run a batch.

    Raises
    ------
    EmulateError
        If the batch has no samples, or several of a graph that learns.
    """
    if not _is_whole(n_samples):
        raise EmulateError(
            f"a batch needs a whole number of samples, at least 1, got {n_samples!r}"
        )
    if graph.learns and n_samples > 1:
        raise EmulateError(
            f"the network learns on the chip, so its samples share weights and run one "
            f"after the other; it needs a batch of 1, got {n_samples}"
        )


def _is_whole(value):
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return is_whole and value >= 1
