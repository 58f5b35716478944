"""
Run a `SpikingGraph` in floats, compiled, for a whole batch at once.

What Nengo's own simulator would do, for samples side by side: a weight is read once for
a block of samples, and weights of zero are left out. Blocks of samples run in parallel.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graph_run.kernel import LANES, MAX_COUNT, run_block
from nengo_hybrid.graph_run.program import compact, compile_graph
from nengo_hybrid.neurons import Staggered

# What is recorded is made in pieces: of so many bytes, and samples.
PIECE_BYTES, PIECE_SAMPLES = 2**28, 32 * LANES


def run_graph(
    graph, x, *, seed=None, rates=False, record=None, last_steps=None, dtype=float
):
    """
    Run a network in floats.

    Does what Nengo's own simulator does, for all samples at once: with
    ``seed=None`` the counts are the same.

    Parameters
    ----------
    graph : SpikingGraph
    x : (n_samples, n_steps, size_in) array
        What the input population gives in each step.
    seed : int, optional
        Draw every sample's initial voltages anew, uniform in [0, 1). By default
        all samples start from the network's own.
    rates : bool
        Run hybrid-spiking populations as the rate neurons they come from.
    record : iterable of str, optional
        Populations to return; by default all that have neurons.
    last_steps : int, optional
        How many of the last steps to return; by default all.
    dtype : dtype
        Of the computation; float32 is twice as fast, and rounds counts the other
        way where a voltage comes within its precision of a whole number.

    Returns
    -------
    dict of str to (n_samples, last_steps, n_neurons) array
        Spike counts (int16) of hybrid-spiking populations, values of others;
        with ``rates``, values of all.

    Raises
    ------
    ShapeError
        If ``x`` does not fit the input population.
    EmulateError
        If a value stops being finite, or a count leaves int16; the message names
        population and step.
    """
    run = GraphRun(graph, rates=rates, dtype=dtype)
    x = run.checked_input(x)
    if record is None:
        record = [p.name for p in graph.populations if p.has_neurons]
    n_kept = x.shape[1] if last_steps is None else last_steps
    found = {name: run.empty(name, len(x), n_kept) for name in record}
    for part, values in run.pieces(x, seed=seed, record=found, last_steps=n_kept):
        for name, piece in values.items():
            found[name][part] = piece
    return found


def is_compiled(graph):
    """Tell whether `run_graph` runs a graph; `run_neurons` runs any."""
    is_plain = all(p.dynamics is None for p in graph.populations)
    return is_plain and all(p.delay <= 1 for p in graph.projections)


class GraphRun:
    """
    A graph made ready to run.

    Parameters
    ----------
    graph : SpikingGraph
    rates : bool
        Run hybrid-spiking populations as the rate neurons they come from.
    dtype : dtype
        float64 or float32.
    """

    def __init__(self, graph, *, rates=False, dtype=float):
        graph.refuse_dynamics("run_graph", EmulateError)
        for projection in graph.projections:
            if projection.delay > 1:
                raise EmulateError(
                    f"run_graph takes delays of at most 1 step, and projection "
                    f"{projection.name!r} has one of {projection.delay}; "
                    "graph_run.run_neurons takes any"
                )
        graph = compact(graph)
        self.graph, self.rates, self.dtype = graph, rates, np.dtype(dtype)
        self.source = next(p for p in graph.populations if p.activation == "input")
        sizes = [p.n_neurons for p in graph.populations]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.program = compile_graph(graph, self.starts, rates, self.dtype)

    def checked_input(self, x):
        """Return x as floats; a `ShapeError` if it does not fit."""
        x = np.asarray(x)
        if x.ndim != 3 or x.shape[2] != self.source.n_neurons:
            raise ShapeError(
                f"input population {self.source.name!r} needs x of shape (n_samples, "
                f"n_steps, {self.source.n_neurons}), got {x.shape}"
            )
        return x

    def counts(self, name):
        """Tell whether a population gives spike counts."""
        return self.graph.population(name).is_hybrid and not self.rates

    def empty(self, name, n_samples, n_steps):
        """Make room for what a population gives."""
        dtype = np.int16 if self.counts(name) else self.dtype
        shape = (n_samples, n_steps, self.graph.population(name).n_neurons)
        return np.zeros(shape, dtype)

    def pieces(
        self, x, *, seed=None, record=(), last_steps=None, levels=None, at_once=None
    ):
        """
        Run some samples at a time.

        Parameters
        ----------
        x : (n_samples, n_steps, size_in) array
        seed, last_steps
            As in `run_graph`.
        record : iterable of str
            Populations to return.
        levels : dict of str to (n_neurons, n_levels) int64 array, optional
            By population, to which is added how often each count occurs in all steps;
            the level in the middle is 0.
        at_once : int, optional
            Samples of a piece, at most.

        Yields
        ------
        slice
            Of the samples.
        dict of str to array
            As `run_graph` returns it, of these samples.
        """
        n_kept = x.shape[1] if last_steps is None else last_steps
        rng = None if seed is None else np.random.default_rng(seed)
        levels = levels or {}
        kept = np.stack([self._places(record), self._places(levels)], axis=1)
        size = max(
            2,
            PIECE_BYTES
            // (self.dtype.itemsize * LANES * n_kept * max(1, self._size(record))),
        )
        size = min(size * LANES, PIECE_SAMPLES, at_once or PIECE_SAMPLES)
        for part, voltages in self._starting(len(x), size, rng):
            piece = np.ascontiguousarray(x[part], dtype=self.dtype)
            out = np.zeros((len(piece), n_kept, self._size(record)), self.dtype)
            tally = self._run(piece, voltages, kept, out, self._tally_shape(levels))
            self._split(tally, levels)
            yield part, self._named(out, record)

    def _starting(self, n_samples, size, rng):
        """Yield pieces with their voltages, drawn alike whatever the pieces' size."""
        for first in range(0, n_samples, PIECE_SAMPLES):
            drawn = self._draw(min(PIECE_SAMPLES, n_samples - first), rng)
            for own in range(0, len(drawn), size):
                voltages = drawn[own : own + size]
                yield slice(first + own, first + own + len(voltages)), voltages

    def _tally_shape(self, levels):
        n_levels = max((array.shape[1] for array in levels.values()), default=0)
        return self._size(levels), n_levels

    def _run(self, x, voltages, kept, out, tally_shape):
        """Run blocks of samples in parallel; return the sum of their tallies."""

        n_threads = os.cpu_count()

        def run(own):
            tally, failed = np.zeros(tally_shape, np.int64), []
            for first in range(own * LANES, len(x), n_threads * LANES):
                block = slice(first, first + LANES)
                samples = x[block], kept, out[block], tally
                failed.append(self._run_block(voltages[block], *samples))
            return failed, tally

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_threads) as pool:
            found = list(pool.map(run, range(n_threads)))
        self._check(np.array(sum((f for f, _ in found), [])), tally_shape[1])
        return sum(tally for _, tally in found)

    def _run_block(self, voltages, x, kept, out, tally):
        """Run as many samples as there are lanes, compiled; return what failed."""
        state = np.zeros((3, voltages.shape[1], LANES), self.dtype)
        state[2] = _as_lanes(voltages)
        return run_block(*self.program, tuple(state), x, kept, out, tally)

    def _size(self, names):
        return sum(self.graph.population(name).n_neurons for name in names)

    def _places(self, names):
        """Return where each population's values start among those named; else -1."""
        place, places = 0, {}
        for name in names:
            places[name] = place
            place += self.graph.population(name).n_neurons
        return np.array([places.get(p.name, -1) for p in self.graph.populations])

    def _named(self, out, names):
        """Cut what was recorded into populations."""
        found, place = {}, 0
        for name in names:
            n = self.graph.population(name).n_neurons
            dtype = np.int16 if self.counts(name) else self.dtype
            found[name] = out[:, :, place : place + n].astype(dtype)
            place += n
        return found

    def _split(self, tally, levels):
        """Add what was tallied to the levels of each population."""
        place = 0
        for array in levels.values():
            array += tally[place : place + len(array)]
            place += len(array)

    def _draw(self, n_samples, rng):
        """Return initial voltages of all neurons, (n_samples, n)."""
        found = np.zeros((n_samples, self.starts[-1]), self.dtype)
        for i, p in enumerate(self.graph.populations):
            if self.counts(p.name):
                part = found[:, self.starts[i] : self.starts[i + 1]]
                part[:] = (
                    p.initial_voltage if rng is None else _drawn(p, n_samples, rng)
                )
        return found

    def _check(self, failed, n_levels):
        """Raise an `EmulateError` for the first step that failed, if one did."""
        failed = failed[failed[:, 0] >= 0]
        if not len(failed):
            return
        step, number, largest = failed[np.argmin(failed[:, 0])]
        name = self.graph.populations[int(number)].name
        if np.isfinite(largest):
            limit = min(MAX_COUNT, n_levels // 2 or MAX_COUNT)
            raise EmulateError(
                f"population {name!r} has a count of {largest:.0f} at step {step:.0f}, "
                f"more than {limit}; lower its omega, or run it with rates=True"
            )
        raise EmulateError(
            f"population {name!r} is not finite at step {step:.0f}; the network "
            "diverges: check its feedback weights"
        )


def _drawn(population, n_samples, rng):
    """Draw voltages of a population, (n_samples, n_neurons)."""
    if population.stagger is None:
        return rng.random((n_samples, population.n_neurons))
    groups = Staggered(population.stagger)
    return groups.spread(rng.random((n_samples, len(groups.sizes))))


def _as_lanes(values):
    """Return values of samples (n_samples, n) as lanes, the last repeated."""
    return np.pad(values.T, ((0, 0), (0, LANES - len(values))), mode="edge")
