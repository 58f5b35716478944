"""`HybridSpiking` in NengoDL: the same counts as Nengo, and how it trains."""

import nengo
import numpy as np
import pytest

from nengo_hybrid.neurons import HybridSpiking, Identity

tf = pytest.importorskip("tensorflow")
nengo_dl = pytest.importorskip("nengo_dl")

N_NEURONS = 30
BASES = {
    "relu": nengo.RectifiedLinear(),
    "tanh": nengo.Tanh(tau_ref=1),
    "sigmoid": nengo.Sigmoid(tau_ref=1),
    "identity": Identity(),
    "lif": nengo.LIFRate(tau_rc=2, tau_ref=1),
}


def make_network(neuron_type, dtype="float32", seed=0):
    """Make one input per neuron, a population, and probes on it."""
    with nengo.Network(seed=seed) as network:
        nengo_dl.configure_settings(dtype=dtype)
        network.input = nengo.Node(np.zeros(N_NEURONS))
        network.ensemble = nengo.Ensemble(
            N_NEURONS,
            1,
            neuron_type=neuron_type,
            gain=np.ones(N_NEURONS),
            bias=np.zeros(N_NEURONS),
        )
        nengo.Connection(network.input, network.ensemble.neurons, synapse=None)
        network.output = nengo.Probe(network.ensemble.neurons)
        network.voltage = nengo.Probe(network.ensemble.neurons, "voltage")
    return network


def call(sim, x, *, training):
    """Run NengoDL's model on (minibatch, steps, neurons); return the outputs."""
    n_steps = np.full((len(x), 1), x.shape[1], dtype=np.int32)
    return sim.keras_model([x, n_steps], training=training)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("omega", [0.7, 3.0])
def test_counts_equal_nengos(base, omega):
    neuron_type = HybridSpiking(BASES[base], omega=omega, amplitude=0.5)
    network = make_network(neuron_type, dtype="float64")
    x = np.random.RandomState(0).uniform(-2, 3, (1, 50, N_NEURONS))
    with nengo_dl.Simulator(network, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(50, data={network.input: x}, progress_bar=False)
        found = sim.data[network.output]
    network.input.output = lambda t: x[0, round(t) - 1]
    with nengo.Simulator(network, dt=1.0, progress_bar=False) as reference:
        reference.run_steps(50)
    np.testing.assert_allclose(found, reference.data[network.output], atol=1e-12)
    assert np.unique(np.round(found * omega / 0.5)).size > 1


def test_training_spikes_in_the_forward_pass():
    network = make_network(HybridSpiking(nengo.RectifiedLinear(), omega=2))
    x = np.full((4, 20, N_NEURONS), 0.3, dtype=np.float32)
    with nengo_dl.Simulator(
        network, dt=1.0, minibatch_size=4, progress_bar=False
    ) as sim:
        outputs = call(sim, x, training=True)[0].numpy()
    counts = outputs * 2
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-5)
    # The voltage advances, so the sum follows 2 * 0.3 * 20 = 12 within one count.
    assert np.abs(counts.sum(axis=1) - 12).max() <= 1


@pytest.mark.parametrize("base", ["relu", "tanh", "sigmoid", "identity"])
def test_gradient_is_that_of_the_base_type(base):
    derivative = {
        "relu": lambda x: (x > 0).astype(float),
        "tanh": lambda x: 1 - np.tanh(x) ** 2,
        "sigmoid": lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
        "identity": np.ones_like,
    }[base]
    neuron_type = HybridSpiking(BASES[base], omega=1.5, amplitude=0.5)
    network = make_network(neuron_type, dtype="float64")
    x = tf.constant(np.random.RandomState(0).uniform(-2, 2, (1, 10, N_NEURONS)))
    weight = np.random.RandomState(1).normal(size=x.shape)
    with nengo_dl.Simulator(network, dt=1.0, progress_bar=False) as sim:
        with tf.GradientTape() as tape:
            tape.watch(x)
            n_steps = tf.constant([[10]])
            output = sim.keras_model([x, n_steps], training=True)[0]
            total = tf.reduce_sum(weight * output)
        gradient = tape.gradient(total, x)
    expected = weight * 0.5 * derivative(x.numpy())
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_no_gradient_flows_into_the_voltage():
    # Were the voltage on the tape, a step's output would move earlier inputs too.
    network = make_network(HybridSpiking(Identity(), omega=1), dtype="float64")
    x = tf.constant(np.random.RandomState(0).uniform(0, 1, (1, 10, N_NEURONS)))
    with nengo_dl.Simulator(network, dt=1.0, progress_bar=False) as sim:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            outputs = sim.keras_model([x, tf.constant([[10]])], training=True)
            last, voltage = outputs[0][:, -1], outputs[1]
        gradient = tape.gradient(last, x).numpy()
        through_voltage = tape.gradient(voltage, x)
    np.testing.assert_array_equal(gradient[:, :-1], 0)
    np.testing.assert_array_equal(gradient[:, -1], 1)
    assert through_voltage is None or not np.any(through_voltage.numpy())


def test_every_sample_of_every_minibatch_has_voltages_of_its_own():
    # At a rate of 0.5 a neuron spikes if its voltage is above 0.5: half of them do,
    # independently, if every voltage is drawn anew.
    x = np.full((400, 1, N_NEURONS), 0.5, dtype=np.float32)

    def first_spikes(training):
        network = make_network(HybridSpiking(Identity(), omega=1))
        with network:
            nengo_dl.configure_settings(learning_phase=training)
        with nengo_dl.Simulator(
            network, dt=1.0, minibatch_size=200, progress_bar=False
        ) as sim:
            found = sim.predict({network.input: x}, verbose=0)[network.output]
        return found[:200, 0], found[200:, 0]

    first, second = first_spikes(training=True)
    assert 0.45 < first.mean() < 0.55
    assert 0.45 < np.mean(first != second) < 0.55
    correlation = np.corrcoef(first)[np.triu_indices(200, 1)]
    assert abs(correlation.mean()) < 0.01
    # In inference all samples start from the network's own voltages.
    first, second = first_spikes(training=False)
    np.testing.assert_array_equal(first, np.broadcast_to(first[0], first.shape))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws_are_tensorflows_own_and_can_go_on_anywhere(dtype):
    from nengo_hybrid.train.neuron_builders import uniform

    tf.random.set_seed(7)
    theirs = tf.function(
        lambda: [tf.random.uniform(shape, dtype=dtype) for shape in ((5, 3), (4, 1))]
    )
    ours = tf.function(
        lambda n: [uniform(shape, n, dtype) for shape in ((5, 3), (4, 1))]
    )
    expected = [theirs() for _ in range(4)]
    for n in (0, 3, 1, 2):
        for draw, same in zip(ours(tf.constant(n, tf.int64)), expected[n], strict=True):
            np.testing.assert_array_equal(draw, same)


def test_omega_is_saved_with_the_parameters(tmp_path):
    network = make_network(HybridSpiking(nengo.RectifiedLinear(), omega=2))
    with nengo_dl.Simulator(network, dt=1.0, progress_bar=False) as sim:
        _omega_variable(sim, network).assign([7.0])
        sim.save_params(str(tmp_path / "parameters"))
    with nengo_dl.Simulator(network, dt=1.0, progress_bar=False) as sim:
        assert _omega_variable(sim, network).numpy() == [2.0]
        sim.load_params(str(tmp_path / "parameters"))
        assert _omega_variable(sim, network).numpy() == [7.0]
        assert not _omega_variable(sim, network).trainable


def test_omega_acts_without_a_rebuild():
    network = make_network(HybridSpiking(nengo.RectifiedLinear(), omega=1))
    x = np.full((1, 100, N_NEURONS), 0.1, dtype=np.float32)
    with nengo_dl.Simulator(network, dt=1.0, progress_bar=False) as sim:
        coarse = sim.predict({network.input: x}, verbose=0)[network.output]
        _omega_variable(sim, network).assign([1e4])
        fine = sim.predict({network.input: x}, verbose=0)[network.output]
    assert set(np.unique(coarse)) == {0, 1}
    np.testing.assert_allclose(fine, x, atol=2e-4)


def _omega_variable(sim, network):
    signal = sim.model.sig[network.ensemble.neurons]["omega"]
    return sim.tensor_graph.base_params[sim.tensor_graph.signals[signal].key]
