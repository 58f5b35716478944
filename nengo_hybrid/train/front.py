"""What the fixed part of a network sends to the part that is trained."""

import numpy as np


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
    graph = plan.graph
    source = next(p for p in graph.populations if p.activation == "input")
    # Behind weights that are not trained, what they give; else what goes into them.
    leaving = {
        p.name: p
        for p in graph.projections
        if p.pre in plan.fixed and p.post not in plan.fixed
    }
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
    found = {}
    for name, response in responses(plan, n_steps).items():
        values = np.zeros((n_samples, last_steps, response.shape[2]), np.float32)
        for i in range(last_steps):
            n_seen = n_steps - last_steps + 1 + i
            weights = response[:n_seen][::-1].reshape(n_seen * size_in, -1)
            values[:, i] = flat[:, : n_seen * size_in] @ weights.astype(np.float32)
        found[name] = values
    return found
