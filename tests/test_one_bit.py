"""One-bit networks: step by step the same as the graded ones, in spikes of one bit."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import BuildError, ShapeError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graph_run.program import compact
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import LMU
from nengo_hybrid.neurons import HybridSpiking, Identity, Staggered
from nengo_hybrid.one_bit import to_one_bit


def make_network(seed, *, omega=3.0, place="loop", order=4):
    """A memory with a quantizer, a hidden layer of graded spikes, and their sum."""
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=seed) as network:
        x = nengo.Node(np.zeros(1), label="x")
        lmu = LMU(
            order,
            12,
            n_hidden=5,
            hidden_type=HybridSpiking(nengo.RectifiedLinear(), omega=omega),
            quantizer={place: HybridSpiking(Identity(), omega=2 * omega)},
            basis="rotations",
        )
        lmu.connections[-1].transform = rng.normal(size=(5, order))
        output = nengo.Node(size_in=2, label="output")
        nengo.Connection(x, lmu.input, synapse=None, label="x_to_lmu")
        weights = rng.normal(size=(2, 5))
        nengo.Connection(
            lmu.hidden, output, transform=weights, synapse=None, label="to_output"
        )
        nengo.Probe(output)
    return network


def largest(counts):
    return {
        name: np.maximum(1, np.abs(found).max(axis=(0, 1)))
        for name, found in counts.items()
        if found.dtype == np.int16
    }


def grouped(counts, sizes):
    """Sum the counts of each group, (..., n_groups)."""
    return np.add.reduceat(counts, np.cumsum(sizes) - sizes, axis=-1)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    seed=st.integers(0, 2**31 - 1),
    omega=st.floats(0.5, 20),
    place=st.sampled_from(["readout", "loop", "input"]),
    order=st.integers(1, 6),
)
def test_groups_send_together_what_the_neuron_sends(seed, omega, place, order):
    network = make_network(seed, omega=omega, place=place, order=order)
    x = np.random.default_rng(seed).uniform(-1, 1, (3, 30, 1))
    graded = run_graph(to_graph(network), x, seed=seed)
    sizes = largest(graded)
    single = run_graph(to_graph(to_one_bit(network, sizes)), x, seed=seed)
    assert set(single) == set(graded)
    for name, counts in graded.items():
        assert abs(single[name]).max() <= 1
        np.testing.assert_array_equal(grouped(single[name], sizes[name]), counts)


def test_nengos_own_simulator_sends_the_same():
    network = make_network(3)
    sizes = {"lmu.loop": np.array([9, 7, 8, 6]), "lmu.hidden": np.full(5, 12)}
    found = []
    for each in (network, to_one_bit(network, sizes)):
        each.nodes[0].output = lambda t: np.sin(t)
        with nengo.Simulator(each, dt=1.0, progress_bar=False) as sim:
            sim.run_steps(40)
        found.append(sim.data[each.probes[0]])
    assert np.ptp(found[0]) > 1
    np.testing.assert_allclose(found[1], found[0], atol=1e-9)


def test_sizes_by_hand():
    # Groups of 1 and 3 from 0.5 and 0.25: 0.5; then (0.25 + 0, 1, 2) / 3
    spread = Staggered([1, 3]).spread(np.array([0.5, 0.25]))
    np.testing.assert_allclose(spread, [0.5, 0.25 / 3, 1.25 / 3, 2.25 / 3])


def test_the_network_is_left_as_it_is():
    network = make_network(0)
    before = to_graph(network)
    to_one_bit(network, {"lmu.hidden": np.full(5, 3)})
    assert to_graph(network).population("lmu.hidden").n_neurons == 5
    np.testing.assert_array_equal(
        to_graph(network).projections[-1].weights, before.projections[-1].weights
    )


def test_staggered_refuses_another_number_of_neurons():
    with pytest.raises(ShapeError) as caught:
        Staggered([2, 3]).sample(4)
    assert str(caught.value) == (
        "Staggered has groups of 5 neurons in all, and cannot draw voltages for 4"
    )


@pytest.mark.parametrize("sizes", [[1, 2], [0, 1, 1, 1, 1], [1.5] * 5])
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ShapeError) as caught:
        to_one_bit(make_network(0), {"lmu.hidden": sizes})
    assert str(caught.value) == (
        "to_one_bit needs a whole size of at least 1 for each of the 5 neurons of "
        f"'lmu.hidden', got {sizes}"
    )


def test_other_activations_are_refused():
    network = make_network(0)
    network.networks[0].ensembles[-1].neuron_type = HybridSpiking(nengo.Tanh())
    with pytest.raises(BuildError) as caught:
        to_one_bit(network, {"lmu.hidden": np.ones(5, int)})
    assert str(caught.value) == (
        "to_one_bit needs HybridSpiking neurons on RectifiedLinear or Identity in "
        "'lmu.hidden', got Tanh; leave it out"
    )


def ensemble_network(**options):
    with nengo.Network(seed=0) as network:
        kind = HybridSpiking(nengo.RectifiedLinear())
        given = {"gain": np.ones(3), "bias": np.zeros(3), **options}
        a = nengo.Ensemble(3, 1, neuron_type=kind, label="a", **given)
        x = nengo.Node(np.zeros(1), label="x")
    return network, a, x


def test_gains_that_nengo_draws_are_refused():
    network, _, _ = ensemble_network(gain=None, bias=None)
    with pytest.raises(BuildError) as caught:
        to_one_bit(network, {"a": np.ones(3, int)})
    assert str(caught.value) == (
        "to_one_bit needs gains and biases in 'a', which Nengo has yet to draw; set "
        "gain and bias"
    )


@pytest.mark.parametrize(
    "connect, message",
    [
        (
            lambda a, x: nengo.Connection(x, a, label="c"),
            "to_one_bit needs connections with the neurons of 'a', got 'c' through its "
            "encoders or decoders",
        ),
        (
            lambda a, x: nengo.Connection(x, a.neurons[:1], transform=1, label="c"),
            "to_one_bit needs 'c' to join whole populations, got a part of one; give "
            "it zero weights for the others",
        ),
        (
            lambda a, x: nengo.Connection(
                x, a.neurons, transform=nengo.dists.Uniform(0, 1), label="c"
            ),
            "to_one_bit needs 'c' to have dense weights, not yet to be drawn; train "
            "the network first, or set its transform",
        ),
    ],
)
def test_connections_that_cannot_be_widened_are_refused(connect, message):
    network, a, x = ensemble_network()
    with network:
        connect(a, x)
    with pytest.raises(BuildError) as caught:
        to_one_bit(network, {"a": np.ones(3, int)})
    assert str(caught.value) == message


def test_a_run_computes_what_a_group_shares_once():
    network = to_one_bit(
        make_network(5),
        {"lmu.loop": np.array([9, 7, 8, 6]), "lmu.hidden": np.full(5, 4)},
    )
    graph = to_graph(network)
    found = compact(graph)
    whole = {p.name: p.weights.shape for p in graph.projections}
    assert whole["lmu.memory_to_hidden"] == (20, 30)
    weights = {p.name: p.weights.shape for p in found.projections}
    assert weights["lmu.memory_to_hidden"] == (5, 4)
    x = np.random.default_rng(0).uniform(-1, 1, (2, 30, 1))
    by_hand = run_by_hand(graph, x[0])
    for name, counts in run_graph(graph, x[:1]).items():
        np.testing.assert_array_equal(counts[0], by_hand[name])


def run_by_hand(graph, x):
    """Run all weights as they stand, one step after the other."""
    values = {p.name: np.zeros(p.n_neurons) for p in graph.populations}
    voltages = {p.name: p.initial_voltage for p in graph.populations if p.is_hybrid}
    counts = {name: [] for name in voltages}
    for row in x:
        before = dict(values)
        for p in graph.populations:
            if p.activation == "input":
                values[p.name] = row
                continue
            current = np.zeros(p.n_neurons) if p.bias is None else p.bias
            for projection in graph.into(p.name):
                source = before if projection.delay else values
                current = current + projection.weights @ source[projection.pre]
            if not p.is_hybrid:
                values[p.name] = current
                continue
            rate = np.maximum(current, 0) if "Linear" in p.activation else current
            total = voltages[p.name] + p.omega * rate
            voltages[p.name] = total - np.floor(total)
            counts[p.name].append(np.floor(total))
            values[p.name] = np.floor(total) / p.omega
    return {name: np.array(rows) for name, rows in counts.items()}
