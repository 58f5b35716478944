"""A `QuantizedGraph` block by block: what each needs of a core, where spikes go."""

import numpy as np

from nengo_hybrid.graphs import BlockGraph, BlockNeeds
from nengo_hybrid.placement import Route


def to_blocks(graph):
    """
    Describe a graph by its blocks and the ways between them, without its synapses.

    Parameters
    ----------
    graph : QuantizedGraph or BlockGraph

    Returns
    -------
    BlockGraph
    """
    if isinstance(graph, BlockGraph):
        return graph
    return BlockGraph(graph.target, tuple(map(needs, graph.blocks)), routes(graph))


def needs(block):
    """
    Count what a block needs of a core.

    Parameters
    ----------
    block : Block or BlockNeeds

    Returns
    -------
    BlockNeeds
    """
    if isinstance(block, BlockNeeds):
        return block
    return BlockNeeds(
        name=block.name,
        population=block.population,
        neurons=block.neurons,
        compartments=block.n_compartments,
        input_axons=sum(s.n_axons for s in block.synapses),
        output_axons=sum(a.n_slots for a in block.axons),
        synapse_bits=sum(s.memory_bits for s in block.synapses),
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
