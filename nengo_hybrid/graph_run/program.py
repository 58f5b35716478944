"""A graph as the flat arrays that the compiled part of a run takes."""

from dataclasses import replace

import numpy as np

from nengo_hybrid.graph_run.kernel import INPUT
from nengo_hybrid.graphs import Population, Projection

ACTIVATIONS = ("linear", "RectifiedLinear", "Identity", "Tanh", "Sigmoid")
# Weights that are multiplied as a matrix: so many, of which so many are not zero.
SMALL, DENSE = 1024, 0.25


def compact(graph):
    """
    Put sums before the weights of staggered groups, which are alike within a group.

    What the neurons of a group send is added up once, and what comes to them is
    computed once, in linear populations that are put in; the others stay.

    Parameters
    ----------
    graph : SpikingGraph

    Returns
    -------
    SpikingGraph
        The one given, if nothing in it is staggered.
    """
    groups = {
        p.name: np.repeat(np.eye(len(p.stagger)), p.stagger, axis=1)
        for p in graph.populations
        if p.stagger is not None
    }
    if not groups:
        return graph
    projections, drives, sums = [], {}, {}
    for projection in graph.projections:
        pre, post, weights = projection.pre, projection.post, projection.weights
        if pre in groups and _is_alike(weights.T, groups[pre]):
            weights = weights[:, groups[pre].argmax(axis=1)]
            sums[pre] = pre = f"{pre} in sum"
        if post in groups and _is_alike(weights, groups[post]):
            weights = weights[groups[post].argmax(axis=1)]
            drives[post] = post = f"{post} in common"
        projections.append(replace(projection, pre=pre, post=post, weights=weights))
    populations = []
    for p in graph.populations:
        if p.name in drives:
            name, group = drives[p.name], groups[p.name]
            populations.append(Population(name, len(group), "linear"))
            projections.append(Projection(name, name, p.name, group.T))
        populations.append(p)
        if p.name in sums:
            name, group = sums[p.name], groups[p.name]
            populations.append(Population(name, len(group), "linear"))
            projections.append(Projection(name, p.name, name, group))
    return replace(
        graph, populations=tuple(populations), projections=tuple(projections)
    )


def _is_alike(rows, group):
    """Tell whether the rows of each group are equal."""
    first = group.argmax(axis=1)[group.argmax(axis=0)]
    return np.array_equal(rows, rows[first])


def compile_graph(graph, starts, rates, dtype):
    """Return what `kernel.run_block` takes before what belongs to a run."""
    kinds, scales, units = [], [], []
    bias = np.zeros(starts[-1])
    for i, p in enumerate(graph.populations):
        is_input = p.activation == "input"
        kinds.append(INPUT if is_input else ACTIVATIONS.index(p.activation))
        is_hybrid = p.is_hybrid and not rates
        scale = p.omega * graph.dt if is_hybrid else 0.0
        scales.append(scale)
        units.append(p.amplitude / scale if is_hybrid else p.amplitude)
        if p.bias is not None:
            bias[starts[i] : starts[i + 1]] = p.bias
    floats = (np.array(values, dtype) for values in (scales, units, bias))
    is_dense = [_is_dense(projection) for projection in graph.projections]
    dense = [p for p, yes in zip(graph.projections, is_dense, strict=True) if yes]
    sparse = [p for p, yes in zip(graph.projections, is_dense, strict=True) if not yes]
    places = {p.name: starts[i] for i, p in enumerate(graph.populations)}
    return (
        (starts, np.array(kinds), *floats),
        _rows(sparse, places, starts[-1], dtype),
        dense_matrices(dense, places, dtype),
    )


def _is_dense(projection):
    size = projection.weights.size
    return size >= SMALL and np.count_nonzero(projection.weights) > DENSE * size


def dense_matrices(projections, places, dtype):
    """
    Gather whole matrices, for products that a library does.

    Returns
    -------
    (n, 6) int array
        Where each starts among the weights, its rows and columns, where its post-
        and presynaptic neurons start, and its delay.
    (n_weights,) array
    """
    table = np.zeros((len(projections), 6), np.int64)
    weights, start = [np.zeros(0)], 0
    for i, p in enumerate(projections):
        table[i] = start, *p.weights.shape, places[p.post], places[p.pre], p.delay
        weights.append(p.weights.ravel())
        start += p.weights.size
    return table, np.concatenate(weights).astype(dtype)


def _rows(projections, places, n, dtype):
    """
    Gather the weights that are not zero, by the neuron they lead to.

    Returns
    -------
    tuple of array
        Where the weights of each neuron start; where those with a delay do, behind
        the others; the neuron that each weight is from; the weights.
    """
    posts, columns, weights, delays = [], [], [], []
    for projection in projections:
        post, pre = np.nonzero(projection.weights)
        posts.append(post + places[projection.post])
        columns.append(pre + places[projection.pre])
        weights.append(projection.weights[post, pre])
        delays.append(np.full(len(post), projection.delay))
    if not posts:
        posts, columns, weights, delays = [[np.zeros(0, np.int64)]] * 4
    post, delay = np.concatenate(posts), np.concatenate(delays)
    order = np.lexsort((delay, post))
    first = np.searchsorted(post[order], np.arange(n + 1))
    n_prompt = np.bincount(post[delay == 0], minlength=n)
    return (
        first,
        first[:-1] + n_prompt,
        np.concatenate(columns)[order].astype(np.uint32),
        np.concatenate(weights)[order].astype(dtype),
    )
