"""Count what a run did on a target, and price it in joules and seconds."""

from nengo_hybrid.estimate.compare import Comparison, compare_dense, compare_model
from nengo_hybrid.estimate.counts import DenseCounts, OpCounts, count_dense, count_ops
from nengo_hybrid.estimate.energy import EnergyReport, EnergyTerm, estimate_energy
from nengo_hybrid.estimate.inference import Estimate, estimate
from nengo_hybrid.estimate.latency import LatencyReport, estimate_latency

__all__ = [
    "Comparison",
    "DenseCounts",
    "EnergyReport",
    "EnergyTerm",
    "Estimate",
    "LatencyReport",
    "OpCounts",
    "compare_dense",
    "compare_model",
    "count_dense",
    "count_ops",
    "estimate",
    "estimate_energy",
    "estimate_latency",
]
