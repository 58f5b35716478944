"""Training in parallel over time: the numbers of a run step by step, and refusals."""

import nengo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.exceptions import TrainError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.metrics import accuracy, classify
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import LMU, SequenceClassifier
from nengo_hybrid.neurons import HybridSpiking, Identity
from nengo_hybrid.train import Smoothing, train

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

N_STEPS = 8


def make_data(n_samples=60, size_in=1, n_classes=3, seed=0):
    """Sequences of noise around a level that tells the class."""
    rng = np.random.RandomState(seed)

    def split(n):
        y = (np.arange(n) % n_classes).astype(np.int32)
        level = (y / (n_classes - 1))[:, None, None]
        x = level + 0.1 * rng.normal(size=(n, N_STEPS, size_in))
        return Split(x.astype(np.float32), y)

    return Dataset("levels", split(n_samples), split(30), split(30), n_classes)


def make_network(data, seed=0, **options):
    defaults = {"order": 4, "theta_steps": N_STEPS, "n_hidden": 10, "readout_steps": 2}
    return SequenceClassifier(
        data.train.x, data.n_classes, seed=seed, **{**defaults, **options}
    )


def quick(**options):
    """Return settings of a training of seconds."""
    return {
        "epochs": 8,
        "minibatch_size": 20,
        "learning_rate": 0.02,
        "readout_steps": 2,
        "progress": False,
        "engine": "parallel",
        **options,
    }


def run_body(network, x, last_steps, voltages):
    """Run a network's last steps in parallel; return values and rates by population."""
    from nengo_hybrid.train.body import Body
    from nengo_hybrid.train.front import features
    from nengo_hybrid.train.plan import make_plan

    plan, reasons = make_plan(network, dt=1.0)
    assert reasons == []
    values, rates = Body(plan).run(features(plan, x, last_steps), voltages(plan))
    names = [population.name for population in plan.body]
    return {n: values[n].numpy() for n in names}, {n: rates[n].numpy() for n in names}


def initial_voltages(n_samples):
    """Return a function from a plan to the voltages that Nengo starts with."""

    def voltages(plan):
        return {
            p.name: np.tile(p.initial_voltage, (n_samples, 1)).astype(np.float32)
            for p in plan.body
            if p.is_hybrid
        }

    return voltages


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    seed=st.integers(0, 2**31 - 1),
    order=st.integers(1, 6),
    n_hidden=st.integers(1, 8),
    size_in=st.integers(1, 2),
    last_steps=st.integers(1, N_STEPS),
    exact_output=st.booleans(),
)
def test_rates_and_counts_are_those_of_a_run_step_by_step(
    seed, order, n_hidden, size_in, last_steps, exact_output
):
    data = make_data(6, size_in, seed=seed % 1000)
    network = make_network(
        data,
        seed=seed,
        order=order,
        n_hidden=n_hidden,
        omega_output=None if exact_output else 2.0,
    )
    graph, x = to_graph(network), data.train.x
    rates = run_graph(graph, x, rates=True)
    _, found = run_body(network, x, last_steps, initial_voltages(len(x)))
    # The read-out's rates are those of both; behind it, rates follow its counts.
    np.testing.assert_allclose(
        found["lmu.readout"], rates["lmu.readout"][:, -last_steps:], atol=1e-5
    )
    values, _ = run_body(network, x, N_STEPS, initial_voltages(len(x)))
    counts = run_graph(graph, x)
    for population in graph.populations:
        if population.is_hybrid:
            found = values[population.name] * population.omega / population.amplitude
            np.testing.assert_allclose(found, counts[population.name], atol=1e-4)


def test_a_voltage_drawn_late_is_as_good_as_one_drawn_early():
    # The mean count is the rate at every step, whichever step the voltage is drawn at.
    data = make_data(3)
    network, n = make_network(data, n_hidden=5), 4000
    x = np.repeat(data.train.x[:1], n, axis=0)
    rng = np.random.default_rng(0)

    def drawn(plan):
        return {
            p.name: rng.random((n, p.n_neurons), dtype=np.float32)
            for p in plan.body
            if p.is_hybrid
        }

    late, _ = run_body(network, x, 1, drawn)
    early, _ = run_body(network, x, N_STEPS, drawn)
    for name in ("lmu.readout", "lmu.hidden"):
        means = late[name][:, -1].mean(axis=0), early[name][:, -1].mean(axis=0)
        np.testing.assert_allclose(*means, atol=0.03)


@pytest.fixture(scope="module")
def trained_on_levels():
    data = make_data()
    smoothing = Smoothing(start=16, hold=0.5)
    budgets = {"lmu.hidden": {"rate": 0.8}}
    network = make_network(data)
    options = quick(smoothing=smoothing, budgets=budgets)
    return data, network, train(network, data, **options)


def test_training_learns():
    data = make_data(n_classes=2)
    trained = train(make_network(data), data, **quick(epochs=30))
    history = trained.history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    graph = to_graph(trained.network)
    counts = run_graph(graph, data.test.x, seed=1)
    assert accuracy(classify(counts[graph.output], 2), data.test.y) >= 0.9


def test_what_comes_back_is_what_nengo_dl_would_give(trained_on_levels):
    data, network, trained = trained_on_levels
    by_nengo_dl = train(
        network, data, **quick(epochs=1, engine="nengo-dl", unroll_simulation=4)
    )
    assert set(trained.parameters) == set(by_nengo_dl.parameters)
    for name, values in by_nengo_dl.parameters.items():
        assert trained.parameters[name].shape == values.shape
    assert set(trained.history) == set(by_nengo_dl.history)
    assert trained.network.seed == by_nengo_dl.network.seed


def test_omega_is_annealed_and_kept_from_the_hold(trained_on_levels):
    _, _, trained = trained_on_levels
    omegas = trained.history["omega.lmu.hidden"]
    assert omegas[0] > omegas[2] > omegas[3] == omegas[-1] == 2.0
    assert trained.best_epoch >= 3
    assert trained.parameters["lmu.hidden.omega"] == 2.0


def feedback_network(data):
    """Return a classifier whose hidden layer feeds the memory, a step late."""
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1))
        relu = nengo.RectifiedLinear()
        lmu = LMU(
            4,
            N_STEPS,
            n_hidden=5,
            hidden_type=HybridSpiking(relu, omega=2),
            quantizer={"readout": HybridSpiking(Identity(), omega=4)},
            hidden_to_memory=True,
        )
        nengo.Connection(x, lmu.input, synapse=None)
        output = nengo.Node(size_in=data.n_classes)
        nengo.Connection(
            lmu.hidden,
            output,
            transform=nengo.dists.Uniform(-1, 1),
            synapse=None,
        )
        nengo.Probe(output)
    return network


@pytest.mark.parametrize("make", [make_network, feedback_network])
def test_the_same_seed_trains_the_same_values(make):
    data = make_data()
    one, other = (train(make(data), data, **quick(epochs=2, seed=3)) for _ in range(2))
    for name, values in one.parameters.items():
        np.testing.assert_array_equal(values, other.parameters[name])


def test_what_feeds_back_is_trained():
    data = make_data(n_classes=2)
    trained = train(feedback_network(data), data, **quick(epochs=25))
    assert np.any(trained.parameters["lmu.hidden_to_memory.weights"])
    graph = to_graph(trained.network)
    answers = run_graph(graph, data.test.x, seed=1, record=[graph.output])
    answers = answers[graph.output]
    assert accuracy(classify(answers, 2), data.test.y) >= 0.85


def test_auto_takes_what_feeds_back(caplog):
    data = make_data()
    with caplog.at_level("INFO", logger="nengo_hybrid.train.engine"):
        train(feedback_network(data), data, **quick(epochs=1, engine="auto"))
    assert "trained by NengoDL" not in caplog.text


def encoded_network(data):
    """Return a network with an ensemble of encoders, gains and decoders to train."""
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1))
        relu = HybridSpiking(nengo.RectifiedLinear(), omega=2)
        a = nengo.Ensemble(5, 1, neuron_type=relu, label="a")
        output = nengo.Node(size_in=data.n_classes, label="output")
        nengo.Connection(x, a, synapse=None, label="x_to_a")
        decoded = np.ones((data.n_classes, 1))
        nengo.Connection(a, output, transform=decoded, synapse=None, label="a_to_out")
        nengo.Probe(output)
    return network


def test_encoders_and_decoders_are_refused():
    data = make_data()
    with pytest.raises(TrainError) as caught:
        train(encoded_network(data), data, **quick())
    assert str(caught.value) == (
        "cannot train in parallel over time: ensemble a has gains that would be "
        "trained; connection x_to_a goes through encoders; connection a_to_out has "
        "trained decoders"
    )


def test_auto_leaves_encoders_and_decoders_to_nengo_dl(caplog):
    data = make_data()
    with caplog.at_level("INFO", logger="nengo_hybrid.train.engine"):
        trained = train(
            encoded_network(data),
            data,
            **quick(epochs=1, engine="auto", unroll_simulation=4),
        )
    assert "trained by NengoDL, since ensemble a has gains" in caplog.text
    assert "a_to_out.weights" in trained.parameters


def test_an_unknown_engine_is_refused():
    data = make_data()
    with pytest.raises(TrainError) as caught:
        train(make_network(data), data, **quick(engine="fast"))
    assert str(caught.value) == (
        "train knows engines nengo-dl, parallel, auto; got 'fast'"
    )


def test_auto_leaves_convolutions_to_nengo_dl(caplog):
    data = make_data(n_classes=2)
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1))
        spread = nengo.Node(size_in=6)
        nengo.Connection(x, spread, transform=np.ones((6, 1)), synapse=None)
        filters = nengo.Convolution(2, (6, 1), kernel_size=(3,), strides=(1,))
        relu = HybridSpiking(nengo.RectifiedLinear(), omega=2)
        hidden = nengo.Ensemble(
            8, 1, neuron_type=relu, gain=np.ones(8), bias=np.zeros(8), label="hidden"
        )
        nengo.Connection(
            spread, hidden.neurons, transform=filters, synapse=None, label="filters"
        )
        output = nengo.Node(size_in=2)
        weights = nengo.dists.Uniform(-1, 1)
        nengo.Connection(hidden.neurons, output, transform=weights, synapse=None)
        nengo.Probe(output)
    reason = "connection filters trains a convolution"
    with pytest.raises(TrainError) as caught:
        train(network, data, **quick())
    assert str(caught.value).startswith("cannot train in parallel over time: ")
    assert reason in str(caught.value)
    options = quick(epochs=2, engine="auto", unroll_simulation=1)
    with caplog.at_level("INFO", logger="nengo_hybrid.train.engine"):
        trained = train(network, data, **options)
    assert "trained by NengoDL, since " in caplog.text and reason in caplog.text
    (filters,) = (c for c in trained.network.all_connections if c.label == "filters")
    kernel = trained.parameters["filters.weights"]
    np.testing.assert_array_equal(filters.transform.init, kernel)
    assert kernel.shape == (3, 1, 2)
