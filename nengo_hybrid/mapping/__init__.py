"""From blocks to cores: which chip and core each block has, and the ways of spikes."""

from nengo_hybrid.mapping.blocks import routes, to_blocks
from nengo_hybrid.mapping.cost import HopCost, hop_cost
from nengo_hybrid.mapping.graded import graded_blocks
from nengo_hybrid.mapping.limits import breaks_core_limits, utilization
from nengo_hybrid.mapping.mapper import place

__all__ = [
    "HopCost",
    "breaks_core_limits",
    "graded_blocks",
    "hop_cost",
    "place",
    "routes",
    "to_blocks",
    "utilization",
]
