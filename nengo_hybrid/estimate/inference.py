"""The whole estimate of a run: counts, energy, latency and comparisons."""

from dataclasses import dataclass

from nengo_hybrid.estimate.compare import compare_dense, compare_model
from nengo_hybrid.estimate.counts import OpCounts, count_ops
from nengo_hybrid.estimate.energy import EnergyReport, estimate_energy
from nengo_hybrid.estimate.latency import LatencyReport, estimate_latency
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


def estimate(placement, trace, target, *, dense=None, compare=()):
    """
    Estimate the energy and time of an inference from a run.

    Parameters
    ----------
    placement : Placement
    trace : Trace
        A run of this placement; each sample is one inference.
    target : Target
        Of kind "neuromorphic", and of the name the trace has.
    dense : DenseCounts
        The network on a processor; see `count_dense`.
    compare : sequence of Target, str or os.PathLike
        Processors and models to compare with.

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
    counts = count_ops(placement, trace, target)
    latency = estimate_latency(placement, trace, target)
    energy = estimate_energy(counts, target, n_chips=placement.n_chips, latency=latency)
    others = (t if isinstance(t, Target) else load_target(t) for t in compare)
    rows = tuple(_compare_with(other, counts, dense) for other in others)
    return Estimate(target.name, counts, energy, latency, rows)


def _compare_with(target, counts, dense):
    if target.kind == "model":
        return compare_model(counts, target)
    if target.kind != "processor":
        raise EstimateError(
            f"target '{target.name}' cannot be compared with by prices alone; "
            "map the network onto it, run it, and estimate that"
        )
    if dense is None:
        raise EstimateError(
            f"comparing with processor '{target.name}' needs the network as dense "
            "rates; pass dense=count_dense(graph, n_steps)"
        )
    return compare_dense(dense, target)
