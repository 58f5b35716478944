"""Integrate-and-fire neurons in floats: by hand, and against snnTorch's recurrence."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.bundle import Bundle, save_bundle
from nengo_hybrid.exceptions import BundleError, EmulateError, LowerError, ShapeError
from nengo_hybrid.graph_run import run_graph, run_neurons
from nengo_hybrid.graphs import Dynamics, Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_loihi

DT = 0.5


def graph_of(dynamics, *more, weights=1.0, bias=None, populations=()):
    """Return an input of one value onto one neuron, "n", and what else is given."""
    neurons = Population("n", 1, dynamics.kind, bias=bias, dynamics=dynamics)
    weights = np.array([[weights]])
    return SpikingGraph(
        DT,
        (Population("x", 1, "input"), neurons, *populations),
        (Projection("w", "x", "n", weights), *more),
        "n",
    )


def one(**values):
    return Dynamics(**{name: np.array([value]) for name, value in values.items()})


def run(graph, x, name="n"):
    """Return spikes and voltages of a run, (n_steps,) each."""
    found = run_neurons(graph, np.reshape(x, (1, -1, 1)).astype(float), voltages=["n"])
    return found[name][0, :, 0].tolist(), found["voltage of n"][0, :, 0].tolist()


def test_a_lif_neuron_by_hand():
    # dt / tau = 1/4: v goes a quarter of the way to leak + R I = 1 + 2 * 4 = 9.
    lif = one(threshold=4.0, resistance=2.0, reset=-1.0, tau_mem=2.0, leak=1.0)
    spikes, voltages = run(graph_of(lif), [4, 4, 0, 0])
    # 1 + 8/4 = 3; 3 + 6/4 = 4.5 spikes, to -1; -1 + 2/4 = -0.5; -0.5 + 1.5/4
    assert spikes == [0, 1, 0, 0]
    assert voltages == [3, -1, -0.5, -0.125]


def test_an_if_neuron_by_hand():
    # dv = dt R I = 0.5 * 3 * 1; the threshold of 3 is reached in the second step, and
    # exceeded in the third.
    neuron = one(threshold=3.0, resistance=3.0, reset=0.0)
    spikes, voltages = run(graph_of(neuron), [1, 1, 1, 1])
    assert spikes == [0, 0, 1, 0]
    assert voltages == [1.5, 3, 0, 1.5]


def test_a_reset_by_subtraction_keeps_what_is_above():
    neuron = one(threshold=3.0, resistance=3.0)
    assert run(graph_of(neuron), [1, 1, 1, 1]) == ([0, 0, 1, 0], [1.5, 3, 1.5, 3])


def test_a_cubalif_neuron_by_hand():
    # The current first: i += (w_in x - i) / 2, then v += (i - v) / 4.
    cuba = one(
        threshold=9.0,
        resistance=1.0,
        reset=0.0,
        tau_mem=2.0,
        leak=0.0,
        tau_syn=1.0,
        w_in=4.0,
    )
    spikes, voltages = run(graph_of(cuba), [2, 0, 0])
    assert spikes == [0, 0, 0]
    assert voltages == [1, 1 + (2 - 1) / 4, 1.25 + (1 - 1.25) / 4]


def test_delays_and_biases_by_hand():
    neuron = one(threshold=100.0, resistance=2.0, reset=0.0)
    late = Projection("late", "x", "n", np.array([[10.0]]), delay=2)
    _, voltages = run(graph_of(neuron, late, bias=np.array([0.5])), [1, 0, 0, 0])
    assert voltages == [1.5, 2, 12.5, 13]


def test_a_neuron_that_feeds_itself_is_a_step_late():
    neuron = one(threshold=3.0, resistance=2.0, reset=0.0)
    own = Projection("own", "n", "n", np.array([[-2.0]]), delay=1)
    spikes, voltages = run(graph_of(neuron, own), [4, 0, 0])
    assert (spikes, voltages) == ([1, 0, 0], [0, -2, -2])


def test_a_linear_population_adds_up():
    neuron = one(threshold=3.0, resistance=2.0, reset=0.0)
    total = Population("sum", 1, "linear", bias=np.array([0.25]))
    ways = [Projection(name, name, "sum", np.array([[2.0]])) for name in "xn"]
    spikes, _ = run(graph_of(neuron, *ways, populations=[total]), [4, 1], "sum")
    assert spikes == [2 * 4 + 2 * 1 + 0.25, 2 * 1 + 0.25]


@given(st.integers(0, 2**32 - 1))
def test_it_does_what_snntorchs_recurrence_does(seed):
    # snnTorch's RSynaptic, by its own statement: syn = alpha syn + x + V s, mem = beta
    # mem + syn; its files have tau = dt / (1 - decay), w_in = tau_syn / dt, r = tau_mem
    # / dt.
    rng = np.random.default_rng(seed)
    n, alpha, beta = 5, rng.uniform(0.1, 0.9, 5), rng.uniform(0.1, 0.9, 5)
    tau_syn, tau_mem = DT / (1 - alpha), DT / (1 - beta)
    by_value = bool(rng.integers(2))
    dynamics = Dynamics(
        threshold=np.ones(n),
        resistance=tau_mem / DT,
        reset=np.zeros(n) if by_value else None,
        tau_mem=tau_mem,
        leak=np.zeros(n),
        tau_syn=tau_syn,
        w_in=tau_syn / DT,
    )
    w, v = rng.normal(size=(n, 3)), rng.normal(size=(n, n))
    graph = SpikingGraph(
        DT,
        (Population("x", 3, "input"), Population("n", n, "CubaLIF", dynamics=dynamics)),
        (Projection("w", "x", "n", w), Projection("v", "n", "n", v, delay=1)),
        "n",
    )
    x = (rng.random((1, 40, 3)) < 0.5).astype(float)
    syn, mem, spikes, wanted = np.zeros(n), np.zeros(n), np.zeros(n), []
    for step in range(40):
        syn = alpha * syn + w @ x[0, step] + v @ spikes
        mem = beta * mem + syn
        # A draw within rounding of the threshold would say nothing.
        assert np.abs(mem - 1).min() > 1e-9
        spikes = (mem > 1).astype(float)
        mem = np.where(spikes, 0, mem) if by_value else mem - spikes
        wanted.append(spikes)
    assert np.array_equal(run_neurons(graph, x)["n"][0], wanted)


def test_samples_do_not_know_of_each_other():
    neuron = one(threshold=3.0, resistance=2.0, reset=0.0, tau_mem=1.0, leak=0.0)
    x = np.random.default_rng(0).uniform(0, 9, (4, 30, 1))
    found = run_neurons(graph_of(neuron), x, record=["n"])["n"]
    assert found.any()
    for i in range(4):
        alone = run_neurons(graph_of(neuron), x[i : i + 1], record=["n"])["n"]
        assert np.array_equal(found[i], alone[0])


NEURON = one(threshold=3.0, resistance=2.0, reset=0.0)


def says(error, words):
    return pytest.raises(error, match=f"^{re.escape(words)}$")


@pytest.mark.parametrize(
    "stage, error, who",
    [
        (
            lambda graph: run_graph(graph, np.zeros((1, 1, 1))),
            EmulateError,
            "run_graph",
        ),
        (to_loihi, LowerError, "to_loihi"),
        (lambda graph: save_bundle(Bundle(graph, {}), "x"), BundleError, "a bundle"),
    ],
)
def test_stages_that_cannot_run_them_say_so(stage, error, who):
    words = (
        f"{who} takes rate and hybrid-spiking neurons, and population 'n' has IF "
        "neurons; graph_run.run_neurons runs it in floats"
    )
    with says(error, words):
        stage(graph_of(NEURON))


@given(st.integers(0, 2**32 - 1))
def test_other_neurons_do_what_they_do_in_run_graph(seed):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["linear", "Identity", "RectifiedLinear", "Tanh", "Sigmoid"], 3)
    populations = [Population("x", 2, "input")]
    for name, kind in zip("abc", kinds, strict=True):
        quantizer = {}
        if kind != "linear" and rng.random() < 0.7:
            quantizer = {"omega": 3.0, "initial_voltage": rng.random(4)}
        bias = rng.normal(size=4)
        populations.append(Population(name, 4, kind, bias=bias, **quantizer))
    ways = [("x", "a", 0), ("a", "b", 0), ("x", "c", 1), ("b", "c", 0), ("c", "a", 1)]
    projections = [
        Projection(
            pre + post, pre, post, 0.4 * rng.normal(size=(4, 2 + 2 * (pre != "x"))), d
        )
        for pre, post, d in ways
    ]
    graph = SpikingGraph(DT, tuple(populations), tuple(projections), "c")
    x, names = rng.normal(size=(2, 20, 2)), [*"abc"]
    wanted, found = run_graph(graph, x, record=names), run_neurons(graph, x)
    for name in names:
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-9)


def test_a_neuron_rests_and_its_voltage_has_a_minimum():
    # 4.5 of 3 spikes and stays at 1.5 for two steps; then 1.5 - 9 stops at -1.
    rests = one(threshold=3.0, resistance=3.0, minimum=-1.0, refractory=2)
    found = run(graph_of(rests), [3, 9, 9, -6, 3])
    assert found == ([1, 0, 0, 0, 1], [1.5, 1.5, 1.5, -1, 0.5])


def test_input_of_another_shape_is_refused():
    words = (
        "input population 'x' needs x of shape (n_samples, n_steps, 1), got (1, 2, 3)"
    )
    with says(ShapeError, words):
        run_neurons(graph_of(NEURON), np.zeros((1, 2, 3)))


def test_a_network_that_diverges_is_named():
    words = (
        "population 'n' is not finite at step 1; the network diverges: check its "
        "weights, and that its time constants exceed dt"
    )
    with says(EmulateError, words):
        run(graph_of(NEURON, weights=1e300), [0, -1e10])


def test_run_graph_refuses_longer_delays():
    late = Projection("late", "x", "h", np.array([[1.0]]), delay=2)
    graph = SpikingGraph(
        1.0, (Population("x", 1, "input"), Population("h", 1, "linear")), (late,), "h"
    )
    words = (
        "run_graph takes delays of at most 1 step, and projection 'late' has one of 2; "
        "graph_run.run_neurons takes any"
    )
    with says(EmulateError, words):
        run_graph(graph, np.zeros((1, 3, 1)))
    found = run_neurons(graph, np.array([[[1.0], [2.0], [3.0]]]))
    assert found["h"][0, :, 0].tolist() == [0, 0, 1]
