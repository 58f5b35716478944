"""Graded networks cut into cores: what each needs, and no synapse lost."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.graphs import GradedGraph, GradedPopulation, GradedProjection, Widths
from nengo_hybrid.mapping import graded_blocks, place
from nengo_hybrid.targets import load_target

CHIP = load_target("loihi2")


def small(**limits):
    """Return Loihi 2 with other limits."""
    changed = {
        name: replace(CHIP.limits[name], value=value, low=value, high=value)
        for name, value in limits.items()
    }
    return replace(CHIP, limits={**CHIP.limits, **changed})


def population(name, n, program="sum"):
    return GradedPopulation(name, n, program, {}, {}, 16, np.ones(n))


def graph_of(weights, program="sum"):
    """Make an input, a population that hears it, and one that hears that."""
    hidden, n_in = weights.shape
    parts = (
        population("x", n_in, "input"),
        population("hidden", hidden, program),
        population("out", 2),
    )
    back = np.ones((2, hidden), np.int8)
    ways = (
        GradedProjection("in", "x", "hidden", weights.astype(np.int8), 0),
        GradedProjection("on", "hidden", "out", back, 0),
    )
    return GradedGraph("loihi2", parts, ways, "out", {}, Widths.of(CHIP))


def test_a_dense_axon_by_hand():
    # 100 weights of 8 bits: a run of 64 has 522 bits, 9 words; one of 36 has 298, 5.
    graph = graph_of(np.ones((100, 3)))
    (hidden, out) = graded_blocks(graph, CHIP).blocks

    assert hidden.synapse_bits == 3 * (9 + 5) * 64
    assert (hidden.compartments, hidden.input_axons, hidden.output_axons) == (
        100,
        3,
        100,
    )
    assert (out.compartments, out.input_axons, out.output_axons) == (2, 100, 0)


def test_a_sparse_axon_by_hand():
    # 2 of 100 neurons: 15 bits each with an index of 7, and the header: one word.
    weights = np.zeros((100, 1))
    weights[[3, 50]] = 1
    hidden, _ = graded_blocks(graph_of(weights), CHIP).blocks

    assert hidden.synapse_bits == 64


def test_an_axon_that_is_nearly_dense_is_stored_whole():
    # 99 of 100 weights with indices of 7 bits take 1,485 bits; all 100 take 800.
    weights = np.ones((100, 1))
    weights[7] = 0
    cut = graded_blocks(graph_of(weights), CHIP)

    assert cut.blocks[0].synapse_bits == (9 + 5) * 64
    (of_input,) = [route for route in cut.routes if route.source is None]
    assert of_input.synapses.tolist() == [100]


def test_a_population_too_large_is_cut_evenly():
    # 3 x 896 bits: two thirds of that hold 66 neurons at most.
    blocks = graded_blocks(graph_of(np.ones((100, 3))), small(compartments_per_core=40))

    sizes = [b.compartments for b in blocks.blocks if b.population == "hidden"]
    assert sizes == [34, 34, 32]
    assert blocks.blocks[0].name == "hidden[0:34]"


def test_pairs_of_a_rotor_stay_together():
    blocks = graded_blocks(
        graph_of(np.ones((10, 1)), "rotor"), small(compartments_per_core=4)
    )

    sizes = [b.compartments for b in blocks.blocks if b.population == "hidden"]
    assert sizes == [4, 4, 2]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), most=st.integers(3, 40))
def test_nothing_is_lost_or_told_twice(seed, most):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-2, 3, (int(rng.integers(1, 60)), int(rng.integers(1, 8))))
    weights[0] = 1
    graph = graph_of(weights)
    cut = graded_blocks(graph, small(compartments_per_core=most))

    for name in ("hidden", "out"):
        neurons = np.concatenate(
            [b.neurons for b in cut.blocks if b.population == name]
        )
        assert neurons.tolist() == list(range(graph.population(name).n_neurons))
    # A spike reaches at least the synapses that are not 0, and at most all.
    of_input = [r for r in cut.routes if r.source is None]
    reached = sum(r.synapses for r in of_input)
    assert np.all(reached >= np.count_nonzero(weights, axis=0))
    assert np.all(reached <= len(weights))
    n_hidden = sum(b.population == "hidden" for b in cut.blocks)
    assert sum(r.source is not None for r in cut.routes) == n_hidden


def test_it_is_placed_without_limits_of_axons():
    placement = place(graph_of(np.ones((100, 3))), CHIP)

    assert placement.n_cores == 2
    assert placement.blocks[0].utilization.input_axons == (3, None)
    assert set(placement.worst_core()) == {"compartments", "synapse_bits"}


def test_a_neuron_that_does_not_fit_is_refused():
    words = (
        "population 'hidden' needs more than the 100 synapse bits of a core of target "
        "'loihi2' for 1 of its neurons alone. Try fewer inputs to a neuron."
    )
    with pytest.raises(PlacementError, match=f"^{words}$"):
        graded_blocks(graph_of(np.ones((4, 3))), small(synapse_memory_per_core=100))
