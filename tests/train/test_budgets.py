"""Budgets: what they measure, that training meets them, and what is refused."""

import math

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nengo_hybrid import metrics
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.exceptions import TrainError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import LMU, SequenceClassifier
from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.train import Smoothing, train

tf = pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

from nengo_hybrid.train import budgets  # noqa: E402

N_STEPS = 8


def make_data(n_samples=60):
    """Sequences of noise around a level that tells the class."""
    rng = np.random.RandomState(0)

    def split(n):
        y = (np.arange(n) % 2).astype(np.int32)
        x = y[:, None, None] + 0.1 * rng.normal(size=(n, N_STEPS, 1))
        return Split(x.astype(np.float32), y)

    return Dataset("levels", split(n_samples), split(20), split(20), 2)


def make_network(data, **settings):
    defaults = {
        "order": 4,
        "theta_steps": N_STEPS,
        "n_hidden": 10,
        "omega_readout": 4,
        "omega_hidden": 2,
        "readout_steps": 4,
    }
    return SequenceClassifier(data.train.x, 2, seed=0, **{**defaults, **settings})


def quick(**settings):
    """Return settings of a training of seconds."""
    return {
        "engine": "parallel",
        "epochs": 6,
        "minibatch_size": 20,
        "learning_rate": 0.02,
        "readout_steps": 4,
        "unroll_simulation": 1,
        "progress": False,
        **settings,
    }


rates = arrays(np.float32, (3, 2, 4), elements=st.floats(-6, 6, width=32))


def test_bits_by_hand():
    # 2.75 counts a step: 2 (one bit) in a quarter of the steps, 3 (two bits) in the
    # others; -0.25: nothing in three quarters, -1 in one.
    counts = tf.constant([[[2.75]], [[-0.25]]])
    assert float(budgets.significant_bits(counts)) == (0.25 + 2 * 0.75 + 0.25) / 2
    assert float(budgets.spikes_per_step(counts)) == (1 + 0.25) / 2
    # From -1 to 3: five levels.
    assert float(budgets.bits_max(counts)) == pytest.approx(math.log2(5))


@given(rates)
def test_bits_are_those_of_the_counts_over_all_voltages(rates):
    # As many voltages as make the mean exact for rates in 64ths.
    rates = np.round(rates * 64) / 64
    voltages = (np.arange(64) + 0.5) / 64
    counts = np.floor(rates[None] + voltages[:, None, None, None]).astype(int)
    counts = counts.reshape(-1, *rates.shape[1:])
    for name in ("significant_bits", "spikes_per_step", "bits_max"):
        found = float(budgets.MEASURES[name](tf.constant(rates, tf.float32)))
        assert found == pytest.approx(getattr(metrics, name)(counts), abs=1e-5), name


def test_gradients_by_hand():
    counts = tf.Variable([[[2.75]], [[-0.25]]])
    expected = {
        # From 2 to 3 a bit more for each count, from -1 to 0 one less; of two samples.
        "significant_bits": [0.5, -0.5],
        "spikes_per_step": [0.0, -0.5],
        # Of log2(2.75 + 0.25 + 1).
        "bits_max": [0.25 / math.log(2), -0.25 / math.log(2)],
    }
    for name, gradient in expected.items():
        with tf.GradientTape() as tape:
            found = budgets.MEASURES[name](counts)
        found = tf.convert_to_tensor(tape.gradient(found, counts))
        np.testing.assert_allclose(found[:, 0, 0], gradient, rtol=1e-6)


def test_what_is_over_is_squared_and_added():
    # Rates of 1 and 3 at omega 1/2: above 1 by 0 and 2, squares 0 and 4, mean 2; in
    # counts 0.5 and 1.5: spikes 0.5 and 1, mean 0.75, above 0.25 by 0.5.
    limits = {"rate": 1.0, "spikes_per_step": 0.25, "bits_max": 9.0}
    found = budgets.penalty(limits, tf.constant([[[1.0], [3.0]]]), tf.constant(0.5))
    assert float(found) == 2 + 0.25


@pytest.mark.parametrize(
    ("engine", "measure", "limit"),
    [
        ("parallel", "bits_max", 0.8),
        ("parallel", "significant_bits", 0.1),
        ("parallel", "spikes_per_step", 0.1),
        ("nengo-dl", "significant_bits", 0.1),
    ],
)
def test_training_meets_a_budget(engine, measure, limit):
    data = make_data()

    def spent(**settings):
        options = quick(engine=engine, epochs=10, **settings)
        return measured(train(make_network(data), data, **options), data)[measure]

    limits = {"lmu.hidden": {measure: limit}}
    limited = spent(budgets=limits, budget_weight=30.0)
    assert limited < 1.4 * limit < spent()


def measured(trained, data):
    """Return the bits of the hidden layer in the steps that are read."""
    record = {"record": ["lmu.hidden"], "last_steps": trained.readout_steps}
    x, graph = data.validation.x, to_graph(trained.network, dt=trained.dt)
    counts = run_graph(graph, x, seed=1, **record)["lmu.hidden"]
    return metrics.activity_bits(counts)


@pytest.mark.parametrize("measure", ["significant_bits", "rate"])
def test_bits_over_a_budget_count_against_the_epoch(measure):
    data, limits = make_data(), {"lmu.hidden": {measure: 0.05}}
    options = quick(budgets=limits, budget_weight=10.0)
    trained = train(make_network(data), data, **options)
    history = trained.history
    right, loss = history["val_accuracy"], np.negative(history["val_loss"])
    if measure == "rate":  # shapes, and costs nothing
        assert "val_penalty" not in history
    else:
        assert max(history["val_penalty"]) > 0.01
        right = np.subtract(right, history["val_penalty"])
    scores = list(zip(right, loss, strict=True))
    assert trained.best_epoch == max(range(len(scores)), key=scores.__getitem__)


def test_both_engines_find_the_same_over_a_budget():
    # In all steps, of the same rates: nothing has been trained yet.
    data = make_data(n_samples=20)
    limits = {"lmu.hidden": {"significant_bits": 0.1, "bits_max": 0.5}}
    settings = {"epochs": 1, "learning_rate": 1e-30, "readout_steps": 8}
    found = [
        train(
            make_network(data, omega_readout=None),
            data,
            **quick(engine=engine, budgets=limits, **settings),
        ).history["val_penalty"]
        for engine in ("parallel", "nengo-dl")
    ]
    assert found[0][0] > 0.1
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.parametrize("kept", ["bits_max", "significant_bits"])
def test_omega_is_trained_under_a_budget(kept):
    data, limit = make_data(), {"bits_max": 1.2, "significant_bits": 0.4}[kept]
    network = make_network(data, omega_hidden=8)
    settings = quick(epochs=10, train_omega=["lmu.hidden"])
    limits = {"lmu.hidden": {kept: limit}}
    trained = train(network, data, budgets=limits, budget_weight=30.0, **settings)
    omegas = trained.history["omega.lmu.hidden"]
    assert omegas[-1] < omegas[0] < 8
    best = trained.best_epoch
    assert trained.parameters["lmu.hidden.omega"] == pytest.approx(omegas[best])
    hidden = to_graph(trained.network).population("lmu.hidden")
    assert hidden.omega == pytest.approx(omegas[best])
    assert measured(trained, data)[kept] < 1.2 * limit
    # Where nothing is limited, errors cost and bits do not.
    free = train(network, data, **settings)
    assert free.history["omega.lmu.hidden"][-1] > omegas[-1]


def test_a_trained_omega_goes_on_from_a_checkpoint(tmp_path):
    from nengo_hybrid.train.progress import EpochProgress

    data = make_data()
    limits = {"lmu.hidden": {"significant_bits": 0.3}}
    settings = quick(train_omega=["lmu.hidden"], budgets=limits)
    whole = train(make_network(data), data, **settings)

    def stop(self, row):
        self.epoch += 1
        if self.epoch == 4:
            raise ZeroDivisionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochProgress, "epoch_done", stop)
        with pytest.raises(ZeroDivisionError):
            train(make_network(data), data, checkpoints=tmp_path, **settings)
    resumed = train(
        make_network(data), data, checkpoints=tmp_path, resume=True, **settings
    )
    for name, values in whole.parameters.items():
        np.testing.assert_array_equal(values, resumed.parameters[name])
    assert whole.parameters["lmu.hidden.omega"] != 2


def test_the_gradient_of_omega_by_hand():
    # Rate 0.75, omega 1, voltage 0.5: a count of 1, so an error of 0.25, which falls
    # as 1 / omega; by the logarithm of omega the value changes by -0.25.
    from nengo_hybrid.train.body import Body
    from nengo_hybrid.train.plan import make_plan

    data = make_data()
    plan, _ = make_plan(make_network(data, omega_hidden=1.0), dt=1.0)
    body = Body(plan, last_steps=1, train_omega=["lmu.hidden"])
    (hidden,) = (p for p in plan.body if p.name == "lmu.hidden")
    current, voltages = tf.fill((1, 1, 10), 0.75), tf.fill((1, 10), 0.5)
    with tf.GradientTape() as tape:
        values, _ = body._run_at_once(
            hidden, {hidden.name: current}, {hidden.name: voltages}
        )
        total = tf.reduce_mean(values[hidden.name])
    assert float(total) == 1.0
    assert float(tape.gradient(total, body.log_omegas[hidden.name])) == -0.25


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"budgets": {"lmu.hidden": {"bits": 2}}},
            "budgets of lmu.hidden: unknown measure 'bits'; it knows rate, bits_max, "
            "significant_bits, spikes_per_step",
        ),
        (
            {"budgets": {"output": {"bits_max": -1}}},
            "budgets of output need a finite bits_max of at least 0, got -1",
        ),
        (
            {"budgets": {"lmu.readout": {"bits_max": 2}}},
            "budgets of lmu.readout cannot be met by training, since nothing trained "
            "comes before it; take them out, or put it into train_omega",
        ),
        (
            {"budget_weight": -1.0},
            "train needs a finite budget_weight of at least 0, got -1.0",
        ),
        (
            {"train_omega": ["output"], "smoothing": {"output": Smoothing(start=8)}},
            "omega of output cannot be both trained and moved by a schedule; take it "
            "out of train_omega or smoothing",
        ),
        (
            {"train_omega": ["output"], "engine": "nengo-dl"},
            "train_omega of output needs the engine 'parallel'; NengoDL keeps omega "
            "where no optimizer moves it",
        ),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    data = make_data()
    with pytest.raises(TrainError) as caught:
        train(make_network(data), data, **quick(**settings))
    assert str(caught.value) == message


def test_neurons_without_counts_have_no_bits_and_no_omega():
    data = make_data()
    network = make_network(data, omega_output=None)
    with pytest.raises(TrainError) as caught:
        train(network, data, **quick(budgets={"output": {"bits_max": 2}}))
    assert str(caught.value) == (
        "budgets of output cannot limit bits_max, since it sends no counts; needed "
        "HybridSpiking neurons, got Identity()"
    )
    with pytest.raises(TrainError) as caught:
        train(network, data, **quick(smoothing={"output": Smoothing(start=8)}))
    assert str(caught.value) == (
        "smoothing of output needs HybridSpiking neurons, got Identity()"
    )


@pytest.mark.parametrize("engine", ["parallel", "nengo-dl"])
def test_rates_that_are_sent_as_they_are_have_a_budget(engine):
    data = make_data()
    network = make_network(data, omega_hidden=None)

    def loss(**limits):
        options = quick(engine=engine, epochs=1, learning_rate=1e-30, budgets=limits)
        return train(network, data, **options).history["loss"][0]

    assert loss(**{"lmu.hidden": {"rate": 0.0}}) > loss() + 0.01


def test_omegas_of_what_is_run_beforehand_or_feeds_back_are_not_trained():
    data = make_data()
    loop = SequenceClassifier(
        data.train.x,
        data.n_classes,
        order=4,
        theta_steps=8,
        n_hidden=5,
        quantize_loop=True,
        seed=0,
    )
    options = quick(train_omega=["lmu.loop"])
    with pytest.raises(TrainError) as caught:
        train(loop, data, **options)
    assert str(caught.value) == (
        "omega of lmu.loop cannot be trained, since it is run before each epoch: "
        "nothing trained comes before it"
    )

    with nengo.Network(seed=0) as feeds_back:
        x = nengo.Node(np.zeros(1))
        relu = HybridSpiking(nengo.RectifiedLinear(), omega=2)
        lmu = LMU(4, N_STEPS, n_hidden=5, hidden_type=relu, hidden_to_hidden=True)
        nengo.Connection(x, lmu.input, synapse=None)
        output = nengo.Node(size_in=2)
        nengo.Connection(lmu.hidden, output, transform=np.ones((2, 5)), synapse=None)
        nengo.Probe(output)
    options = quick(train_omega=["lmu.hidden"])
    with pytest.raises(TrainError) as caught:
        train(feeds_back, data, **options)
    assert str(caught.value) == "omega of lmu.hidden cannot be trained: it feeds back"
