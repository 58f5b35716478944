"""Compare our emulator with what the machine can do, and see how its cost grows."""

import os
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from chip_models import scaling, set_activity
from measure import seconds, spread
from networks import random_spikes

# isort: split
from nengo_hybrid.emulate import Emulator
from nengo_hybrid.lower import read_chip

ROW = 1000
DRAM_BYTES, L2_BYTES = 2**28, 2**19
# Compartments times steps of a timed run: what surrounds a call weighs little.
UPDATES = 2_000_000
FAN_OUT, MORE_FAN_OUT = 100, 400
ACTIVITIES = 0.01, 0.05, 0.2, 0.5


@numba.njit(nogil=True, cache=True)
def add_rows(weights, sums, n_times):
    """Add rows of 16 bits to sums of 32: delivery without events or compartments."""
    for _ in range(n_times):
        for row in range(weights.shape[0]):
            for j in range(sums.size):
                sums[j] += weights[row, j]


def measure_bandwidth(scale):
    """
    Measure how fast weights can be read and added, in DRAM and in the L2 cache.

    Returns
    -------
    dict
        Synaptic operations a second that memory allows, of 2 bytes each, in one
        thread and in all; and the bytes a second of a plain copy, read and written.
    """
    figures = {}
    for name, n_bytes in (("dram", DRAM_BYTES), ("l2", L2_BYTES)):
        for n_threads in sorted({1, os.cpu_count()}):
            rates = [_add_rate(n_bytes, n_threads) for _ in range(scale.n_repetitions)]
            figures[f"{name}_{n_threads}_ops_per_s"] = spread(rates)
    source = np.ones(DRAM_BYTES // 8)
    target = np.empty_like(source)
    copies = [
        seconds(np.copyto, target, source) for _ in range(scale.n_repetitions + 1)
    ]
    figures["copy_bytes_per_s"] = spread(2 * DRAM_BYTES / s for s in copies[1:])
    return figures


def _add_rate(n_bytes, n_threads):
    """Return additions a second; each thread has its own weights of this size."""
    n_bytes = n_bytes // n_threads if n_bytes == DRAM_BYTES else n_bytes
    shape = n_bytes // (2 * ROW), ROW
    parts = [
        (np.ones(shape, np.int16), np.zeros(ROW, np.int32)) for _ in range(n_threads)
    ]
    add_rows(parts[0][0][:1], parts[0][1], 1)
    n_times = max(1, DRAM_BYTES // n_bytes // n_threads)
    with ThreadPoolExecutor(n_threads) as pool:

        def run():
            list(pool.map(lambda part: add_rows(*part, n_times), parts))

        run()
        return n_times * sum(weights.size for weights, _ in parts) / seconds(run)


def measure_scaling(scale, report):
    """
    Time recurrent networks of several sizes, and fit what a step costs.

    A quarter of the spikes through four times the synapses make as many operations:
    if stored synapses cost nothing, neither costs more.

    Returns
    -------
    dict
        ``rows``; ``fit`` over those with ``FAN_OUT`` synapses, and by size;
        ``fit_with_spikes`` over all; ``same_events``.
    """
    rows = []
    for n_neurons in scale.sizes:
        for fan_out in (FAN_OUT, MORE_FAN_OUT):
            if fan_out == MORE_FAN_OUT and n_neurons > scale.largest_dense:
                continue
            report(f"scaling: {n_neurons:,} neurons, {fan_out} synapses each")
            rows += _time_activities(n_neurons, fan_out, scale.n_repetitions)
    few = [row for row in rows if row["fan_out"] == FAN_OUT]
    sizes = dict.fromkeys(row["n_neurons"] for row in few)
    by_size = {n: fit([r for r in few if r["n_neurons"] == n]) for n in sizes}
    return {
        "rows": rows,
        "fit": fit(few),
        "fit_by_size": by_size,
        "fit_with_spikes": fit(rows, ("compartment", "synaptic_op", "spike")),
        "same_events": list(_same_events(rows)),
    }


def _time_activities(n_neurons, fan_out, n_repetitions):
    model = scaling(n_neurons, fan_out=fan_out)
    emulator = Emulator(read_chip(model), 1, seed=0, n_threads=1)
    stored = int(emulator.program.weights.size)
    for activity in ACTIVITIES:
        # As many operations as FAN_OUT synapses at this activity would cause.
        share = activity * FAN_OUT / fan_out
        set_activity(model, share)
        # Laying out millions of synapses anew would take seconds.
        biases = [block.compartment.bias for block in model.blocks]
        program = emulator.program
        program.bias[program.slots] = np.concatenate(biases)
        times, spikes, sent = _time_runs(emulator, share, n_repetitions)
        yield {
            "n_neurons": n_neurons,
            "fan_out": fan_out,
            "n_synapses_stored": stored,
            "asked_activity": share,
            "activity": spikes / n_neurons,
            "compartments_per_step": n_neurons,
            "spikes_per_step": spikes + sent,
            "synaptic_ops_per_step": fan_out * (spikes + sent),
            "seconds_per_step": spread(times),
            **_per_event(min(times), n_neurons, fan_out * (spikes + sent)),
        }


def _per_event(time, n_neurons, operations):
    return {
        "ns_per_compartment": 1e9 * time / n_neurons,
        "ns_per_synaptic_op": 1e9 * time / operations,
    }


def _time_runs(emulator, activity, n_repetitions):
    """Time steps in the steady state; count a step's spikes, of neurons and lines."""
    n_steps = max(10, UPDATES // emulator.graph.n_compartments)
    emulator.reset(0)
    lines = random_spikes(1, n_steps, emulator.graph.n_lines, activity=activity)
    lines = lines.astype(np.int16)
    quiet = np.zeros((1, int(2 / activity), emulator.graph.n_lines), np.int16)
    emulator.run(quiet)
    times, n_spikes = [], 0
    for _ in range(n_repetitions):
        record = emulator.new_record(1, n_steps, bin_steps=n_steps)
        times.append(seconds(lambda r=record: emulator.advance(lines, r)) / n_steps)
        n_spikes += int(record.spikes.sum())
    return times, n_spikes / n_repetitions / n_steps, lines.sum() / n_steps


def fit(rows, events=("compartment", "synaptic_op")):
    """
    Fit a step's time as a sum of what each event costs, by least squares.

    Errors count relative to the time, since times span orders of magnitude. Of the
    repetitions the fastest counts, since whatever disturbs one only slows it down.
    """
    times = np.array([row["seconds_per_step"]["low"] for row in rows])
    counts = np.array([[row[f"{name}s_per_step"] for name in events] for row in rows])
    found = np.linalg.lstsq(counts / times[:, None], np.ones(len(times)), rcond=None)[0]
    errors = counts @ found / times - 1
    return {
        **{f"ns_per_{n}": 1e9 * float(x) for n, x in zip(events, found, strict=True)},
        "largest_relative_error": float(abs(errors).max()),
    }


def _same_events(rows):
    """Compare pairs with as many operations, and four times the stored synapses."""
    found = {(r["n_neurons"], r["fan_out"], r["asked_activity"]): r for r in rows}
    for (n_neurons, fan_out, activity), row in found.items():
        many = found.get((n_neurons, MORE_FAN_OUT, activity * FAN_OUT / MORE_FAN_OUT))
        if fan_out != FAN_OUT or many is None:
            continue
        yield {
            "n_neurons": n_neurons,
            "activity": activity,
            "times_the_operations": many["synaptic_ops_per_step"]
            / row["synaptic_ops_per_step"],
            "times_the_stored_synapses": many["n_synapses_stored"]
            / row["n_synapses_stored"],
            "times_the_time": many["seconds_per_step"]["low"]
            / row["seconds_per_step"]["low"],
        }
