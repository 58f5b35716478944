"""
What a network puts on the chip, by shape: `Outline`, before it is split into blocks.

Synapses are told by how many axons reach how many compartments. Where not every axon
reaches every compartment, a `Pattern` says which; weights themselves are not needed.
"""

from dataclasses import dataclass, replace

import numpy as np

CHIP = "chip"
HOST = "host"
TO_CHIP = "host to chip"
TO_HOST = "chip to host"
REMOVED = "removed"
REFUSED = "refused"


@dataclass(frozen=True)
class Seat:
    """
    Where one object of the network runs.

    Attributes
    ----------
    name : str
        Of the object; no two alike.
    kind : str
        "ensemble", "node", "connection" or "probe".
    place : str
        "chip", "host", "host to chip", "chip to host", "removed" or "refused".
    reason : str
        Why there.
    """

    name: str
    kind: str
    place: str
    reason: str


@dataclass(frozen=True)
class Part:
    """
    The compartments that one object brings, before they are split into blocks.

    Attributes
    ----------
    owner : str
        Name of the object.
    n_compartments : int
    shape : tuple of int or None
        Of a block, within ``whole``; None if NengoLoihi chooses.
    whole : tuple of int
        The compartments as an array; (n,), or rows, columns and channels.
    is_ensemble : bool
        Whether a block shape can be set for it.
    """

    owner: str
    n_compartments: int
    shape: tuple | None
    whole: tuple
    is_ensemble: bool


@dataclass(frozen=True)
class Pattern:
    """
    Which compartments each axon reaches.

    Attributes
    ----------
    axons, targets : (n_synapses,) int array
        Sorted by axon.
    labels : (n_synapses,) int array
        Which weight it is: a place in the kernel, or a number of its own.
    values : (n_labels,) int array or None
        Equal numbers for labels of equal weights; None if they are taken to differ.
    n_atoms : int
        Weights of each synapse, one for every channel of what spikes.
    is_shared : bool
        Whether axons share weights, as those of a convolution do.
    """

    axons: np.ndarray
    targets: np.ndarray
    labels: np.ndarray
    values: np.ndarray | None = None
    n_atoms: int = 1
    is_shared: bool = False


@dataclass(frozen=True)
class Inlet:
    """
    Synapses onto a part, with the axons that they listen to.

    Attributes
    ----------
    part : int
        Index into ``Outline.parts``.
    owner : str
        Name of the object that brings them.
    n_axons : int
    pattern : Pattern or None
        None if every axon reaches every compartment.
    weights : (n_axons, n_compartments) array or None
        If every axon reaches every compartment and the weights were given.
    pop_type : int
        0, 16 or 32, as in NengoLoihi.
    weight_bits : int
    is_solved : bool
        Whether a solver makes the weights, of the activities of all neurons.
    """

    part: int
    owner: str
    n_axons: int
    pattern: Pattern | None = None
    weights: np.ndarray | None = None
    pop_type: int = 0
    weight_bits: int = 8
    is_solved: bool = False


@dataclass(frozen=True)
class Wire:
    """
    Axons from a part, or from the host, to an inlet.

    Attributes
    ----------
    source : int or None
        Index into ``Outline.parts``; None if the host injects the spikes.
    owner : str
        Name of the connection.
    inlet : int
        Index into ``Outline.inlets``.
    axon_of : (n_compartments,) int array
        The inlet's axon of each compartment of the source; -1 if it has none.
    n_axons : int
        Before anything is split.
    """

    source: int | None
    owner: str
    inlet: int
    axon_of: np.ndarray
    n_axons: int


@dataclass(frozen=True)
class Outline:
    """
    A network by what it needs of the chip.

    Attributes
    ----------
    seats : tuple of Seat
        One per object of the network, and per connection that replaces others.
    parts : tuple of Part
        In the order in which NengoLoihi builds them.
    inlets : tuple of Inlet
    wires : tuple of Wire
    """

    seats: tuple
    parts: tuple
    inlets: tuple
    wires: tuple

    def with_part(self, number, **changes):
        """Return a copy in which one part is changed."""
        return replace(self, parts=_changed(self.parts, number, changes))

    def with_inlet(self, number, **changes):
        """Return a copy in which one inlet is changed."""
        return replace(self, inlets=_changed(self.inlets, number, changes))

    def with_wire(self, number, **changes):
        """Return a copy in which one wire is changed."""
        return replace(self, wires=_changed(self.wires, number, changes))

    def inlets_of(self, part):
        """Return the numbers of the inlets of a part."""
        return [i for i, inlet in enumerate(self.inlets) if inlet.part == part]


def _changed(items, number, changes):
    changed = replace(items[number], **changes)
    return (*items[:number], changed, *items[number + 1 :])
