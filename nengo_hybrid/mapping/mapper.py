"""
Place a network: a core for every block, chips first and then tiles.

A message between chips has no published price, so few of them come first. Each chip
is then arranged for itself, by the price of hops. Both are searched by `anneal`, and
both start from the order of the graph, which stays where nothing is gained.
"""

import numpy as np

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.graphs import GradedGraph
from nengo_hybrid.mapping.anneal import anneal
from nengo_hybrid.mapping.blocks import to_blocks
from nengo_hybrid.mapping.cost import tile_distance
from nengo_hybrid.mapping.graded import graded_blocks
from nengo_hybrid.mapping.limits import (
    breaks_board_limit,
    breaks_core_limits,
    limit,
    utilization,
)
from nengo_hybrid.mapping.traffic import between_blocks, messages_per_route
from nengo_hybrid.placement import PlacedBlock, Placement

# Moves for every block, and tries. All blocks are in the first search, at most those of
# a chip in the second.
CHIP_SEARCH = {"n_moves": 2_000, "n_tries": 1}
TILE_SEARCH = {"n_moves": 5_000, "n_tries": 3}


def place(graph, target, *, traffic=None, n_chips=None, seed=0):
    """
    Give every block a core of its own, with few crossings and cheap hops.

    As few chips as can be, and on each as few tiles. There are never more crossings
    than in the order of the graph, and with as many the hops never cost more.

    Parameters
    ----------
    graph : QuantizedGraph, GradedGraph or BlockGraph
    target : Target
    traffic : None, Trace, or dict of str to float or (n_neurons,) array
        What spikes to expect; see `messages_per_route`. By default all neurons spike
        alike.
    n_chips : int, optional
        Chips of the board; by default those of the target's largest.
    seed : int
        Of the search; the same seed gives the same placement.

    Returns
    -------
    Placement

    Raises
    ------
    PlacementError
        If a block exceeds a limit of the target, or all of them the board; every
        breach is named. Or if the target has no number for a limit, or the traffic
        is not of this graph.
    """
    if isinstance(graph, GradedGraph):
        graph = graded_blocks(graph, target)
    graph = to_blocks(graph)
    in_order = _put(graph, target, *_in_order(len(graph.blocks), target))
    breaches = [s for block in in_order.blocks for s in breaks_core_limits(block)]
    advice = " Try smaller ensembles or fewer inputs per core." if breaches else ""
    breaches += breaks_board_limit(len(graph.blocks), target, n_chips)
    if breaches:
        raise PlacementError(
            "; ".join(breaches) + f"; limits of target {target.name!r}.{advice}"
        )
    messages = messages_per_route(graph, target, traffic)
    between = between_blocks(graph, messages)
    chips = choose_chips(between, target, seed=seed)
    return _put(graph, target, chips, choose_cores(between, chips, target, seed=seed))


def choose_chips(between, target, *, seed=0):
    """
    Spread blocks over as few chips as can be, with few messages between them.

    Parameters
    ----------
    between : (n_blocks, n_blocks) sparse array
        Messages in both directions.
    target : Target
    seed : int

    Returns
    -------
    (n_blocks,) int array
    """
    n_blocks, per_chip = between.shape[0], limit(target, "cores_per_chip")
    n_chips = -(-n_blocks // per_chip)
    return anneal(
        between,
        1.0 - np.eye(n_chips),
        group_size=per_chip,
        n_slots=n_chips * per_chip,
        n_movable=0,
        seed=seed,
        **CHIP_SEARCH,
    )


def choose_cores(between, chips, target, *, seed=0):
    """
    Spread the blocks of every chip over as few tiles as can be, with cheap hops.

    The more tiles meet at the barrier, the longer it takes.

    Parameters
    ----------
    between : (n_blocks, n_blocks) sparse array
        Messages in both directions.
    chips : (n_blocks,) int array
    target : Target
    seed : int

    Returns
    -------
    (n_blocks,) int array
        Numbers of the cores, tile by tile.
    """
    per_chip, per_tile = (
        limit(target, f"cores_per_{whole}") for whole in ("chip", "tile")
    )
    distance = tile_distance(target)
    cores = np.empty(len(chips), dtype=int)
    for chip in np.unique(chips):
        blocks = np.flatnonzero(chips == chip)
        tiles = anneal(
            between[blocks][:, blocks],
            distance,
            group_size=per_tile,
            n_slots=min(-(-len(blocks) // per_tile) * per_tile, per_chip),
            n_movable=per_chip // per_tile,
            seed=(seed, int(chip)),
            **TILE_SEARCH,
        )
        for tile in np.unique(tiles):
            on_tile = blocks[tiles == tile]
            cores[on_tile] = tile * per_tile + np.arange(len(on_tile))
    return cores


def _in_order(n_blocks, target):
    """Return the chips and cores of blocks in their order."""
    return np.divmod(np.arange(n_blocks), limit(target, "cores_per_chip"))


def _put(graph, target, chips, cores):
    blocks = tuple(
        PlacedBlock(
            name=block.name,
            population=block.population,
            neurons=block.neurons,
            chip=int(chip),
            core=int(core),
            utilization=utilization(block, target),
        )
        for block, chip, core in zip(graph.blocks, chips, cores, strict=True)
    )
    return Placement(graph.target, blocks, graph.routes)
