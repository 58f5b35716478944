"""A network as a target runs it, and what was found out about it: `Deployed`."""

from dataclasses import dataclass, field

import numpy as np

from nengo_hybrid.chip_numbers import ChipNumbers
from nengo_hybrid.graded_trace import GradedTrace
from nengo_hybrid.graphs import GradedGraph, QuantizedGraph, SpikingGraph
from nengo_hybrid.placement import Placement
from nengo_hybrid.targets import Target
from nengo_hybrid.trace import Trace


@dataclass(frozen=True)
class ChipRun:
    """
    A run of a deployed network on some samples of a data set.

    Attributes
    ----------
    trace : Trace or GradedTrace
    answers : (n_samples,) int array
    figures : dict
        What a report says of the run: plain values and arrays.
    """

    trace: Trace | GradedTrace = field(repr=False)
    answers: np.ndarray = field(repr=False)
    figures: dict = field(repr=False)


@dataclass(frozen=True)
class Deployed:
    """
    A trained network as a target runs it, and what was found out about it so far.

    Attributes
    ----------
    graph : SpikingGraph
        The network in floats.
    quantized : QuantizedGraph or GradedGraph
        The same in integers, with the host's part.
    placement : Placement
    target : Target
    floats : ChipNumbers or None
        What was rounded to the chip's integers; None with graded spikes.
    about : dict
        Where the network comes from, as in `nengo_hybrid.bundle.Bundle`.
    run : ChipRun or None
    estimate : dict or None
        Plain values, as `nengo_hybrid.estimate.Estimate.to_json` gives them.
    ranges : tuple of IntegerRange, optional
        With graded spikes, how far integers go on the calibration data; None in files
        of before.
    """

    graph: SpikingGraph = field(repr=False)
    quantized: QuantizedGraph | GradedGraph = field(repr=False)
    placement: Placement = field(repr=False)
    target: Target
    floats: ChipNumbers | None = field(default=None, repr=False)
    about: dict = field(default_factory=dict, repr=False)
    run: ChipRun | None = None
    estimate: dict | None = field(default=None, repr=False)
    ranges: tuple | None = field(default=None, repr=False)

    @property
    def is_graded(self):
        """Whether the spikes of its target carry a payload."""
        return isinstance(self.quantized, GradedGraph)
