"""A small network, step by step: the last step is what is deployed."""

import dataclasses
import re

import nengo
import numpy as np
import pytest

import nengo_hybrid as nh
from nengo_hybrid import emulate, pipeline, step_runs
from nengo_hybrid.datasets import Split
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import DataError, EmulateError, ShapeError, TargetError
from nengo_hybrid.graph_run import run_neurons
from nengo_hybrid.metrics import accuracy, classify
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.neurons import HybridSpiking, Identity
from nengo_hybrid.quantize import quantize
from nengo_hybrid.results import rate_answers
from nengo_hybrid.step_runs import CAUSES, chip_numbers
from nengo_hybrid.trained import Trained

LOIHI1 = nh.load_target("loihi1")
READOUT_STEPS, CHIP_STEPS, N = 5, 3, 40


def make_network(rng):
    """Return r -> h -> out with weights of its own; one neuron of h is silent."""
    relu = HybridSpiking(nengo.RectifiedLinear(), omega=2)
    bias = np.r_[rng.uniform(-0.2, 0.3, 11), -50.0]
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(3), label="x")
        r = nengo.Ensemble(
            3,
            1,
            neuron_type=HybridSpiking(Identity(), omega=4),
            gain=np.ones(3),
            bias=np.zeros(3),
            label="r",
        )
        h = nengo.Ensemble(
            12, 1, neuron_type=relu, gain=np.ones(12), bias=bias, label="h"
        )
        out = nengo.Ensemble(
            4, 1, neuron_type=relu, gain=np.ones(4), bias=np.zeros(4), label="out"
        )
        for pre, post, shape in ((x, r, (3, 3)), (r, h, (12, 3)), (h, out, (4, 12))):
            transform = np.eye(3) if pre is x else rng.normal(scale=0.7, size=shape)
            source = pre if pre is x else pre.neurons
            nengo.Connection(source, post.neurons, transform=transform, synapse=None)
        nengo.Probe(out.neurons)
    return network


@pytest.fixture(scope="module")
def trained():
    network = make_network(np.random.default_rng(0))
    return Trained(network, {}, {}, 0, 0, 1.0, READOUT_STEPS)


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(1)
    return Split(rng.normal(size=(N, 20, 3)), rng.integers(0, 4, N))


@pytest.fixture(scope="module")
def found(trained, split):
    return nh.waterfall(trained, LOIHI1, split, chip_steps=CHIP_STEPS, seed=3)


@pytest.fixture(scope="module")
def deployed(trained):
    return nh.deploy(trained, LOIHI1, chip_steps=CHIP_STEPS)


def test_steps_are_in_their_order(found):
    steps = ["rates", "hybrid", *CAUSES, "deployed"]
    assert [row.step for row in found.rows] == steps
    assert {row.n_test for row in found.rows} == {N}
    names = [(row.step, row.name) for row in found.populations]
    assert names[:3] == [("hybrid", name) for name in ("r", "h", "out")]
    assert names[3:] == [(s, name) for s in steps[2:] for name in ("h", "out")]


def test_the_first_rows_are_those_of_the_network_in_floats(found, deployed, split):
    rates = rate_answers(deployed.graph, split.x, READOUT_STEPS)
    assert found.rows[0].accuracy == accuracy(rates, split.y)
    hybrid = evaluate(deployed.graph, split, readout_steps=READOUT_STEPS, seed=3)
    assert found.rows[1].accuracy == hybrid.accuracy


def test_the_last_row_is_the_deployed_network(found, deployed, split):
    trace = nh.run_deployed(deployed, split.x, seed=3)
    answers = classify(trace.output_spikes, READOUT_STEPS * CHIP_STEPS)
    assert found.rows[-1].accuracy == accuracy(answers, split.y)
    assert 0.05 < trace.output_spikes.mean() < 0.95
    silent = {row.name: row.causes["silent"] for row in found.populations[-2:]}
    assert silent["h"] == np.mean(~trace.populations["h"].spikes.any(axis=(0, 1)))
    assert silent["h"] >= 1 / 12


def test_truncated_the_last_numbers_are_the_deployed_network(deployed, split):
    # So that what is between the last two rows is the truncation, and nothing else.
    counts = pipeline._host_counts(deployed, split.x, 3)
    numbers = chip_numbers(deployed.floats, deployed.quantized)["compartments"]
    cut = dataclasses.replace(numbers, truncates=True)
    ours, _ = emulate.run_floats(deployed.quantized, cut, counts)
    theirs = nh.run_deployed(deployed, split.x, seed=3)
    for name, population in theirs.populations.items():
        np.testing.assert_array_equal(ours.populations[name].spikes, population.spikes)


def test_each_step_changes_one_group_of_numbers(deployed):
    steps = list(chip_numbers(deployed.floats, deployed.quantized).values())
    fields = [f.name for f in dataclasses.fields(steps[0])]
    changed = []
    for before, after in zip(steps, steps[1:], strict=False):
        same = (_same(getattr(before, f), getattr(after, f)) for f in fields)
        changed.append(
            {f for f, is_same in zip(fields, same, strict=True) if not is_same}
        )
    assert changed[:2] == [{"resets_to_zero"}, {"weights"}]
    assert {"vth", "bias", "keep_u", "input_gain"} <= changed[2]
    assert not changed[2] & {"weights", "truncates", "resets_to_zero"}


def _same(a, b):
    if isinstance(a, tuple):
        return all(map(_same, a, b))
    return np.array_equal(a, b)


def test_parts_of_the_samples_give_the_whole(found, trained, split, monkeypatch):
    monkeypatch.setattr(step_runs, "AT_ONCE", 7)
    again = nh.waterfall(trained, LOIHI1, split, chip_steps=CHIP_STEPS, seed=3)
    assert again.rows == found.rows
    for one, other in zip(again.populations, found.populations, strict=True):
        assert one.error == pytest.approx(other.error)
        assert one.causes == pytest.approx(other.causes)


def test_causes_are_parts(found):
    for row in found.populations:
        assert row.error > 0 or row.step in ("compartments", "deployed")
        assert all(0 <= part <= 1 for part in row.causes.values())
    by_step = {row.step: row.causes for row in found.populations if row.name == "h"}
    assert by_step["one_bit"]["wants_two_spikes"] > 0
    assert 0 < by_step["reset"]["thrown_away"] < 1
    # Weights of 7 bits and a sign, of which the largest is several times the usual.
    assert 0.001 < by_step["weights"]["weight_error"] < 0.05
    # Thresholds are multiples of 64, and here of at least some thousands.
    assert 0 < by_step["compartments"]["threshold_error"] < 0.005


def make_lif():
    """Return x -> lif -> out, in which no weight is a whole number of units."""
    rng = np.random.default_rng(2)
    lif = nengo.LIF(tau_rc=0.02, tau_ref=0)
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(3), label="x")
        a = nengo.Ensemble(
            9, 1, neuron_type=lif, gain=np.ones(9), bias=np.full(9, 3.0), label="a"
        )
        out = nengo.Node(size_in=2, label="out")
        for pre, post, size in ((x, a.neurons, (9, 3)), (a.neurons, out, (2, 9))):
            weights = rng.normal(size=size)
            nengo.Connection(pre, post, transform=weights, synapse=None)
        nengo.Probe(out)
    return to_graph(network, dt=1e-3)


def sent(graph, x):
    """Return the payloads of a graph in integers by population, in floats' units."""
    run = emulate.GradedRun(graph)
    names = [p.name for p in graph.populations]
    _, found = next(run.pieces(run.checked_input(x), record=names))
    return {p.name: found[p.name] * p.unit for p in graph.populations}


@pytest.mark.parametrize("make", [lambda: None, make_lif], ids=["hybrid", "lif"])
def test_integers_are_as_far_from_floats_as_they_are(make, trained, monkeypatch):
    monkeypatch.setattr(step_runs, "GRADED_AT_ONCE", 3)
    graph = make() or to_graph(trained.network)
    x = np.random.default_rng(4).normal(size=(7, 20, 3))
    quantized = quantize(graph, nh.load_target("loihi2"), x)
    wanted = run_neurons(graph, x, record=[p.name for p in quantized.populations])
    found = sent(quantized, x)

    for row in step_runs.compare_with_floats(graph, quantized, x):
        population = graph.population(row.name)
        values = wanted[row.name] * population.amplitude / (population.omega or 1)
        error = np.sqrt(np.mean((found[row.name] - values) ** 2))
        assert row.error == pytest.approx((error, np.sqrt(np.mean(values**2))))
        assert row.error[1] > 0 and (row.error[0] > 0 or row.name == "a")
        largest = np.abs(found[row.name] / quantized.population(row.name).unit).max()
        assert row.payload[0] == pytest.approx(largest) and row.saturated == 0


def test_payloads_that_are_too_large_are_counted(trained):
    graph = to_graph(trained.network)
    x = np.random.default_rng(4).normal(size=(7, 20, 3))
    quantized = quantize(graph, nh.load_target("loihi2"), x)
    counts = np.abs(sent(quantized, x)["r"] / quantized.population("r").unit)
    narrow = [
        dataclasses.replace(p, payload_bits=3) if p.name == "r" else p
        for p in quantized.populations
    ]
    narrow = dataclasses.replace(quantized, populations=tuple(narrow))

    rows = {row.name: row for row in step_runs.compare_with_floats(graph, narrow, x)}
    assert rows["r"].saturated == np.mean(counts.round() > 3) > 0
    assert rows["r"].payload == (counts.max().round(), 3)
    assert rows["h"].saturated == 0
    # The chip's run stops there.
    words = r"^population 'r' has a payload of \d+ at step \d+, more than 3 bits hold"
    with pytest.raises(EmulateError, match=words):
        emulate.run_graded(narrow, x)


def test_a_state_beyond_its_register_is_an_error_before_any_run(trained):
    graph = to_graph(trained.network)
    x = np.random.default_rng(4).normal(size=(7, 20, 3))
    quantized = quantize(graph, nh.load_target("loihi2"), x)
    widths = dataclasses.replace(quantized.widths, state=12)
    words = (
        r"^population 'r' has a sum or state of \d+ at step 0, more than 12 bits hold;"
    )
    with pytest.raises(EmulateError, match=words):
        step_runs.compare_with_floats(
            graph, dataclasses.replace(quantized, widths=widths), x
        )


def exactly(message):
    return f"^{re.escape(message)}$"


@pytest.fixture
def no_lowering(monkeypatch):
    def stop(*args, **kwargs):
        raise AssertionError("work was started")

    monkeypatch.setattr(pipeline, "deploy", stop)


def test_a_processor_is_refused(trained, split, no_lowering):
    message = (
        "target 'cortex-m4' is a processor, onto which no network is mapped; needed "
        "loihi1, loihi1-fitted, loihi2, and name it in compare instead"
    )
    with pytest.raises(TargetError, match=exactly(message)):
        nh.waterfall(trained, nh.load_target("cortex-m4"), split)


def test_graded_spikes_are_refused(trained, split, no_lowering):
    message = (
        "target 'loihi2' has graded spikes, whose steps the waterfall does not know; "
        "needed one of one-bit spikes, such as loihi1"
    )
    with pytest.raises(TargetError, match=exactly(message)):
        nh.waterfall(trained, nh.load_target("loihi2"), split)


def test_a_name_is_no_target(trained, split, no_lowering):
    message = "needed a Target, such as load_target('loihi1'), got 'loihi1'"
    with pytest.raises(TargetError, match=exactly(message)):
        nh.waterfall(trained, "loihi1", split)


def test_a_whole_data_set_is_refused(trained, no_lowering):
    message = (
        "waterfall needs a part of a data set, with x and y, such as data.test; got "
        "Dataset"
    )
    with pytest.raises(DataError, match=exactly(message)):
        nh.waterfall(trained, LOIHI1, nh.datasets.digits())


def test_an_empty_part_is_refused(trained, split, no_lowering):
    with pytest.raises(DataError, match="^waterfall needs at least one sample, got"):
        nh.waterfall(trained, LOIHI1, split.head(0))


@pytest.mark.parametrize(
    "x, y",
    [((2, 20, 4), (2,)), ((2, 20), (2,)), ((2, 20, 3), (3,)), ((2, 4, 3), (2,))],
)
def test_data_of_another_shape_are_refused(trained, no_lowering, x, y):
    message = (
        "waterfall needs x of shape (n_samples, n_steps, 3), of at least 5 steps, and "
        f"y of shape (n_samples,); got {x} and {y}"
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        nh.waterfall(trained, LOIHI1, Split(np.zeros(x), np.zeros(y, int)))
