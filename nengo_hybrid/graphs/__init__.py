"""
What is deployed: `SpikingGraph` in floats; in integers `QuantizedGraph`, `GradedGraph`.

Types of their own, so that float or integer is never in doubt. All are values: stages
return new ones and never edit them.
"""

from nengo_hybrid.graphs.blocks import BlockGraph, BlockNeeds
from nengo_hybrid.graphs.content import digest
from nengo_hybrid.graphs.graded import GradedGraph, GradedPopulation, GradedProjection
from nengo_hybrid.graphs.programs import PROGRAMS, Program, Widths
from nengo_hybrid.graphs.quantized import (
    AxonGroup,
    Block,
    Learning,
    Noise,
    Probe,
    QuantizedGraph,
    SpikeInput,
    SynapseGroup,
)
from nengo_hybrid.graphs.spiking import (
    Convolution,
    Dynamics,
    Population,
    Projection,
    SpikingGraph,
)

__all__ = [
    "PROGRAMS",
    "AxonGroup",
    "Block",
    "BlockGraph",
    "BlockNeeds",
    "Convolution",
    "Dynamics",
    "GradedGraph",
    "GradedPopulation",
    "GradedProjection",
    "Learning",
    "Noise",
    "Population",
    "Probe",
    "Program",
    "Projection",
    "QuantizedGraph",
    "SpikeInput",
    "SpikingGraph",
    "SynapseGroup",
    "Widths",
    "digest",
]
