"""
A `GradedGraph` block by block: its populations cut into what a core holds.

How Loihi 2 stores synapses is not published. They are counted as Loihi 1 stores them:
for each axon in runs of up to 64 weights with a header, rounded up to whole words;
those that are not 0 with their indices, or all of a block's, whichever takes less.
"""

import numpy as np

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.graphs import BlockGraph, BlockNeeds
from nengo_hybrid.mapping.limits import limit
from nengo_hybrid.placement import Route

# NengoLoihi 1.1.0, block.py: weights of a run.
RUN = 64


def graded_blocks(graph, target):
    """
    Cut the populations of a graph into blocks that fit a core each.

    Parameters
    ----------
    graph : GradedGraph
    target : Target

    Returns
    -------
    BlockGraph
        The input is the host's; a rotor's pairs stay together.

    Raises
    ------
    PlacementError
        If a pair of neurons alone does not fit, or the target lacks a number.
    """
    parts = [
        (population, part)
        for population in graph.populations
        if not population.is_input
        for part in _parts(graph, population, target)
    ]
    ways = _routes(graph, parts)
    blocks = tuple(
        _needs(graph, population, part, i, ways, target)
        for i, (population, part) in enumerate(parts)
    )
    return BlockGraph(graph.target, blocks, ways)


def _parts(graph, population, target):
    """Yield slices of a population, as large as fits, of about one size."""
    n, step = population.n_neurons, 2 if population.program == "rotor" else 1
    most = limit(target, "compartments_per_core")
    memory = limit(target, "synapse_memory_per_core")
    n_parts = -(-n // most)
    while n_parts <= n:
        size = -(-n // n_parts // step) * step
        parts = [slice(i, min(i + size, n)) for i in range(0, n, size)]
        if all(_bits(graph, population, part, target) <= memory for part in parts):
            return parts
        n_parts += 1
    raise PlacementError(
        f"population {population.name!r} needs more than the {memory} synapse bits "
        f"of a core of target {target.name!r} for {step} of its neurons alone. Try "
        "fewer inputs to a neuron."
    )


def _bits(graph, population, part, target):
    """Count the memory that the synapses onto some neurons take."""
    word = int(target.format("synapse_word_bits"))
    header = int(target.format("synapse_header_bits"))
    total, bits = 0, graph.widths.weight
    for projection in graph.into(population.name):
        rows = projection.weights[part]
        counts = _stored(rows, bits)
        per_weight = np.where(counts < len(rows), _sparse_bits(rows, bits), bits)
        runs, rest = np.divmod(counts, RUN)
        run = _rounded_up(RUN * per_weight + header, word)
        last = np.where(rest > 0, _rounded_up(rest * per_weight + header, word), 0)
        total += int(np.sum(runs * run + last))
    return total


def _rounded_up(bits, word):
    return -(-bits // word) * word


def _sparse_bits(rows, bits):
    """Return the bits of a weight with the index of its neuron."""
    return bits + (len(rows) - 1).bit_length()


def _stored(rows, bits):
    """
    Count the synapses that each axon has stored, (n_axons,) array.

    All of the block's where that takes less memory than those that are not 0 and their
    indices.
    """
    counts, n = np.count_nonzero(rows, axis=0), len(rows)
    return np.where(counts * _sparse_bits(rows, bits) > n * bits, n, counts)


def _routes(graph, parts):
    """List the ways from every block, or the host, to every block that hears it."""
    sources = [(p, slice(None), None) for p in graph.populations if p.is_input]
    sources += [(p, part, i) for i, (p, part) in enumerate(parts)]
    found = []
    for target, (post, rows) in enumerate(parts):
        for pre, columns, source in sources:
            synapses = sum(
                _stored(projection.weights[rows], graph.widths.weight)[columns]
                for projection in graph.into(post.name)
                if projection.pre == pre.name
            )
            if np.any(synapses):
                messages = (synapses > 0).astype(np.int64)
                neurons = np.arange(pre.n_neurons)[columns]
                found.append(
                    Route(pre.name, neurons, source, target, messages, synapses)
                )
    return tuple(found)


def _needs(graph, population, part, index, ways, target):
    neurons = np.arange(population.n_neurons)[part]
    return BlockNeeds(
        name=f"{population.name}[{part.start}:{part.stop}]",
        population=population.name,
        neurons=neurons,
        compartments=len(neurons),
        input_axons=sum(int(r.messages.sum()) for r in ways if r.target == index),
        output_axons=sum(int(r.messages.sum()) for r in ways if r.source == index),
        synapse_bits=_bits(graph, population, part, target),
    )
