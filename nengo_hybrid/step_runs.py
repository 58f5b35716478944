"""
Run a network after each step of its deployment, and compare the steps.

Like `pipeline`, this knows an order: what is lost from rates to spikes, from spikes
to the chip's dynamics, and from those to integers, one group of numbers at a time.
"""

from dataclasses import replace

import numpy as np

from nengo_hybrid import emulate
from nengo_hybrid.accuracy_steps import StepRun, idle_parts, make_waterfall
from nengo_hybrid.exceptions import DataError, ShapeError
from nengo_hybrid.graded_trace import integer_ranges
from nengo_hybrid.graph_run import GraphRun, is_compiled, run_graph, run_neurons
from nengo_hybrid.metrics import classify

# Samples of which every spike is kept, until they are counted; the same of graded ones.
AT_ONCE, GRADED_AT_ONCE = 256, 64


def compare_steps(deployed, trace, host_counts, split, *, seed):
    """
    Tell what each step from rates to the deployed network changes.

    Parameters
    ----------
    deployed : Deployed
        On a target of one-bit spikes.
    trace : Trace
        Of its integers on the data, step by step.
    host_counts : dict of str to (n_samples, n_steps, n_neurons) int array
        What was injected in that run.
    split : Split
    seed : int
        Of the initial voltages of the network in floats.

    Returns
    -------
    Waterfall
    """
    graph, quantized = deployed.graph, deployed.quantized
    readout_steps = deployed.about["readout_steps"]
    runs = [
        _graph_run("rates", graph, split.x, readout_steps, rates=True),
        _graph_run("hybrid", graph, split.x, readout_steps, seed=seed),
    ]
    before = None
    for step, numbers in chip_numbers(deployed.floats, quantized).items():
        found, drive = _run_in_parts(quantized, numbers, host_counts, readout_steps)
        causes = {
            name: CAUSES[step](before, numbers, drive, blocks, own)
            for name, (blocks, own) in _parts(quantized).items()
        }
        runs.append(StepRun(step, *found, causes))
        before = numbers
    chip = {name: p for name, p in trace.populations.items() if p.on_chip}
    idle = {name: idle_parts(p.spikes) for name, p in chip.items()}
    found = _answers_and_rates(quantized, trace, readout_steps)
    runs.append(StepRun("deployed", *found, idle))
    return make_waterfall(runs, split.y)


def compare_with_floats(graph, quantized, x):
    """
    Tell how far graded integers go on some data, and how far they are from floats.

    Both start from the same voltages. Payloads may be as large as a register, so that
    those too large for their own width are counted.

    Parameters
    ----------
    graph : SpikingGraph
    quantized : GradedGraph
        The same in integers.
    x : (n_samples, n_steps, size_in) array
        Such as the data that it was quantized with.

    Returns
    -------
    tuple of IntegerRange

    Raises
    ------
    ShapeError
        If ``x`` does not fit the input population.
    EmulateError
        If a sum or state leaves its register.
    """
    widest = quantized.widths.state
    populations = [replace(p, payload_bits=widest) for p in quantized.populations]
    run = emulate.GradedRun(replace(quantized, populations=tuple(populations)))
    names, tally = [p.name for p in populations], run.empty_tally()
    units = {name: _unit(graph, graph.population(name)) for name in names}
    squares = {name: np.zeros(2) for name in names}
    run_floats = run_graph if is_compiled(graph) else run_neurons
    kept = {"record": names, "levels": tally, "at_once": GRADED_AT_ONCE}
    for part, sent in run.pieces(run.checked_input(x), **kept):
        wanted = run_floats(graph, x[part], record=names)
        for p in populations:
            values = units[p.name] * wanted[p.name]
            error = sent[p.name] * p.unit - values
            squares[p.name] += np.square(error).sum(), np.square(values).sum()
    n_samples, n_steps = x.shape[:2]
    n_each = n_samples * n_steps
    errors = {
        p.name: tuple(np.sqrt(squares[p.name] / (n_each * p.n_neurons)).tolist())
        for p in populations
    }
    by_bits = {name: counts[:, :-1] for name, counts in tally.items()}
    return integer_ranges(quantized, run.reached(), by_bits, errors)


def _unit(graph, population):
    """Return what a spike or count stands for, 1 of what sends values."""
    if population.is_hybrid:
        return population.amplitude / (population.omega * graph.dt)
    return 1.0 if population.dynamics is None else population.amplitude


def check_split(split, graph, readout_steps):
    """
    Check that a network can be run on a part of a data set.

    Raises
    ------
    DataError
        If it is no part of a data set, or has no samples.
    ShapeError
        If it does not fit the network.
    """
    x, y = getattr(split, "x", None), getattr(split, "y", None)
    if x is None or y is None:
        raise DataError(
            f"waterfall needs a part of a data set, with x and y, such as data.test; "
            f"got {type(split).__name__}"
        )
    if len(x) == 0:
        raise DataError("waterfall needs at least one sample, got none")
    source = next(p for p in graph.populations if p.activation == "input")
    x, y = np.asarray(x), np.asarray(y)
    wanted = x.ndim == 3 and x.shape[2] == source.n_neurons and y.shape == x.shape[:1]
    if not wanted or x.shape[1] < readout_steps:
        raise ShapeError(
            f"waterfall needs x of shape (n_samples, n_steps, {source.n_neurons}), of "
            f"at least {readout_steps} steps, and y of shape (n_samples,); got "
            f"{x.shape} and {y.shape}"
        )


def chip_numbers(floats, quantized):
    """
    List what the chip computes with, from floats to integers.

    Parameters
    ----------
    floats : ChipNumbers
        What was rounded; see `nengo_hybrid.lower.unrounded`.
    quantized : QuantizedGraph

    Returns
    -------
    dict of str to ChipNumbers
        By step: with resets by a threshold; as the chip's neurons do; with rounded
        weights; and with all that is rounded, but no truncation in a run.
    """
    whole = emulate.whole_numbers(quantized)
    return {
        "one_bit": replace(floats, resets_to_zero=False),
        "reset": floats,
        "weights": replace(floats, weights=whole.weights),
        "compartments": replace(whole, truncates=False),
    }


def _graph_run(step, graph, x, readout_steps, *, rates=False, seed=None):
    """Run the network in floats, some samples at a time."""
    names = [p.name for p in graph.populations if p.is_hybrid]
    # In float32 as the report has it.
    run = GraphRun(graph, rates=rates, dtype=np.float32 if rates else float)
    answers, counts = [], {name: [] for name in names}
    for _, found in run.pieces(run.checked_input(x), seed=seed, record=names):
        answers.append(classify(found[graph.output], readout_steps))
        for name in names:
            counts[name].append(found[name].mean(axis=1, dtype=float))
    rates_of = {name: np.concatenate(parts) for name, parts in counts.items()}
    if rates:
        for name in names:
            p = graph.population(name)
            rates_of[name] *= p.omega * graph.dt / p.amplitude
    return StepRun(step, np.concatenate(answers), rates_of)


def _run_in_parts(quantized, numbers, host_counts, readout_steps):
    """Run the chip in floats; keep answers, rates, and what drove it in all."""
    n_samples, _ = quantized.check_counts(host_counts)
    answers, rates, drives = [], [], []
    for start in range(0, n_samples, AT_ONCE):
        part = {k: counts[start : start + AT_ONCE] for k, counts in host_counts.items()}
        trace, drive = emulate.run_floats(quantized, numbers, part)
        own_answers, own_rates = _answers_and_rates(quantized, trace, readout_steps)
        answers.append(own_answers)
        rates.append(own_rates)
        drives.append(drive)
    joined = {name: np.concatenate([r[name] for r in rates]) for name in rates[0]}
    return (np.concatenate(answers), joined), type(drive)(*np.sum(drives, axis=0))


def _answers_and_rates(quantized, trace, readout_steps):
    rates = {
        name: population.spikes.sum(axis=1, dtype=int) / trace.n_input_steps
        for name, population in trace.populations.items()
        if population.on_chip
    }
    window = readout_steps * quantized.chip_steps
    return classify(trace.output_spikes, window), rates


def _parts(quantized):
    """Return the indices of each population's blocks, and of its compartments."""
    blocks = {}
    for i, block in enumerate(quantized.blocks):
        blocks.setdefault(block.population, []).append(i)
    owner = np.concatenate(
        [np.full(b.n_compartments, i) for i, b in enumerate(quantized.blocks)]
    )
    return {
        n: (part, np.flatnonzero(np.isin(owner, part))) for n, part in blocks.items()
    }


def _wants_more(_, numbers, drive, blocks, own):
    n_spikes = max(1, drive.spikes[own].sum())
    return {"wants_two_spikes": float(drive.wanted[own].sum() / n_spikes)}


def _throws_away(_, numbers, drive, blocks, own):
    """Compare what resets discard with all that led to spikes."""
    above = drive.above[own].sum()
    return {"thrown_away": float(above / max(1, drive.spikes[own].sum() + above))}


def _rounds_weights(before, numbers, drive, blocks, own):
    there, now = _flat(before.weights, blocks), _flat(numbers.weights, blocks)
    n_lost = np.count_nonzero(there) - np.count_nonzero(now)
    return {
        "weight_error": _relative(there, now),
        "weights_to_zero": float(n_lost / max(1, np.count_nonzero(there))),
    }


def _rounds_compartments(before, numbers, drive, blocks, own):
    return {
        "threshold_error": _relative(before.vth[own], numbers.vth[own]),
        "bias_error": _relative(before.bias[own], numbers.bias[own]),
    }


# What each step on the chip does to a population, from the numbers of the step before
# and its own, what drove its run, and which blocks and compartments are asked for.
CAUSES = {
    "one_bit": _wants_more,
    "reset": _throws_away,
    "weights": _rounds_weights,
    "compartments": _rounds_compartments,
}


def _flat(weights, part):
    rows = [w.ravel() for i in part for group in weights[i] for w in group]
    return np.concatenate([np.zeros(0), *rows])


def _relative(before, after):
    """Return the size of a difference, relative to what there was."""
    size = np.linalg.norm(before)
    return float(np.linalg.norm(after - before) / size) if size else 0.0
