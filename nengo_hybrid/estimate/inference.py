"""The whole estimate of a run: counts, energy, latency and comparisons."""

from dataclasses import dataclass

from nengo_hybrid.estimate.compare import compare_dense, compare_energy, compare_model
from nengo_hybrid.estimate.counts import OpCounts, count_run
from nengo_hybrid.estimate.energy import EnergyReport, estimate_energy
from nengo_hybrid.estimate.latency import LatencyReport, time_run
from nengo_hybrid.estimate.run import read_run
from nengo_hybrid.exceptions import EstimateError
from nengo_hybrid.targets import Target, load_target


@dataclass(frozen=True)
class Estimate:
    """What an inference takes on ``target``; ``compare`` is what it takes elsewhere."""

    target: str
    counts: OpCounts
    energy: EnergyReport
    latency: LatencyReport
    compare: tuple

    def to_json(self):
        """Return counts, energy, latency and compare in plain JSON types."""
        return {
            "counts": self.counts.to_json(),
            "energy": self.energy.to_json(),
            "latency": self.latency.to_json(),
            "compare": [row.to_json() for row in self.compare],
        }


def estimate(placement, activity, target, *, dense=None, compare=(), step_s=None):
    """
    Estimate the energy and time of an inference from a run, or from rates.

    Parameters
    ----------
    placement : Placement
    activity : Trace, GradedTrace or Rates
        A run of this placement, of which each sample is one inference; or what an
        inference is expected to do.
    target : Target
        Of kind "neuromorphic", and of the chip that was run.
    dense : DenseCounts
        The network on a processor; see `count_dense`.
    compare : sequence of Target, str or os.PathLike
        Processors, models and other profiles of the same chip to compare with.
    step_s : float
        Seconds of a step in real time; by default steps follow as fast as they can.

    Returns
    -------
    Estimate

    Raises
    ------
    EstimateError
        If the three do not belong together, or a comparison lacks ``dense``.
    ShapeError
        If their arrays disagree about a size.
    TargetError
        If a profile cannot be loaded.
    """
    run = read_run(placement, activity, target)
    counts = count_run(placement, run, target)
    latency = time_run(placement, run, target, step_s=step_s)
    energy = estimate_energy(counts, target, n_chips=placement.n_chips, latency=latency)
    rows = []
    for other in (t if isinstance(t, Target) else load_target(t) for t in compare):
        if other.kind == "processor":
            rows += compare_dense(_needed(dense, other), other)
        elif other.kind == "model":
            rows.append(compare_model(counts, other, step_s=step_s))
        elif other.chip == target.chip:
            again = estimate(placement, activity, other, step_s=step_s)
            rows.append(compare_energy(again.energy, other))
        else:
            raise EstimateError(
                f"target '{other.name}' cannot be compared with by prices alone; "
                "map the network onto it, run it, and estimate that"
            )
    return Estimate(target.name, counts, energy, latency, tuple(rows))


def _needed(dense, target):
    if dense is None:
        raise EstimateError(
            f"comparing with processor '{target.name}' needs the network as dense "
            "rates; pass dense=count_dense(graph, n_steps)"
        )
    return dense
