"""A network on a data set: the numbers are those of a run that keeps everything."""

import numpy as np
import pytest

from nengo_hybrid.datasets import Split
from nengo_hybrid.evaluation import LARGEST_COUNT, evaluate, synaptic_ops
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.metrics import accuracy, activity_bits, classify


def two_layers(omega=3.0, n=4):
    rng = np.random.default_rng(0)
    hidden = Population("h", n, "RectifiedLinear", omega, bias=rng.normal(size=n))
    output = Population("o", 3, "Identity", omega=omega)
    return SpikingGraph(
        dt=1.0,
        populations=(Population("x", 2, "input"), hidden, output),
        projections=(
            Projection("in", "x", "h", rng.normal(size=(n, 2))),
            Projection("out", "h", "o", rng.normal(size=(3, n))),
        ),
        output="o",
    )


@pytest.mark.parametrize("n_samples", [1, 70])
def test_numbers_are_those_of_all_counts(n_samples):
    rng, graph = np.random.default_rng(1), two_layers()
    split = Split(rng.normal(size=(n_samples, 9, 2)), rng.integers(0, 3, n_samples))
    counts, seen = run_graph(graph, split.x, seed=4), []
    found = evaluate(
        graph, split, readout_steps=5, seed=4, progress=lambda *n: seen.append(n)
    )
    np.testing.assert_array_equal(found.answers, classify(counts["o"], 5))
    assert found.accuracy == accuracy(found.answers, split.y)
    assert seen[-1] == (n_samples, n_samples)
    for name in ("h", "o"):
        assert found.activity[name] == pytest.approx(activity_bits(counts[name]))
        largest = np.abs(counts[name]).max(axis=(0, 1))
        np.testing.assert_array_equal(found.largest[name], largest)
        assert found.spikes[name] == np.count_nonzero(counts[name]) / n_samples
    both = np.concatenate([counts["h"], counts["o"]], axis=2)
    assert found.overall == pytest.approx(activity_bits(both))


def test_data_of_another_size_are_refused():
    split = Split(np.zeros((2, 5, 3)), np.zeros(2, int))
    with pytest.raises(ShapeError, match=r"needs x of shape \(n_samples, n_steps, 2\)"):
        evaluate(two_layers(), split, readout_steps=1)


def test_a_count_beyond_the_largest_is_an_error():
    split = Split(np.full((1, 5, 2), 1e3), np.zeros(1, int))
    with pytest.raises(EmulateError) as caught:
        evaluate(two_layers(), split, readout_steps=1, seed=0)
    assert f"more than {LARGEST_COUNT}; lower its omega" in str(caught.value)


def test_synaptic_ops_by_hand():
    # Drives of 0.5 and 1 at omega 1 from a voltage of 0: spikes in every other and in
    # every one of four steps, so 2 and 4, into two weights and one; nothing behind o.
    hidden = Population(
        "h", 2, "RectifiedLinear", 1.0, initial_voltage=np.zeros(2), bias=np.zeros(2)
    )
    graph = SpikingGraph(
        dt=1.0,
        populations=(Population("x", 1, "input"), hidden, Population("o", 2, "linear")),
        projections=(
            Projection("in", "x", "h", np.array([[0.5], [1.0]])),
            Projection("out", "h", "o", np.array([[1.0, 0.0], [-2.0, 3.0]])),
        ),
        output="o",
    )
    split = Split(np.ones((3, 4, 1)), np.zeros(3, int))
    found = evaluate(graph, split, readout_steps=1)
    assert found.spikes == {"h": 6}
    assert synaptic_ops(graph, found) == 2 * 2 + 4 * 1
