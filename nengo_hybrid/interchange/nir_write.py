"""A `SpikingGraph` as the nodes and edges of a NIR file: `describe`."""

import numpy as np

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.interchange.loops import late_projections
from nengo_hybrid.interchange.nir_graph import edge_name

# Of NIR, whose nodes these are.
VERSION = "1.0.8"
# Where a file's metadata have what NIR has no place for: the step, and the order.
OURS = "nengo_hybrid"
PLAIN = {"omega": None, "amplitude": 1.0, "initial_voltage": None, "stagger": None}


def describe(graph):
    """
    Write a graph as nested dicts of texts and arrays.

    Parameters
    ----------
    graph : SpikingGraph

    Returns
    -------
    dict

    Raises
    ------
    InterchangeError
        If the graph has what NIR cannot carry.
    """
    populations = {p.name: p for p in graph.populations}
    _check_names(graph)
    for population in graph.populations:
        _check_population(graph, population)
    nodes = {p.name: _population(p) for p in graph.populations}
    prompt, bearers = _implied(graph), _bearers(graph)
    edges = []
    for i, projection in enumerate(graph.projections):
        bias = populations[projection.post].bias if i in bearers else None
        delay = 0 if i in prompt else projection.delay
        _add_projection(nodes, edges, projection, delay * graph.dt, bias)
    end = _free("output", nodes)
    n_outputs = populations[graph.output].n_neurons
    nodes[end] = {"type": "Output", "shape": np.array([n_outputs])}
    edges.append((graph.output, end))
    return {
        "type": "NIRGraph",
        "nodes": nodes,
        "edges": np.array(edges, dtype=str),
        "metadata": {
            OURS: {
                "dt": float(graph.dt),
                "populations": np.array(list(populations), dtype=str),
                "projections": np.array([p.name for p in graph.projections], dtype=str),
            }
        },
    }


def _check_names(graph):
    names = [p.name for p in (*graph.populations, *graph.projections)]
    for name in names:
        if not name or name == "." or "/" in name or "\0" in name:
            raise InterchangeError(
                f"NIR needs names without '/', got {name!r}; give it another"
            )
        if names.count(name) > 1:
            raise InterchangeError(
                f"NIR needs one name for each population and projection, and {name!r} "
                "is two of them; give one another"
            )
    inputs = [p.name for p in graph.populations if p.activation == "input"]
    if len(inputs) != 1 or graph.output in inputs:
        raise InterchangeError(
            f"NIR needs one input, and another output; got {len(inputs)} inputs and "
            f"the output {graph.output!r}"
        )


def _check_population(graph, population):
    """Refuse what NIR has no place for."""
    who = f"population {population.name!r}"
    dynamics = population.dynamics
    if dynamics is None and population.has_neurons:
        raise InterchangeError(
            f"{who} has {population.activation} neurons, which NIR has not"
        )
    for name, plain in PLAIN.items():
        value = getattr(population, name)
        if value is not plain and (plain is None or value != plain):
            raise InterchangeError(f"{who} has {name!r}, which NIR has not")
    if dynamics is not None and dynamics.reset is None:
        raise InterchangeError(
            f"{who} loses its threshold when it spikes; NIR knows a reset to a value"
        )
    if dynamics is not None and population.activation != dynamics.kind:
        raise InterchangeError(
            f"{who} says {population.activation}, and has dynamics of {dynamics.kind}"
        )
    for name in ("minimum", "refractory"):
        if dynamics is not None and getattr(dynamics, name) is not None:
            raise InterchangeError(f"{who} has {name!r}, which NIR has not")
    if population.activation != "input" and not graph.into(population.name):
        raise InterchangeError(f"{who} gets nothing; NIR needs it to be connected")


def _population(population):
    """Return the node of a population."""
    d, n = population.dynamics, population.n_neurons
    if population.activation == "input":
        return {"type": "Input", "shape": np.array([n])}
    if d is None:
        return {"type": "Scale", "scale": np.ones(n)}
    node = {"type": d.kind, "r": d.resistance, "v_threshold": d.threshold}
    node |= {"v_reset": d.reset}
    if d.kind == "LIF":
        node |= {"tau": d.tau_mem, "v_leak": d.leak}
    if d.kind == "CubaLIF":
        node |= {"tau_mem": d.tau_mem, "v_leak": d.leak, "tau_syn": d.tau_syn}
        node |= {"w_in": d.w_in}
    return node


def _implied(graph):
    """Return the projections whose step of delay a reader would put there by itself."""
    neurons = {p.name for p in graph.populations if p.dynamics is not None}
    (source,) = (p.name for p in graph.populations if p.activation == "input")
    single = {i for i, p in enumerate(graph.projections) if p.delay == 1}

    def late(left_out):
        listed = [
            (p.pre, p.post, 0 if i in left_out else p.delay)
            for i, p in enumerate(graph.projections)
        ]
        return late_projections(listed, source, neurons)

    try:
        found = late(single) & single
        return found if late(found) == found else set()
    except InterchangeError:
        return set()


def _bearers(graph):
    """Return the first projection onto each population that has a bias."""
    biased = {p.name for p in graph.populations if p.bias is not None}
    first = {}
    for i, projection in enumerate(graph.projections):
        if projection.post in biased:
            first.setdefault(projection.post, i)
    return set(first.values())


def _add_projection(nodes, edges, projection, delay_s, bias):
    """Add the nodes and edges of a projection: a delay, then weights, or an edge."""
    pre, post, name = projection.pre, projection.post, projection.name
    if delay_s:
        between = _free(f"{name} delay", nodes)
        size = projection.weights.shape[1]
        nodes[between] = {"type": "Delay", "delay": np.full(size, delay_s)}
        edges.append((pre, between))
        pre = between
    is_edge = bias is None and name == edge_name(projection.pre, post)
    if is_edge and _is_identity(projection.weights) and (pre, post) not in edges:
        edges.append((pre, post))
        return
    nodes[name] = {"type": "Linear", "weight": projection.weights}
    if bias is not None:
        nodes[name] |= {"type": "Affine", "bias": bias}
    edges += [(pre, name), (name, post)]


def _is_identity(weights):
    n, n_pre = weights.shape
    return n == n_pre and weights.dtype == float and np.array_equal(weights, np.eye(n))


def _free(name, taken):
    while name in taken:
        name = f"{name}_"
    return name
