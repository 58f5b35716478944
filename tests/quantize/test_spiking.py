"""Integrate-and-fire neurons and leaky states in integers: exact where they can be."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.emulate import run_graded
from nengo_hybrid.emulate.graded import GradedRun
from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.graph_run import run_neurons
from nengo_hybrid.graphs import Dynamics, Population, Projection, SpikingGraph, Widths
from nengo_hybrid.interchange import load_nir, save_nir
from nengo_hybrid.quantize import quantize
from nengo_hybrid.quantize.spiking import spiking_integers
from nengo_hybrid.targets import load_target

TARGET = load_target("loihi2")
N = 4
UNIT = 64 * 64


def run(graph, x):
    """Run a graph in integers; return what its populations send."""
    runner = GradedRun(graph)
    names = [p.name for p in graph.populations if not p.is_input]
    _, values = next(runner.pieces(runner.checked_input(x), record=names))
    return values


def graph_of(dynamics, rng, *, delays=(1,), bias=True):
    """Make an input and two populations that hear each other, in 16ths."""

    def whole(low, high, *shape):
        return rng.integers(low, high, shape) / 16

    names = ("a", "b")
    populations = [Population("x", 2, "input")]
    populations += [
        Population(
            name,
            N,
            dynamics.kind,
            bias=whole(-4, 8, N) if bias else None,
            initial_voltage=whole(0, 16, N),
            dynamics=dynamics,
        )
        for name in names
    ]
    ways = [("x", "a", 0), ("a", "b", 0), ("x", "b", 1), ("b", "a", delays[-1])]
    projections = [
        Projection(
            f"{pre} to {post}",
            pre,
            post,
            whole(-3, 9, N, 2 if pre == "x" else N),
            delay,
        )
        for pre, post, delay in ways
    ]
    return SpikingGraph(1.0, tuple(populations), tuple(projections), "b")


def in_host_units(graph):
    """Make weights of the input whole numbers for a host that sends 255 for a 1."""
    ways = tuple(
        replace(p, weights=p.weights * 255 / 64) if p.pre == "x" else p
        for p in graph.projections
    )
    return replace(graph, projections=ways)


def images(rng):
    """Return input of 0 and 1, whose unit is 1 in 255."""
    return (rng.random((3, 60, 2)) < 0.5).astype(float)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), resets=st.booleans(), late=st.integers(1, 5))
def test_integrators_are_deployed_exactly(seed, resets, late):
    rng = np.random.default_rng(seed)
    reset = rng.integers(-8, 8, N) / 16 if resets else None
    threshold = rng.integers(12, 48, N) / 16
    dynamics = Dynamics(threshold, np.full(N, 2.0), reset=reset)
    graph, x = in_host_units(graph_of(dynamics, rng, delays=(late,))), images(rng)

    wanted, quantized = run_neurons(graph, x), quantize(graph, TARGET, x)

    programs = {p.program for p in quantized.populations if not p.is_input}
    assert programs == {"integrate-and-fire" + ("" if resets else ", subtracting")}
    found = run(quantized, x)
    for name in "ab":
        np.testing.assert_array_equal(found[name], wanted[name])


KINDS = {
    "LIF": {"tau_mem": 12.0, "leak": 0.1},
    "LIF that rests": {"tau_mem": 6.0, "leak": 0.0, "refractory": 2, "minimum": 0.0},
    "CubaLIF": {"tau_mem": 9.0, "leak": 0.0, "tau_syn": 3.0, "w_in": 1.5},
    "IF": {"tau_syn": 4.0, "w_in": 0.5},
}


@pytest.mark.parametrize("reset", [0.0, 0.2, None])
@pytest.mark.parametrize("kind", KINDS)
def test_leaky_neurons_do_nearly_the_same(kind, reset):
    rng = np.random.default_rng(4)
    resistance = 1.5 if kind == "IF" else 4.0
    values = KINDS[kind] | {"threshold": 1.0, "resistance": resistance}
    values |= {} if reset is None else {"reset": reset}
    dynamics = Dynamics(**{name: np.full(N, value) for name, value in values.items()})
    graph = graph_of(dynamics, rng)
    # In a loop a spike that is late once is another network.
    graph = replace(graph, projections=graph.projections[:-1])
    x = images(np.random.default_rng(5))
    calibration = images(np.random.default_rng(6))

    wanted = run_neurons(graph, x)
    found = run(quantize(graph, TARGET, calibration), x)

    for name in "ab":
        # An early or late spike is two that differ.
        assert np.mean(found[name] != wanted[name]) < 0.04
        assert 0.05 < np.mean(wanted[name]) < 0.9
        rates = [values[name].mean(axis=(0, 1)) for values in (found, wanted)]
        np.testing.assert_allclose(*rates, atol=0.01)


def test_integers_by_hand():
    # A decay of 1024 of 4096 in each step, so that an input of 1 adds 2 / 4. Weights of
    # 3 would be 127 with 84.67 units of 1, which is 64, and 2^6 of each of these.
    dynamics = Dynamics(
        threshold=np.array([3.0]),
        resistance=np.array([2.0]),
        reset=np.array([1.0]),
        tau_mem=np.array([4.0]),
        leak=np.array([0.5]),
    )
    population = Population("n", 1, "LIF", bias=np.array([0.25]), dynamics=dynamics)
    found = spiking_integers(
        population,
        [np.array([[3.0, -1.0]])],
        127,
        peaks=np.array([[4.0], [4.0]]),
        state_range=2**22,
        widths=Widths.of(TARGET),
        dt=1.0,
    )

    assert found.scale.tolist() == [0.5 * UNIT]
    assert {name: v.tolist() for name, v in found.parameters.items()} == {
        # An input of 0.25, and a quarter of the leak's way from the reset.
        "bias": [(0.25 * 0.5 - 0.5 / 4) * UNIT],
        "threshold": [2 * UNIT],
        "minimum": [1 - 2**23],
        "decay_u": [4095],
        "decay_v": [1024],
        "refractory": [0],
    }
    assert found.registers["v"].tolist() == [-0.5 * UNIT]


def leaky(kept):
    """Make a memory of two leaky sums, and a sum that reads them."""
    return SpikingGraph(
        1.0,
        (
            Population("x", 1, "input"),
            Population("m", 2, "linear"),
            Population("out", 1, "linear"),
        ),
        (
            Projection("in", "x", "m", np.array([[1.0], [0.5]])),
            Projection("own", "m", "m", np.diag(kept), delay=1),
            Projection("on", "m", "out", np.array([[1.0, -1.0]])),
        ),
        "out",
    )


def test_what_keeps_a_part_of_itself_is_a_leaky_state():
    graph = leaky([0.75, 0.9])
    x = np.random.default_rng(0).normal(size=(3, 80, 1))
    quantized = quantize(graph, TARGET, x)
    memory = quantized.population("m")

    assert memory.program == "leaky"
    assert memory.parameters["decay_v"].tolist() == [1024, 410]
    assert [p.name.split(" (")[0] for p in quantized.into("m")] == ["in"] * 2
    found = run_graded(quantized, x).output * quantized.population("out").unit
    wanted = run_neurons(graph, x)["out"]
    # Messages of 12 bits, input of 9.
    np.testing.assert_allclose(found, wanted, atol=0.01 * np.abs(wanted).max())


@pytest.mark.parametrize("kept", [[1.0, 0.5], [-0.1, 0.5]])
def test_what_keeps_all_or_turns_is_not(kept):
    quantized = quantize(leaky(kept), TARGET, np.ones((1, 3, 1)))

    assert quantized.population("m").program == "quantizer"


def test_a_delay_that_is_too_long_is_refused():
    rng = np.random.default_rng(0)
    dynamics = Dynamics(np.ones(N), np.ones(N), reset=np.zeros(N))
    words = (
        "projection 'b to a (high)' has a delay of 65 steps, for which its synapses "
        "hold a message for 63 time steps; those of target 'loihi2' hold one for 62"
    )
    quantize(graph_of(dynamics, rng, delays=(64,)), TARGET, images(rng))
    with pytest.raises(QuantizeError, match=f"^{re.escape(words)}$"):
        quantize(graph_of(dynamics, rng, delays=(65,)), TARGET, images(rng))


def test_a_nir_file_with_delays_is_deployed(tmp_path):
    pytest.importorskip("h5py")
    rng = np.random.default_rng(7)
    dynamics = Dynamics(np.ones(N), np.ones(N), reset=np.zeros(N))
    graph = in_host_units(graph_of(dynamics, rng, delays=(3,), bias=False))
    plain = tuple(replace(p, initial_voltage=None) for p in graph.populations)
    save_nir(replace(graph, populations=plain), tmp_path / "late.nir")
    read, x = load_nir(tmp_path / "late.nir", dt=1.0), images(rng)
    quantized = quantize(read, TARGET, x)

    assert {p.delay for p in read.projections} == {0, 1, 3}
    late = [p for p in quantized.projections if p.delay == 3]
    assert late and {quantized.synaptic_delay(p) for p in late} == {1}
    wanted, found = run_neurons(read, x), run(quantized, x)
    assert 0.1 < wanted["b"].mean() < 0.9
    for name in "ab":
        np.testing.assert_array_equal(found[name], wanted[name])
