"""A `SpikingGraph` as the nodes and edges of a NIR file: `describe`."""

import numpy as np

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.interchange.convolution import convolution_matrix
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
    said, bearers, shapes = _convolutions(graph)
    names = [p.name for p in graph.projections]
    content = _Content(graph, shapes, {*populations, *names})
    prompt = _implied(graph)
    for i, projection in enumerate(graph.projections):
        bias = populations[projection.post].bias if i in bearers else None
        delay_s = 0 if i in prompt else projection.delay * graph.dt
        content.add(projection, delay_s, bias, is_convolution=i in said)
    end = _free("output", content.nodes)
    content.nodes[end] = {"type": "Output", "shape": np.array(shapes[graph.output])}
    content.edges.append((graph.output, end))
    notes = {"populations": list(populations), "projections": names}
    if said - bearers:
        notes["unbiased"] = [names[i] for i in sorted(said - bearers)]
    ours = {key: np.array(texts, dtype=str) for key, texts in notes.items()}
    return {
        "type": "NIRGraph",
        "nodes": content.nodes,
        "edges": np.array(content.edges, dtype=str),
        "metadata": {OURS: {"dt": float(graph.dt)} | ours},
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


def _population(population, shape):
    """Return the node of a population."""
    d = population.dynamics
    if population.activation == "input":
        return {"type": "Input", "shape": np.array(shape)}
    if d is None:
        return {"type": "Scale", "scale": np.ones(shape)}
    found = {"r": d.resistance, "v_threshold": d.threshold, "v_reset": d.reset}
    if d.kind == "LIF":
        found |= {"tau": d.tau_mem, "v_leak": d.leak}
    if d.kind == "CubaLIF":
        found |= {"tau_mem": d.tau_mem, "v_leak": d.leak, "tau_syn": d.tau_syn}
        found |= {"w_in": d.w_in}
    shaped = {name: values.reshape(shape) for name, values in found.items()}
    return {"type": d.kind, **shaped}


def _convolutions(graph):
    """
    Find which projections NIR can say as convolutions, and the shapes they ask for.

    Both ends of an edge have one shape, and nothing makes one of what is flat: so where
    other weights lead, too, a convolution cannot lead, nor come from.

    Returns
    -------
    said, bearers : set of int
        Numbers of projections: of such convolutions, and of those that have the bias of
        what they lead to.
    shapes : dict of str to tuple of int
        By population.
    """
    ends = {i: _ends(p) for i, p in enumerate(graph.projections)}
    said = {i for i, pair in ends.items() if pair is not None}
    while True:
        bearers = _bearers(graph, said)
        shapes, odd = _shapes(graph, {i: ends[i] for i in said}, bearers)
        for i in said & bearers:
            bias = graph.population(graph.projections[i].post).bias
            odd |= set() if _is_by_channel(bias, ends[i][1][0]) else {i}
        if not odd:
            return said, bearers, shapes
        said -= odd


def _shapes(graph, said, bearers):
    """
    Give populations the shapes that convolutions ask for, as far as they agree.

    Parameters
    ----------
    graph : SpikingGraph
    said : dict of int to (tuple of int, tuple of int)
        By number of a projection, the shapes before and behind a convolution.
    bearers : set of int

    Returns
    -------
    dict of str to tuple of int
        By population.
    set of int
        Convolutions that ask for others.
    """
    shapes, edges = {}, []
    for i, p in enumerate(graph.projections):
        if i not in said and i not in bearers and _is_edge(p):
            edges.append((p.pre, p.post))
        elif i not in said:
            shapes[p.post] = (len(p.weights),)
    asked = [
        (i, name, shape)
        for i, pair in sorted(said.items())
        for name, shape in zip(_pair(graph, i), pair, strict=True)
    ]
    for _, name, shape in asked:
        shapes.setdefault(name, shape)
    for _ in edges:
        for one, other in (*edges, *((post, pre) for pre, post in edges)):
            if one in shapes:
                shapes.setdefault(other, shapes[one])
    for population in graph.populations:
        shapes.setdefault(population.name, (population.n_neurons,))
    # What has a shape can be made flat, and not the other way round.
    torn = {
        post
        for pre, post in edges
        if len(shapes[post]) > 1 and shapes[pre] != shapes[post]
    }
    for _ in edges:
        torn.update(*(pair for pair in edges if torn & set(pair)))
    return shapes, {
        i for i, name, shape in asked if shapes[name] != shape or name in torn
    }


def _pair(graph, i):
    return graph.projections[i].pre, graph.projections[i].post


def _ends(projection):
    """Return the shapes before and behind a convolution; None of other weights."""
    convolution = projection.convolution
    if convolution is None or convolution.kernel.ndim not in (3, 4):
        return None
    try:
        matrix, after = convolution_matrix(**vars(convolution))
    except InterchangeError:
        return None  # It says something else than the weights.
    weights = projection.weights
    is_same = matrix.dtype == weights.dtype and matrix.shape == weights.shape
    if not is_same or not np.array_equal(matrix.toarray(), weights):
        return None
    return convolution.input_shape, after


def _is_by_channel(bias, n_channels):
    """Tell whether a bias is the same, to the bit, in all places of a channel."""
    channels = bias.reshape(n_channels, -1)
    first = np.repeat(channels[:, 0], channels.shape[1])
    return first.tobytes() == bias.tobytes()


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


def _bearers(graph, said):
    """Return a projection onto each population with a bias, of some if it can be."""
    biased = {p.name for p in graph.populations if p.bias is not None}
    first = {}
    for i in (*sorted(said), *range(len(graph.projections))):
        if graph.projections[i].post in biased:
            first.setdefault(graph.projections[i].post, i)
    return set(first.values())


class _Content:
    """Nodes and edges, to which projections are added one after the other."""

    def __init__(self, graph, shapes, names):
        self.shapes, self.names, self.edges = shapes, names, []
        self.nodes = {p.name: _population(p, shapes[p.name]) for p in graph.populations}

    def add(self, projection, delay_s, bias, *, is_convolution):
        """Add a delay, what makes a shape flat, and the weights, or an edge."""
        pre, post, name = projection.pre, projection.post, projection.name
        shape = self.shapes[pre]
        if delay_s:
            late = {"type": "Delay", "delay": np.full(shape, delay_s)}
            pre = self._behind(pre, f"{name} delay", late)
        if is_convolution:
            node = _convolution(projection.convolution, bias)
        elif bias is None:
            node = {"type": "Linear", "weight": projection.weights}
        else:
            node = {"type": "Affine", "weight": projection.weights, "bias": bias}
        is_edge = node["type"] == "Linear" and _is_edge(projection)
        has_shape = is_convolution or (is_edge and self.shapes[post] == shape)
        if len(shape) > 1 and not has_shape:
            flat = {"type": "Flatten", "start_dim": 0, "end_dim": -1}
            flat["input_type"] = np.array(shape)
            pre = self._behind(pre, f"{name} flat", flat)
        if is_edge:
            self.edges.append((pre, post))
            return
        self.nodes[name] = node
        self.edges += [(pre, name), (name, post)]

    def _behind(self, pre, name, node):
        """Add a node behind another; return its name."""
        name = _free(name, {*self.nodes, *self.names})
        self.nodes[name] = node
        self.edges.append((pre, name))
        return name


def _convolution(c, bias):
    """Return the node of a convolution, with a bias for each channel."""
    n_out, n_dims = len(c.kernel), c.kernel.ndim - 2
    bias = np.zeros(n_out) if bias is None else bias.reshape(n_out, -1)[:, 0]
    steps = {"input_shape": c.input_shape[1:], "stride": c.stride}
    steps |= {"padding": c.padding, "dilation": c.dilation}
    said = {k: v[0] if n_dims == 1 else np.array(v) for k, v in steps.items()}
    node = {"type": f"Conv{n_dims}d", "weight": c.kernel, "bias": bias}
    return {**node, "groups": c.groups, **said}


def _is_edge(projection):
    """Tell whether a reader makes the same of an edge alone."""
    weights = projection.weights
    n, n_pre = weights.shape
    is_square = n == n_pre and weights.dtype == float
    is_named = projection.name == edge_name(projection.pre, projection.post)
    return is_square and is_named and np.array_equal(weights, np.eye(n))


def _free(name, taken):
    while name in taken:
        name = f"{name}_"
    return name
