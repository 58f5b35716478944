"""What TensorFlow computes for all steps at once: counted by hand."""

import nengo
import numpy as np
import pytest

from nengo_hybrid.neurons import HybridSpiking, Identity

tf = pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")


def make_body(network, **options):
    from nengo_hybrid.train.body import Body
    from nengo_hybrid.train.plan import make_plan

    plan, reasons = make_plan(network, dt=1.0)
    assert reasons == []
    return Body(plan, **options)


def make_chain(*, synapse=None, omega=2.0, amplitude=0.5):
    """Return a network of one input, one hybrid neuron and one output."""
    quantizer = HybridSpiking(Identity(), omega=omega, amplitude=amplitude)
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1), label="x")
        a = nengo.Ensemble(
            1, 1, neuron_type=quantizer, gain=[1], bias=[0], label="a"
        ).neurons
        output = nengo.Node(size_in=1, label="output")
        nengo.Connection(x, a, transform=[[1]], synapse=synapse, label="x_to_a")
        nengo.Connection(a, output, transform=[[3]], synapse=None, label="a_to_out")
        nengo.Probe(output)
    return network


def sequence(*values):
    return np.array(values, np.float32)[None, :, None]


def test_counts_are_those_of_a_hand_count():
    # 0.25 + 2 * 0.3 a step: 0.85, 1.45, 2.05, 2.65, so counts 0, 1, 1, 0, each of
    # which stands for 0.5 / 2.
    body = make_body(make_chain())
    x = {"x_to_a": sequence(0.3, 0.3, 0.3, 0.3)}
    values, rates = body.run(x, {"a": tf.constant([[0.25]])})
    np.testing.assert_allclose(values["a"].numpy().ravel(), [0, 0.25, 0.25, 0])
    np.testing.assert_allclose(rates["a"].numpy().ravel(), [0.15] * 4)
    np.testing.assert_allclose(values["output"].numpy().ravel(), [0, 0.75, 0.75, 0])


def test_gradients_are_those_of_the_rates():
    # The output is 3 * 0.5 * (weight * x + bias), but for the counts.
    body = make_body(make_chain())
    x = {"x_to_a": sequence(0.3, 0.1)}
    with tf.GradientTape() as tape:
        values, _ = body.run(x, {"a": tf.constant([[0.25]])})
        total = tf.reduce_sum(values["output"])
    weights = {**body.weights, **body.biases}
    found = tape.gradient(total, weights)
    assert found["x_to_a"].numpy() == pytest.approx(1.5 * (0.3 + 0.1))
    assert found["a"].numpy() == pytest.approx(1.5 * 2)
    # Counts are 0 and 1: 0.25 + 2 * 0.3 = 0.85, and 0.85 + 2 * 0.1 = 1.05.
    assert found["a_to_out"].numpy() == pytest.approx(0.25)


def test_what_comes_a_step_late_needs_all_steps():
    # Nothing feeds back, but the last step needs the one before it.
    from nengo_hybrid.train.body import inputs

    body = make_body(make_chain(synapse=0), last_steps=1)
    assert body.plan.is_recurrent
    x = inputs(body.plan, sequence(0.1, 0.2, 0.7, 5.0))
    values, rates = body.run(x, {"a": tf.constant([[0.0]])})
    np.testing.assert_allclose(rates["a"].numpy().ravel(), [0.35])
    assert values["a"].numpy().ravel() == pytest.approx([0.25])  # 2 * 0.7 is 1 count


def test_voltages_are_drawn_for_each_sample_and_hybrid_neuron():
    rng = tf.random.Generator.from_seed(0)
    voltages = make_body(make_chain()).draw_voltages(1000, rng)
    assert set(voltages) == {"a"}
    drawn = voltages["a"].numpy()
    assert drawn.shape == (1000, 1)
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert 0.45 < drawn.mean() < 0.55


@pytest.mark.parametrize("synapse", [None, 0])
def test_parts_give_what_all_samples_give(synapse):
    from nengo_hybrid.train.body import inputs

    body = make_body(make_chain(synapse=synapse), last_steps=2)
    samples = np.random.RandomState(0).uniform(0, 1, (7, 4, 1))
    x = inputs(body.plan, samples)
    voltages = body.draw_voltages(7, tf.random.Generator.from_seed(0))
    whole, parts = body.run(x, voltages), body.run_in_parts(x, voltages, size=3)
    for all_samples, together in zip(whole, parts, strict=True):
        for name, expected in all_samples.items():
            assert expected.shape == (7, 2, 1)
            np.testing.assert_allclose(together[name], expected, atol=1e-6)
