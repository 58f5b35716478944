"""
The chip's compartments in floats, with rounded parameters or without: `run_floats`.

The steps and their order are those of `nengo_hybrid.emulate.kernel`. Up to 2**53 a
float is exact where it is whole, and so is a part in 4096ths: on the integers of a
graph, truncated, the spikes are the emulator's. Registers do not overflow here.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numba
import numpy as np

from nengo_hybrid.chip_numbers import ChipNumbers
from nengo_hybrid.emulate.layout import (
    SCATTERED,
    START,
    STOP,
    TARGET,
    lay_out,
    lay_out_graph,
    per_compartment,
)
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.trace import make_trace, signed_spikes


class Drive(NamedTuple):
    """
    What drove the compartments, (n_compartments,) arrays over all samples and steps.

    Attributes
    ----------
    spikes, wanted : int64 array
        Spikes, and those at which the voltage was of two thresholds or more.
    above : array
        Sum of what a voltage had above its threshold at a spike, in thresholds.
    below : array
        Sum of what was cut at the lowest voltage, in thresholds.
    """

    spikes: np.ndarray
    wanted: np.ndarray
    above: np.ndarray
    below: np.ndarray


def whole_numbers(graph):
    """
    Return the integers of a graph as `ChipNumbers`, truncated as the chip does.

    Parameters
    ----------
    graph : QuantizedGraph

    Returns
    -------
    ChipNumbers
    """
    names = "vth", "bias", "vmin", "vmax"
    return ChipNumbers(
        weights=tuple(
            tuple(tuple(w.astype(float) for w in s.weights) for s in block.synapses)
            for block in graph.blocks
        ),
        input_gain=np.ones(graph.n_compartments),
        # The register offset of 1 is in the current's decay only.
        keep_u=(4095 - per_compartment(graph, "decay_u")) / 4096,
        keep_v=(4096 - per_compartment(graph, "decay_v")) / 4096,
        **{name: per_compartment(graph, name).astype(float) for name in names},
        truncates=True,
    )


def run_floats(graph, numbers, host_counts, *, target_sha256="", seed=0):
    """
    Run the chip part of a graph in floats.

    Parameters
    ----------
    graph : QuantizedGraph
        Its inputs, blocks and axons; of its integers only the refractory delays.
    numbers : ChipNumbers
        To compute with.
    host_counts : dict of str to (n_samples, n_steps, n_neurons) int array
        What the host computed: spike counts of every injected population.
    target_sha256 : str
        Digest of the target, for the record.
    seed : int
        Of the host's initial voltages, for the record.

    Returns
    -------
    Trace
        Of the backend "floats".
    Drive

    Raises
    ------
    ShapeError
        If the counts do not fit the graph.
    EmulateError
        If the graph learns on the chip or has noise.
    """
    _check(graph)
    lines = graph.inject(host_counts)
    every_line = np.concatenate([lines[i.name] for i in graph.inputs], axis=2)
    n_samples, n_steps = every_line.shape[:2]
    spikes = np.zeros((n_samples, n_steps, graph.n_compartments), np.int8)
    active = np.zeros((n_samples, n_steps, len(graph.blocks)), np.int32)
    layout, weights = lay_out_graph(graph)[0], _flat_weights(graph, numbers)
    ends = np.append(graph.block_starts[1:], graph.n_compartments)
    delays = per_compartment(graph, "refract_delay")
    n_threads = os.cpu_count()

    def run(own):
        drive = np.zeros((4, graph.n_compartments))
        part = slice(own, None, n_threads)
        arrays = every_line[part], spikes[part], active[part], drive
        _run(layout, delays, ends, weights, *_arrays(numbers), *arrays)
        return drive

    with ThreadPoolExecutor(n_threads) as pool:
        drive = Drive(*sum(pool.map(run, range(n_threads))))
    record = {"backend": "floats", "target_sha256": target_sha256, "seed": seed}
    trace = make_trace(graph, signed_spikes(graph, lines), spikes, active, **record)
    return trace, drive


def _check(graph):
    noisy = any(block.noise is not None for block in graph.blocks)
    if graph.learns or noisy:
        raise EmulateError(
            f"run_floats needs a graph without learning and noise on the chip, got one "
            f"with {'learning' if graph.learns else 'noise'}; run it on the emulator"
        )


def _flat_weights(graph, numbers):
    """Return the weights where the graph's layout has its integers."""
    groups = (
        replace(group, weights=rows)
        for block, of_block in zip(graph.blocks, numbers.weights, strict=True)
        for group, rows in zip(block.synapses, of_block, strict=True)
    )
    return np.concatenate([np.zeros(0), *(lay_out(group, 0)[1] for group in groups)])


def _arrays(numbers):
    names = "input_gain", "keep_u", "keep_v", "vth", "bias", "vmin", "vmax"
    arrays = tuple(np.asarray(getattr(numbers, name), dtype=float) for name in names)
    return arrays, numbers.truncates, numbers.resets_to_zero


@numba.njit(nogil=True, cache=True)
def _run(
    layout,
    delays,
    ends,
    weights,
    numbers,
    truncates,
    to_zero,
    lines,
    spikes,
    active,
    drive,
):
    """Run some samples; fill ``spikes`` and ``active``, and add to ``drive``."""
    gain, keep_u, keep_v, vth, bias, vmin, vmax = numbers
    n, n_lines = vth.size, lines.shape[2]
    n_spikes, wanted, above, below = drive
    for sample in range(lines.shape[0]):
        u, v, arriving = np.zeros(n), np.zeros(n), np.zeros(n)
        waiting, sent = np.zeros(n, np.int64), np.zeros(n_lines + n, np.int64)
        for step in range(lines.shape[1]):
            arriving[:] = 0
            _deliver(layout, weights, sent, arriving)
            block = 0
            for c in range(n):
                current, voltage = u[c] * keep_u[c], v[c] * keep_v[c]
                if truncates:
                    current, voltage = np.trunc(current), np.trunc(voltage)
                u[c] = current + gain[c] * arriving[c]
                free = voltage + (u[c] + bias[c])
                voltage = min(max(free, vmin[c]), vmax[c])
                voltage = 0.0 if waiting[c] > 0 else voltage
                spiked = voltage > vth[c]
                below[c] += max(vmin[c] - free, 0.0) / vth[c]
                if spiked:
                    n_spikes[c] += 1
                    wanted[c] += voltage >= 2 * vth[c]
                    above[c] += voltage / vth[c] - 1
                    voltage = 0.0 if to_zero else voltage - vth[c]
                    waiting[c] = delays[c]
                waiting[c] = max(waiting[c] - 1, 0)
                v[c], spikes[sample, step, c], sent[n_lines + c] = (
                    voltage,
                    spiked,
                    spiked,
                )
                while c >= ends[block]:
                    block += 1
                active[sample, step, block] += u[c] != 0 or voltage != 0 or spiked
            for i in range(n_lines):
                sent[i] = lines[sample, step, i]


@numba.njit(nogil=True, cache=True)
def _deliver(layout, weights, sent, arriving):
    """Add the weights behind sources that sent, as often as they did."""
    for group in range(layout.first_projection.size - 1):
        first, last = (
            layout.first_projection[group],
            layout.first_projection[group + 1],
        )
        for s in range(layout.first_source[group], layout.first_source[group + 1]):
            if sent[s] == 0:
                continue
            for p in range(first, last):
                segment = layout.segments[layout.first_segment[p] + s]
                start, target = np.int64(segment[START]), np.int64(segment[TARGET])
                n = np.int64(segment[STOP]) - start
                if layout.kind[p] == SCATTERED:
                    for j in range(n):
                        c = target + layout.indices[start + j]
                        arriving[c] += sent[s] * weights[start + j]
                else:
                    for j in range(n):
                        arriving[target + j] += sent[s] * weights[start + j]
