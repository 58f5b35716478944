"""
Run integrate-and-fire neurons in floats, step by step: `run_neurons`.

The equations of the Neuromorphic Intermediate Representation (Pedersen et al., Nature
Communications 15, 2024), by forward Euler; `Dynamics` has them as they are computed.
"""

import numpy as np

from nengo_hybrid.exceptions import EmulateError, ShapeError


def run_neurons(graph, x, *, record=None, voltages=()):
    """
    Run a network of `Dynamics` and linear populations in floats, from rest.

    Parameters
    ----------
    graph : SpikingGraph
    x : (n_samples, n_steps, size_in) array
        What the input population gives in each step.
    record : iterable of str, optional
        Populations to return; by default all but the input.
    voltages : iterable of str
        Populations whose voltages to return too, as they are after a step and reset.

    Returns
    -------
    dict of str to (n_samples, n_steps, n_neurons) array
        Spikes (int8) of neurons, values of linear populations; voltages under
        "voltage of NAME".

    Raises
    ------
    ShapeError
        If ``x`` does not fit the input population.
    EmulateError
        If a population has other neurons, or a value stops being finite.
    """
    check_neurons(graph)
    x = np.asarray(x, dtype=float)
    source = next(p for p in graph.populations if p.activation == "input")
    if x.ndim != 3 or x.shape[2] != source.n_neurons:
        raise ShapeError(
            f"input population {source.name!r} needs x of shape (n_samples, n_steps, "
            f"{source.n_neurons}), got {x.shape}"
        )
    n_samples, n_steps = x.shape[:2]
    known = {p.name: p for p in graph.populations}
    record = (
        [name for name in known if name != source.name] if record is None else record
    )
    found = {name: _room(known[name], n_samples, n_steps) for name in record}
    traced = {
        name: np.zeros((n_samples, n_steps, known[name].n_neurons)) for name in voltages
    }
    states = {p.name: _at_rest(p.dynamics, n_samples) for p in known.values()}
    n_kept = 1 + max((p.delay for p in graph.projections), default=0)
    history = {
        p.name: np.zeros((n_kept, n_samples, p.n_neurons)) for p in known.values()
    }
    for step in range(n_steps):
        now = step % n_kept
        history[source.name][now] = x[:, step]
        for p in graph.populations:
            if p is not source:
                drive = _gather(graph, p, history, step, n_kept)
                if p.dynamics is not None:
                    drive = _advance(p.dynamics, states[p.name], drive, graph.dt)
                history[p.name][now] = drive
        for name, values in found.items():
            values[:, step] = history[name][now]
        for name, values in traced.items():
            values[:, step] = states[name][0]
        _check_finite(states, history, now, step)
    return found | {f"voltage of {name}": values for name, values in traced.items()}


def check_neurons(graph):
    """
    Check that a graph is one for `run_neurons`.

    Raises
    ------
    EmulateError
        If a population has rate or hybrid-spiking neurons.
    """
    for p in graph.populations:
        if p.dynamics is None and p.has_neurons:
            raise EmulateError(
                f"run_neurons takes integrate-and-fire neurons, and population "
                f"{p.name!r} has {p.activation} neurons; run_graph runs them"
            )


def _room(population, n_samples, n_steps):
    dtype = float if population.dynamics is None else np.int8
    return np.zeros((n_samples, n_steps, population.n_neurons), dtype)


def _at_rest(dynamics, n_samples):
    """Return voltages and currents, (2, n_samples, n_neurons); none of linear ones."""
    if dynamics is None:
        return None
    state = np.zeros((2, n_samples, len(dynamics.threshold)))
    if dynamics.tau_mem is not None:
        state[0] = dynamics.leak
    return state


@np.errstate(over="ignore", invalid="ignore")  # What is not finite is an error later.
def _gather(graph, population, history, step, n_kept):
    """Sum up what comes into a population."""
    total = np.zeros(history[population.name].shape[1:])
    if population.bias is not None:
        total += population.bias
    for p in graph.into(population.name):
        total += history[p.pre][(step - p.delay) % n_kept] @ p.weights.T
    return total


@np.errstate(over="ignore", invalid="ignore")
def _advance(dynamics, state, drive, dt):
    """Take neurons one step on, in place; return their spikes."""
    voltage, current = state
    if dynamics.tau_syn is None:
        current[:] = drive
    else:
        current += dt / dynamics.tau_syn * (dynamics.w_in * drive - current)
    driven = dynamics.resistance * current
    if dynamics.tau_mem is None:
        voltage += dt * driven
    else:
        voltage += dt / dynamics.tau_mem * (dynamics.leak - voltage + driven)
    spikes = voltage > dynamics.threshold
    after = voltage - dynamics.threshold if dynamics.reset is None else dynamics.reset
    voltage[:] = np.where(spikes, after, voltage)
    return spikes


def _check_finite(states, history, now, step):
    for name, values in history.items():
        state = 0 if states[name] is None else states[name]
        if not (np.isfinite(values[now]).all() and np.isfinite(state).all()):
            raise EmulateError(
                f"population {name!r} is not finite at step {step}; the network "
                "diverges: check its weights, and that its time constants exceed dt"
            )
