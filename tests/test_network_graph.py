"""From a network to a graph: the weights by hand, the order, and every refusal."""

import re

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid import HybridSpiking, Identity
from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.graph_run import run_graph, run_neurons
from nengo_hybrid.graphs import Projection
from nengo_hybrid.lower import to_graph
from nengo_hybrid.network_graph import evaluation_order
from nengo_hybrid.networks import LMU
from nengo_hybrid.parameters import with_parameters

RELU = HybridSpiking(nengo.RectifiedLinear())


def network_with(add, *, probe=True):
    """Return a network of a node x and an ensemble h, and what ``add`` adds."""
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node([0.5, 0.25], label="x")
        net.h = nengo.Ensemble(4, 2, neuron_type=RELU, label="h")
        nengo.Connection(net.x, net.h, synapse=None, label="x_to_h")
        add(net)
        if probe:
            nengo.Probe(net.h.neurons)
    return net


def projection(graph, name):
    return next(p for p in graph.projections if p.name == name)


def neurons(n, *, gain=1.0, bias=0.0, neuron_type=RELU, label=None, **kwargs):
    """Make an ensemble whose neurons have the same gain and bias."""
    gains = {"gain": np.full(n, gain), "bias": np.full(n, bias)}
    return nengo.Ensemble(n, 1, neuron_type=neuron_type, label=label, **gains, **kwargs)


def test_populations_say_what_the_network_says():
    with nengo.Network(seed=0) as net:
        nengo.Node([0.0], label="x")
        nengo.Node(size_in=3, label="sum")
        kinds = {
            "relu": HybridSpiking(nengo.RectifiedLinear(amplitude=0.5), omega=3),
            "tanh": HybridSpiking(nengo.Tanh(tau_ref=0.25), omega=2, amplitude=0.1),
            "sigmoid": nengo.Sigmoid(tau_ref=0.5),
            "line": HybridSpiking(Identity(), omega=6),
        }
        for name, kind in kinds.items():
            ensemble = neurons(2, bias=0.75, neuron_type=kind, label=name)
        nengo.Probe(ensemble.neurons)
    graph = to_graph(net, dt=0.5)
    assert (graph.dt, graph.output) == (0.5, "line")
    found = {
        p.name: (p.activation, p.n_neurons, p.omega, p.amplitude)
        for p in graph.populations
    }
    # omega and amplitude take over the factor that the type puts on its function:
    # an amplitude, or one over tau_ref.
    assert found == {
        "x": ("input", 1, None, 1.0),
        "sum": ("linear", 3, None, 1.0),
        "relu": ("RectifiedLinear", 2, 1.5, 0.5),
        "tanh": ("Tanh", 2, 8.0, 0.4),
        "sigmoid": ("Sigmoid", 2, None, 2.0),
        "line": ("Identity", 2, 6.0, 1.0),
    }
    line = graph.population("line")
    assert line.bias.tolist() == [0.75, 0.75]
    assert np.all((line.initial_voltage >= 0) & (line.initial_voltage < 1))
    assert graph.population("sigmoid").initial_voltage is None
    assert graph.population("sum").bias is None


def driven(neuron_type, dt):
    """Return a network of 20 driven neurons, and its spikes in Nengo (n_steps, 20)."""
    with nengo.Network(seed=1) as net:
        x = nengo.Node(lambda t: np.sin(40 * t), label="x")
        gains = {"gain": np.linspace(1, 8, 20), "bias": np.linspace(0.5, 3, 20)}
        h = nengo.Ensemble(20, 1, neuron_type=neuron_type, label="h", **gains)
        weights = {"transform": np.linspace(-1, 1, 20)[:, None], "synapse": None}
        nengo.Connection(x, h.neurons, **weights)
        probe = nengo.Probe(h.neurons)
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run_steps(500)
    return net, sim.data[probe]


@pytest.mark.parametrize(
    "neuron_type",
    [
        nengo.SpikingRectifiedLinear(amplitude=0.5),
        nengo.RegularSpiking(nengo.RectifiedLinear(amplitude=3), amplitude=0.25),
        nengo.RegularSpiking(nengo.Tanh(tau_ref=0.5)),
    ],
    ids=repr,
)
def test_spiking_types_of_nengo_are_hybrid_with_an_omega_of_1(neuron_type):
    net, wanted = driven(neuron_type, 0.125)
    graph = to_graph(net, dt=0.125)
    x = np.sin(40 * 0.125 * np.arange(1, 501))[None, :, None]
    population = graph.population("h")
    unit = population.amplitude / (population.omega * 0.125)

    assert np.array_equal(run_graph(graph, x)["h"][0] * unit, wanted)
    assert np.abs(wanted).max() > 0


@pytest.mark.parametrize("tau_ref", [0.0, 0.002])
def test_lif_neurons_spike_as_in_nengo(tau_ref):
    net, wanted = driven(nengo.LIF(tau_ref=tau_ref, amplitude=0.5), 0.001)
    graph = to_graph(net, dt=0.001)
    x = np.sin(40 * 0.001 * np.arange(1, 501))[None, :, None]
    found, lif = run_neurons(graph, x)["h"][0], graph.population("h")

    assert (lif.activation, lif.amplitude) == ("LIF", 500)
    assert lif.dynamics.refractory[0] == tau_ref * 1000
    assert wanted.sum() > 500 * 500
    if not tau_ref:
        assert np.array_equal(found, wanted / 500)
    # Where Nengo has parts of steps: as often, within 3 in up to 57.
    found, wanted = found.sum(0), wanted.sum(0) / 500
    assert np.abs(found - wanted).max() <= 3
    assert abs(found.sum() / wanted.sum() - 1) < 0.03


CONVOLUTIONS = {
    "plain": nengo.Convolution(3, (5, 4, 2), kernel_size=(3, 2)),
    "same, in strides": nengo.Convolution(
        4, (5, 4, 2), kernel_size=(2, 3), strides=(2, 3), padding="same"
    ),
    "channels first": nengo.Convolution(3, (2, 5, 4), channels_last=False),
    "groups": nengo.Convolution(4, (5, 4, 2), groups=2),
    "one dimension": nengo.Convolution(2, (20, 2), kernel_size=(3,), strides=(2,)),
    "transposed": nengo.transforms.ConvolutionTranspose(
        2, (5, 4, 2), kernel_size=(3, 3), strides=(2, 2)
    ),
}


@pytest.mark.parametrize("transform", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_convolution_is_the_matrix_that_nengo_applies(transform):
    rng = np.random.default_rng(2)
    x = rng.normal(size=40)
    with nengo.Network(seed=3) as net:
        node = nengo.Node(x, label="x")
        h = neurons(transform.size_out, gain=2.0, neuron_type=Identity(), label="h")
        nengo.Connection(node, h.neurons, transform=transform, synapse=None, label="c")
        probe = nengo.Probe(h.neurons)
    with nengo.Simulator(net, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(2)
    weights = projection(to_graph(net), "c").weights

    assert weights.shape == (transform.size_out, 40)
    assert np.count_nonzero(weights) < weights.size
    np.testing.assert_allclose(weights @ x, sim.data[probe][-1])


def test_gains_and_encoders_are_in_the_weights():
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0.0, 0.0], label="x")
        h = nengo.Ensemble(
            2,
            2,
            radius=2.0,
            encoders=[[1, 0], [0, -1]],
            gain=[3.0, 5.0],
            bias=np.zeros(2),
            neuron_type=RELU,
        )
        nengo.Connection(x, h, synapse=None, label="encoded")
        nengo.Connection(x, h.neurons, synapse=None, label="direct")
        nengo.Connection(x[1], h[0], transform=4.0, synapse=None, label="sliced")
        nengo.Connection(
            x[[1, 1]], h.neurons, transform=[1, 2], synapse=0, label="repeated"
        )
        nengo.Probe(h.neurons)
    graph = to_graph(net)
    # Encoders times gain over radius; onto neurons the gain alone.
    assert projection(graph, "encoded").weights.tolist() == [[1.5, 0], [0, -2.5]]
    assert projection(graph, "direct").weights.tolist() == [[3, 0], [0, 5]]
    assert projection(graph, "sliced").weights.tolist() == [[0, 6], [0, 0]]
    assert projection(graph, "repeated").weights.tolist() == [[0, 3], [0, 10]]
    delays = [p.delay for p in graph.projections]
    assert delays == [0, 0, 0, 1]


def test_decoders_are_those_that_nengo_solves_for():
    net = network_with(
        lambda net: nengo.Connection(
            net.h, net.h, function=np.square, synapse=0, label="decoded"
        )
    )
    with nengo.Simulator(net, progress_bar=False) as sim:
        encoders = sim.data[net.h].scaled_encoders
        decoders = sim.data[net.connections[1]].weights
    found = projection(to_graph(net, dt=0.001), "decoded").weights
    assert np.allclose(found, encoders @ decoders)
    assert np.any(found)


def test_weight_solvers_have_the_encoders_in_already():
    solver = nengo.solvers.LstsqL2(weights=True)
    with nengo.Network(seed=0) as net:
        x = nengo.Node([0.5, 0.25], label="x")
        a, b = (nengo.Ensemble(n, 2, neuron_type=RELU) for n in (4, 6))
        nengo.Connection(x, a, synapse=None)
        full = nengo.Connection(a, b, solver=solver, synapse=None, label="full")
        nengo.Probe(b.neurons)
    with nengo.Simulator(net, progress_bar=False) as sim:
        weights = sim.data[full].weights
    found = projection(to_graph(net, dt=0.001), "full").weights
    assert found.shape == (6, 4)
    assert np.array_equal(found, weights)


def test_trained_decoders_are_lowered_as_they_are():
    def add(net):
        net.y = nengo.Node(size_in=3, label="y")
        nengo.Connection(
            net.h, net.y, transform=np.ones((3, 2)), synapse=None, label="decoded"
        )

    weights = np.arange(12.0).reshape(3, 4)
    net = with_parameters(network_with(add), {"decoded.weights": weights})
    assert np.array_equal(projection(to_graph(net), "decoded").weights, weights)


def test_a_node_may_be_the_output():
    def add(net):
        net.y = nengo.Node(size_in=4, label="y")
        nengo.Connection(net.h.neurons, net.y, synapse=None)
        nengo.Probe(net.y)

    assert to_graph(network_with(add, probe=False)).output == "y"


def test_populations_stand_after_those_they_need():
    with nengo.Network(seed=0) as net:
        out = nengo.Ensemble(3, 1, neuron_type=RELU, label="out")
        lmu = LMU(4, 8, n_hidden=3, hidden_type=RELU, hidden_to_memory=True)
        x = nengo.Node([0.0], label="x")
        nengo.Connection(lmu.hidden, out.neurons, synapse=None)
        nengo.Connection(x, lmu.input, synapse=None)
        nengo.Probe(out.neurons)
    graph = to_graph(net)
    place = {p.name: i for i, p in enumerate(graph.populations)}
    assert len(place) == 6
    for p in graph.projections:
        assert p.delay or place[p.pre] < place[p.post]


def edge(pre, post, delay=0):
    return Projection(f"{pre}{post}", pre, post, np.eye(1), delay)


def test_evaluation_order_by_hand():
    edges = (edge("b", "a"), edge("c", "b"), edge("a", "c", delay=1))
    assert evaluation_order(("a", "b", "c"), edges) == ["c", "b", "a"]
    assert evaluation_order(("b", "a"), ()) == ["b", "a"]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 1))),
    st.permutations("abcdef"),
)
def test_evaluation_order_is_right_or_names_a_loop(pairs, names):
    edges = [edge("abcdef"[i], "abcdef"[j], delay) for i, j, delay in pairs]
    now = {(e.pre, e.post) for e in edges if not e.delay}
    try:
        order = evaluation_order(tuple(names), edges)
    except LowerError as error:
        loop = re.match(r"^populations (.+) feed one another", str(error)).group(1)
        loop = set(loop.split(", "))
        # Each of them needs another of them, and is needed by another of them.
        for name in loop:
            assert any((other, name) in now for other in loop)
            assert any((name, other) in now for other in loop)
    else:
        assert sorted(order) == list("abcdef")
        assert all(order.index(pre) < order.index(post) for pre, post in now)


def test_a_loop_within_one_step_is_named_without_what_follows_it():
    edges = (edge("x", "a"), edge("a", "b"), edge("b", "a"), edge("b", "out"))
    message = (
        "populations a, b feed one another within one step; give one of their "
        "connections synapse=0, a delay of one step"
    )
    with pytest.raises(LowerError, match=f"^{re.escape(message)}$"):
        evaluation_order(("out", "x", "a", "b"), edges)


def test_a_network_with_such_a_loop_is_refused():
    net = network_with(
        lambda net: nengo.Connection(net.h, net.h, synapse=None, label="loop")
    )
    with pytest.raises(LowerError, match="^populations h feed one another within one"):
        to_graph(net)


def connect(net, **kwargs):
    nengo.Connection(net.h, net.h, **{"synapse": 0, "label": "c", **kwargs})


REFUSALS = {
    "a second input": (
        lambda net: nengo.Node([0.0], label="second"),
        "a network with 2 input nodes (x, second), one is needed",
    ),
    "a function in a node": (
        lambda net: nengo.Node(lambda t, x: x, size_in=1, label="f"),
        "node f (it runs a function)",
    ),
    "a second probe": (
        lambda net: nengo.Probe(net.h.neurons),
        "a network with 2 probes, one is needed",
    ),
    "a spiking type": (
        lambda net: nengo.Ensemble(3, 1, neuron_type=nengo.AdaptiveLIF(), label="lif"),
        "ensemble lif (neuron type AdaptiveLIF is not known)",
    ),
    "another base type": (
        lambda net: nengo.Ensemble(
            3, 1, neuron_type=HybridSpiking(nengo.LIFRate()), label="lif"
        ),
        "ensemble lif (neuron type LIFRate is not known)",
    ),
    "noise": (
        lambda net: neurons(3, noise=nengo.processes.WhiteNoise(), label="noisy"),
        "ensemble noisy (it has noise)",
    ),
    "a filter": (
        lambda net: connect(net, synapse=0.005),
        "connection c (synapse Lowpass(tau=0.005) is neither None nor 0)",
    ),
    "another filter": (
        lambda net: connect(net, synapse=nengo.Alpha(0.1)),
        "connection c (synapse Alpha(tau=0.1) is neither None nor 0)",
    ),
    "a convolution too large": (
        lambda net: nengo.Connection(
            nengo.Node(size_in=2**14),
            nengo.Node(size_in=2**14),
            transform=nengo.Convolution(1, (2**7, 2**7, 1), padding="same"),
            synapse=None,
            label="c",
        ),
        "connection c (its convolution is a matrix of 268,435,456 weights; "
        "134,217,728 fit)",
    ),
    "learning": (
        lambda net: nengo.Connection(
            net.h.neurons,
            net.h.neurons,
            transform=np.eye(4),
            synapse=0,
            label="c",
            learning_rule_type=nengo.BCM(),
        ),
        "connection c (it learns while it runs)",
    ),
    "a function of a node": (
        lambda net: nengo.Connection(
            net.x, net.h, function=np.square, synapse=0, label="c"
        ),
        "connection c (it computes a function of a node)",
    ),
    "a sparse transform": (
        lambda net: connect(
            net, transform=nengo.Sparse((2, 2), indices=[[0, 0]], init=[1.0])
        ),
        "connection c (transform Sparse is not known)",
    ),
}


@pytest.mark.parametrize("add, words", REFUSALS.values(), ids=REFUSALS)
def test_refusals(add, words):
    message = f"cannot lower {words}; keep it out of what is deployed, or replace it"
    with pytest.raises(LowerError, match=f"^{re.escape(message)}$"):
        to_graph(network_with(add))


PROBES = {
    "no probe": (
        lambda net: None,
        "a network with 0 probes, one is needed",
    ),
    "a decoded value": (
        lambda net: nengo.Probe(net.h),
        "a probe on Ensemble, one on all of the neurons or on a node is needed",
    ),
    "some of the neurons": (
        lambda net: nengo.Probe(net.h.neurons[:2]),
        "a probe on ObjView, one on all of the neurons or on a node is needed",
    ),
    "a filter": (
        lambda net: nengo.Probe(net.h.neurons, synapse=0.01),
        "a probe that filters with Lowpass(tau=0.01), none may be there",
    ),
}


@pytest.mark.parametrize("add, words", PROBES.values(), ids=PROBES)
def test_refused_probes(add, words):
    message = f"cannot lower {words}; keep it out of what is deployed, or replace it"
    with pytest.raises(LowerError, match=f"^{re.escape(message)}$"):
        to_graph(network_with(add, probe=False))


def test_a_network_without_input_is_refused():
    with nengo.Network() as net:
        h = neurons(2, label="h")
        nengo.Probe(h.neurons)
    with pytest.raises(LowerError, match=r"with 0 input nodes \(none\), one is needed"):
        to_graph(net)


def test_everything_that_is_wrong_is_named_at_once():
    def add(net):
        nengo.Node([0.0], label="second")
        nengo.Ensemble(3, 1, neuron_type=nengo.AdaptiveLIF(), label="lif")
        connect(net, synapse=0.005)

    with pytest.raises(LowerError) as error:
        to_graph(network_with(add))
    assert str(error.value) == (
        "cannot lower a network with 2 input nodes (x, second), one is needed; "
        "ensemble lif (neuron type AdaptiveLIF is not known); connection c (synapse "
        "Lowpass(tau=0.005) is neither None nor 0); keep it out of what is deployed, "
        "or replace it"
    )


def test_refusals_come_before_nengo_builds(monkeypatch):
    from nengo_hybrid import network_graph as network

    monkeypatch.delattr(network, "Model")
    with pytest.raises(LowerError):
        to_graph(network_with(lambda net: nengo.Node([0.0])))
