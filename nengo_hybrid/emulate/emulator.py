"""The chip's part of a graph with its state, for a batch of samples: `Emulator`."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from nengo_hybrid.emulate.kernel import (
    BIAS_FAULT,
    COMPARTMENT,
    CURRENT_BITS,
    CURRENT_FAULT,
    INPUT_BITS,
    INPUT_FAULT,
    N_FAULTS,
    STEP,
    TIMES,
    VALUE,
    Record,
    State,
    run_samples,
)
from nengo_hybrid.emulate.learning import Learner
from nengo_hybrid.emulate.noise import NoiseSource
from nengo_hybrid.emulate.program import compile_graph
from nengo_hybrid.exceptions import EmulateError, ShapeError

REGISTERS = {
    INPUT_FAULT: ("an input", INPUT_BITS),
    CURRENT_FAULT: ("a current", CURRENT_BITS),
    BIAS_FAULT: ("a current with its bias", CURRENT_BITS),
}
OVERFLOW = ("raise", "warn")
# Compartments times steps of a call into compiled code, which cannot be interrupted;
# some tens of milliseconds.
CALL_UPDATES = 8_000_000


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
        self.n_threads = n_threads or os.cpu_count()
        self.program = compile_graph(graph)
        self._stored_weights = self.program.weights.copy() if graph.learns else None
        self._voltage_of = _probed(graph, "voltage")
        self._current_of = _probed(graph, "current")
        recorded = {
            "spiked": np.arange(graph.n_compartments),
            "voltage": self._voltage_of,
            "current": self._current_of,
        }
        self._columns = [
            _positions(recorded[probe.variable], _compartments(graph, probe))
            for probe in graph.probes
        ]
        self.reset(seed)

    def reset(self, seed=None, *, n_samples=None):
        """
        Go back to rest, with the weights that were deployed.

        Parameters
        ----------
        seed : int, optional
            As for a new one.
        n_samples : int, optional
            Another size of the batch.
        """
        if n_samples is not None:
            check_batch(self.graph, n_samples)
            self.n_samples = n_samples
        n = self.graph.n_compartments
        self.n_steps = 0
        self.seed = int(np.random.randint(2**31 - 1)) if seed is None else seed
        self._rng = np.random.RandomState(self.seed)
        self._noise = NoiseSource(self.graph)
        if self._stored_weights is not None:
            self.program.weights[:] = self._stored_weights
        self._learner = Learner(self.graph, self.program, strict=self.strict)
        self._state = State(
            *(np.zeros((self.n_samples, n), np.int32) for _ in range(3)),
            np.zeros((self.n_samples, -(-n // 8) * 8), np.uint8),
            np.zeros((self.n_samples, self.graph.n_lines), np.int16),
        )

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

    def new_record(self, n_samples, n_steps, *, bin_steps=1, sample_every=1):
        """Make room for a run of some samples and steps; see `Record`."""
        n_bins, n_rows = -(-n_steps // bin_steps), n_steps // sample_every
        n, n_blocks = self.graph.n_compartments, len(self.graph.blocks)
        probed = self._voltage_of, self._current_of
        return Record(
            bin_steps,
            np.zeros((n_samples, n_bins, n), np.int8 if bin_steps < 128 else np.int32),
            np.zeros((n_samples, n_bins, n_blocks), np.int32),
            sample_every,
            *probed,
            *(np.zeros((n_samples, n_rows, len(of)), np.int32) for of in probed),
            np.zeros((n_samples, n_blocks, N_FAULTS, 4), np.int64),
            np.zeros(n_samples, np.int64),
        )

    def run(self, lines, *, into=None):
        """
        Run some steps.

        Parameters
        ----------
        lines : (n_samples, n_steps, n_lines) int16 array
            Spikes that the host injects in each step, on the lines of all inputs one
            after the other. They arrive in the step after.
        into : Record, optional
            Of these samples and steps, from `new_record`; by default a new one.

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
        n_steps = lines.shape[1]
        record = self.new_record(self.n_samples, n_steps) if into is None else into
        first_step = self.n_steps - int(record.n_done.max())
        threads = min(self.n_threads, self.n_samples)
        # One step at a time is for a host in the loop, who cannot wait for threads.
        if threads == 1 or n_steps == 1:
            self._run_calls(lines, record, self._run_all)
        else:
            with ThreadPoolExecutor(threads) as pool:
                self._run_calls(
                    lines, record, lambda *a: self._run_shared(pool, threads, *a)
                )
        self._report_faults(record, first_step)
        return self.read(record)

    def _run_calls(self, lines, record, call):
        """Run the steps in calls that are short enough to be interrupted."""
        per_sample = self.graph.n_compartments * -(-self.n_samples // self.n_threads)
        most = 1 if self._learner.groups else max(1, CALL_UPDATES // per_sample)
        for start in range(0, lines.shape[1], most):
            stop = min(start + most, lines.shape[1])
            learned = self._learner.step(self.n_steps + 1, self._state, self._rng)
            noise = self._noise.draw(stop - start, self._rng, always=bool(learned))
            call(lines[:, start:stop], noise, record)
            self._learner.store(learned)
            self.n_steps += stop - start
            if self.strict and record.faults[..., TIMES].any():
                return

    def _run_all(self, lines, noise, record):
        arguments = self.program, self._state, lines, noise, record, self.strict
        run_samples(*arguments, 0, self.n_samples)

    def _run_shared(self, pool, n_threads, lines, noise, record):
        """Run a call's samples in several threads, in shares that even out."""
        arguments = self.program, self._state, lines, noise, record, self.strict
        share = max(1, self.n_samples // (4 * n_threads))
        starts = range(0, self.n_samples, share)
        futures = [
            pool.submit(run_samples, *arguments, a, min(a + share, self.n_samples))
            for a in starts
        ]
        for future in futures:
            future.result()

    def read(self, record):
        """
        Return what a record holds, sorted by probe.

        Returns
        -------
        Recorded
        """
        values = {
            "spiked": record.spikes,
            "voltage": record.voltage,
            "current": record.current,
        }
        probes = zip(self.graph.probes, self._columns, strict=True)
        read = tuple(values[probe.variable][..., where] for probe, where in probes)
        return Recorded(record.spikes, record.active, read)

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

    def _report_faults(self, record, first_step):
        """Raise the first overflow, or warn of the first of each register and block."""
        if not record.faults[..., TIMES].any():
            return
        found = np.argwhere(record.faults[..., TIMES] > 0)
        order = np.argsort([record.faults[(*at, STEP)] for at in found], kind="stable")
        if self.strict:
            raise EmulateError(self._describe(record, found[order[0]], first_step))
        told = set()
        for at in found[order]:
            if tuple(at[1:]) not in told:
                warnings.warn(self._describe(record, at, first_step), stacklevel=3)
                told.add(tuple(at[1:]))

    def _describe(self, record, at, first_step):
        sample, b, register = at
        fault = record.faults[tuple(at)]
        block, (what, bits) = self.graph.blocks[b], REGISTERS[int(register)]
        more = f" ({fault[TIMES]} times in all)" if not self.strict else ""
        return (
            f"population {block.population!r}, neuron "
            f"{block.neurons[fault[COMPARTMENT]]} has {what} of {fault[VALUE]} at "
            f"sample {sample}, step {first_step + fault[STEP]}: more than the {bits} "
            f"bits and sign of its register{more}. Lower the rates, or the weights, of "
            "what feeds it"
        )


def check_batch(graph, n_samples):
    """
    Check that a graph can run a batch.

    Raises
    ------
    EmulateError
        If the batch has no samples, or several of a graph that learns.
    """
    is_whole = isinstance(n_samples, (int, np.integer)) and n_samples is not True
    if not is_whole or n_samples < 1:
        raise EmulateError(
            f"a batch needs a whole number of samples, at least 1, got {n_samples!r}"
        )
    if graph.learns and n_samples > 1:
        raise EmulateError(
            f"the network learns on the chip, so its samples share weights and run one "
            f"after the other; it needs a batch of 1, got {n_samples}"
        )


def _compartments(graph, probe):
    """Return the compartments that a probe reads, counting over all blocks."""
    starts = graph.block_starts
    return np.concatenate([starts[b] + neurons for b, neurons in probe.parts])


def _positions(recorded, wanted):
    """Find values among sorted ones; as a slice, which copies nothing, if it can be."""
    found = np.searchsorted(recorded, wanted)
    in_a_row = len(found) > 0 and (np.diff(found) == 1).all()
    return slice(found[0], found[-1] + 1) if in_a_row else found


def _probed(graph, variable):
    """Return the compartments of which any probe reads a variable, in order."""
    found = [_compartments(graph, p) for p in graph.probes if p.variable == variable]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *found]))
