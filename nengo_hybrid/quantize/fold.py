"""Take out of a network what only passes sums on, at no cost in synapses."""

from dataclasses import replace

import numpy as np

from nengo_hybrid.graphs import Projection


def fold(graph):
    """
    Join projections over linear populations that only pass sums on.

    A population stays if it keeps something from step to step, is the output, or would
    take more synapses to do without.

    Parameters
    ----------
    graph : SpikingGraph

    Returns
    -------
    SpikingGraph
        That computes the same.
    """
    for population in graph.populations:
        if population.activation == "linear" and population.name != graph.output:
            graph = _without(graph, population)
    return graph


def _without(graph, population):
    """Return the graph without a population, or as it was if that is no gain."""
    name = population.name
    into = graph.into(name)
    out = [p for p in graph.projections if p.pre == name]
    if any(p.pre == name for p in into) or population.bias is not None:
        return graph
    joined = [_joined(first, second) for first in into for second in out]
    others = [p for p in graph.projections if name not in (p.pre, p.post)]
    if _n_synapses(joined) > _n_synapses([*into, *out]):
        return graph
    return replace(
        graph,
        populations=tuple(p for p in graph.populations if p is not population),
        projections=_summed([*others, *joined]),
    )


def _joined(first, second):
    return Projection(
        f"{first.name}, {second.name}",
        first.pre,
        second.post,
        second.weights @ first.weights,
        delay=first.delay + second.delay,
    )


def _n_synapses(projections):
    return sum(int(np.count_nonzero(p.weights)) for p in projections)


def _summed(projections):
    """Add up projections between the same populations."""
    found = {}
    for projection in projections:
        key = projection.pre, projection.post, projection.delay
        if key in found:
            weights = found[key].weights + projection.weights
            projection = replace(found[key], weights=weights)
        found[key] = projection
    return tuple(found.values())
