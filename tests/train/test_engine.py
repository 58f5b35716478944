"""Training a network: what comes back, what is kept, and what is refused."""

import re

import nengo
import numpy as np
import pytest

from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.exceptions import (
    BuildError,
    DivergenceError,
    ShapeError,
    TrainError,
)
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.train import Smoothing, train

pytest.importorskip("nengo_dl")

N_STEPS = 8


def make_data(n_samples=60, size_in=1, n_classes=2, seed=0):
    """Sequences of noise around a level that tells the class."""
    rng = np.random.RandomState(seed)

    def split(n):
        y = (np.arange(n) % n_classes).astype(np.int32)
        level = (y / (n_classes - 1))[:, None, None]
        x = level + 0.1 * rng.normal(size=(n, N_STEPS, size_in))
        return Split(x.astype(np.float32), y)

    return Dataset("levels", split(n_samples), split(20), split(20), n_classes)


def make_network(data, seed=0, **settings):
    defaults = {
        "order": 4,
        "theta_steps": N_STEPS,
        "n_hidden": 10,
        "omega_readout": 4,
        "omega_hidden": 2,
        "readout_steps": 4,
    }
    return SequenceClassifier(
        data.train.x, data.n_classes, seed=seed, **{**defaults, **settings}
    )


def quick(**settings):
    """Return settings of a training of seconds."""
    return {
        "epochs": 6,
        "minibatch_size": 20,
        "learning_rate": 0.02,
        "readout_steps": 4,
        "unroll_simulation": 4,
        "progress": False,
        **settings,
    }


@pytest.fixture(scope="module")
def trained_on_levels():
    data = make_data()
    network = make_network(data)
    smoothing = Smoothing(start=16, hold=0.5)
    budgets = {"lmu.hidden": {"rate": 0.8}}
    trained = train(network, data, **quick(smoothing=smoothing, budgets=budgets))
    return data, network, trained


def test_training_learns(trained_on_levels):
    _, _, trained = trained_on_levels
    history = trained.history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert max(history["val_accuracy"]) >= 0.9


def test_omega_is_annealed_and_then_held(trained_on_levels):
    _, _, trained = trained_on_levels
    omegas = trained.history["omega.lmu.hidden"]
    # 16 -> 2 over three of six epochs, geometrically: 16 (1/8)^(n/3)
    assert omegas == pytest.approx([8, 4, 2, 2, 2, 2])
    assert trained.parameters["lmu.hidden.omega"] == 2


def test_kept_parameters_are_those_best_on_validation_at_the_final_omega(
    trained_on_levels,
):
    _, _, trained = trained_on_levels
    history = trained.history
    scores = list(zip(history["val_accuracy"], history["val_loss"], strict=True))
    held = range(2, 6)  # the epochs that end at the final omega
    best = max(held, key=lambda epoch: (scores[epoch][0], -scores[epoch][1]))
    assert trained.best_epoch == best


def test_trained_values_stand_in_a_copy(trained_on_levels):
    _, network, trained = trained_on_levels
    assert isinstance(network.output.bias, np.ndarray)
    np.testing.assert_array_equal(network.output.bias, 1)
    assert trained.network is not network
    (output,) = (e for e in trained.network.all_ensembles if e.label == "output")
    np.testing.assert_array_equal(output.bias, trained.parameters["output.bias"])
    assert np.any(output.bias != 1)
    assert len(network.all_probes) == len(trained.network.all_probes) == 1


def test_memory_and_readout_are_not_trained(trained_on_levels):
    _, _, trained = trained_on_levels
    assert set(trained.parameters) == {
        "lmu.memory_to_hidden.weights",
        "hidden_to_output.weights",
        "lmu.hidden.bias",
        "output.bias",
        "lmu.readout.omega",
        "lmu.hidden.omega",
        "output.omega",
    }


def test_trained_network_answers_in_nengo_as_validation_said(trained_on_levels):
    data, _, trained = trained_on_levels
    network = trained.network
    (node,) = (n for n in network.all_nodes if n.size_in == 0)
    right = 0
    for x, label in zip(data.test.x, data.test.y, strict=True):
        node.output = lambda t, x=x: x[round(t) - 1]
        with nengo.Simulator(network, dt=trained.dt, progress_bar=False) as sim:
            sim.run_steps(N_STEPS)
        activity = sim.data[network.all_probes[0]][-trained.readout_steps :]
        right += int(np.argmax(activity.sum(axis=0)) == label)
    assert right / len(data.test) >= 0.85


def test_direct_training_keeps_omega():
    data = make_data()
    trained = train(make_network(data), data, **quick(epochs=1))
    assert trained.history["omega.lmu.hidden"] == [2.0]


def test_budgets_of_rates_lower_the_rates():
    data = make_data()

    def mean_rate(**settings):
        trained = train(make_network(data), data, **quick(epochs=4, **settings))
        (hidden,) = (e for e in trained.network.all_ensembles if e.label == "hidden")
        (node,) = (n for n in trained.network.all_nodes if n.size_in == 0)
        node.output = lambda t: data.test.x[1, round(t) - 1]
        with trained.network:
            probe = nengo.Probe(hidden.neurons)
        with nengo.Simulator(trained.network, dt=1.0, progress_bar=False) as sim:
            sim.run_steps(N_STEPS)
        return sim.data[probe].mean()

    limited = mean_rate(budgets={"lmu.hidden": {"rate": 0.05}}, budget_weight=30.0)
    assert limited < 0.7 * mean_rate()


def test_a_loss_that_is_not_finite_stops_training():
    data = make_data()
    with pytest.raises(DivergenceError) as caught:
        train(make_network(data), data, **quick(learning_rate=1e30, epochs=3))
    message = str(caught.value)
    assert message.startswith("the loss is nan at epoch ")
    assert "; first not finite: parameter " in message
    assert message.endswith("; lower learning_rate")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "train needs epochs of at least 1, got 0"),
        (
            {"minibatch_size": 61},
            "train needs a minibatch_size of at most 60, the size of levels.train; "
            "got 61",
        ),
        (
            {"readout_steps": 9},
            "train needs readout_steps in 1..8, the steps of levels; got 9",
        ),
        (
            {"learning_rate": float("nan")},
            "train needs a finite learning_rate above 0, got nan",
        ),
        ({"logit_scale": 0}, "train needs a finite logit_scale above 0, got 0"),
        (
            {"weight_decay": -1e-3},
            "train needs a finite weight_decay of at least 0, got -0.001",
        ),
        (
            {"weight_decay": float("inf")},
            "train needs a finite weight_decay of at least 0, got inf",
        ),
        ({"label_smoothing": 1}, "train needs label_smoothing in [0, 1), got 1"),
        (
            {"label_smoothing": float("nan")},
            "train needs label_smoothing in [0, 1), got nan",
        ),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    data = make_data()
    with pytest.raises(TrainError) as caught:
        train(make_network(data), data, **quick(**settings))
    assert str(caught.value) == message


def test_data_of_another_size_are_refused():
    with pytest.raises(ShapeError) as caught:
        train(make_network(make_data()), make_data(size_in=2), **quick())
    assert str(caught.value) == (
        "the network's input node has 1 dimensions, levels has 2"
    )
    with pytest.raises(ShapeError) as caught:
        train(make_network(make_data()), make_data(n_classes=3), **quick())
    assert str(caught.value) == "the network's probe has 2 values, levels has 3 classes"


def test_a_network_without_a_single_probe_is_refused():
    data = make_data()
    network = make_network(data)
    with network:
        nengo.Probe(network.output.neurons)
    with pytest.raises(TrainError) as caught:
        train(network, data, **quick())
    assert str(caught.value) == (
        "train needs a network with one input node and one probe, got 1 and 2"
    )


def test_a_budget_of_an_unknown_ensemble_is_refused():
    data = make_data()
    with pytest.raises(BuildError) as caught:
        train(make_network(data), data, **quick(budgets={"hidden": {"rate": 1.0}}))
    assert str(caught.value) == (
        "the network has no ensemble 'hidden'; it has lmu.hidden, lmu.readout, output"
    )


def test_omega_of_the_users_neurons_is_left_alone(trained_on_levels):
    _, network, _ = trained_on_levels
    hidden = network.lmu.hidden.ensemble.neuron_type
    assert isinstance(hidden, HybridSpiking) and hidden.omega == 2


def test_a_decoded_network_comes_back_as_it_was_trained():
    # Encoders, gains, biases and decoders are all trained here, and the network has
    # no seed: what comes back has to give what validation saw.
    data = make_data(size_in=1)
    with nengo.Network() as network:
        x = nengo.Node(np.zeros(1))
        neuron_type = HybridSpiking(nengo.RectifiedLinear(), omega=4)
        pool = nengo.Ensemble(
            20,
            1,
            neuron_type=neuron_type,
            max_rates=nengo.dists.Uniform(0.5, 1),
            label="pool",
        )
        answer = nengo.Ensemble(
            2, 1, neuron_type=neuron_type, gain=np.ones(2), bias=np.zeros(2)
        )
        nengo.Connection(x, pool, synapse=None)
        nengo.Connection(
            pool,
            answer.neurons,
            function=lambda v: [v[0], 1 - v[0]],  # wrong, so that a loss is left
            synapse=None,
        )
        nengo.Probe(answer.neurons)
    trained = train(network, data, **quick(epochs=2, learning_rate=1e-3))
    assert {"pool.gain", "pool.bias", "pool.encoders"} <= set(trained.parameters)
    assert network.seed is None
    copy = trained.network
    (node,) = (n for n in copy.all_nodes if n.size_in == 0)
    means = []
    for sequence in data.validation.x:
        node.output = lambda t, sequence=sequence: sequence[round(t) - 1]
        with nengo.Simulator(copy, dt=1.0, progress_bar=False) as sim:
            sim.run_steps(N_STEPS)
        means.append(sim.data[copy.all_probes[0]][-4:].mean(axis=0))
    logits = 10 * np.array(means)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = -np.mean(log_p[np.arange(len(means)), data.validation.y])
    seen = trained.history["val_loss"][trained.best_epoch]
    assert seen > 0.01
    assert loss == pytest.approx(seen, rel=1e-3)


@pytest.mark.parametrize("engine", ["nengo-dl", "parallel"])
def test_weights_alone_decay(engine):
    # One minibatch, so one step: both take the same one, and behind it the decayed
    # weights have lost 0.5 * 0.02 of what they were.
    data = make_data(n_samples=20)
    network = make_network(data)
    options = quick(epochs=1, unroll_simulation=1, engine=engine)
    plain = train(network, data, **options).parameters
    decayed = train(network, data, **options, weight_decay=0.5).parameters
    lost = {name: plain[name] - decayed[name] for name in plain}
    weights = {n for n in plain if n.endswith(".weights")}
    assert weights == {"lmu.memory_to_hidden.weights", "hidden_to_output.weights"}
    still = {**options, "learning_rate": 1e-30, "engine": "parallel"}
    start = train(network, data, **still).parameters
    for name in weights:
        np.testing.assert_allclose(lost[name], 0.01 * start[name], atol=1e-7)
        assert np.abs(lost[name]).max() > 1e-4
    for name in set(plain) - weights:
        np.testing.assert_array_equal(lost[name], 0)


def test_a_network_that_cannot_be_built_leaves_nengos_precision_alone():
    data = make_data()
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1))
        # LIF neurons that should spike at a rate they cannot have.
        pool = nengo.Ensemble(2, 1, max_rates=[1e4, 1e4], label="pool")
        nengo.Connection(x, pool, synapse=None)
        nengo.Probe(pool.neurons)
    before = nengo.rc.get("precision", "bits")
    with pytest.raises(nengo.exceptions.NengoException):
        train(network, data, **quick())
    assert nengo.rc.get("precision", "bits") == before


def test_decay_of_weights_that_share_a_variable_is_refused(monkeypatch):
    # NengoDL may keep arrays of one width in one variable, and decides on its own.
    from nengo_hybrid.train.stepwise import StepwiseSession

    monkeypatch.setattr(StepwiseSession, "_keys", lambda *args: {"shared"})
    data = make_data()
    with pytest.raises(TrainError) as caught:
        train(make_network(data), data, **quick(weight_decay=0.1))
    assert re.fullmatch(
        r"weight_decay cannot decay the weights of [\w.]+ alone, which NengoDL keeps "
        "in one variable with biases or encoders; needed 0",
        str(caught.value),
    )


@pytest.mark.parametrize("engine", ["nengo-dl", "parallel"])
def test_the_scale_of_the_logits_and_smoothed_labels(engine):
    data = make_data(n_samples=20)
    network = make_network(data)

    def losses(**settings):
        still = quick(epochs=1, unroll_simulation=1, engine=engine, learning_rate=1e-30)
        history = train(network, data, **still, **settings).history
        return history["loss"][0], history["val_loss"][0]

    # Logits of nothing: as likely the one class as the other.
    assert losses(logit_scale=1e-9) == pytest.approx((np.log(2), np.log(2)))
    loss, val_loss = losses()
    smoothed, same = losses(label_smoothing=0.5)
    assert same == val_loss
    assert smoothed != pytest.approx(loss, rel=0.01)
