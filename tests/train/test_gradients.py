"""Gradients in parallel over time: those of NengoDL, on random networks."""

import itertools

import nengo
import numpy as np
import pytest

from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.networks import LMU
from nengo_hybrid.neurons import HybridSpiking, Identity
from nengo_hybrid.parameters import copy_network, object_names
from nengo_hybrid.train.smoothing import Schedules

tf = pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

N_STEPS, N_SAMPLES, N_CLASSES = 6, 3, 3
LOGIT_SCALE, RATE_LIMIT = 2.0, 0.1
# Of 50 networks, those that are tried whenever tests are run.
N_ORDINARY = 14


def make_data(rng, size_in):
    """Return noise, and labels for it."""

    def split():
        x = rng.uniform(-1, 1, (N_SAMPLES, N_STEPS, size_in)).astype(np.float32)
        return Split(x, rng.randint(N_CLASSES, size=N_SAMPLES).astype(np.int32))

    return Dataset("noise", split(), split(), split(), N_CLASSES)


def draw_neurons(rng, *, kinds=("relu", "tanh", "sigmoid", "identity"), rate=0.25):
    """Draw a neuron type; hybrid-spiking, but for a part ``rate`` of them."""
    base = {
        "relu": nengo.RectifiedLinear(),
        "tanh": nengo.Tanh(tau_ref=1),
        "sigmoid": nengo.Sigmoid(tau_ref=1),
        "identity": Identity(),
    }[kinds[rng.randint(len(kinds))]]
    omega = float(2 ** rng.uniform(-1, 4))
    return base if rng.uniform() < rate else HybridSpiking(base, omega=omega)


def draw_quantizers(rng, basis):
    """Draw which messages of a memory are quantized."""
    places = [["input"], ["readout"], ["loop"], ["input", "loop"], []][rng.randint(5)]
    if basis == "rotations" and rng.randint(2):
        places = [*places, "hub"]
    return {place: draw_neurons(rng, kinds=("identity",), rate=0.0) for place in places}


def draw_network(rng, *, size_in, feedback):
    """Draw a memory, its hidden layer, and layers before and behind them."""
    basis = ("legendre", "rotations")[rng.randint(2)]
    terms = "hidden_to_hidden", "hidden_to_memory", "memory_to_memory", "train_memory"
    drawn = {term: bool(feedback and rng.randint(2)) for term in terms}
    if feedback and not any(drawn.values()):
        drawn["hidden_to_hidden"] = True
    with nengo.Network(seed=rng.randint(2**31)) as network:
        x = nengo.Node(np.zeros(size_in), label="x")
        lmu = LMU(
            rng.randint(2, 6),
            N_STEPS,
            size_in=size_in,
            n_hidden=rng.randint(1, 6),
            hidden_type=draw_neurons(rng),
            quantizer=draw_quantizers(rng, basis),
            readout_scale=rng.uniform(0.5, 2),
            basis=basis,
            input_to_hidden=bool(rng.randint(2)),
            **drawn,
        )
        chain = [x, lmu.input], [lmu.hidden, draw_output(rng)]
        for i, part in enumerate(chain):
            if rng.randint(3) == 0:
                part.insert(1, draw_layer(rng, rng.randint(1, 4), f"layer{i}"))
            for pre, post in itertools.pairwise(part):
                weights = nengo.dists.Uniform(-1, 1)
                nengo.Connection(pre, post, transform=weights, synapse=None)
        nengo.Probe(chain[1][-1], label="answer")
    for connection in network.all_connections:
        if connection.label in ("hidden_to_memory", "memory_to_memory"):
            # They start at zero, where their gradients would say little.
            shape = connection.transform.init_shape
            connection.transform = rng.uniform(-0.3, 0.3, shape)
    return network


def draw_output(rng):
    """Draw a read-out, exact or of neurons."""
    if rng.randint(2):
        return nengo.Node(size_in=N_CLASSES, label="output")
    return draw_layer(rng, N_CLASSES, "output")


def draw_layer(rng, n_neurons, label):
    """Draw neurons with gains and biases."""
    return nengo.Ensemble(
        n_neurons,
        1,
        neuron_type=draw_neurons(rng),
        gain=rng.uniform(0.5, 2, n_neurons),
        bias=rng.uniform(-0.5, 0.5, n_neurons),
        label=label,
    ).neurons


def loss_of(answer, rates, labels, readout_steps):
    """Return the training loss, with a limit on rates in the steps that are read."""
    from nengo_hybrid.train.losses import cross_entropy

    means = tf.reduce_mean(answer[:, -readout_steps:], axis=1)
    loss = tf.reduce_mean(cross_entropy(means, labels, logit_scale=LOGIT_SCALE))
    for rate in rates:
        above = tf.nn.relu(rate[:, -readout_steps:] - RATE_LIMIT)
        loss += tf.reduce_mean(tf.square(above))
    return loss


def assign_gradients(variables, gradients):
    """Put gradients where the engines read parameters by their names."""
    for variable, gradient in zip(variables, gradients, strict=True):
        variable.assign(tf.zeros_like(variable) if gradient is None else gradient)


def by_nengo_dl(network, data, readout_steps):
    """
    Run NengoDL from the network's own voltages.

    Returns
    -------
    found : dict of str to array
        The "answer", (n_samples, n_steps, n_classes), and gradients by the names of
        parameters.
    rates : list of (n_samples, n_steps, n) array
        Of hybrid-spiking ensembles, in their order.
    """
    from nengo_hybrid.train.stepwise import StepwiseSession

    network = copy_network(network)
    with StepwiseSession(
        network,
        data,
        budgets={name: {"rate": RATE_LIMIT} for name in hybrid_names(network)},
        schedules=Schedules(None),
        budget_weight=1.0,
        readout_steps=readout_steps,
        minibatch_size=N_SAMPLES,
        seed=0,
        logit_scale=LOGIT_SCALE,
        label_smoothing=0.0,
        unroll_simulation=N_STEPS,
        dt=1.0,
    ) as session:
        model = session.sim.keras_model
        n_steps = tf.fill((N_SAMPLES, 1), N_STEPS)
        with tf.GradientTape() as tape:
            outputs = model([tf.constant(data.train.x), n_steps], training=False)
            answer, *rates = outputs[: len(network.all_probes)]
            loss = loss_of(answer, rates, data.train.y, readout_steps)
        variables = model.trainable_variables
        assign_gradients(variables, tape.gradient(loss, variables))
        found = {n: v for n, v in session.read().items() if not n.endswith("omega")}
    return {"answer": answer.numpy(), **found}, [rate.numpy() for rate in rates]


def hybrid_names(network):
    """Name the ensembles that are hybrid-spiking, in their order."""
    return [
        name
        for obj, name in object_names(network).items()
        if isinstance(obj, nengo.Ensemble)
        and isinstance(obj.neuron_type, HybridSpiking)
    ]


def in_parallel(network, data, readout_steps):
    """Do what `by_nengo_dl` does, by the other engine."""
    from nengo_hybrid.train.body import Body, inputs
    from nengo_hybrid.train.front import features
    from nengo_hybrid.train.plan import make_plan

    plan, reasons = make_plan(network, dt=1.0)
    assert reasons == []
    x = data.train.x
    values = (
        inputs(plan, x) if plan.is_recurrent else features(plan, x, N_STEPS, seed=None)
    )
    voltages = {
        p.name: np.tile(p.initial_voltage, (N_SAMPLES, 1)).astype(np.float32)
        for p in plan.body
        if p.is_hybrid
    }
    body = Body(plan)
    with tf.GradientTape() as tape:
        activity, rates = body.run(values, voltages)
        answer = activity[plan.graph.output]
        rates = [rates.get(name) for name in hybrid_names(network)]
        limited = [rate for rate in rates if rate is not None]
        loss = loss_of(answer, limited, data.train.y, readout_steps)
    assign_gradients(body.variables, tape.gradient(loss, body.variables))
    return {"answer": answer.numpy(), **body.read()}, rates


# NengoDL takes a second or two to build each.
SEEDS = [
    pytest.param(seed, marks=[pytest.mark.parity] if seed >= N_ORDINARY else [])
    for seed in range(50)
]


@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_gradients_are_those_of_nengo_dl(seed):
    # From the same voltages. No voltage of these networks comes so close to a whole
    # number that the engines round it to different ones.
    rng = np.random.RandomState(seed)
    size_in, readout_steps = rng.randint(1, 3), rng.randint(1, N_STEPS + 1)
    data = make_data(rng, size_in)
    network = draw_network(rng, size_in=size_in, feedback=bool(seed % 2))
    expected, expected_rates = by_nengo_dl(network, data, readout_steps)
    found, rates = in_parallel(network, data, readout_steps)
    assert set(found) == set(expected)
    for rate, same in zip(rates, expected_rates, strict=True):
        if rate is not None:  # those of what is fixed are not kept
            np.testing.assert_allclose(rate, same, atol=1e-5)
    np.testing.assert_allclose(found.pop("answer"), expected.pop("answer"), atol=1e-5)
    largest = max(np.abs(values).max() for values in expected.values())
    assert largest > 0
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4 * largest)
