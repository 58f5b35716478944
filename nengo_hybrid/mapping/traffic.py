"""How many messages each route carries: measured, expected, or one spike a neuron."""

import numpy as np
import scipy.sparse

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.trace import Trace

ONE = np.array(1)


def messages_per_route(graph, target, traffic=None):
    """
    Count the messages of every route that begins on the chip.

    Parameters
    ----------
    graph : BlockGraph or Placement
    target : Target
    traffic : None, Trace, or dict of str to float or (n_neurons,) array
        What each neuron sends: one spike; what it did in a run; or the spikes to
        expect of it, in any one unit of time, by population.

    Returns
    -------
    (n_routes,) array
        Integers for a trace or without traffic; 0 for routes from the host, whose
        hops are not known.

    Raises
    ------
    PlacementError
        If the traffic lacks a population or neurons, or is negative or not finite.
    """
    spikes = {} if traffic is None else _spikes(graph, target, traffic)
    messages = [_messages(route, spikes) for route in graph.routes]
    return np.array(messages) if messages else np.zeros(0, dtype=int)


def between_blocks(graph, messages):
    """
    Sum messages over both directions between blocks.

    Returns
    -------
    (n_blocks, n_blocks) sparse array of float
        Symmetric, without a diagonal.
    """
    n_blocks = len(graph.blocks)
    ends = [
        (route.source, route.target, count)
        for route, count in zip(graph.routes, messages, strict=True)
        if route.source not in (None, route.target) and count > 0
    ]
    source, end, counts = np.array(ends, dtype=float).reshape(-1, 3).T
    one_way = scipy.sparse.coo_array(
        (counts, (source.astype(int), end.astype(int))), shape=(n_blocks, n_blocks)
    )
    return scipy.sparse.csr_array(one_way + one_way.T)


def _messages(route, spikes):
    if route.source is None:
        return 0
    messages = np.asarray(route.messages, dtype=np.int64)
    sent = spikes.get(route.population, ONE)
    return sent * messages.sum() if sent.ndim == 0 else sent[route.neurons] @ messages


def _size(neurons):
    return np.max(neurons, initial=-1) + 1


def _spikes(graph, target, traffic):
    """Return what the neurons send by population, checked."""
    is_run = isinstance(traffic, Trace)
    known = traffic.populations if is_run else traffic
    sizes = {}
    for route in graph.routes:
        if route.source is not None:
            name = route.population
            sizes[name] = max(sizes.get(name, 0), _size(route.neurons))
    found = {}
    for name, size in sizes.items():
        if name not in known:
            raise PlacementError(
                f"the traffic has no spikes of population {name!r}; it has "
                f"{', '.join(sorted(known)) or 'none'}; give those of this graph"
            )
        sent = _measured(known[name], target) if is_run else np.asarray(known[name])
        found[name] = _checked(name, sent, size)
    return found


def _measured(population, target):
    """Count the spikes that travelled; with a payload, one carries a whole count."""
    spikes = np.abs(population.spikes, dtype=np.int64)
    if target.format("spike_payload_bits") != 0:
        spikes = np.minimum(spikes, 1)
    return spikes.sum(axis=(0, 1))


def _checked(name, sent, size):
    if sent.ndim > 1 or (sent.ndim == 1 and len(sent) < size):
        raise PlacementError(
            f"the traffic of population {name!r} has shape {sent.shape}; needed one "
            f"number, or one for each of its {size} neurons"
        )
    is_real = sent.dtype.kind in "uif"
    if not is_real or not np.all(np.isfinite(sent)) or np.any(sent < 0):
        raise PlacementError(
            f"the traffic of population {name!r} needs finite numbers of at least 0"
        )
    return sent
