"""What a check of a network against a target found: `Checkup`, its rows and fixes."""

from dataclasses import dataclass

from nengo_hybrid.placement import Utilization


@dataclass(frozen=True)
class Row:
    """
    One object of the network.

    Attributes
    ----------
    name, kind, place, reason : str
        As in `nengo_hybrid.outline.Seat`.
    n_blocks : int
        Blocks of its own, each of which takes a core.
    used : Utilization or None
        The most that one of its blocks uses, limit by limit; of an object without
        blocks, what it adds to the block of another where it adds most. None if it
        uses nothing of the chip.
    """

    name: str
    kind: str
    place: str
    reason: str
    n_blocks: int
    used: Utilization | None


@dataclass(frozen=True)
class Breach:
    """
    A limit that blocks of an object exceed.

    Attributes
    ----------
    name : str
        Of the object.
    limit : str
        Name of an attribute of `Utilization`.
    used, available : int
        Of the block that needs most.
    n_blocks : int
        Blocks of the object that exceed it.
    words : str
    """

    name: str
    limit: str
    used: int
    available: int
    n_blocks: int
    words: str


@dataclass(frozen=True)
class Change:
    """
    One change to a network.

    Attributes
    ----------
    name : str
        Of the object to change.
    kind : str
        "block shape", "pop_type", "sparse weights", "fewer inputs", "fewer neurons",
        "weight bits" or "on_chip".
    words : str
        What to do.
    value : int or tuple or bool
        The shape of a block and of the whole; the inputs of a block and the blocks;
        the inputs, neurons or bits; or the setting.
    """

    name: str
    kind: str
    words: str
    value: object


@dataclass(frozen=True)
class Fix:
    """
    Changes with which a network fits, as counted with all of them made.

    Attributes
    ----------
    changes : tuple of Change
        None of which can be left out.
    n_cores : int
        That the network takes then.
    """

    changes: tuple
    n_cores: int


@dataclass(frozen=True)
class Checkup:
    """
    Whether a network fits a target, why not, and what would make it fit.

    Attributes
    ----------
    target : str
    rows : tuple of Row
    n_cores, n_chips : int
        Of the network as it is; a core for each block.
    refusals : tuple of str
        What NengoLoihi's builder cannot build, object by object.
    breaches : tuple of Breach
    fix : Fix or None
        The smallest; None if none is needed, or none was found.
    other_fixes : tuple of Fix
    """

    target: str
    rows: tuple
    n_cores: int
    n_chips: int
    refusals: tuple
    breaches: tuple
    fix: Fix | None
    other_fixes: tuple

    @property
    def fits(self):
        return not self.refusals and not self.breaches
