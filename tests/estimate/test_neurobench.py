"""NeuroBench's metrics: by hand, and by a loop over every weight."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.estimate import neurobench_metrics
from nengo_hybrid.exceptions import EstimateError, ShapeError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import Population, Projection, SpikingGraph


@pytest.fixture
def graph():
    """Return two inputs, three neurons with a bias, and a linear output."""
    rest = {"bias": np.zeros(3), "initial_voltage": np.zeros(3)}
    hidden = Population("hidden", 3, "RectifiedLinear", omega=1.0, **rest)
    return SpikingGraph(
        dt=1.0,
        populations=(
            Population("in", 2, "input"),
            hidden,
            Population("out", 1, "linear"),
        ),
        projections=(
            Projection("w", "in", "hidden", np.array([[1, 2], [3, 0], [5, 6.0]])),
            Projection("read", "hidden", "out", np.array([[1.0, 0, 1]])),
        ),
        output="out",
    )


@pytest.fixture
def activity():
    """Return two samples of two steps."""
    return {
        "in": np.array([[[0.5, 0], [1, 1]], [[0, 2], [0, 1]]]),
        "hidden": np.array([[[1, 0, 0], [1, 1, 1]], [[0, 0, 1], [0, 2, 1]]]),
    }


def test_metrics_match_hand_counts(graph, activity):
    # Input 0 has 3 weights that are not 0, input 1 has 2; the output has them of
    # hidden 0 and 2. Step 0: 0.5 and 2 make MACs, 3 + 2; hidden sends bits, 1 + 1 ACs.
    # Step 1: the inputs are bits, (3 + 2) + 2 ACs; the 2 makes hidden's 2 + 1 MACs.
    assert neurobench_metrics(graph, activity).to_json() == {
        "Footprint": 4 * (6 + 3 + 3),
        "ConnectionSparsity": round(2 / 9, 4),
        "ActivationSparsity": 5 / 12,
        "SynapticOperations": {
            "Effective_MACs": (5 + 3) / 2,
            "Effective_ACs": (2 + 7) / 2,
            "Dense": 2 * (6 + 3),
        },
    }


def test_a_delay_sends_the_first_steps_only(graph, activity):
    late = Projection("read", "hidden", "out", np.array([[1.0, 0, 1]]), delay=1)
    slow = SpikingGraph(1.0, graph.populations, (graph.projections[0], late), "out")
    operations = neurobench_metrics(slow, activity).to_json()["SynapticOperations"]
    assert operations["Dense"] == 18
    assert operations["Effective_MACs"] + operations["Effective_ACs"] == (5 + 7 + 2) / 2


def test_a_run_in_floats_can_be_measured(graph):
    x = np.random.default_rng(0).uniform(0, 1, (4, 10, 2))
    names = [p.name for p in graph.populations]
    found = neurobench_metrics(graph, run_graph(graph, x, record=names))
    assert 0 < found.activation_sparsity < 1
    assert found.effective_macs + found.effective_acs <= found.dense == 10 * 9


def count_weight_by_weight(weights, values):
    """Count (MACs, ACs) as NeuroBench does: step by step, one batch at a time."""
    macs = acs = 0
    for step in range(values.shape[1]):
        batch, operations = values[:, step], 0
        for row in batch:
            for post in range(weights.shape[0]):
                for pre, value in enumerate(row):
                    operations += bool(weights[post, pre]) and bool(value)
        if all(value in (-1, 0, 1) for value in batch.ravel()):
            acs += operations
        else:
            macs += operations
    return macs / len(values), acs / len(values)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_operations_match_a_loop_over_every_weight(seed):
    rng = np.random.default_rng(seed)
    n_pre, n_post = rng.integers(1, 5, size=2)
    weights = rng.integers(-1, 2, (n_post, n_pre)).astype(float)
    values = rng.integers(-1, rng.integers(1, 4), (*rng.integers(1, 4, size=2), n_pre))
    graph = SpikingGraph(
        1.0,
        (
            Population("a", int(n_pre), "RectifiedLinear", omega=1.0),
            Population("b", int(n_post), "linear"),
        ),
        (Projection("w", "a", "b", weights),),
        "b",
    )
    found = neurobench_metrics(graph, {"a": values})
    expected = count_weight_by_weight(weights, values)
    assert (found.effective_macs, found.effective_acs) == pytest.approx(expected)
    assert found.activation_sparsity == pytest.approx((values == 0).mean())
    assert found.connection_sparsity == pytest.approx((weights == 0).mean(), abs=5e-5)


def test_missing_activity(graph, activity):
    del activity["hidden"]
    message = "^population 'hidden' has no activity; there is that of in$"
    with pytest.raises(EstimateError, match=message):
        neurobench_metrics(graph, activity)


def test_activity_of_another_size(graph, activity):
    activity["in"] = np.zeros((1, 2, 3))
    needed = "(n_samples, n_steps, 2)"
    message = f"population 'in' has activity of shape (1, 2, 3); needed {needed}"
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        neurobench_metrics(graph, activity)


def test_a_network_without_weights():
    empty = SpikingGraph(1.0, (Population("in", 2, "input"),), (), "in")
    message = "^the network has no weights; NeuroBench's metrics need some$"
    with pytest.raises(EstimateError, match=message):
        neurobench_metrics(empty, {})
