"""From a Nengo network to a graph; the only room that reads other people's builders."""

from nengo_hybrid.lower.chip import Timers, build_chip, probe_filter, read_chip
from nengo_hybrid.lower.loihi import check_output, to_loihi, unrounded
from nengo_hybrid.lower.needs import count_needs, count_part, split_shape
from nengo_hybrid.lower.outline import read_outline
from nengo_hybrid.network_graph import to_graph

__all__ = [
    "Timers",
    "build_chip",
    "check_output",
    "count_needs",
    "count_part",
    "probe_filter",
    "read_chip",
    "read_outline",
    "split_shape",
    "to_graph",
    "to_loihi",
    "unrounded",
]
