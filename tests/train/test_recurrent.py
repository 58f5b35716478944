"""Populations that feed one another: the numbers of a run step by step."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import LMU
from nengo_hybrid.neurons import HybridSpiking, Identity

tf = pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

N_STEPS, N_SAMPLES = 10, 4


def make_network(seed, *, layer_before=False, omega=2.0, feeds_back=True, order=4):
    """Return a memory with hidden units that feed back, and layers around them."""
    tanh = nengo.Tanh(tau_ref=1)
    relu = HybridSpiking(nengo.RectifiedLinear(), omega=omega)
    rng = np.random.RandomState(seed)
    with nengo.Network(seed=seed) as network:
        x = nengo.Node(np.zeros(1), label="x")
        lmu = LMU(
            order,
            N_STEPS,
            n_hidden=5,
            hidden_type=HybridSpiking(tanh, omega=omega),
            quantizer={"readout": HybridSpiking(Identity(), omega=2 * omega)},
            hidden_to_hidden=True,
            hidden_to_memory=feeds_back,
            memory_to_memory=feeds_back,
        )
        first, output = (
            nengo.Ensemble(
                n, 1, neuron_type=relu, gain=np.ones(n), bias=np.ones(n) / 4, label=name
            ).neurons
            for n, name in ((3, "first"), (2, "output"))
        )
        joined = [(x, first), (first, lmu.input)] if layer_before else []
        for pre, post in [*joined, (lmu.hidden, output)]:
            weights = nengo.dists.Uniform(-1, 1)
            nengo.Connection(pre, post, transform=weights, synapse=None)
        if not layer_before:
            nengo.Connection(x, lmu.input, synapse=None)
            network.ensembles.remove(first.ensemble)
        nengo.Probe(output)
    for connection in network.all_connections:
        if connection.label in ("hidden_to_memory", "memory_to_memory"):
            shape = connection.transform.init_shape
            connection.transform = rng.uniform(-0.5, 0.5, shape)
    return network


def make_body(network, **options):
    from nengo_hybrid.train.body import Body
    from nengo_hybrid.train.plan import make_plan

    plan, reasons = make_plan(network, dt=1.0)
    assert reasons == []
    return Body(plan, **options)


def run_body(network, x, **options):
    """Run all steps from the network's own voltages."""
    from nengo_hybrid.train.body import inputs

    body = make_body(network, **options)
    voltages = {
        p.name: np.tile(p.initial_voltage, (len(x), 1)).astype(np.float32)
        for p in body.plan.body
        if p.is_hybrid
    }
    return body, *body.run(inputs(body.plan, x), voltages)


def noise(seed, n_samples=N_SAMPLES):
    return np.random.RandomState(seed).uniform(-1, 1, (n_samples, N_STEPS, 1))


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    seed=st.integers(0, 2**31 - 1),
    omega=st.floats(0.5, 16),
    layer_before=st.booleans(),
    feeds_back=st.booleans(),
)
def test_values_and_counts_are_those_of_a_run_step_by_step(
    seed, omega, layer_before, feeds_back
):
    network = make_network(
        seed, omega=omega, layer_before=layer_before, feeds_back=feeds_back
    )
    x = noise(seed % 1000)
    graph = to_graph(network)
    expected = run_graph(graph, x, record=[p.name for p in graph.populations])
    _, values, _ = run_body(network, x)
    for name, found in values.items():
        population = graph.population(name)
        per_value = population.omega / population.amplitude if population.omega else 1
        np.testing.assert_allclose(found * per_value, expected[name], atol=1e-4)


@pytest.mark.parametrize("layer_before", [True, False])
def test_the_steps_that_are_read_are_the_last_of_all(layer_before):
    network, x = make_network(0, layer_before=layer_before), noise(0)
    _, whole, whole_rates = run_body(network, x)
    _, last, rates = run_body(network, x, last_steps=3)
    for name in whole:
        expected = whole_rates[name][:, -3:]
        np.testing.assert_allclose(rates[name], expected, atol=1e-6)
        if name != "output":  # whose voltage is drawn at the first step that is read
            np.testing.assert_allclose(last[name], whole[name][:, -3:], atol=1e-6)


def test_gradients_are_the_same_whatever_is_read_of_other_steps():
    # The loss looks at the last step; other steps' values are there, or are not.
    network, x = make_network(1, layer_before=True), noise(1)
    found = []
    for last_steps in (None, 1):
        body = make_body(network, last_steps=last_steps)
        with tf.GradientTape() as tape:
            _, rates = run_with(body, x)
            total = tf.reduce_sum(tf.square(rates["output"][:, -1]))
        found.append(tape.gradient(total, body.variables))
    for one, other in zip(*found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-5)


def run_with(body, x):
    """Run a body from voltages of one half."""
    from nengo_hybrid.train.body import inputs

    voltages = {
        p.name: tf.fill((len(x), p.n_neurons), 0.5) for p in body.plan.body if p.omega
    }
    return body.run(inputs(body.plan, x), voltages)


def test_compiled_gives_what_step_by_step_in_python_gives():
    network, x = make_network(2), noise(2)
    body = make_body(network)
    for one, other in zip(
        run_with(body, x), tf.function(lambda: run_with(body, x))(), strict=True
    ):
        for name, values in one.items():
            np.testing.assert_allclose(other[name], values, atol=1e-5)


def test_gradients_without_quantizers_are_those_of_small_differences():
    network = make_network(3, omega=1e6)
    body, x = make_body(network), noise(3)

    def total():
        _, rates = run_with(body, x)
        return tf.reduce_sum(rates["lmu.hidden"] * np.arange(5, dtype=np.float32))

    with tf.GradientTape() as tape:
        value = total()
    weights = body.weights["lmu.hidden_to_memory"]
    gradient = tape.gradient(value, weights).numpy()
    before, step = weights.numpy(), 0.01
    for i in range(5):
        moved = step * np.eye(5)[i][None].astype(np.float32)
        weights.assign(before + moved)
        above = total().numpy()
        weights.assign(before - moved)
        slope = (above - total().numpy()) / (2 * step)
        assert slope == pytest.approx(gradient[0, i], rel=0.02, abs=0.02)


def stages(network):
    found = make_body(network).plan.stages
    return {s.names: (s.feeds_back, s.is_whole, s.is_learned) for s in found}


def test_what_is_on_a_cycle_runs_step_by_step_and_nothing_else():
    cycle = "lmu.drive", "lmu.state", "lmu.readout", "lmu.hidden"
    assert stages(make_network(0, layer_before=True)) == {
        ("first",): (False, True, True),
        ("lmu.input",): (False, True, True),
        cycle: (True, True, True),
        ("output",): (False, False, True),
    }


def test_cycles_that_do_not_meet_run_one_after_the_other():
    # The memory is exact and fixed: no gradient comes back through it.
    assert stages(make_network(0, feeds_back=False)) == {
        ("lmu.input",): (False, True, False),
        ("lmu.drive",): (False, True, False),
        ("lmu.state",): (True, True, False),
        ("lmu.readout",): (False, True, False),
        ("lmu.hidden",): (True, True, True),
        ("output",): (False, False, True),
    }
