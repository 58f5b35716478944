"""One block a core, in order."""

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.mapping.blocks import to_blocks
from nengo_hybrid.mapping.limits import breaks_core_limits, limit, utilization
from nengo_hybrid.placement import PlacedBlock, Placement


def place(graph, target):
    """
    Give every block a core of its own, in the order of the graph.

    Parameters
    ----------
    graph : QuantizedGraph or BlockGraph
    target : Target

    Returns
    -------
    Placement

    Raises
    ------
    PlacementError
        If a block exceeds a limit of the target; every breach is named. Or if the
        target has no number for a limit.
    """
    graph = to_blocks(graph)
    cores_per_chip = limit(target, "cores_per_chip")
    blocks = tuple(
        PlacedBlock(
            name=block.name,
            population=block.population,
            neurons=block.neurons,
            chip=i // cores_per_chip,
            core=i % cores_per_chip,
            utilization=utilization(block, target),
        )
        for i, block in enumerate(graph.blocks)
    )
    breaches = [sentence for block in blocks for sentence in breaks_core_limits(block)]
    if breaches:
        raise PlacementError(
            "; ".join(breaches) + f"; limits of target {target.name!r}. "
            "Try smaller ensembles or fewer inputs per core."
        )
    return Placement(graph.target, blocks, graph.routes)
