"""Count what a run did on a target, and price it in joules and seconds."""

from nengo_hybrid.estimate.compare import Comparison, compare_dense, compare_model
from nengo_hybrid.estimate.counts import DenseCounts, OpCounts, count_dense, count_ops
from nengo_hybrid.estimate.detail import CountDetail, count_detail
from nengo_hybrid.estimate.energy import (
    ACCOUNTINGS,
    EnergyReport,
    EnergyTerm,
    estimate_energy,
)
from nengo_hybrid.estimate.inference import Estimate, estimate
from nengo_hybrid.estimate.latency import LatencyReport, estimate_latency
from nengo_hybrid.estimate.neurobench import NeuroBenchMetrics, neurobench_metrics
from nengo_hybrid.estimate.rates import Rates

__all__ = [
    "ACCOUNTINGS",
    "Comparison",
    "CountDetail",
    "DenseCounts",
    "EnergyReport",
    "EnergyTerm",
    "Estimate",
    "LatencyReport",
    "NeuroBenchMetrics",
    "OpCounts",
    "Rates",
    "compare_dense",
    "compare_model",
    "count_dense",
    "count_detail",
    "count_ops",
    "estimate",
    "estimate_energy",
    "estimate_latency",
    "neurobench_metrics",
]
