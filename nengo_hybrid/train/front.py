"""What the fixed part of a network sends to the part that is trained."""

import numpy as np

from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import SpikingGraph


def responses(plan, n_steps):
    """
    Compute how fixed populations answer to an impulse in each input dimension.

    Parameters
    ----------
    plan : Plan
    n_steps : int

    Returns
    -------
    dict of str to (n_steps, size_in, n) array
        By lag, for every projection from a fixed population to another.
    """
    graph, leaving = plan.graph, _leaving(plan)
    source = next(p for p in graph.populations if p.activation == "input")
    values = {
        n: np.zeros((source.n_neurons, graph.population(n).n_neurons))
        for n in plan.fixed
    }
    kept = {name: [] for name in leaving}
    for step in range(n_steps):
        before = dict(values)
        for name in plan.fixed:
            if name == source.name:
                values[name] = np.eye(source.n_neurons) * (step == 0)
                continue
            values[name] = sum(
                (before if p.delay else values)[p.pre] @ p.weights.T
                for p in graph.into(name)
            )
        for name, projection in leaving.items():
            value = values[projection.pre]
            is_trained = name in plan.trained_weights
            kept[name].append(value if is_trained else value @ projection.weights.T)
    return {name: np.stack(rows) for name, rows in kept.items()}


def features(plan, x, last_steps, *, seed=0):
    """
    Compute what fixed populations send to the others in the last steps.

    A weighted sum of the input if they are linear. If they quantize, as a memory with
    a quantizer in its loop does, they are run.

    Parameters
    ----------
    plan : Plan
    x : (n_samples, n_steps, size_in) array
    last_steps : int
    seed : int
        Of the voltages of fixed quantizers, if the plan ``redraws``.

    Returns
    -------
    dict of str to (n_samples, last_steps, n) float32 array
    """
    n_samples, n_steps, size_in = x.shape
    flat = np.asarray(x, np.float32).reshape(n_samples, n_steps * size_in)
    if plan.redraws:
        return _run_front(plan, x, last_steps, seed)
    found = {}
    for name, response in responses(plan, n_steps).items():
        values = np.zeros((n_samples, last_steps, response.shape[2]), np.float32)
        for i in range(last_steps):
            n_seen = n_steps - last_steps + 1 + i
            weights = response[:n_seen][::-1].reshape(n_seen * size_in, -1)
            values[:, i] = flat[:, : n_seen * size_in] @ weights.astype(np.float32)
        found[name] = values
    return found


def _leaving(plan):
    """Return the projections, by name, from fixed populations to others."""
    return {
        p.name: p
        for p in plan.graph.projections
        if p.pre in plan.fixed and p.post not in plan.fixed
    }


def _run_front(plan, x, last_steps, seed):
    """Run what is fixed, from voltages drawn anew; see `features`."""
    graph, leaving = plan.graph, _leaving(plan)
    front = SpikingGraph(
        dt=graph.dt,
        populations=tuple(p for p in graph.populations if p.name in plan.fixed),
        projections=tuple(p for p in graph.projections if p.post in plan.fixed),
        output=plan.fixed[-1],
    )
    record = list(dict.fromkeys(p.pre for p in leaving.values()))
    values = run_graph(
        front, x, seed=seed, record=record, last_steps=last_steps, dtype=np.float32
    )
    found = {}
    for name, projection in leaving.items():
        population = graph.population(projection.pre)
        sent = values[population.name].astype(np.float32)
        if population.is_hybrid:
            sent *= population.amplitude / (population.omega * graph.dt)
        is_trained = name in plan.trained_weights
        weights = projection.weights.T.astype(np.float32)
        found[name] = sent if is_trained else sent @ weights
    return found
