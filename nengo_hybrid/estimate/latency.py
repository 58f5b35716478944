"""
How long a time step and an inference take on a target.

A step is over when the slowest core is done, all cores have met at the barrier, and
the host has injected its spikes. Messages travel while cores compute; their time on
the mesh is not added. Nor is the time in which the host computes its own part: what
is left out is named in `LatencyReport.excludes`. In real time a step lasts as long as
it is given, whatever it needs.
"""

from dataclasses import asdict, dataclass

import numpy as np

from nengo_hybrid.estimate.check import published
from nengo_hybrid.estimate.counts import injection_steps
from nengo_hybrid.estimate.run import read_run
from nengo_hybrid.estimate.work import WORK, work_per_core
from nengo_hybrid.exceptions import EstimateError

BAND = ("value", "low", "high")
# Where a profile does not mention these, its other times have them.
OPTIONAL_TIMES = ("spike_generation", "message_out")
GIVEN = "given"


@dataclass(frozen=True)
class LatencyReport:
    """
    Seconds of the chip per time step and per inference.

    Attributes
    ----------
    step_s, step_low_s, step_high_s : float or None
        Mean over the time steps, or as given; None if a time that matters is not
        published.
    worst_step_s : float or None
        A step in which the busiest core is busiest and the host injects, if it ever
        does: no step takes longer.
    inference_s, inference_low_s, inference_high_s : float or None
        All time steps of a sample.
    compute_s, barrier_s, host_injection_s : float or None
        The parts of the step that the chip needs.
    bound_by : str or None
        The largest part: "compute", "barrier" or "host_injection"; "given" if the step
        was given, and "shortest_step" if the target takes no shorter one.
    keeps_up : bool or None
        Whether no step takes longer than was given; None if it was not.
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
    keeps_up: bool | None
    slowest_core: tuple | None
    excludes: tuple

    def to_json(self):
        """Return the report in plain JSON types."""
        plain = asdict(self)
        core = None if self.slowest_core is None else list(self.slowest_core)
        return {**plain, "slowest_core": core, "excludes": list(self.excludes)}


def estimate_latency(placement, activity, target, *, step_s=None):
    """
    Estimate how long a run took on the chip, per step and per inference.

    Parameters
    ----------
    placement : Placement
    activity : Trace or Rates
    target : Target
    step_s : float
        Seconds of a step in real time; by default steps follow as fast as they can.

    Returns
    -------
    LatencyReport

    Raises
    ------
    EstimateError, ShapeError
        See `nengo_hybrid.estimate.run.read_run`; or if ``step_s`` is not above 0.
    """
    run = read_run(placement, activity, target)
    return time_run(placement, run, target, step_s=step_s)


def time_run(placement, run, target, *, step_s=None):
    """Time a `Run`; see `estimate_latency`."""
    if step_s is not None and not 0 < step_s < np.inf:
        raise EstimateError(f"step_s is {step_s}; needed seconds above 0, or None")
    injects = injection_steps(placement, run)
    compute, worst_compute, slowest_core = _compute_times(placement, run, target)
    barrier = _barrier_times(placement, target)
    injection = _injection_times(injects.mean(), target)
    parts = {"compute": compute, "barrier": barrier, "host_injection": injection}
    needed, bound_by = _step_times(parts, target)
    worst_injection = _injection_times(injects.max() > 0, target)[0]
    worst = _at_least_shortest(_add(worst_compute, barrier[0], worst_injection), target)
    step = needed if step_s is None else [step_s] * len(BAND)
    inference = [None if s is None else s * run.n_steps for s in step]
    keeps_up = None if worst is None or step_s is None else worst <= step_s
    return LatencyReport(
        step_s=step[0],
        step_low_s=step[1],
        step_high_s=step[2],
        worst_step_s=worst,
        inference_s=inference[0],
        inference_low_s=inference[1],
        inference_high_s=inference[2],
        **{f"{name}_s": times[0] for name, times in parts.items()},
        bound_by=bound_by if step_s is None else GIVEN,
        keeps_up=keeps_up,
        slowest_core=slowest_core,
        excludes=("host_computation",) if run.host_macs or run.host_updates else (),
    )


def _step_times(parts, target):
    """Return what a step needs, for each of ``BAND``, and which part is largest."""
    sums = [_add(*times) for times in zip(*parts.values(), strict=True)]
    needed = [_at_least_shortest(s, target) for s in sums]
    if None in needed:
        return [None] * len(BAND), None
    if needed[0] > sums[0]:
        return needed, "shortest_step"
    return needed, max(parts, key=lambda name: parts[name][0])


def _at_least_shortest(seconds, target):
    shortest = target.times.get("shortest_step")
    if seconds is None or shortest is None:
        return seconds
    return max(seconds, shortest.in_si().value)


def _add(*parts):
    return None if None in parts else sum(parts)


def _compute_times(placement, run, target):
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
    mentioned = [n for n in WORK if n in target.times or n not in OPTIONAL_TIMES]
    times = {name: target.sourced("times", name) for name in mentioned}
    missing = [name in times and times[name] is None for name in WORK]
    bands = np.array(
        [
            [0 if times.get(n) is None else getattr(times[n], bound) for n in WORK]
            for bound in BAND
        ]
    )
    longest = np.zeros((len(BAND), *run.shape))
    totals = {}
    for core, work in work_per_core(placement, run):
        if work[missing].any():
            return [None] * len(BAND), None, None
        seconds = np.tensordot(bands, work, axes=1)
        np.maximum(longest, seconds, out=longest)
        totals[core] = seconds[0].sum()
    means = [float(mean) for mean in longest.mean(axis=(1, 2))]
    return means, float(longest[0].max()), max(totals, key=totals.get)


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
