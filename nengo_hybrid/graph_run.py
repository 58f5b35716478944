"""
Run a `SpikingGraph` in floats, compiled, for a whole batch at once.

What Nengo's own simulator would do, for samples side by side: a weight is read once for
a block of samples, and weights of zero are left out. Blocks of samples run in parallel.
"""

import numpy as np
from numba import njit, prange

from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.neurons import Staggered

MAX_COUNT = np.iinfo(np.int16).max
ACTIVATIONS = ("linear", "RectifiedLinear", "Identity", "Tanh", "Sigmoid")
INPUT = -1
LANES = 64
# What is recorded is made in pieces: of so many bytes, and blocks of samples.
PIECE_BYTES, MAX_BLOCKS = 2**28, 32


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
        Of the computation; float32 is three times faster, and rounds counts the other
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
        self.graph, self.rates, self.dtype = graph, rates, np.dtype(dtype)
        self.source = next(p for p in graph.populations if p.activation == "input")
        sizes = [p.n_neurons for p in graph.populations]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.program = _compile(graph, self.starts, rates, self.dtype)

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

    def pieces(self, x, *, seed=None, record=(), last_steps=None, levels=None):
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
        size = min(size, MAX_BLOCKS) * LANES
        for first in range(0, len(x), size):
            part = slice(first, min(first + size, len(x)))
            piece = np.ascontiguousarray(x[part], dtype=self.dtype)
            n_blocks = -(-len(piece) // LANES)
            out = np.zeros((len(piece), n_kept, self._size(record)), self.dtype)
            tally = np.zeros(
                (n_blocks if levels else 0, self._size(levels), self._n_levels(levels)),
                np.int64,
            )
            failed = np.full((n_blocks, 3), -1.0)
            voltages = self._draw(len(piece), rng)
            _run(*self.program, piece, voltages, kept, out, tally, failed)
            self._check(failed, self._n_levels(levels))
            self._split(tally.sum(axis=0), levels)
            yield part, self._named(out, record)

    def _size(self, names):
        return sum(self.graph.population(name).n_neurons for name in names)

    def _n_levels(self, levels):
        return max((array.shape[1] for array in levels.values()), default=0)

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


def _compile(graph, starts, rates, dtype):
    """Return what `_run` takes before what belongs to a run."""
    kinds, scales, units = [], [], []
    bias = np.zeros(starts[-1])
    for i, p in enumerate(graph.populations):
        is_input = p.activation == "input"
        kinds.append(INPUT if is_input else ACTIVATIONS.index(p.activation))
        is_hybrid = p.is_hybrid and not rates
        scale = p.omega * graph.dt if is_hybrid else 0.0
        scales.append(scale)
        units.append(p.amplitude / scale if is_hybrid else p.amplitude)
        if p.bias is not None:
            bias[starts[i] : starts[i + 1]] = p.bias
    floats = (np.array(values, dtype) for values in (scales, units, bias))
    return (starts, np.array(kinds), *floats), _rows(graph, starts, dtype)


def _rows(graph, starts, dtype):
    """
    Gather the weights that are not zero, by the neuron they lead to.

    Returns
    -------
    tuple of array
        Where the weights of each neuron start; where those with a delay do, behind
        the others; the neuron that each weight is from; the weights.
    """
    numbers = {p.name: i for i, p in enumerate(graph.populations)}
    posts, columns, weights, delays = [], [], [], []
    for projection in graph.projections:
        post, pre = np.nonzero(projection.weights)
        posts.append(post + starts[numbers[projection.post]])
        columns.append(pre + starts[numbers[projection.pre]])
        weights.append(projection.weights[post, pre])
        delays.append(np.full(len(post), projection.delay))
    if not posts:
        posts, columns, weights, delays = [[np.zeros(0, np.int64)]] * 4
    post, delay = np.concatenate(posts), np.concatenate(delays)
    order = np.lexsort((delay, post))
    n = starts[-1]
    first = np.searchsorted(post[order], np.arange(n + 1))
    n_prompt = np.bincount(post[delay == 0], minlength=n)
    return (
        first,
        first[:-1] + n_prompt,
        np.concatenate(columns)[order].astype(np.uint32),
        np.concatenate(weights)[order].astype(dtype),
    )


@njit(cache=True, fastmath={"contract"})
def _add(total, values, columns, weights, start, stop):
    """Add weighted rows of values to a row, four at a time."""
    i = start
    while i + 4 <= stop:
        a, b, c, d = columns[i], columns[i + 1], columns[i + 2], columns[i + 3]
        wa, wb, wc, wd = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        for k in range(LANES):
            total[k] += (wa * values[a, k] + wb * values[b, k]) + (
                wc * values[c, k] + wd * values[d, k]
            )
        i += 4
    while i < stop:
        a, wa = columns[i], weights[i]
        for k in range(LANES):
            total[k] += wa * values[a, k]
        i += 1


@njit(cache=True)
def _activate(kind, row):
    if kind == 1:
        zero = row.dtype.type(0)
        for k in range(LANES):
            row[k] = max(row[k], zero)
    elif kind == 3:
        for k in range(LANES):
            row[k] = np.tanh(row[k])
    elif kind == 4:
        for k in range(LANES):
            row[k] = 1 / (1 + np.exp(-row[k]))


@njit(cache=True)
def _quantize(row, voltage, scale):
    """Turn rates into counts; return whether all are within int16."""
    bad, limit = 0, row.dtype.type(MAX_COUNT)
    for k in range(LANES):
        total = voltage[k] + scale * row[k]
        count = np.floor(total)
        voltage[k] = total - count
        row[k] = count
        bad |= not (abs(count) <= limit)
    return bad == 0


@njit(cache=True)
def _scale(row, unit):
    """Multiply by a unit; return whether all are finite."""
    bad, infinity = 0, row.dtype.type(np.inf)
    for k in range(LANES):
        row[k] *= unit
        bad |= not (abs(row[k]) < infinity)
    return bad == 0


@njit(cache=True)
def _update(now, before, voltage, j, bias, rows, kind, scale, unit):
    """Compute one neuron of all lanes; return whether its values are in range."""
    firsts, middles, columns, weights = rows
    row = now[j]
    row[:] = bias[j]
    _add(row, now, columns, weights, firsts[j], middles[j])
    _add(row, before, columns, weights, middles[j], firsts[j + 1])
    _activate(kind, row)
    if scale > 0:
        return _quantize(row, voltage[j], scale)
    return _scale(row, unit)


@njit(cache=True)
def _record(now, start, stop, out, first, n_real, step, place):
    """Write a population's values (n, lanes) to where they are kept."""
    for k in range(n_real):
        for j in range(start, stop):
            out[first + k, step, place + j - start] = now[j, k]


@njit(cache=True)
def _tally(now, start, stop, levels, n_real, place):
    """Count how often each count occurs; return whether all have a level."""
    limit, is_right = levels.shape[1] // 2, True
    for j in range(start, stop):
        for k in range(n_real):
            level = int(now[j, k]) + limit
            if 0 <= level < levels.shape[1]:
                levels[place + j - start, level] += 1
            else:
                is_right = False
    return is_right


@njit(cache=True)
def _run_block(program, rows, x, voltages, kept, out, levels, first, failed):
    """Run the samples of one block, from ``first`` on."""
    starts, kinds, scales, units, bias = program
    n_samples, n_steps = x.shape[0], x.shape[1]
    n, skipped = len(bias), x.shape[1] - out.shape[1]
    n_real = min(LANES, n_samples - first)
    now, before = np.zeros((n, LANES), x.dtype), np.zeros((n, LANES), x.dtype)
    voltage = np.zeros((n, LANES), x.dtype)
    for k in range(LANES):
        for j in range(n):
            voltage[j, k] = voltages[first + min(k, n_real - 1), j]
    for step in range(n_steps):
        now, before = before, now
        for p in range(len(kinds)):
            start, stop, is_right = starts[p], starts[p + 1], True
            for j in range(start, stop):
                if kinds[p] == INPUT:
                    for k in range(LANES):
                        now[j, k] = x[first + min(k, n_real - 1), step, j - start]
                else:
                    is_right &= _update(
                        now,
                        before,
                        voltage,
                        j,
                        bias,
                        rows,
                        kinds[p],
                        scales[p],
                        units[p],
                    )
            if scales[p] > 0 and len(levels) and kept[p, 1] >= 0 and is_right:
                is_right = _tally(now, start, stop, levels, n_real, kept[p, 1])
            if kept[p, 0] >= 0 and step >= skipped:
                _record(
                    now, start, stop, out, first, n_real, step - skipped, kept[p, 0]
                )
            if not is_right:
                failed[0], failed[1] = step, p
                failed[2] = np.abs(now[start:stop]).max()
                return
            if scales[p] > 0:
                for j in range(start, stop):
                    for k in range(LANES):
                        now[j, k] *= units[p]


@njit(cache=True, parallel=True)
def _run(program, rows, x, voltages, kept, out, levels, failed):
    """Run all blocks of samples; ``failed`` gets step and population where one did."""
    for block in prange(len(failed)):
        first = block * LANES
        own = levels[block] if len(levels) else np.zeros((0, 0), np.int64)
        _run_block(program, rows, x, voltages, kept, out, own, first, failed[block])
