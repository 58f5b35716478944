"""
What a core and a board hold. A design rule is one named function here.

Each rule yields the sentences of what breaks it, so that all are reported together.
"""

import numpy as np

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.mapping.blocks import needs
from nengo_hybrid.placement import Utilization

LIMITS = {
    "compartments": "compartments_per_core",
    "input_axons": "input_axons_per_core",
    "output_axons": "output_axons_per_core",
    "synapse_bits": "synapse_memory_per_core",
}


def utilization(block, target):
    """
    Count what a block uses of its core, each as (used, limit).

    Parameters
    ----------
    block : Block or BlockNeeds
    target : Target

    Returns
    -------
    Utilization

    Raises
    ------
    PlacementError
        If the target has no number for a limit that is not of axons, which a memory
        may hold instead.
    """
    needed = needs(block)
    limits = {
        name: target.limit(key) if name.endswith("axons") else limit(target, key)
        for name, key in LIMITS.items()
    }
    return Utilization(
        **{name: (getattr(needed, name), most) for name, most in limits.items()}
    )


def breaks_core_limits(block):
    """Yield a sentence for each limit of a core that a placed block exceeds."""
    for name, (used, most) in vars(block.utilization).items():
        if most is not None and used > most:
            what = name.replace("_", " ")
            yield (
                f"block {block.name!r} needs {used} {what} on one core, "
                f"which has {most}"
            )


def breaks_board_limit(n_blocks, target, n_chips=None):
    """
    Yield a sentence if the chips of a board do not suffice, a core for every block.

    Parameters
    ----------
    n_blocks : int
    target : Target
        Whose largest board counts if ``n_chips`` is None; one without published
        boards has no limit.
    n_chips : int, optional
    """
    per_chip = limit(target, "cores_per_chip")
    needed = -(-n_blocks // per_chip)
    published = target.limits.get("chips_per_board")
    boards = () if published is None else sorted(np.atleast_1d(published.value))
    if n_chips is None:
        if not boards:
            return
        n_chips = boards[-1]
    if needed <= n_chips:
        return
    larger = next((int(chips) for chips in boards if chips >= needed), None)
    advice = f"take a board of {larger}" if larger else "no board has as many"
    yield (
        f"{n_blocks} blocks need a core each, on {needed} chips of {per_chip} cores; "
        f"the board has {n_chips} ({advice})"
    )


def limit(target, name):
    """Return a limit as an int; a `PlacementError` if nobody published it."""
    value = target.limit(name)
    if value is None:
        raise PlacementError(
            f"target {target.name!r} has null for limits.{name}; a network cannot be "
            "placed without it"
        )
    return int(value)
