"""
What is to be placed, block by block: `BlockNeeds`, `BlockGraph`.

A block is described by what it needs of a core and by the ways its spikes take, not
by its synapses, so that a million neurons with a hundred million synapses stay small.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BlockNeeds:
    """
    What the compartments of one block need of the core that they share.

    Attributes
    ----------
    name : str
    population : str
    neurons : (n,) int array
        Indices within that population of the block's neurons.
    compartments, input_axons, output_axons, synapse_bits : int
        As in `nengo_hybrid.placement.Utilization`, without the limits.
    """

    name: str
    population: str
    neurons: np.ndarray
    compartments: int
    input_axons: int
    output_axons: int
    synapse_bits: int


@dataclass(frozen=True)
class BlockGraph:
    """
    A network as the blocks that a target holds, and the ways between them.

    Attributes
    ----------
    target : str
        Name of the target whose formats the needs were counted in.
    blocks : tuple of BlockNeeds
    routes : tuple of nengo_hybrid.placement.Route
        Whose ``source`` and ``target`` are indices into ``blocks``.
    """

    target: str
    blocks: tuple
    routes: tuple
