"""Files of NIR: what is read and written, node by node, and what is refused."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid import load_nir, save_nir
from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.graph_run import run_neurons
from nengo_hybrid.graphs import (
    Convolution,
    Dynamics,
    Population,
    Projection,
    SpikingGraph,
    digest,
)
from nengo_hybrid.interchange.convolution import convolution_matrix

h5py = pytest.importorskip("h5py")

DT = 1e-3
INPUT, OUTPUT = {"type": "Input", "shape": [2]}, {"type": "Output", "shape": [2]}
IF = {"type": "IF", "r": np.ones(2), "v_threshold": np.ones(2)}
LIF = IF | {"type": "LIF", "tau": np.full(2, 4e-3), "v_leak": np.zeros(2)}
CUBA = LIF | {"type": "CubaLIF", "tau_mem": LIF["tau"], "tau_syn": np.full(2, 2e-3)}
del CUBA["tau"]
WEIGHT = np.array([[1.0, 2.0], [3.0, 4.0]])
AFFINE = {"type": "Affine", "weight": WEIGHT, "bias": np.array([5.0, 6.0])}
LINEAR = {"type": "Linear", "weight": WEIGHT}
DELAY = {"type": "Delay", "delay": np.full(2, 3e-3)}
SCALE = {"type": "Scale", "scale": np.array([2.0, 3.0])}
CONV = {
    "type": "Conv1d",
    "weight": np.ones((1, 1, 2)),
    "bias": np.zeros(1),
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.nir"


def write(path, nodes, edges, **more):
    """Write nodes as nir does, without the package."""
    with h5py.File(path, "w") as file:
        file["version"] = "1.0"
        file["node/type"] = "NIRGraph"
        for name, node in nodes.items():
            for key, value in node.items():
                file[f"node/nodes/{name}/{key}"] = value
        if edges:
            file["node/edges"] = np.array(edges, dtype=h5py.string_dtype())
        for key, value in more.items():
            file[f"node/{key}"] = value
    return path


def chain(path, *middle, shape_in=(2,), shape=(2,)):
    """Write nodes "0", "1" .. between an input and an output."""
    nodes = {"in": INPUT | {"shape": shape_in}, "out": OUTPUT | {"shape": shape}}
    nodes |= {str(i): node for i, node in enumerate(middle)}
    names = ["in", *map(str, range(len(middle))), "out"]
    return write(path, nodes, list(zip(names, names[1:], strict=False)))


def summary(graph):
    """Return kinds by population, and names, ends and delays of projections."""
    kinds = {p.name: p.activation for p in graph.populations}
    return kinds, [(p.name, p.pre, p.post, p.delay) for p in graph.projections]


def test_affine_is_a_projection_and_a_bias(path):
    graph = load_nir(chain(path, AFFINE, LIF), dt=DT)
    assert summary(graph) == (
        {"in": "input", "1": "LIF"},
        [("0", "in", "1", 0)],
    )
    assert graph.output == "1" and graph.dt == DT
    assert graph.projections[0].weights.tolist() == WEIGHT.tolist()
    assert graph.population("1").bias.tolist() == [5, 6]


def test_two_in_a_row_have_a_population_between(path):
    graph = load_nir(chain(path, AFFINE, LINEAR, IF), dt=DT)
    assert summary(graph) == (
        {"in": "input", "0": "linear", "2": "IF"},
        [("into 0", "in", "0", 0), ("1", "0", "2", 0)],
    )
    assert graph.population("0").bias.tolist() == [5, 6]
    assert graph.population("2").bias is None


def test_what_leads_to_the_output_is_a_population(path):
    graph = load_nir(chain(path, LIF, AFFINE), dt=DT)
    assert summary(graph) == (
        {"in": "input", "0": "LIF", "1": "linear"},
        [("in to 0", "in", "0", 0), ("into 1", "0", "1", 0)],
    )
    assert graph.output == "1"
    # Values of (1, 0) in the first step: the neuron sends none before it spikes.
    found = run_neurons(graph, np.zeros((1, 1, 2)))
    assert found["1"][0, 0].tolist() == [5, 6]


def test_a_node_that_leads_to_two_is_a_population(path):
    nodes = {"in": INPUT, "w": LINEAR, "a": IF, "b": LIF, "out": OUTPUT}
    edges = [("in", "w"), ("w", "a"), ("w", "b"), ("a", "out")]
    graph = load_nir(write(path, nodes, edges), dt=DT)
    assert summary(graph)[1] == [
        ("w to a", "w", "a", 0),
        ("w to b", "w", "b", 0),
        ("into w", "in", "w", 0),
    ]


def test_delays_are_steps(path):
    for middle, wanted in (
        ([DELAY, LINEAR, IF], [("1", "in", "2", 3)]),
        ([DELAY, IF], [("in to 1", "in", "1", 3)]),
        # A bias is not late, and so comes before the delay.
        ([AFFINE, DELAY, IF], [("into 0", "in", "0", 0), ("0 to 2", "0", "2", 3)]),
        ([DELAY, DELAY, IF], [("into 0", "in", "0", 3), ("0 to 2", "0", "2", 3)]),
    ):
        graph = load_nir(chain(path, *middle), dt=DT)
        assert summary(graph)[1] == wanted


def test_a_scale_is_a_diagonal(path):
    graph = load_nir(chain(path, SCALE, IF), dt=DT)
    assert graph.projections[0].weights.tolist() == [[2, 0], [0, 3]]


def test_a_scale_of_ones_is_a_sum(path):
    ones = SCALE | {"scale": np.ones(2)}
    graph = load_nir(chain(path, ones, IF), dt=DT)
    assert summary(graph)[0] == {"in": "input", "0": "linear", "1": "IF"}


@pytest.mark.parametrize("dims", [1, 2])
def test_convolutions_are_matrices(path, dims):
    sizes, kernel = (3,) * dims, np.arange(2.0 * 2**dims).reshape((2, 1) + (2,) * dims)
    conv = CONV | {
        "type": f"Conv{dims}d",
        "weight": kernel,
        "bias": np.array([7.0, 8.0]),
    }
    conv["padding"] = "valid"
    shape = (2, *(2,) * dims)
    neurons = IF | {"r": np.ones(shape), "v_threshold": np.full(shape, 1e9)}
    flat = {"type": "Flatten", "start_dim": 0, "end_dim": -1}
    n = 2 * 2**dims
    graph = load_nir(
        chain(
            path,
            conv,
            flat,
            {"type": "Scale", "scale": np.ones(n)},
            shape_in=(1, *sizes),
            shape=(n,),
        ),
        dt=DT,
    )
    x = np.arange(3.0**dims)
    found = run_neurons(graph, x[None, None])["2"][0, 0].reshape(shape)
    image = x.reshape(sizes)
    for channel in range(2):
        own = kernel[channel, 0]
        wanted = sum(
            own[tap] * image[tuple(slice(k, k + 2) for k in tap)]
            for tap in np.ndindex(own.shape)
        )
        np.testing.assert_allclose(found[channel], wanted + 7 + channel)
    graph = load_nir(
        chain(path, conv, neurons, shape_in=(1, *sizes), shape=shape), dt=DT
    )
    assert graph.population("1").n_neurons == n


def test_padding_same_keeps_the_size(path):
    conv = CONV | {"weight": np.ones((1, 1, 3)), "padding": "same"}
    neurons = IF | {"r": np.ones((1, 4)), "v_threshold": np.ones((1, 4))}
    graph = load_nir(chain(path, conv, neurons, shape_in=(1, 4), shape=(1, 4)), dt=DT)
    assert graph.projections[0].weights.tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
    ]


def test_neurons_have_what_the_file_says(path):
    cuba = CUBA | {
        "v_reset": np.array([0.5, 0.0]),
        "w_in": 3.0,
        "r": np.array([1.0, 2]),
    }
    dynamics = load_nir(chain(path, cuba), dt=DT).population("0").dynamics
    found = {name: v for name, v in vars(dynamics).items() if v is not None}
    assert {name: v.tolist() for name, v in found.items()} == {
        "threshold": [1, 1],
        "resistance": [1, 2],
        "reset": [0.5, 0],
        "tau_mem": [4e-3, 4e-3],
        "leak": [0, 0],
        "tau_syn": [2e-3, 2e-3],
        "w_in": [3, 3],
    }
    # Files of before 1.0 have no v_reset and no w_in.
    old = load_nir(chain(path, CUBA), dt=DT).population("0").dynamics
    assert old.reset.tolist() == [0, 0] and old.w_in.tolist() == [1, 1]
    other = load_nir(path, dt=DT, reset="subtract").population("0").dynamics
    assert other.reset is None


def test_a_recurrent_layer_is_a_step_late(path):
    nodes = {"in": INPUT, "w": LINEAR, "a": IF, "v": AFFINE, "out": OUTPUT}
    edges = [("in", "w"), ("w", "a"), ("a", "v"), ("v", "a"), ("a", "out")]
    graph = load_nir(write(path, nodes, edges), dt=DT)
    assert summary(graph)[1] == [("w", "in", "a", 0), ("v", "a", "a", 1)]


def test_what_is_written_is_what_nir_says(path):
    graph = load_nir(chain(path, DELAY, AFFINE, CUBA), dt=DT)
    save_nir(graph, path)
    with h5py.File(path) as file:
        assert file["node/type"].asstr()[()] == "NIRGraph"
        nodes = file["node/nodes"]
        assert {name: nodes[name]["type"].asstr()[()] for name in nodes} == {
            "in": "Input",
            "1": "Affine",
            "1 delay": "Delay",
            "2": "CubaLIF",
            "output": "Output",
        }
        assert nodes["1 delay/delay"][()].tolist() == [3e-3, 3e-3]
        assert [tuple(edge) for edge in file["node/edges"].asstr()[()]] == [
            ("in", "1 delay"),
            ("1 delay", "1"),
            ("1", "2"),
            ("2", "output"),
        ]


@st.composite
def graphs(draw):
    """Draw graphs of what NIR can carry."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dt = draw(st.sampled_from([1.0, 1e-3, 1e-4, 0.3]))
    texts = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1)
    names = draw(
        st.lists(texts.filter(lambda t: t != "."), min_size=3, max_size=12, unique=True)
    )
    n_populations = draw(st.integers(2, max(2, len(names) // 2)))
    names, free = names[:n_populations], names[n_populations:]
    sizes = [draw(st.integers(1, 3)) for _ in names]
    populations = [Population(names[0], sizes[0], "input")]
    for name, n in zip(names[1:], sizes[1:], strict=True):
        kind = draw(st.sampled_from(["linear", "LIF", "CubaLIF", "IF"]))
        bias = rng.normal(size=n) if draw(st.booleans()) else None
        dynamics = None if kind == "linear" else draw_dynamics(rng, kind, n, dt)
        populations.append(Population(name, n, kind, bias=bias, dynamics=dynamics))
    projections = []

    def connect(pre, post, delay):
        weights = rng.normal(size=(sizes[post], sizes[pre]))
        if draw(st.booleans()):
            weights = weights.astype(np.float32)
        name = f"{names[pre]} to {names[post]}"
        taken = {p.name for p in projections} | set(names)
        if sizes[pre] == sizes[post] and name not in taken and draw(st.booleans()):
            weights = np.eye(sizes[pre])
        elif free:
            name = free.pop()
        else:
            name = f"w{len(projections)}"
            while name in taken:
                name += "'"
        projections.append(Projection(name, names[pre], names[post], weights, delay))

    for post in range(1, len(names)):
        pre = draw(st.integers(0, post - 1))
        connect(pre, post, draw(st.sampled_from([0, 0, 0, 1, 2])))
    for _ in range(draw(st.integers(0, 4))):
        pre, post = (
            draw(st.integers(0, len(names) - 1)),
            draw(st.integers(1, len(names) - 1)),
        )
        connect(pre, post, draw(st.integers(0 if pre < post else 1, 3)))
    projections = draw(st.permutations(projections))
    output = draw(st.sampled_from(names[1:]))
    return SpikingGraph(dt, tuple(populations), tuple(projections), output)


def draw_dynamics(rng, kind, n, dt):
    dynamics = Dynamics(*rng.uniform(0.1, 2, (2, n)), reset=rng.normal(size=n))
    if kind != "IF":
        tau, leak = dt * rng.uniform(1, 9, n), rng.normal(size=n)
        dynamics = replace(dynamics, tau_mem=tau, leak=leak)
    if kind == "CubaLIF":
        tau = (dt * rng.uniform(2, 9, n)).astype(np.float32)
        dynamics = replace(dynamics, tau_syn=tau, w_in=rng.normal(size=n))
    return dynamics


@given(graphs())
def test_what_is_written_is_what_is_read(tmp_path_factory, graph):
    path = save_nir(graph, tmp_path_factory.mktemp("round") / "trip.nir")
    found = load_nir(path)
    assert [p.name for p in found.projections] == [p.name for p in graph.projections]
    assert digest(found) == digest(graph)


def convolved(name, pre, post, convolution, delay=0):
    """Make a projection of a convolution; return it and the shape behind it."""
    matrix, shape = convolution_matrix(**vars(convolution))
    made = Projection(name, pre, post, matrix.toarray(), delay, convolution)
    return made, shape


def shapes_of(node):
    """Return the shapes that a written node takes and gives."""
    kind = node["type"].asstr()[()]
    if kind in ("Input", "Output"):
        return (tuple(node["shape"][()]),) * 2
    if kind in ("Affine", "Linear"):
        return node["weight"].shape[1:], node["weight"].shape[:1]
    if kind == "Flatten":
        shape = tuple(node["input_type"][()])
        return shape, (math.prod(shape),)
    if not kind.startswith("Conv"):
        own = {"Scale": "scale", "Delay": "delay"}.get(kind, "v_threshold")
        return (node[own].shape,) * 2
    n_out, n_in, *kernel = node["weight"].shape
    sizes, stride, padding, dilation = (
        np.ravel(node[k][()]) for k in ("input_shape", "stride", "padding", "dilation")
    )
    after = (sizes + 2 * padding - dilation * (np.array(kernel) - 1) - 1) // stride + 1
    return (n_in * node["groups"][()], *sizes), (n_out, *after)


def check_shapes(path):
    """Check that both ends of every edge have one shape, as nir does."""
    with h5py.File(path) as file:
        nodes = file["node/nodes"]
        for pre, post in file["node/edges"].asstr()[()]:
            assert shapes_of(nodes[pre])[1] == shapes_of(nodes[post])[0], (pre, post)


def draw_convolution(draw, rng, shape):
    """Draw a convolution of an input of some channels and sizes."""
    dims = st.tuples(*[st.integers(1, 3)] * (len(shape) - 1))
    groups = draw(st.sampled_from([n for n in (1, 2, 3) if shape[0] % n == 0]))
    sizes, stride, dilation = (draw(dims) for _ in range(3))
    padding = tuple(
        draw(st.integers(max(0, -(-(d * (k - 1) + 1 - n) // 2)), 3))
        for n, k, d in zip(shape[1:], sizes, dilation, strict=True)
    )
    n_out = groups * draw(st.integers(1, 2))
    kernel = rng.normal(size=(n_out, shape[0] // groups, *sizes))
    if draw(st.booleans()):
        kernel = kernel.astype(np.float32)
    return Convolution(kernel, shape, stride, padding, dilation, groups)


@st.composite
def convolutional_graphs(draw):
    """Draw two layers of kernels, their own loops among them, and a dense one."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    populations = [Population("x", math.prod(shape), "input")]
    projections = []
    for pre, post in ("xa", "ab"):
        found = draw_convolution(draw, rng, shape)
        late = draw(st.integers(0, 2))
        made, shape = convolved(f"{pre}{post}", pre, post, found, late)
        projections.append(made)
        if draw(st.booleans()):
            # Of another kernel, onto the same neurons.
            twin = replace(found, kernel=rng.normal(size=found.kernel.shape))
            projections.append(convolved(f"{pre}{post} twin", pre, post, twin)[0])
        if draw(st.booleans()):
            n, n_dims = shape[0], len(shape) - 1
            kernel, one = rng.normal(size=(n, n, *[3] * n_dims)), (1,) * n_dims
            own = Convolution(kernel, shape, one, one, one, 1)
            projections.append(convolved(f"{post} own", post, post, own, 1)[0])
        kind = draw(st.sampled_from(["LIF", "CubaLIF", "IF"]))
        n = math.prod(shape)
        spread = draw(st.sampled_from([None, 0.0, 1.0]))
        bias = None
        if spread is not None:
            bias = np.repeat(rng.normal(0, spread, shape[0]), n // shape[0])
        dynamics = draw_dynamics(rng, kind, n, 1e-3)
        populations.append(Population(post, n, kind, bias=bias, dynamics=dynamics))
    if draw(st.booleans()):
        populations.append(Population("c", 2, "linear", bias=rng.normal(size=2)))
        for pre in draw(st.sampled_from(["b", "ab", "xab"])):
            n = next(p.n_neurons for p in populations if p.name == pre)
            projections.append(Projection(f"{pre}c", pre, "c", rng.normal(size=(2, n))))
    order = draw(st.permutations(projections))
    return SpikingGraph(1e-3, tuple(populations), tuple(order), populations[-1].name)


@given(convolutional_graphs())
def test_convolutions_are_written_as_what_they_are(tmp_path_factory, graph):
    path = save_nir(graph, tmp_path_factory.mktemp("round") / "trip.nir")
    with h5py.File(path) as file:
        kinds = {n: v["type"].asstr()[()] for n, v in file["node/nodes"].items()}
    for p in graph.projections:
        assert kinds[p.name].startswith("Conv") == (p.convolution is not None)
    check_shapes(path)
    found = load_nir(path)
    assert digest(found) == digest(graph)
    # Others, who do not read our notes, put a bias of zeros where there was none.
    with h5py.File(path, "a") as file:
        del file["node/metadata"]
    plain = load_nir(path, dt=1e-3)
    for p in graph.projections:
        (same,) = [q for q in plain.projections if q.name == p.name]
        np.testing.assert_array_equal(same.weights, p.weights)


KERNEL = np.arange(8.0).reshape(2, 1, 2, 2)
IMAGE = Convolution(KERNEL, (1, 3, 4), (1, 2), (0, 1), (1, 1), 1)


def image_graph(**changed):
    """Make x -> a -> b: 2 kernels of 2 x 2 on an image of 3 x 4, and a dense layer."""
    made, shape = convolved("conv", "x", "a", replace(IMAGE, **changed))
    n = math.prod(shape)
    bias = np.repeat([5.0, 6.0], n // 2)
    populations = (
        Population("x", 12, "input"),
        Population("a", n, "IF", bias=bias, dynamics=Dynamics(*np.ones((3, n)))),
        Population("b", 2, "IF", dynamics=Dynamics(*np.ones((3, 2)))),
    )
    dense = Projection("dense", "a", "b", np.ones((2, n)), delay=2)
    return SpikingGraph(DT, populations, (made, dense), "b")


def test_a_convolution_and_what_is_around_it_have_their_shapes(path):
    save_nir(image_graph(), path)
    with h5py.File(path) as file:
        nodes = file["node/nodes"]
        conv = {k: v[()] for k, v in nodes["conv"].items() if k != "type"}
        assert nodes["conv/type"].asstr()[()] == "Conv2d"
        np.testing.assert_array_equal(conv.pop("weight"), KERNEL)
        assert {k: np.array(v).tolist() for k, v in conv.items()} == {
            "bias": [5, 6],
            "input_shape": [3, 4],
            "stride": [1, 2],
            "padding": [0, 1],
            "dilation": [1, 1],
            "groups": 1,
        }
        # 3 rows give 2, and 4 columns with 2 more give 3 in steps of 2.
        assert nodes["x/shape"][()].tolist() == [1, 3, 4]
        assert nodes["a/v_threshold"].shape == nodes["dense delay/delay"].shape
        assert nodes["a/v_threshold"].shape == (2, 2, 3)
        assert nodes["dense flat/type"].asstr()[()] == "Flatten"
        assert nodes["dense flat/input_type"][()].tolist() == [2, 2, 3]
        assert nodes["b/r"].shape == (2,)
        assert [tuple(edge) for edge in file["node/edges"].asstr()[()]] == [
            ("x", "conv"),
            ("conv", "a"),
            ("a", "dense delay"),
            ("dense delay", "dense flat"),
            ("dense flat", "dense"),
            ("dense", "b"),
            ("b", "output"),
        ]


def test_an_edge_beside_a_convolution_has_its_shape(path):
    # x -> a -> (b) -> c, and a past b to c, as residual networks have it.
    one = Convolution(np.ones((2, 2, 3)), (2, 5), (1,), (1,), (1,), 1)
    neurons = Dynamics(*np.ones((3, 10)))
    bias = np.repeat([1.0, 2.0], 5)
    graph = SpikingGraph(
        DT,
        (
            Population("x", 10, "input"),
            Population("a", 10, "IF", dynamics=neurons),
            Population("b", 10, "IF", bias=bias, dynamics=neurons),
            Population("c", 10, "linear", bias=bias),
            Population("d", 10, "IF", dynamics=neurons),
        ),
        (
            Projection("x to a", "x", "a", np.eye(10)),
            convolved("conv", "a", "b", one)[0],
            Projection("a to c", "a", "c", np.eye(10), delay=2),
            convolved("other", "b", "c", one)[0],
            Projection("c to d", "c", "d", np.eye(10)),
        ),
        "d",
    )
    assert digest(load_nir(save_nir(graph, path))) == digest(graph)
    with h5py.File(path) as file:
        nodes = file["node/nodes"]
        assert {nodes[name]["type"].asstr()[()] for name in nodes} == {
            *("Input", "Conv1d", "IF", "Scale", "Delay", "Output"),
        }
        assert nodes["x/shape"][()].tolist() == [2, 5]
        assert nodes["d/r"].shape == nodes["a to c delay/delay"].shape == (2, 5)
    check_shapes(path)
    # What is flat has no such shape: neither where it comes from nor where it leads.
    for pre, post, remain in (("x", "a", set()), ("x", "d", {"conv", "other"})):
        flat = Projection("more", pre, post, np.ones((10, 10)))
        more = replace(graph, projections=(*graph.projections, flat))
        found = load_nir(save_nir(more, path))
        check_shapes(path)
        assert {p.name for p in found.projections if p.convolution} == remain
        assert digest(without_its_description(found)) == digest(
            without_its_description(more)
        )


def test_an_edge_from_what_is_flat_leads_to_no_shape(path):
    # Other weights lead to a, and a to c, in one edge or three, where a kernel leads.
    one = Convolution(np.ones((2, 2, 3)), (2, 5), (1,), (1,), (1,), 1)
    graph = SpikingGraph(
        DT,
        (
            Population("x", 10, "input"),
            Population("a", 10, "IF", dynamics=Dynamics(*np.ones((3, 10)))),
            Population("c", 10, "IF", dynamics=Dynamics(*np.ones((3, 10)))),
        ),
        (
            Projection("dense", "x", "a", np.ones((10, 10))),
            convolved("conv", "x", "c", one)[0],
            Projection("a to c", "a", "c", np.eye(10)),
        ),
        "c",
    )
    x, a, c = graph.populations
    dense, conv, _ = graph.projections
    between = (replace(a, name=name) for name in ("b1", "b2"))
    ways = (("b2", "c"), ("b1", "b2"), ("a", "b1"))
    edges = (Projection(f"{i} to {j}", i, j, np.eye(10)) for i, j in ways)
    longer = replace(
        graph, populations=(x, a, *between, c), projections=(dense, conv, *edges)
    )
    for made in (graph, longer):
        found = load_nir(save_nir(made, path))
        check_shapes(path)
        assert digest(found) == digest(without_its_description(made))


def without_its_description(graph):
    parts = tuple(replace(p, convolution=None) for p in graph.projections)
    return replace(graph, projections=parts)


def with_weights(graph, **more):
    x, *others = graph.projections
    return replace(graph, projections=(replace(x, **more), *others))


def test_what_nir_cannot_say_as_a_convolution_is_written_as_its_weights(path):
    plain, a = image_graph(), image_graph().population("a")
    x, _, b = plain.populations
    dense = Projection("more", "x", "a", np.ones((12, 12)))
    steps = {"stride": (1,) * 3, "padding": (0,) * 3, "dilation": (1,) * 3}
    volume = Convolution(np.ones((2, 1, 1, 1, 1)), (1, 3, 2, 2), **steps, groups=1)
    of_volume = SpikingGraph(
        DT,
        (x, replace(a, n_neurons=24, bias=None, dynamics=Dynamics(*np.ones((3, 24))))),
        (convolved("conv", "x", "a", volume)[0],),
        "a",
    )
    odd = [
        # Other weights than those of the kernel, and a kernel that does not fit.
        with_weights(plain, weights=plain.projections[0].weights * 2),
        with_weights(plain, convolution=replace(IMAGE, groups=2)),
        # A bias that is not one for each channel.
        replace(plain, populations=(x, replace(a, bias=np.arange(12.0)), b)),
        # The same beside an edge, which could bear it.
        replace(
            plain,
            populations=(x, replace(a, bias=np.arange(12.0)), b),
            projections=(
                *plain.projections,
                Projection("x to a", "x", "a", np.eye(12), delay=1),
            ),
        ),
        # Weights that lead to the same neurons, which NIR has flat.
        replace(plain, projections=(*plain.projections, dense)),
        # Three dimensions.
        of_volume,
    ]
    for graph in odd:
        found = load_nir(save_nir(graph, path))
        check_shapes(path)
        assert digest(found) == digest(without_its_description(graph))


def test_a_file_of_norse_is_read_run_and_written_again(reference, path):
    graph = load_nir(reference / "lif_norse.nir", dt=1e-4)
    assert summary(graph) == ({"input": "input", "1": "LIF"}, [("0", "input", "1", 0)])
    # tau = 25 steps: v = 1 - (24/25)^k of a current of 1; above 0.1 for k = 3, and
    # again from 0 on.
    spikes = run_neurons(graph, np.ones((1, 10, 1)))["1"][0, :, 0]
    assert np.flatnonzero(spikes).tolist() == [2, 5, 8]
    assert digest(load_nir(save_nir(graph, path))) == digest(graph)


def test_a_file_of_snntorch_is_read_run_and_written_again(reference, path):
    graph = load_nir(reference / "braille_rnn.nir", dt=1e-4)
    assert summary(graph) == (
        {"input": "input", "lif1.lif": "CubaLIF", "lif2": "CubaLIF"},
        [
            ("lif1.w_rec", "lif1.lif", "lif1.lif", 1),
            ("fc1", "input", "lif1.lif", 0),
            ("fc2", "lif1.lif", "lif2", 0),
        ],
    )
    with h5py.File(reference / "braille_rnn.nir") as file:
        w = {
            n: file[f"node/nodes/{n}/weight"][()] for n in ("fc1", "fc2", "lif1.w_rec")
        }
        b = {n: file[f"node/nodes/{n}/bias"][()] for n in w}
    x = (np.random.default_rng(0).random((100, 12)) < 0.3).astype(float)
    found = run_neurons(graph, x[None])
    assert found["lif1.lif"].any() and found["lif2"].any()
    # As snnTorch wrote it: decays of 0.55 and 0.9, then 0.5 and 0.55, by their names.
    syn1, mem1, spikes1 = np.zeros((3, 38))
    syn2, mem2 = np.zeros((2, 7))
    for step in range(100):
        syn1 = 0.55 * syn1 + w["fc1"] @ x[step] + b["fc1"]
        syn1 += w["lif1.w_rec"] @ spikes1 + b["lif1.w_rec"]
        mem1 = 0.9 * mem1 + syn1
        spikes1 = (mem1 > 1).astype(float)
        mem1[mem1 > 1] = 0
        assert np.array_equal(found["lif1.lif"][0, step], spikes1)
        syn2 = 0.5 * syn2 + w["fc2"] @ spikes1 + b["fc2"]
        mem2 = 0.55 * mem2 + syn2
        assert np.array_equal(found["lif2"][0, step], mem2 > 1)
        mem2[mem2 > 1] = 0
    assert digest(load_nir(save_nir(graph, path))) == digest(graph)


def refuses(path, words, **options):
    """Check the whole message, behind the file's name."""
    whole = f"NIR file {str(path)!r} cannot be read: {words}"
    with pytest.raises(InterchangeError, match=f"^{re.escape(whole)}$"):
        load_nir(path, **{"dt": DT} | options)


KINDS = (
    "Input, Output, Affine, Linear, Scale, Conv1d, Conv2d, Flatten, Delay, LIF, "
    "CubaLIF, IF"
)
REFUSED = [
    (
        [{"type": "CubaLI"}],
        f"node '0' needs to be {KINDS}; got 'CubaLI', which a graph cannot carry",
    ),
    (
        [{"type": "__import__('os')"}],
        f"node '0' needs to be {KINDS}; got \"__import__('os')\", which a graph "
        "cannot carry",
    ),
    (
        [{"type": 3}],
        f"node '0' needs to be {KINDS}; got '3', which a graph cannot carry",
    ),
    ([{"type": "Linear"}], "Linear '0' needs 'weight', and has none"),
    ([LINEAR | {"odd": 1}], "Linear '0' has 'odd', which would be lost"),
    (
        [LINEAR | {"weight": np.ones(2)}],
        "Linear '0' needs a weight of 2 dimensions, got (2,)",
    ),
    (
        [LINEAR | {"weight": np.ones((2, 3))}],
        "Linear '0' needs 3 values, got 2 from 'in'",
    ),
    (
        [LINEAR | {"weight": np.full((2, 2), np.nan)}],
        "Linear '0' has a weight that is NaN or infinite",
    ),
    ([LINEAR | {"weight": "x"}], "Linear '0' needs a weight of numbers, got <U1"),
    ([AFFINE | {"bias": np.ones(3)}], "Affine '0' needs a bias of 2 values, got (3,)"),
    (
        [LIF | {"r": np.ones(3)}],
        "LIF '0' needs a r of shape (2,), as its v_threshold has; got (3,)",
    ),
    (
        [LIF | {"tau": np.full(2, 1e-4)}],
        "LIF '0' has a tau of 0.0001 s, and a step of dt=0.001 s has to be at most "
        "that; choose a smaller dt",
    ),
    (
        [DELAY | {"delay": np.full(2, 1.5e-3)}],
        "Delay '0' needs whole steps of dt=0.001 as its delay, got 0.0015 s; choose"
        " another dt",
    ),
    ([DELAY | {"delay": np.full(2, -1.0)}], "Delay '0' needs delays of at least 0"),
    (
        [DELAY | {"delay": np.full(2, 1e9)}],
        "Delay '0' needs whole steps of dt=0.001 as its delay, got 1e+09 s; choose "
        "another dt",
    ),
    (
        [DELAY | {"delay": np.array([1e-3, 2e-3])}],
        "Delay '0' has delays from 0.001 to 0.002 s; a projection of a graph has one",
    ),
    (
        [SCALE | {"scale": np.ones(2**14)}],
        "Scale '0' is a matrix of 16,384 x 16,384 weights; a graph holds matrices "
        "whole, of at most 134,217,728",
    ),
    (
        [CONV | {"weight": np.ones((1, 2))}],
        "Conv1d '0' needs a weight of 3 dimensions, got (1, 2)",
    ),
    (
        [CONV],
        "Conv1d '0' does not fit: a kernel of shape (1, 1, 2) needs an input of "
        "channels and 1 sizes, got (2,)",
    ),
    (
        [CONV | {"input_shape": 2, "stride": [1, 1]}],
        "Conv1d '0' needs a stride of 1 whole numbers, got [1, 1]",
    ),
    (
        [CONV | {"input_shape": 2, "padding": "odd"}],
        "Conv1d '0' needs a padding of numbers, 'valid' or 'same'; got 'odd'",
    ),
    (
        [CONV | {"input_shape": 2, "padding": "same"}],
        "Conv1d '0' needs a stride of 1 and kernels of odd size for padding 'same',"
        " got strides (1,) and sizes (2,)",
    ),
    (
        [CONV | {"input_shape": 2, "groups": [1, 1]}],
        "Conv1d '0' needs whole groups, got [1, 1]",
    ),
    (
        [CONV | {"input_shape": 2**30}],
        "Conv1d '0' does not fit: a kernel of shape (1, 1, 2) on an input of (1, "
        "1073741824) is a matrix of 2,147,483,646 entries; 134,217,728 are the most",
    ),
    (
        [CONV | {"input_shape": 2**16}],
        "Conv1d '0' is a matrix of 65,535 x 65,536 weights; a graph holds matrices "
        "whole, of at most 134,217,728",
    ),
    ([INPUT], "it needs one node of type Input, got '0', 'in'"),
    ([OUTPUT], "it needs one node of type Output, got '0', 'out'"),
    ([], "its output is its input 'in'; nothing is computed"),
]


@pytest.mark.parametrize("middle, words", REFUSED)
def test_nodes_that_a_graph_cannot_carry_are_refused(path, middle, words):
    refuses(chain(path, *middle), words)


ENDS = {"in": INPUT, "out": OUTPUT}
WIRED = [
    ({}, [], "its graph needs nodes, and has none"),
    (ENDS, [], "its edges need to be pairs of names, got an array of shape ()"),
    (
        ENDS,
        ["in", "out"],
        "its edges need to be pairs of names, got an array of shape (2,)",
    ),
    (
        ENDS,
        [("in", "../x")],
        "the edge from 'in' to '../x' needs a node '../x'; there is none",
    ),
    (ENDS, [("in", "out")] * 2, "the edge from 'in' to 'out' is there twice"),
    (ENDS | {"a": LIF}, [("in", "out")], "LIF 'a' gets nothing; connect it"),
    (
        ENDS | {"a": LIF},
        [("in", "a"), ("a", "out"), ("a", "in")],
        "Input 'in' needs to get nothing, got 'a'",
    ),
    (
        ENDS | {"a": LIF},
        [("in", "a"), ("in", "out"), ("out", "a")],
        "Output 'out' needs to be the end, got 'a'",
    ),
    (
        ENDS | {"a": LIF},
        [("in", "a"), ("a", "out"), ("in", "out")],
        "Output 'out' needs to get one node, got 'a', 'in'; put a Scale of ones "
        "between",
    ),
    (
        ENDS | {"a": LINEAR, "b": LINEAR},
        [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")],
        "nodes 'a', 'b' feed one another with no neurons between; a loop needs "
        "neurons, or a delay",
    ),
    (
        ENDS | {"a": {"type": "Flatten"}},
        [("in", "a"), ("a", "a"), ("a", "out")],
        "node 'a' feeds itself with nothing between",
    ),
    (
        ENDS | {"a": CONV, "b": CONV},
        [("a", "b"), ("b", "a"), ("a", "out")],
        "Conv1d 'a' needs an input of a known shape; the nodes before it say none",
    ),
]


@pytest.mark.parametrize("nodes, edges, words", WIRED)
def test_wires_that_a_graph_cannot_carry_are_refused(path, nodes, edges, words):
    refuses(write(path, nodes, edges), words)


def test_what_is_no_graph_is_refused(path):
    with h5py.File(path, "w") as file:
        file["node/type"] = "LIF"
    refuses(path, "it needs a node of type NIRGraph, and has none")
    write(path, ENDS, [("in", "out")], odd=1)
    refuses(path, "its graph has 'odd', which would be lost")


def test_a_time_step_and_a_reset_have_to_be_said(path):
    chain(path, LIF)
    refuses(path, "it says no time step; pass dt, in seconds", dt=None)
    refuses(path, "dt has to be above 0, in seconds, got -1", dt=-1)
    refuses(path, "reset has to be 'value' or 'subtract', got 'zero'", reset="zero")


PLAIN = SpikingGraph(
    DT,
    (
        Population("x", 2, "input"),
        Population("a", 2, "IF", dynamics=Dynamics(*np.ones((3, 2)))),
    ),
    (Projection("w", "x", "a", WEIGHT),),
    "a",
)


def with_a(**changed):
    x, a = PLAIN.populations
    return replace(PLAIN, populations=(x, replace(a, **changed)))


UNWRITTEN = [
    (
        with_a(dynamics=None, activation="Tanh"),
        "population 'a' has Tanh neurons, which NIR has not",
    ),
    (with_a(omega=1.0), "population 'a' has 'omega', which NIR has not"),
    (with_a(amplitude=2.0), "population 'a' has 'amplitude', which NIR has not"),
    (
        with_a(initial_voltage=np.zeros(2)),
        "population 'a' has 'initial_voltage', which NIR has not",
    ),
    (with_a(stagger=np.ones(2)), "population 'a' has 'stagger', which NIR has not"),
    (
        with_a(dynamics=Dynamics(*np.ones((2, 2)))),
        "population 'a' loses its threshold when it spikes; NIR knows a reset to a "
        "value",
    ),
    (with_a(activation="LIF"), "population 'a' says LIF, and has dynamics of IF"),
    (
        replace(PLAIN, projections=()),
        "population 'a' gets nothing; NIR needs it to be connected",
    ),
    (
        replace(PLAIN, output="x"),
        "NIR needs one input, and another output; got 1 inputs and the output 'x'",
    ),
    (
        replace(PLAIN, projections=(Projection("../w", "x", "a", WEIGHT),)),
        "NIR needs names without '/', got '../w'; give it another",
    ),
    (
        replace(PLAIN, projections=(Projection("a", "x", "a", WEIGHT),)),
        "NIR needs one name for each population and projection, and 'a' is two of "
        "them; give one another",
    ),
]


@pytest.mark.parametrize("graph, words", UNWRITTEN)
def test_what_nir_cannot_carry_is_not_written(path, graph, words):
    with pytest.raises(InterchangeError, match=f"^{re.escape(words)}$"):
        save_nir(graph, path)
    assert list(path.parent.iterdir()) == []


def test_a_write_that_fails_leaves_what_was_there(path, monkeypatch):
    path.write_text("before")
    monkeypatch.setattr(h5py.Group, "create_group", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_nir(PLAIN, path)
    assert [(p.name, p.read_text()) for p in path.parent.iterdir()] == [
        ("some.nir", "before")
    ]
    monkeypatch.undo()
    nowhere = path.parent / "none" / "some.nir"
    words = (
        f"NIR file {str(nowhere)!r} cannot be written (No such file or directory); "
        "name a file in a folder that exists and can be written to"
    )
    with pytest.raises(InterchangeError, match=f"^{re.escape(words)}$"):
        save_nir(PLAIN, nowhere)
