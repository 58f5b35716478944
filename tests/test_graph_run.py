"""Running a graph in floats: equal to Nengo's own simulator, sample by sample."""

import re

import nengo
import numpy as np
import pytest

from nengo_hybrid import HybridSpiking, Identity
from nengo_hybrid.exceptions import BuildError, EmulateError, ShapeError
from nengo_hybrid.graph_run import run, run_graph
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_graph
from nengo_hybrid.networks import LMU
from nengo_hybrid.parameters import object_names

N_STEPS = 25
BASES = (
    nengo.RectifiedLinear(),
    nengo.RectifiedLinear(amplitude=0.5),
    nengo.Tanh(tau_ref=1.0),
    nengo.Sigmoid(tau_ref=0.5),
    Identity(),
)


def random_network(seed, x, dt):
    """
    Build a network of an LMU and three ensembles, connected in many ways.

    Parameters
    ----------
    x : (n_steps, size_in) array
        What the input node gives.
    """
    rng = np.random.default_rng(seed)
    size_in, n_hidden = x.shape[1], int(rng.integers(2, 7))

    def hybrid():
        # Rates are of the order of one a step.
        omega = float(rng.choice([0.5, 1, 2, 3.7, 16])) / dt
        return HybridSpiking(rng.choice(BASES), omega=omega)

    def flip():
        return bool(rng.integers(2))

    def ensemble(n, size, label):
        kind = {"radius": float(rng.uniform(0.5, 2))}
        kind |= {"gain": rng.uniform(0.2, 1, n), "bias": rng.uniform(-0.5, 0.5, n)}
        return nengo.Ensemble(n, size, neuron_type=hybrid(), label=label, **kind)

    place = rng.choice(["none", "input", "readout", "loop"])
    with nengo.Network(seed=seed) as net:
        source = nengo.Node(lambda t: x[round(t / dt) - 1], size_out=size_in, label="x")
        lmu = LMU(
            int(rng.integers(2, 6)),
            float(rng.integers(4, 12)),
            size_in=size_in,
            n_hidden=n_hidden,
            hidden_type=hybrid(),
            quantizer={} if place == "none" else {place: hybrid()},
            hidden_to_hidden=flip(),
            input_to_hidden=flip(),
            readout_scale=2.0,
        )
        a, b = ensemble(6, 2, "a"), ensemble(5, 3, "b")
        out = ensemble(4, 1, "out")
        mix = nengo.Node(size_in=4, label="mix")

        def connect(pre, post, transform=None, **kwargs):
            synapse = kwargs.pop("synapse", None)
            nengo.Connection(pre, post, transform=transform, synapse=synapse, **kwargs)

        connect(source, lmu.input)
        connect(source[0], a[1], 0.7)  # a scalar, into a slice, through encoders
        connect(
            lmu.hidden[::2], a[[0]], rng.normal(size=(1, len(range(0, n_hidden, 2))))
        )
        connect(a, b, rng.normal(size=(3, 2)))  # decoded, into encoders
        connect(a, mix[1:3], function=np.square)
        connect(a[1], mix[3], -0.5)  # a decoded slice
        connect(source[[0, 0]], mix[:2], [0.3, 0.4])  # a diagonal of a slice
        connect(mix, b.neurons[[4, 1, 2, 0]], rng.normal(size=(4, 4)))
        connect(b.neurons[1:], out.neurons, rng.normal(size=(4, 4)))
        connect(b, out, rng.normal(size=(1, 3)))
        # One step late: to itself, to one before it, and between neurons.
        connect(b, b, 0.1 * rng.normal(size=(3, 3)), synapse=0)
        connect(out.neurons, a.neurons[:4], 0.1 * rng.normal(size=(4, 4)), synapse=0)
        connect(mix, lmu.drive, 0.05 * rng.normal(size=(size_in, 4)), synapse=0)
        if flip():
            connect(lmu.hidden, b.neurons, rng.normal(size=(5, n_hidden)), synapse=0)
        nengo.Probe(out.neurons)
    return net


def simulate(net, dt, n_steps=N_STEPS):
    """Return the output of every ensemble in Nengo's simulator, by name."""
    names = object_names(net)
    with net:
        probes = {names[e]: nengo.Probe(e.neurons) for e in net.all_ensembles}
    with nengo.Simulator(net, dt=dt, progress_bar=False) as sim:
        sim.run_steps(n_steps)
    return {name: sim.data[probe] for name, probe in probes.items()}


def inputs(seed, n_samples=1, size_in=None):
    rng = np.random.default_rng(1000 + seed)
    size_in = 1 + seed % 2 if size_in is None else size_in
    return rng.normal(size=(n_samples, N_STEPS, size_in))


def per_count(graph, name):
    """Return what one count of a population is worth."""
    population = graph.population(name)
    return population.amplitude / (population.omega * graph.dt)


def chain(activation="RectifiedLinear", *, omega=2.0, weight=1.0, **changes):
    """Return a graph of one input and one neuron, its voltage 0 in the beginning."""
    kind = {"omega": omega, "bias": np.zeros(1), "initial_voltage": np.zeros(1)}
    return SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", 1, "input"),
            Population("h", 1, activation, **{**kind, **changes}),
        ),
        projections=(Projection("w", "x", "h", np.full((1, 1), weight)),),
        output="h",
    )


def loop(weight):
    """Return a graph of an input and a sum that feeds itself, a step late."""
    return SpikingGraph(
        dt=1.0,
        populations=(Population("x", 1, "input"), Population("sum", 1, "linear")),
        projections=(
            Projection("w", "x", "sum", np.eye(1)),
            Projection("back", "sum", "sum", np.full((1, 1), weight), delay=1),
        ),
        output="sum",
    )


@pytest.mark.parametrize("dt", [1.0, 0.001])
@pytest.mark.parametrize("seed", range(12))
def test_counts_equal_those_of_nengo(seed, dt):
    x = inputs(seed)
    net = random_network(seed, x[0], dt)
    graph = to_graph(net, dt=dt)
    counts = run_graph(graph, x)
    truth = simulate(net, dt)
    assert set(counts) == set(truth)
    for name, output in truth.items():
        assert counts[name].dtype == np.int16
        wanted = np.rint(output / per_count(graph, name))
        assert np.array_equal(counts[name][0], wanted), name
        assert np.allclose(output, wanted * per_count(graph, name))


def test_the_random_networks_are_not_silent():
    # What the test above compares has spikes of either sign, of one and many bits.
    levels, n_silent = set(), 0
    for seed in range(12):
        x = inputs(seed)
        counts = run_graph(to_graph(random_network(seed, x[0], 1.0)), x)
        levels |= {int(k) for array in counts.values() for k in np.unique(array)}
        n_silent += sum(not array.any() for array in counts.values())
    assert {-2, -1, 0, 1, 2, 8} <= levels
    assert n_silent <= 4


@pytest.mark.parametrize("seed", range(6))
def test_rates_equal_the_network_with_rate_neurons(seed):
    x = inputs(seed)
    net = random_network(seed, x[0], 1.0)
    rates = run_graph(to_graph(net), x, rates=True)
    for ensemble in net.all_ensembles:
        ensemble.neuron_type = ensemble.neuron_type.base_type
    lowered = run_graph(to_graph(net), x)
    for name, output in simulate(net, 1.0).items():
        assert rates[name].dtype == float
        assert np.allclose(rates[name][0], output, atol=1e-9), name
        assert np.allclose(lowered[name][0], output, atol=1e-9), name


@pytest.mark.parametrize("seed", range(4))
def test_a_sample_of_a_batch_equals_the_sample_alone(seed):
    x = inputs(seed, n_samples=3)
    graph = to_graph(random_network(seed, x[0], 1.0))
    batch = run_graph(graph, x)
    for i in range(3):
        alone = run_graph(graph, x[i : i + 1])
        for name, counts in alone.items():
            assert np.array_equal(batch[name][i], counts[0]), name


@pytest.mark.parametrize("at_once", [1, 3, 4, 64])
def test_a_sample_starts_alike_however_many_run_at_once(at_once, monkeypatch):
    monkeypatch.setattr(run, "PIECE_SAMPLES", 4)
    x = inputs(0, n_samples=10)
    graph = to_graph(random_network(0, x[0], 1.0))
    whole = run_graph(graph, x, seed=5)
    pieces = run.GraphRun(graph).pieces(x, seed=5, record=whole, at_once=at_once)
    places, found = zip(*pieces, strict=True)
    assert [place.start for place in places] == {
        1: list(range(10)),
        3: [0, 3, 4, 7, 8],
    }.get(at_once, [0, 4, 8])
    assert sum(counts.any() for counts in whole.values()) > 2
    for name, counts in whole.items():
        parts = np.concatenate([part[name] for part in found])
        assert np.array_equal(parts, counts), name


def test_counts_by_hand():
    # omega 2, inputs 0.75, 0.75, -1, 1.25, 0.1: the voltage goes to 1.5, 2.0, 0.0,
    # 2.5, 0.7 before each floor.
    x = np.array([[[0.75], [0.75], [-1.0], [1.25], [0.1]]])
    assert run_graph(chain(), x)["h"][0, :, 0].tolist() == [1, 2, 0, 2, 0]
    # As Identity, the third step has 0.0 - 2.0, and then 2.5 and 0.7.
    identity = run_graph(chain("Identity"), x)
    assert identity["h"][0, :, 0].tolist() == [1, 2, -2, 2, 0]


def test_a_count_is_worth_amplitude_over_omega_and_dt():
    # Four counts a step at omega 8 and dt 1/2, an amplitude of 3: 4 * 3 / (8 / 2).
    graph = chain(omega=8.0, amplitude=3.0)
    graph = SpikingGraph(
        dt=0.5,
        populations=(*graph.populations, Population("y", 1, "linear")),
        projections=(*graph.projections, Projection("r", "h", "y", np.eye(1))),
        output="y",
    )
    found = run_graph(graph, np.ones((1, 2, 1)), record=["h", "y"])
    assert found["h"].tolist() == [[[4], [4]]]
    assert found["y"].tolist() == [[[3.0], [3.0]]]
    rates = run_graph(graph, np.ones((1, 2, 1)), rates=True, record=["h", "y"])
    assert rates["h"].tolist() == rates["y"].tolist() == [[[3.0], [3.0]]]


def test_delay_is_one_step():
    x = np.array([[[1.0], [0.0], [2.0]]])
    assert run_graph(loop(0.5), x, record=["sum"])["sum"][0, :, 0].tolist() == [
        1.0,
        0.5,
        2.25,
    ]


@pytest.mark.parametrize("activation", ["RectifiedLinear", "Tanh", "Identity"])
@pytest.mark.parametrize("omega", [0.3, 1.0, 7.0])
def test_counts_telescope(activation, omega):
    # The sum of the counts differs from that of omega * f by less than one.
    x = np.random.default_rng(0).normal(size=(50, 30, 1))
    graph = chain(activation, omega=omega)
    sums = np.cumsum(run_graph(graph, x, seed=1)["h"], axis=1)
    exact = omega * np.cumsum(run_graph(graph, x, rates=True)["h"], axis=1)
    assert np.abs(sums - exact).max() < 1


def test_seed_draws_each_sample_a_voltage_of_its_own():
    x = np.full((4000, 1, 1), 0.3)
    first = run_graph(chain(omega=1.0), x, seed=0)["h"][:, 0, 0]
    assert np.array_equal(first, run_graph(chain(omega=1.0), x, seed=0)["h"][:, 0, 0])
    other = run_graph(chain(omega=1.0), x, seed=1)["h"][:, 0, 0]
    # A voltage uniform in [0, 1) spikes at once with probability 0.3, independent of
    # another seed's; six standard deviations of the mean of 4,000 are 0.043.
    assert abs(first.mean() - 0.3) < 0.043
    assert abs((first != other).mean() - 2 * 0.3 * 0.7) < 0.047
    without = run_graph(chain(omega=1.0), x)["h"]
    assert not without.any()


def test_a_seed_does_not_change_rates():
    x = inputs(0, size_in=1)
    one, other = (run_graph(chain(), x, seed=s, rates=True)["h"] for s in (1, 2))
    assert np.array_equal(one, other)


def test_initial_voltages_of_the_graph_are_left_alone():
    graph = chain()
    run_graph(graph, np.full((2, 5, 1), 0.3))
    assert graph.population("h").initial_voltage.tolist() == [0.0]


def test_record_chooses_what_is_returned():
    x = inputs(0)
    graph = to_graph(random_network(0, x[0], 1.0))
    everything = run_graph(graph, x)
    assert set(everything) == {p.name for p in graph.populations if p.is_hybrid}
    some = run_graph(graph, x, record=["mix", "out"])
    assert list(some) == ["mix", "out"]
    assert some["mix"].dtype == float
    assert np.array_equal(some["out"], everything["out"])


def test_record_of_an_unknown_population():
    with pytest.raises(
        BuildError, match="^the graph has no population 'y'; it has x, h$"
    ):
        run_graph(chain(), np.zeros((1, 1, 1)), record=["y"])


@pytest.mark.parametrize("shape", [(3, 1), (1, 3, 2), (1, 3, 1, 1)])
def test_wrong_input_shapes(shape):
    message = (
        "input population 'x' needs x of shape (n_samples, n_steps, 1), got "
        f"{tuple(shape)}"
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        run_graph(chain(), np.zeros(shape))


def test_divergence_names_population_and_step():
    # 1, 1e200, then 1e400: no float.
    message = (
        "population 'sum' is not finite at step 2; the network diverges: check its "
        "feedback weights"
    )
    with (
        np.errstate(over="ignore"),
        pytest.raises(EmulateError, match=f"^{re.escape(message)}$"),
    ):
        run_graph(loop(1e200), np.ones((1, 4, 1)))


def test_counts_beyond_16_bits_are_an_error_not_a_wrong_number():
    x = np.array([[[0.25], [32767.0]], [[0.25], [32768.0]]])
    assert run_graph(chain(omega=1.0), x[:1])["h"][0, 1, 0] == 32767
    message = (
        "population 'h' has a count of 32768 at step 1, more than 32767; lower its "
        "omega, or run it with rates=True"
    )
    with pytest.raises(EmulateError, match=f"^{re.escape(message)}$"):
        run_graph(chain(omega=1.0), x)
    assert run_graph(chain(omega=1.0), x, rates=True)["h"][1, 1, 0] == 32768
