"""
How long a time step and an inference take on a target.

A step is over when the slowest core is done, all cores have met at the barrier, and
the host has injected its spikes. Messages travel while cores compute; their time on
the mesh is not added. Nor is the time in which the host computes its own part: what
is left out is named in `LatencyReport.excludes`.
"""

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass

import numpy as np

from nengo_hybrid.estimate.counts import injection_steps
from nengo_hybrid.estimate.run import check_run, published, spike_events

BAND = ("value", "low", "high")
WORK = ("synaptic_op", "neuron_update_active", "neuron_update_inactive")


@dataclass(frozen=True)
class LatencyReport:
    """
    Seconds of the chip per time step and per inference.

    Attributes
    ----------
    step_s, step_low_s, step_high_s : float or None
        Mean over the time steps; None if a time that matters is not published.
    worst_step_s : float or None
        A step in which the busiest core is busiest and the host injects, if it ever
        does: no step takes longer.
    inference_s, inference_low_s, inference_high_s : float or None
        All time steps of a sample.
    compute_s, barrier_s, host_injection_s : float or None
        The parts of ``step_s``.
    bound_by : str or None
        The largest part: "compute", "barrier" or "host_injection".
    slowest_core : tuple of int, or None
        (chip, core) that computes longest; the first of equals.
    excludes : tuple of str
        Work that takes time and is not in the figures.
    """

    step_s: float | None
    step_low_s: float | None
    step_high_s: float | None
    worst_step_s: float | None
    inference_s: float | None
    inference_low_s: float | None
    inference_high_s: float | None
    compute_s: float | None
    barrier_s: float | None
    host_injection_s: float | None
    bound_by: str | None
    slowest_core: tuple | None
    excludes: tuple

    def to_json(self):
        """Return the report in plain JSON types."""
        plain = asdict(self)
        core = None if self.slowest_core is None else list(self.slowest_core)
        return {**plain, "slowest_core": core, "excludes": list(self.excludes)}


def estimate_latency(placement, trace, target):
    """
    Estimate how long the run took on the chip, per step and per inference.

    Parameters
    ----------
    placement : Placement
    trace : Trace
    target : Target

    Returns
    -------
    LatencyReport

    Raises
    ------
    EstimateError, ShapeError
        See `check_run`.
    """
    check_run(placement, trace, target)
    injects = injection_steps(placement, trace)
    compute, worst_compute, slowest_core = _compute_times(placement, trace, target)
    barrier = _barrier_times(placement, target)
    injection = _injection_times(injects.mean(), target)
    step = [_add(*parts) for parts in zip(compute, barrier, injection, strict=True)]
    inference = [None if s is None else s * trace.n_steps for s in step]
    worst_injection = _injection_times(injects.max(), target)
    parts = {
        "compute": compute[0],
        "barrier": barrier[0],
        "host_injection": injection[0],
    }
    host_computes = trace.host_macs_per_step or trace.host_updates_per_step
    return LatencyReport(
        step_s=step[0],
        step_low_s=step[1],
        step_high_s=step[2],
        worst_step_s=_add(worst_compute, barrier[0], worst_injection[0]),
        inference_s=inference[0],
        inference_low_s=inference[1],
        inference_high_s=inference[2],
        compute_s=compute[0],
        barrier_s=barrier[0],
        host_injection_s=injection[0],
        bound_by=None if step[0] is None else max(parts, key=parts.get),
        slowest_core=slowest_core,
        excludes=("host_computation",) if host_computes else (),
    )


def _add(*parts):
    return None if None in parts else sum(parts)


def _compute_times(placement, trace, target):
    """
    Time the slowest core of each step.

    Returns
    -------
    means : list of float or None
        Mean over the steps, for the value, low and high of the times.
    worst : float or None
        The longest step, for the value.
    slowest_core : tuple of int or None
    """
    times = [target.sourced("times", name) for name in WORK]
    missing = [time is None for time in times]
    bands = np.array(
        [[0 if t is None else getattr(t, bound) for t in times] for bound in BAND]
    )
    longest = np.zeros((len(BAND), trace.n_samples, trace.n_steps))
    totals = {}
    for core, work in _work_per_core(placement, trace, target):
        if work[missing].any():
            return [None] * len(BAND), None, None
        seconds = np.tensordot(bands, work, axes=1)
        np.maximum(longest, seconds, out=longest)
        totals[core] = seconds[0].sum()
    means = [float(mean) for mean in longest.mean(axis=(1, 2))]
    return means, float(longest[0].max()), max(totals, key=totals.get)


def _work_per_core(placement, trace, target):
    """
    Count the work of one core after the other, step by step.

    A population's updates are shared between its blocks by their compartments: a
    trace does not tell them apart. Synaptic operations are exact, and counted in
    the step in which the spike is sent.

    Yields
    ------
    core : tuple of int
        (chip, core)
    work : (3, n_samples, n_steps) float array
        Counts in the order of ``WORK``.
    """
    compartments = Counter()
    blocks_on = defaultdict(list)
    for index, block in enumerate(placement.blocks):
        compartments[block.population] += len(block.neurons)
        blocks_on[int(block.chip), int(block.core)].append(index)
    for core, indices in sorted(blocks_on.items()):
        work = np.zeros((len(WORK), trace.n_samples, trace.n_steps))
        for block in (placement.blocks[index] for index in indices):
            population = trace.populations[block.population]
            share = len(block.neurons) / compartments[block.population]
            work[1] += share * np.asarray(population.updates_active)
            work[2] += share * np.asarray(population.updates_inactive)
        for route in placement.routes:
            if route.target in indices:
                spikes = np.asarray(trace.populations[route.population].spikes)
                events = spike_events(spikes[..., route.neurons], target)
                work[0] += events @ np.asarray(route.synapses, np.int64)
        yield core, work


def _barrier_times(placement, target):
    """Interpolate between one tile and all tiles, by the tiles of the fullest chip."""
    one = target.sourced("times", "barrier_one_tile")
    every = target.sourced("times", "barrier_all_tiles")
    if one is None or every is None:
        return [None] * len(BAND)
    cores_per_tile = published(target, "limits", "cores_per_tile")
    n_tiles = published(target, "limits", "mesh_columns") * published(
        target, "limits", "mesh_rows"
    )
    used = {}
    for block in placement.blocks:
        used.setdefault(block.chip, set()).add(block.core // cores_per_tile)
    part = (max(map(len, used.values())) - 1) / max(n_tiles - 1, 1)
    return [
        getattr(one, bound) + part * (getattr(every, bound) - getattr(one, bound))
        for bound in BAND
    ]


def _injection_times(injecting, target):
    """Time the injection of a step, given which part of the steps injects."""
    time = target.sourced("times", "host_injection")
    if injecting == 0:
        return [0.0] * len(BAND)
    if time is None:
        return [None] * len(BAND)
    return [float(injecting) * getattr(time, bound) for bound in BAND]
