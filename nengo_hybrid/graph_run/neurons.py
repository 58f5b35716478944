"""
Run integrate-and-fire neurons in floats, step by step: `run_neurons`.

The equations of the Neuromorphic Intermediate Representation (Pedersen et al., Nature
Communications 15, 2024), by forward Euler; `Dynamics` has them as they are computed.
Beside them run rate and hybrid-spiking neurons, as `run_graph` has them.
"""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.exceptions import EmulateError, ShapeError

ACTIVATIONS = {
    "linear": lambda x: x,
    "Identity": lambda x: x,
    "RectifiedLinear": lambda x: np.maximum(x, 0),
    "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@dataclass
class State:
    """
    What neurons keep from step to step, (n_samples, n_neurons) arrays.

    Attributes
    ----------
    voltage, current : array
    wait : array
        Steps for which a neuron rests.
    largest_voltage, largest_current : (n_neurons,) array
        The largest sizes yet, of a voltage before its reset.
    """

    voltage: np.ndarray
    current: np.ndarray
    wait: np.ndarray
    largest_voltage: np.ndarray
    largest_current: np.ndarray


def run_neurons(graph, x, *, record=None, voltages=()):
    """
    Run a network in floats, from rest, as it has one sample after the other.

    Parameters
    ----------
    graph : SpikingGraph
        Of any neurons; `run_graph` is faster where none has `Dynamics`.
    x : (n_samples, n_steps, size_in) array
        What the input population gives in each step.
    record : iterable of str, optional
        Populations to return; by default all but the input.
    voltages : iterable of str
        Populations whose voltages to return too, as they are after a step and reset.

    Returns
    -------
    dict of str to (n_samples, n_steps, n_neurons) array
        Spikes (int8) of neurons with `Dynamics`, counts (int16) of hybrid-spiking ones,
        values of others; voltages under "voltage of NAME".

    Raises
    ------
    ShapeError
        If ``x`` does not fit the input population.
    EmulateError
        If a value stops being finite.
    """
    x = checked_input(graph, x)
    n_samples, n_steps = x.shape[:2]
    known = {p.name: p for p in graph.populations}
    if record is None:
        record = [p.name for p in graph.populations if p.activation != "input"]
    found = {name: _room(known[name], n_samples, n_steps) for name in record}
    traced = {
        name: np.zeros((n_samples, n_steps, known[name].n_neurons)) for name in voltages
    }
    for step, sent, states in run_steps(graph, x):
        for name, values in found.items():
            values[:, step] = sent[name]
        for name, values in traced.items():
            values[:, step] = states[name].voltage
    return found | {f"voltage of {name}": values for name, values in traced.items()}


def checked_input(graph, x):
    """Return x as floats; a `ShapeError` if it does not fit the input population."""
    x = np.asarray(x, dtype=float)
    source = next(p for p in graph.populations if p.activation == "input")
    if x.ndim != 3 or x.shape[2] != source.n_neurons:
        raise ShapeError(
            f"input population {source.name!r} needs x of shape (n_samples, n_steps, "
            f"{source.n_neurons}), got {x.shape}"
        )
    return x


def run_steps(graph, x):
    """
    Run a network in floats, and tell of each step.

    Parameters
    ----------
    graph : SpikingGraph
    x : (n_samples, n_steps, size_in) array

    Yields
    ------
    int
        The step.
    dict of str to (n_samples, n_neurons) array
        What each population sends, as `run_neurons` returns it.
    dict of str to State
        Of populations that have one, as it is after the step.

    Raises
    ------
    EmulateError
        If a value stops being finite.
    """
    n_samples, n_steps = x.shape[:2]
    states = {p.name: _at_rest(p, n_samples) for p in graph.populations}
    n_kept = 1 + max((p.delay for p in graph.projections), default=0)
    history = {
        p.name: np.zeros((n_kept, n_samples, p.n_neurons)) for p in graph.populations
    }
    for step in range(n_steps):
        now, sent = step % n_kept, {}
        for p in graph.populations:
            if p.activation == "input":
                sent[p.name] = history[p.name][now] = x[:, step]
                continue
            drive = _gather(graph, p, history, step, n_kept)
            sent[p.name], unit = _advance(p, states[p.name], drive, graph.dt)
            history[p.name][now] = sent[p.name] * unit
        _check_finite(states, history, now, step)
        yield step, sent, states


def _room(population, n_samples, n_steps):
    dtype = float if population.dynamics is None else np.int8
    dtype = np.int16 if population.is_hybrid else dtype
    return np.zeros((n_samples, n_steps, population.n_neurons), dtype)


def _at_rest(population, n_samples):
    """Return the state that neurons start from; None of what has none."""
    dynamics = population.dynamics
    if dynamics is None and not population.is_hybrid:
        return None
    n, start = population.n_neurons, population.initial_voltage
    if start is None:
        has_leak = dynamics is not None and dynamics.tau_mem is not None
        start = dynamics.leak if has_leak else np.zeros(n)
    parts = (np.zeros((n_samples, n)) for _ in range(3))
    state = State(*parts, np.abs(start), np.zeros(n))
    state.voltage[:] = start
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
def _advance(population, state, drive, dt):
    """Take neurons one step on, in place; return what they send, and its unit."""
    if population.dynamics is not None:
        return _spikes(population.dynamics, state, drive, dt), population.amplitude
    values = ACTIVATIONS[population.activation](drive)
    if not population.is_hybrid:
        return values * population.amplitude, 1.0
    scale = population.omega * dt
    total = state.voltage + scale * values
    counts = np.floor(total)
    state.voltage[:] = total - counts
    return counts, population.amplitude / scale


def _spikes(dynamics, state, drive, dt):
    """Take integrate-and-fire neurons one step on, in place; return their spikes."""
    current = state.current
    if dynamics.tau_syn is None:
        current[:] = drive
    else:
        current += dt / dynamics.tau_syn * (dynamics.w_in * drive - current)
    driven = dynamics.resistance * current
    if dynamics.tau_mem is None:
        voltage = state.voltage + dt * driven
    else:
        change = dynamics.leak - state.voltage + driven
        voltage = state.voltage + dt / dynamics.tau_mem * change
    if dynamics.minimum is not None:
        voltage = np.maximum(voltage, dynamics.minimum)
    if dynamics.refractory is not None:
        voltage = np.where(state.wait > 0, state.voltage, voltage)
    spikes = (voltage > dynamics.threshold) & (state.wait == 0)
    _note(state.largest_voltage, voltage)
    _note(state.largest_current, current)
    after = voltage - dynamics.threshold if dynamics.reset is None else dynamics.reset
    state.voltage[:] = np.where(spikes, after, voltage)
    if dynamics.refractory is not None:
        resting = np.maximum(state.wait - 1, 0)
        state.wait[:] = np.where(spikes, dynamics.refractory, resting)
    return spikes


def _note(largest, values):
    np.maximum(largest, np.abs(values).max(axis=0, initial=0), out=largest)


def _check_finite(states, history, now, step):
    for name, values in history.items():
        state = 0 if states[name] is None else states[name].voltage
        if not (np.isfinite(values[now]).all() and np.isfinite(state).all()):
            raise EmulateError(
                f"population {name!r} is not finite at step {step}; the network "
                "diverges: check its weights, and that its time constants exceed dt"
            )
