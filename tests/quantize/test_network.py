"""From floats to integers: exact where it can be, near where not, and refusals."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.emulate.graded import GradedRun
from nengo_hybrid.exceptions import QuantizeError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_graph
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.quantize import quantize
from nengo_hybrid.quantize.calibration import input_unit
from nengo_hybrid.step_runs import compare_with_floats
from nengo_hybrid.targets import load_target


def run(graph, x):
    """Run a graph in integers; return what its populations send."""
    runner = GradedRun(graph)
    x = runner.checked_input(x)
    names = [p.name for p in graph.populations if not p.is_input]
    found = {name: [] for name in names}
    for _, values in runner.pieces(x, record=names):
        for name in names:
            found[name].append(values[name])
    return {name: np.concatenate(values) for name, values in found.items()}


def hybrid(name, n, activation, rng, omega=1.0):
    voltage = rng.integers(0, 16, n) / 16
    bias = rng.integers(-8, 9, n) / 16 / omega
    return Population(name, n, activation, omega, 1.0, bias, voltage)


def exact_graph(seed):
    """Make a network whose weights are 16ths of a threshold, with a loop."""
    rng = np.random.default_rng(seed)
    omegas = rng.choice([0.5, 1.0, 2.0, 4.0], 3)
    kinds = rng.choice(["Identity", "RectifiedLinear"], 3)
    populations = [Population("x", 2, "input")]
    populations += [
        hybrid(name, 4, kind, rng, omega)
        for name, kind, omega in zip("abc", kinds, omegas, strict=True)
    ]
    unit = {"x": 1.0} | {p.name: 1 / p.omega for p in populations[1:]}
    ways = [("x", "a", 0), ("a", "b", 0), ("x", "b", 0), ("b", "c", 0), ("b", "b", 1)]
    projections = []
    for pre, post, delay in ways:
        n_pre = 2 if pre == "x" else 4
        # Thresholds a spike: so many 16ths, few from the input, which is large.
        most = 1 if pre == "x" else 8
        thresholds = rng.integers(-most, most + 1, (4, n_pre)) / 16
        if pre == post:
            thresholds *= rng.random((4, 4)) < 0.2
        weights = thresholds * unit[post] / unit[pre]
        projections.append(Projection(f"{pre} to {post}", pre, post, weights, delay))
    return SpikingGraph(1.0, tuple(populations), tuple(projections), "c")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whole_numbers_of_units_are_deployed_exactly(seed):
    x = np.random.default_rng(seed).integers(-255, 256, (3, 20, 2)).astype(float)
    x[0, 0, 0] = 255
    graph = exact_graph(seed)
    wanted = run_graph(graph, x)

    quantized = quantize(graph, load_target("loihi2"), x)
    found = run(quantized, x)

    for name in "abc":
        np.testing.assert_array_equal(found[name], wanted[name])
    for row in compare_with_floats(graph, quantized, x)[1:]:
        assert row.error[0] == row.saturated == 0
        assert row.payload == (np.abs(wanted[row.name]).max(), 2**15 - 1)


def classifier(x, **kwargs):
    size = {"order": 16, "theta_steps": 40, "n_hidden": 24, "omega_output": None}
    network = SequenceClassifier(x, 3, seed=1, **{**size, **kwargs})
    return to_graph(network, dt=1.0)


LOOP = {"basis": "rotations", "quantize_loop": True, "omega_hub": 8.0}


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"basis": "rotations"},
        {**LOOP, "omega_input": 15.0},
        {"quantize_loop": True, "omega_readout": 32.0},
    ],
    ids=["exact", "exact, rotations", "loop, rotations", "loop"],
)
def test_a_memory_on_the_chip_computes_nearly_the_same(kwargs, target, x):
    graph = classifier(x / 255, **kwargs)
    wanted = run_graph(graph, x / 255, record=["output"])["output"]
    exact = run_graph(graph, x / 255, record=["output"], rates=True)["output"]

    quantized = quantize(graph, target, x / 255)
    found = run(quantized, x / 255)["output"] * quantized.population("output").unit

    # As far from the rates as the hybrid network in floats is, and not farther.
    spread = np.sqrt(np.mean((wanted - exact) ** 2))
    assert np.sqrt(np.mean((found - exact) ** 2)) < 1.3 * spread


def test_a_memory_of_rotations_is_one_population(target, x):
    quantized = quantize(classifier(x / 255, **LOOP), target, x / 255)

    programs = {p.name: p.program for p in quantized.populations}
    assert programs == {
        "x": "input",
        "lmu.hub": "quantizer",
        "lmu.loop": "rotor",
        "lmu.hidden": "relu quantizer",
        "output": "sum",
    }
    assert quantized.chip_steps == 2
    # 2 inputs, each of 16 coefficients, 2 hubs: 4 synapses a coefficient, in pairs.
    loops = {"lmu.hub", "lmu.loop"}
    into = [p for p in quantized.projections if {p.pre, p.post} <= loops]
    assert {p.name.split(" (")[1] for p in into} == {"high)", "low)"}
    assert max(np.count_nonzero(p.weights) for p in into) <= 2 * 2 * 16


def test_every_neuron_uses_its_bits(target, x):
    quantized = quantize(classifier(x / 255, **LOOP), target, x / 255)

    (hidden,) = quantized.into("lmu.hidden")
    rows = np.abs(hidden.weights.astype(int)).max(axis=1)
    assert np.all((rows > 63) & (rows <= 127))
    # 6 bits of its state are below those of a weight.
    assert hidden.exponent == 6


def test_what_is_small_beside_others_keeps_its_bits(target, x):
    # A 255th of a threshold for each unit of the input, beside whole ones: a weight of
    # 127 in 255 would be rounded to 0 or 1.
    rng = np.random.default_rng(0)
    graph = SpikingGraph(
        1.0,
        (
            Population("x", 2, "input"),
            hybrid("a", 12, "Identity", rng),
            hybrid("b", 4, "Identity", rng),
        ),
        (
            Projection("x to a", "x", "a", rng.normal(size=(12, 2)) / 255),
            Projection("x to b", "x", "b", rng.normal(size=(4, 2)) / 255),
            Projection("a to b", "a", "b", rng.normal(size=(4, 12))),
        ),
        "b",
    )
    errors = quantize(graph, target, x).errors

    assert errors["x to b"] < 0.05 and errors["a to b"] < 0.02


@pytest.mark.parametrize(
    ("sizes", "unit"),
    [
        # 15 units for each of 16 levels, and for each of 17 levels of 3.
        (np.arange(17) / 16, 1 / 240),
        (np.array([0.0, 3, 51]), 0.2),
        (np.arange(256, dtype=np.float32) / 255, 1 / 255),
        (np.array([0.0, 1.0]), 1 / 255),
        (np.array([0.0, np.sqrt(0.5), 1.0]), 1 / 255),
        (np.array([0.0]), 1 / 255),
    ],
)
def test_levels_of_input_are_whole_numbers(sizes, unit):
    assert input_unit(sizes, 255) == pytest.approx(unit)


@pytest.mark.parametrize("bits", [4, 8])
def test_widths_come_from_the_profile(bits, target, x):
    weights = replace(target.formats["weight_bits"], value=(bits,))
    formats = {**target.formats, "weight_bits": weights}
    quantized = quantize(classifier(x / 255), replace(target, formats=formats), x / 255)

    most = max(p.weights.max() for p in quantized.projections)
    least = min(p.weights.min() for p in quantized.projections)
    assert most == 2 ** (bits - 1) - 1
    assert least >= -(2 ** (bits - 1))


def test_rounding_is_reported(target, x):
    quantized = quantize(classifier(x / 255, **LOOP), target, x / 255)

    # 8 bits: a 254th of the largest weight, uniform, over the weights' spread.
    assert 0.001 < quantized.errors["lmu.memory_to_hidden"] < 0.02
    assert quantized.errors["lmu.spread"] < 1e-3


def test_narrow_payloads_are_refused_with_the_width_that_would_do(target, x):
    graph = exact_graph(0)
    counts = {name: np.abs(run_graph(graph, x)[name]) for name in "abc"}
    name = next(name for name in "abc" if counts[name].max() > 7)
    most, part = counts[name].max(), np.mean(counts[name] > 7)
    width = int(most).bit_length() + 1
    words = (
        f"population {name!r} sends counts of up to {most}; {part:.2%} of them do not "
        f"fit into payloads of 4 bits. Take payload_bits={width}"
    )

    with pytest.raises(QuantizeError, match=f"^{re.escape(words)}$"):
        quantize(graph, target, x, input_bits=4, message_bits=4, payload_bits=4)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        (
            {"payload_bits": 30},
            "payload_bits to be a whole number from 2 to 24, got 30",
        ),
        ({"message_bits": 1}, "message_bits to be a whole number from 2 to 16, got 1"),
        ({"input_bits": 2.5}, "input_bits to be a whole number from 2 to 16, got 2.5"),
    ],
)
def test_widths_are_checked(kwargs, words, target, x):
    with pytest.raises(QuantizeError, match=f"^quantize needs {re.escape(words)}$"):
        quantize(exact_graph(0), target, x, **kwargs)


def test_a_target_without_graded_spikes_is_refused(x):
    words = (
        "target 'loihi1' has no graded spikes; needed one whose spikes carry a "
        "payload, such as loihi2"
    )
    with pytest.raises(QuantizeError, match=f"^{re.escape(words)}$"):
        quantize(exact_graph(0), load_target("loihi1"), x)


def test_an_activation_without_a_program_is_refused(target, x):
    graph = exact_graph(0)
    odd = [
        replace(p, activation="Tanh") if p.name == "b" else p for p in graph.populations
    ]
    words = (
        "population 'b' has neurons HybridSpiking(Tanh), for which there is no "
        "program; needed HybridSpiking with a base type of Identity, RectifiedLinear, "
        "or one of LIF, CubaLIF, IF"
    )
    with pytest.raises(QuantizeError, match=f"^{re.escape(words)}$"):
        quantize(replace(graph, populations=tuple(odd)), target, x)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((0, 4, 2)), r"got shape \(0, 4, 2\); give"),
        (np.full((1, 4, 2), np.nan), "got values that are not finite; give"),
    ],
)
def test_calibration_data_are_checked(data, words, target):
    with pytest.raises(QuantizeError, match=words):
        quantize(exact_graph(0), target, data)
