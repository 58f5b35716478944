"""Runs that cannot be counted, and the exact words that say so."""

import dataclasses
import re

import numpy as np
import pytest

from nengo_hybrid.estimate import count_ops
from nengo_hybrid.exceptions import EstimateError, ShapeError
from nengo_hybrid.targets import load_target


@pytest.fixture
def refuse(tiny_placement, tiny_trace, loihi1):
    """Return a function that expects an error, word for word."""

    def refuse(error, message, placement=tiny_placement, trace=tiny_trace, to=loihi1):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            count_ops(placement, trace, to)

    return refuse


@pytest.fixture
def change(tiny_trace):
    """Return a function that changes fields of one population in the trace."""

    def change(name, **fields):
        population = dataclasses.replace(tiny_trace.populations[name], **fields)
        populations = {**tiny_trace.populations, name: population}
        return dataclasses.replace(tiny_trace, populations=populations)

    return change


def test_trace_of_another_target(refuse, tiny_trace):
    refuse(
        EstimateError,
        "the trace is of target 'loihi2', the prices are of target 'loihi1'; "
        "load the target of the trace",
        trace=dataclasses.replace(tiny_trace, target="loihi2"),
    )


def test_placement_of_another_target(refuse, tiny_placement):
    refuse(
        EstimateError,
        "the placement is of target 'loihi2', the prices are of target 'loihi1'; "
        "load the target of the placement",
        placement=dataclasses.replace(tiny_placement, target="loihi2"),
    )


def test_processor_has_no_placement(refuse):
    refuse(
        EstimateError,
        "target 'cortex-a' is a processor, and runs no placement; "
        "name it in compare instead",
        to=load_target("cortex-a"),
    )


def test_nothing_on_the_chip(refuse, tiny_placement):
    refuse(
        EstimateError,
        "the placement has nothing on target 'loihi1'; a network that runs on the "
        "host alone is priced by compare_dense",
        placement=dataclasses.replace(tiny_placement, blocks=(), routes=()),
    )


def test_no_samples(refuse, tiny_trace):
    refuse(
        EstimateError,
        "the trace has 0 samples of 3 steps; needed at least one of each",
        trace=dataclasses.replace(tiny_trace, n_samples=0),
    )


def test_missing_population(refuse, tiny_trace):
    populations = dict(tiny_trace.populations)
    del populations["hidden"]
    refuse(
        EstimateError,
        "population 'hidden' is placed but not in the trace, which has in, out; "
        "run this placement",
        trace=dataclasses.replace(tiny_trace, populations=populations),
    )


def test_missing_injected_population(refuse, tiny_trace):
    populations = dict(tiny_trace.populations)
    del populations["in"]
    refuse(
        EstimateError,
        "population 'in' is placed but not in the trace, which has hidden, out; "
        "run this placement",
        trace=dataclasses.replace(tiny_trace, populations=populations),
    )


def test_population_on_the_other_side(refuse, change):
    refuse(
        EstimateError,
        "population 'in' ran on the chip, but the placement has it on the host; "
        "run this placement",
        trace=change("in", on_chip=True),
    )
    refuse(
        EstimateError,
        "population 'out' ran on the host, but the placement has it on the chip; "
        "run this placement",
        trace=change("out", on_chip=False),
    )


def test_negative_spike_on_the_chip(refuse, change):
    refuse(
        EstimateError,
        "population 'hidden' has -1 spikes of neuron 2 at sample 0, step 1; on target "
        "'loihi1' it is 0 or 1 (a spike has no payload)",
        trace=change("hidden", spikes=np.array([[[0, 0, 0], [1, 0, -1], [0, 1, 1]]])),
    )


def test_two_spikes_a_step_on_the_chip(refuse, change):
    refuse(
        EstimateError,
        "population 'out' has 2 spikes of neuron 0 at sample 0, step 0; on target "
        "'loihi1' it is 0 or 1 (a spike has no payload)",
        trace=change("out", spikes=np.array([[[2], [0], [3]]])),
    )


def test_spikes_that_are_not_counts(refuse, change):
    refuse(
        EstimateError,
        "population 'out' has spikes of type float64; needed integer counts",
        trace=change("out", spikes=np.zeros((1, 3, 1))),
    )


def test_spikes_of_another_length(refuse, change):
    refuse(
        ShapeError,
        "population 'hidden' has spikes of shape (1, 2, 3); "
        "the trace has 1 samples of 3 steps",
        trace=change("hidden", spikes=np.zeros((1, 2, 3), dtype=int)),
    )


def test_updates_of_another_length(refuse, change):
    refuse(
        ShapeError,
        "population 'hidden' has updates_inactive of shape (3,); "
        "the trace has 1 samples of 3 steps",
        trace=change("hidden", updates_inactive=np.zeros(3, dtype=int)),
    )


def test_block_of_neurons_that_were_not_traced(refuse, change):
    refuse(
        ShapeError,
        "block 'hidden[1]' has neurons 2 to 2 of population 'hidden', "
        "whose spikes have 2 neurons",
        trace=change("hidden", spikes=np.zeros((1, 3, 2), dtype=int)),
    )


def test_route_of_neurons_that_were_not_traced(refuse, change):
    refuse(
        ShapeError,
        "the route from population 'in' to block 'hidden[0]' has neurons 0 to 1 of "
        "population 'in', whose spikes have 1 neurons",
        trace=change("in", spikes=np.zeros((1, 3, 1), dtype=int)),
    )


def test_route_with_uneven_arrays(refuse, tiny_placement):
    routes = list(tiny_placement.routes)
    routes[1] = dataclasses.replace(routes[1], synapses=np.array([1]))
    refuse(
        ShapeError,
        "the route from population 'hidden' to block 'out' has 2 neurons, 2 messages, "
        "1 synapses; needed one of each per neuron",
        placement=dataclasses.replace(tiny_placement, routes=tuple(routes)),
    )


def test_core_that_the_chip_does_not_have(refuse, tiny_placement):
    blocks = list(tiny_placement.blocks)
    blocks[0] = dataclasses.replace(blocks[0], core=128)
    refuse(
        EstimateError,
        "block 'hidden[0]' is on core 128; a chip of target 'loihi1' has "
        "cores 0 to 127",
        placement=dataclasses.replace(tiny_placement, blocks=tuple(blocks)),
    )


def test_mesh_that_nobody_published(refuse, loihi1):
    refuse(
        EstimateError,
        "target 'loihi1' has null for limits.mesh_columns, "
        "and counts cannot be made without it",
        to=dataclasses.replace(loihi1, limits={**loihi1.limits, "mesh_columns": None}),
    )


def test_host_populations_that_inject_nothing_are_left_alone(
    tiny_placement, tiny_trace, loihi1, make
):
    linear = make.population(False, [[[0, 0]]])
    populations = {**tiny_trace.populations, "linear": linear}
    trace = dataclasses.replace(tiny_trace, populations=populations)
    counts = count_ops(tiny_placement, trace, loihi1)
    assert counts == count_ops(tiny_placement, tiny_trace, loihi1)


def test_trace_that_sums_up_steps(refuse, tiny_trace):
    refuse(
        EstimateError,
        "the trace sums up 4 steps at a time, and what a step costs is not known; run "
        "it again with bin_steps=1, or estimate from its mean spikes a step, as Rates",
        trace=dataclasses.replace(tiny_trace, bin_steps=4),
    )
