"""Emulate a `GradedGraph` for a whole test set, bit for bit: `run_graded`."""

import numbers
from dataclasses import replace

import numpy as np

from nengo_hybrid.emulate.graded_kernel import PAYLOAD, STATE, run_graded_block
from nengo_hybrid.emulate.graded_neurons import COLUMNS, KINDS, REGISTERS
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graded_trace import GradedTrace, integer_ranges
from nengo_hybrid.graph_run.program import DENSE, SMALL, dense_matrices
from nengo_hybrid.graph_run.run import GraphRun
from nengo_hybrid.graphs import PROGRAMS


class GradedRun(GraphRun):
    """
    A graph of integers made ready to run; see `GraphRun.pieces`.

    Samples run in parallel, each from the same rest: a sample gives the same integers
    in a batch of any size, and on any number of threads.

    Parameters
    ----------
    graph : GradedGraph
    reset_interval : int, optional
        As in `run_graded`.

    Raises
    ------
    EmulateError
        If a program lacks a number, or there is no such interval.
    """

    def __init__(self, graph, *, reset_interval=None):
        _check_interval(reset_interval)
        # By block of samples, since these run in parallel.
        self._reached = []
        self.graph, self.dtype = graph, np.dtype(np.int32)
        self.source = next(p for p in graph.populations if p.is_input)
        sizes = [p.n_neurons for p in graph.populations]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        kinds = np.array([KINDS[p.program] for p in graph.populations])
        limits = np.array([2 ** (p.payload_bits - 1) - 1 for p in graph.populations])
        parameters = np.zeros((len(COLUMNS), self.starts[-1]), np.int64)
        n_registers = max(REGISTERS.values()) + 1
        self._rest = np.zeros((n_registers, self.starts[-1]), np.int64)
        for population, first in zip(graph.populations, self.starts, strict=False):
            _check_program(population)
            own = slice(first, first + population.n_neurons)
            for name, values in population.parameters.items():
                parameters[COLUMNS[name], own] = values
            for name, values in population.initial_state.items():
                self._rest[REGISTERS[name], own] = values
        widths = graph.widths
        rarely = np.iinfo(np.int64).max if reset_interval is None else reset_interval
        steps = 1 + graph.longest_delay, int(rarely)
        sizes = widths.state_limit, widths.factor
        self.program = self.starts, kinds, limits, parameters, *sizes, *steps
        places = dict(
            zip((p.name for p in graph.populations), self.starts, strict=False)
        )
        is_dense = [_is_dense(projection) for projection in graph.projections]
        dense = [p for p, yes in zip(graph.projections, is_dense, strict=True) if yes]
        rest = [
            p for p, yes in zip(graph.projections, is_dense, strict=True) if not yes
        ]
        self.matrices = (
            _dense_matrices(dense, places),
            _single_synapses(rest, places, self.starts[-1]),
        )

    def checked_input(self, x):
        """
        Return x as the integers that the host injects.

        Raises
        ------
        ShapeError
            If it does not fit the input population.
        EmulateError
            If it is not finite, or beyond the payload.
        """
        x = super().checked_input(x)
        whole = np.rint(x / self.source.unit)
        limit = 2 ** (self.source.payload_bits - 1) - 1
        most = np.abs(whole).max(initial=0)
        if not most <= limit:
            raise EmulateError(
                f"input population {self.source.name!r} sends payloads of "
                f"{self.source.payload_bits} bits, got {np.abs(x).max()}, which is "
                f"{most:.0f} units; quantize it with data as large as these"
            )
        return whole.astype(np.int32)

    def counts(self, name):
        """Tell whether a population gives int16; here all give int32."""
        return False

    def empty_tally(self):
        """
        Make room for what `pieces` tallies as its ``levels``.

        Returns
        -------
        dict of str to (n_neurons, n_bits + 1) int64 array
            By population, how often a payload had a size of so many bits, and behind
            these the ones in all of them.
        """
        n_tallied = self.graph.widths.state + 1
        return {
            p.name: np.zeros((p.n_neurons, n_tallied), np.int64)
            for p in self.graph.populations
        }

    def reached(self):
        """
        Return how far the integers of each population went so far.

        Returns
        -------
        (n_populations, 2) int64 array
            The largest sizes of payloads, and of sums and registers.
        """
        nothing = np.zeros((len(self.graph.populations), 2), np.int64)
        return np.max([nothing, *self._reached], axis=0)

    def _draw(self, n_samples, rng):
        """Return nothing to start from: every sample starts from the same rest."""
        return np.zeros((n_samples, 0))

    def _run_block(self, voltages, x, kept, out, tally):
        reached = np.zeros((len(self.graph.populations), 2), np.int64)
        failed = run_graded_block(
            self.program, self.matrices, self._rest, x, kept, out, tally, reached
        )
        self._reached.append(reached)
        return failed

    def _check(self, failed, n_levels):
        failed = failed[failed[:, 0] >= 0]
        if not len(failed):
            return
        step, number, most, what = failed[np.argmin(failed[:, 0])]
        population = self.graph.populations[number]
        words, bits = {
            STATE: ("a sum or state", self.graph.widths.state),
            PAYLOAD: ("a payload", population.payload_bits),
        }[what]
        raise EmulateError(
            f"population {population.name!r} has {words} of {most} at step {step}, "
            f"more than {bits} bits hold; quantize the network with data as large as "
            "these"
        )


def _check_interval(steps):
    is_whole = isinstance(steps, numbers.Integral) and not isinstance(steps, bool)
    if steps is not None and not (is_whole and 1 <= steps < 2**31):
        raise EmulateError(
            f"a reset_interval is a whole number of steps from 1 on, got {steps!r}; "
            "leave it out for samples that are apart"
        )


def _is_dense(projection):
    size = projection.weights.size
    return size < SMALL or np.count_nonzero(projection.weights) > DENSE * size


def _dense_matrices(projections, places):
    """Return what `run_graded_block` takes of projections that are whole matrices."""
    whole = [replace(p, weights=p.weights * 2.0**p.exponent) for p in projections]
    table, flat = dense_matrices(whole, places, np.float64)
    # Powers of two are exact in either type, so that stored weights count.
    stored = (np.abs(p.weights, dtype=np.int64) for p in projections)
    reach = [weights.sum(axis=1).max() for weights in stored]
    return table, flat, flat.astype(np.float32), np.array(reach, float)


def _single_synapses(projections, places, n):
    """Return what `run_graded_block` takes of projections of few synapses."""
    parts = [[np.zeros(0, np.int64)] * 4]
    for p in projections:
        post, pre = np.nonzero(p.weights)
        weights = p.weights[post, pre] * 2.0**p.exponent
        delays = np.full(len(post), p.delay)
        parts.append([post + places[p.post], pre + places[p.pre], weights, delays])
    posts, columns, weights, delays = map(np.concatenate, zip(*parts, strict=True))
    order = np.argsort(posts, kind="stable")
    firsts = np.searchsorted(posts[order], np.arange(n + 1))
    return firsts, columns[order], weights[order].astype(float), delays[order]


def _check_program(population):
    """Refuse neurons that lack a number of their program."""
    if population.is_input:
        return
    program = PROGRAMS[population.program]
    needed = {"parameters": program.parameters, "initial_state": program.registers}
    for what, names in needed.items():
        given = getattr(population, what)
        if set(given) != set(names):
            raise EmulateError(
                f"population {population.name!r} runs the program "
                f"{population.program!r}, which needs {what} {', '.join(names) or '-'};"
                f" got {', '.join(given) or '-'}"
            )


def run_graded(
    graph, x, *, last_steps=None, progress=None, at_once=None, reset_interval=None
):
    """
    Run a graph in integers on some samples.

    Parameters
    ----------
    graph : GradedGraph
    x : (n_samples, n_steps, size_in) array
        Input, in the units of the network in floats.
    last_steps : int, optional
        How many of the last steps to keep of the output; by default all.
    progress : callable, optional
        Called as ``progress(n_done, n_samples)`` now and then, and at the end.
    at_once : int, optional
        Samples that are run before the next ones, at most.
    reset_interval : int, optional
        Steps of the network after which, again and again, all programs return to their
        initial state, and messages on their way are dropped: what follows is what a
        sample of its own gives. By default a sample goes on to its end.

    Returns
    -------
    GradedTrace

    Raises
    ------
    ShapeError
        If ``x`` does not fit the input population.
    EmulateError
        If an integer leaves its range; names population, step and size. If there is no
        such interval.
    """
    run = GradedRun(graph, reset_interval=reset_interval)
    x = run.checked_input(x)
    n_kept = x.shape[1] if last_steps is None else last_steps
    output = run.empty(graph.output, len(x), n_kept)
    tally = run.empty_tally()
    kept = {"record": [graph.output], "last_steps": n_kept, "at_once": at_once}
    for part, values in run.pieces(x, levels=tally, **kept):
        output[part] = values[graph.output]
        if progress is not None:
            progress(part.stop, len(x))
    by_bits = {name: counts[:, :-1] for name, counts in tally.items()}
    n_resets = max(0, x.shape[1] - 1) // (reset_interval or x.shape[1] or 1)
    return GradedTrace(
        target=graph.target,
        graph_sha256=graph.sha256,
        n_samples=len(x),
        n_steps=x.shape[1],
        chip_steps=graph.chip_steps,
        latency_steps=graph.phases[graph.output],
        output=output,
        by_bits=by_bits,
        ones={name: counts[:, -1] for name, counts in tally.items()},
        ranges=integer_ranges(graph, run.reached(), by_bits),
        pause_steps=n_resets * graph.longest_delay * graph.chip_steps,
    )
