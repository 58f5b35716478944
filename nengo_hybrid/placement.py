"""Where a graph sits on a target: `Placement`, `Utilization`, `Route`."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import ShapeError


@dataclass(frozen=True)
class Utilization:
    """What one core uses, each as (used, limit); None if there is no fixed limit."""

    compartments: tuple
    input_axons: tuple
    output_axons: tuple
    synapse_bits: tuple

    def fractions(self):
        """Return used / limit by name, of what has a limit."""
        return {
            name: used / limit
            for name, (used, limit) in vars(self).items()
            if limit is not None
        }


@dataclass(frozen=True)
class PlacedBlock:
    """A block on its core. ``neurons`` index into ``population``."""

    name: str
    population: str
    neurons: np.ndarray
    chip: int
    core: int
    utilization: Utilization


@dataclass(frozen=True)
class Route:
    """
    The way of spikes from a block, or from the host, to one block.

    Attributes
    ----------
    population : str
        Population that spikes.
    neurons : (n,) int array
        Indices within that population of the neurons of this route.
    source : int or None
        Index into ``Placement.blocks``; None if the host injects the spikes.
    target : int
        Index into ``Placement.blocks``.
    messages : (n,) int array
        Spike messages on the mesh for each spike.
    synapses : (n,) int array
        Stored synapses behind each spike: synaptic operations a spike causes.
    """

    population: str
    neurons: np.ndarray
    source: int | None
    target: int
    messages: np.ndarray
    synapses: np.ndarray


@dataclass(frozen=True)
class Placement:
    """Which core each block has, and which way each spike goes."""

    target: str
    blocks: tuple
    routes: tuple

    @property
    def n_chips(self):
        return len({block.chip for block in self.blocks})

    @property
    def n_cores(self):
        return len({(block.chip, block.core) for block in self.blocks})

    def cores(self):
        """
        Sum what the blocks of each core use of it.

        Returns
        -------
        dict of (int, int) to Utilization
            By (chip, core), sorted; only cores in use.
        """
        found = {}
        for block in self.blocks:
            found.setdefault((block.chip, block.core), []).append(block.utilization)
        return {at: _summed(found[at]) for at in sorted(found)}

    def worst_core(self):
        """Return the largest used / limit over the cores, by limit."""
        fractions = [core.fractions() for core in self.cores().values()]
        return {name: max(f[name] for f in fractions) for name in fractions[0]}


def _summed(utilizations):
    """Add up what several blocks use of the core that they share."""
    return Utilization(
        **{
            name: (sum(getattr(u, name)[0] for u in utilizations), most)
            for name, (_, most) in vars(utilizations[0]).items()
        }
    )


def check_placement(graph, placement):
    """
    Check that a placement is of this graph.

    Raises
    ------
    ShapeError
        If it has another number of blocks.
    """
    if len(placement.blocks) != len(graph.blocks):
        raise ShapeError(
            f"the placement has {len(placement.blocks)} blocks, the graph has "
            f"{len(graph.blocks)}; place this graph first"
        )
