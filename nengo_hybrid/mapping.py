"""
From blocks to cores: one block a core, in order, and the ways spikes take.

A design rule of the target is one named function here; each yields the sentences
of what breaks it, and all of them are reported together.
"""

import numpy as np

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.placement import PlacedBlock, Placement, Route, Utilization

LIMITS = {
    "compartments": "compartments_per_core",
    "input_axons": "input_axons_per_core",
    "output_axons": "output_axons_per_core",
    "synapse_bits": "synapse_memory_per_core",
}


def place(graph, target):
    """
    Give every block a core of its own, in the order of the graph.

    Parameters
    ----------
    graph : QuantizedGraph
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
    cores_per_chip = _limit(target, "cores_per_chip")
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
    return Placement(graph.target, blocks, routes(graph))


def utilization(block, target):
    """Count what a block uses of its core, each as (used, limit)."""
    used = {
        "compartments": block.n_compartments,
        "input_axons": sum(s.n_axons for s in block.synapses),
        "output_axons": sum(a.n_slots for a in block.axons),
        "synapse_bits": sum(s.memory_bits for s in block.synapses),
    }
    return Utilization(
        **{name: (used[name], _limit(target, key)) for name, key in LIMITS.items()}
    )


def _limit(target, name):
    value = target.limit(name)
    if value is None:
        raise PlacementError(
            f"target {target.name!r} has null for limits.{name}; a network cannot be "
            "placed without it"
        )
    return int(value)


def breaks_core_limits(block):
    """Yield a sentence for each limit of a core that a placed block exceeds."""
    for name, (used, limit) in vars(block.utilization).items():
        if used > limit:
            what = name.replace("_", " ")
            yield (
                f"block {block.name!r} needs {used} {what} on one core, "
                f"which has {limit}"
            )


def routes(graph):
    """
    List the ways that spikes take: one `Route` per axon group.

    Returns
    -------
    tuple of Route
    """
    found = [
        _host_route(graph, lines, group)
        for lines in graph.inputs
        for group in lines.axons
    ]
    for source, block in enumerate(graph.blocks):
        for group in block.axons:
            messages, synapses = _fan_out(graph, group)
            found.append(
                Route(
                    population=block.population,
                    neurons=block.neurons,
                    source=source,
                    target=group.target_block,
                    messages=messages,
                    synapses=synapses,
                )
            )
    return tuple(found)


def _host_route(graph, lines, group):
    """Make the route of an injected population; both lines of a neuron weigh alike."""
    n_neurons = graph.host.population(lines.population).n_neurons
    messages, synapses = _fan_out(graph, group)
    return Route(
        population=lines.population,
        neurons=np.arange(n_neurons),
        source=None,
        target=group.target_block,
        messages=messages[:n_neurons],
        synapses=synapses[:n_neurons],
    )


def _fan_out(graph, group):
    """Count messages and synaptic operations per spike of each source neuron."""
    synapses = graph.blocks[group.target_block].synapses[group.target_synapses]
    per_spike = synapses.synapses_per_axon(group.axon_of_neuron)
    return (group.axon_of_neuron >= 0).astype(np.int64), per_spike
