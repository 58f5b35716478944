"""What spikes cost on their way: hops between tiles, and crossings between chips."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.mapping.limits import limit
from nengo_hybrid.mapping.traffic import messages_per_route


@dataclass(frozen=True)
class HopCost:
    """
    What the messages between blocks do on a placement.

    Attributes
    ----------
    crossings : int or float
        Messages from one chip to another; what they cost is not published.
    hops_east_west, hops_north_south : int or float
        Tile boundaries crossed by messages that stay on a chip.
    energy_j : float or None
        Of these hops, in joules; None if the target has no price for them.
    """

    crossings: float
    hops_east_west: float
    hops_north_south: float
    energy_j: float | None


def hop_cost(placement, target, *, traffic=None):
    """
    Count the hops and crossings of a placement, and price the hops.

    Parameters
    ----------
    placement : Placement
    target : Target
    traffic : optional
        See `messages_per_route`.

    Returns
    -------
    HopCost

    Raises
    ------
    PlacementError
        See `messages_per_route`.

    Examples
    --------
    Two messages from core 0 to core 8, 2 tiles east of it: 4 hops east-west.
    """
    on_chip = [i for i, r in enumerate(placement.routes) if r.source is not None]
    messages = messages_per_route(placement, target, traffic)[on_chip]
    routes = [placement.routes[i] for i in on_chip]
    at = np.array([(b.chip, b.core) for b in placement.blocks]).reshape(-1, 2)
    source = at[[route.source for route in routes]].reshape(-1, 2)
    end = at[[route.target for route in routes]].reshape(-1, 2)
    stays = source[:, 0] == end[:, 0]
    apart = np.abs(_tile(source[:, 1], target) - _tile(end[:, 1], target))
    north_south, east_west = (messages[stays] @ apart[stays]).reshape(2).tolist()
    prices = [target.cost("hop_east_west"), target.cost("hop_north_south")]
    energy = None
    if None not in prices:
        energy = east_west * prices[0] + north_south * prices[1]
    return HopCost(messages[~stays].sum().item(), east_west, north_south, energy)


def tile_distance(target):
    """
    Return what a message costs between any two tiles of a chip.

    Returns
    -------
    (n_tiles, n_tiles) float array
        In joules, or in hops if the target has no price of one of the directions.
    """
    n_tiles = -(-limit(target, "cores_per_chip") // limit(target, "cores_per_tile"))
    tiles = _tile(np.arange(n_tiles) * limit(target, "cores_per_tile"), target)
    prices = target.cost("hop_north_south"), target.cost("hop_east_west")
    prices = (1, 1) if None in prices else prices
    return np.abs(tiles[:, None] - tiles) @ np.array(prices, dtype=float)


def _tile(cores, target):
    """Return (row, column) of the tiles of some cores, of shape (n, 2)."""
    tiles = np.asarray(cores) // limit(target, "cores_per_tile")
    return np.stack(np.divmod(tiles, limit(target, "mesh_columns")), axis=-1)
