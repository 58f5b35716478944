"""Counts: by hand, by a loop over every spike, and the laws they keep."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nengo_hybrid.estimate import DenseCounts, OpCounts, count_dense, count_ops
from nengo_hybrid.exceptions import EstimateError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.placement import Placement

seeds = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_counts_match_hand_counts(tiny_placement, tiny_trace, loihi1):
    # in: neuron 0 spikes twice into 10 synapses, neuron 1 once into 3: 23;
    # hidden 0 and 1 once each into 1 synapse: 2; hidden 2 twice into 5: 10.
    # Messages: 2 of 2 hops east; 2 * 2 of one hop east and one hop north.
    assert count_ops(tiny_placement, tiny_trace, loihi1) == OpCounts(
        synaptic_ops=23 + 2 + 10,
        neuron_updates_active=2 + 3 + 1,
        neuron_updates_inactive=3 + 1 + 1 + 1,
        spikes=4 + 1,
        spike_messages=2 + 4,
        spike_hops_east_west=2 * 2 + 4 * 1,
        spike_hops_north_south=4 * 1,
        chip_crossings=0,
        host_messages=3,
        host_injection_steps=2,
        host_macs=3 * 7,
        host_updates=3 * 2,
        n_steps=3,
        n_samples=1,
    )


def test_counts_are_exact_python_integers(tiny_placement, tiny_trace, loihi1):
    counts = count_ops(tiny_placement, tiny_trace, loihi1)
    payloads = {"payload_ones", "synaptic_ones"}
    types = {name: type(value) for name, value in vars(counts).items()}
    assert {types[name] for name in payloads} == {type(None)}
    assert {types[name] for name in set(types) - payloads} == {int}


def test_host_computes_once_per_input_step(tiny_placement, tiny_trace, loihi1):
    slow = dataclasses.replace(tiny_trace, n_input_steps=1)
    counts = count_ops(tiny_placement, slow, loihi1)
    assert (counts.host_macs, counts.host_updates) == (7, 2)


def test_messages_between_chips_have_no_hops(tiny_placement, tiny_trace, loihi1):
    blocks = list(tiny_placement.blocks)
    blocks[2] = dataclasses.replace(blocks[2], chip=1)
    moved = dataclasses.replace(tiny_placement, blocks=tuple(blocks))
    counts = count_ops(moved, tiny_trace, loihi1)
    # the 4 messages of hidden[1] leave the mesh of chip 0 and 1
    assert (counts.chip_crossings, counts.spike_messages, counts.spike_hops) == (
        4,
        2,
        4,
    )
    assert counts.synaptic_ops == 35


def test_a_spike_with_a_payload_is_one_spike(tiny_placement, tiny_trace, loihi1, make):
    graded = with_payload(loihi1)
    populations = {
        **tiny_trace.populations,
        "in": make.population(False, [[[-3, 0], [2, 5], [0, 0]]]),
        "out": make.population(True, [[[0], [0], [-9]]], [[0, 0, 1]], [[1, 1, 0]]),
    }
    trace = dataclasses.replace(tiny_trace, populations=populations)
    counts = count_ops(tiny_placement, trace, graded)
    # 3 has 2 bits set, 2 and 9 in turn 1 and 2, 5 has 2; hidden's four spikes have 1.
    # Behind them are 10 synapses of the first input, 3 of the second; 1, 1 and 5.
    assert counts.payload_ones == (2 + 1) + 2 + 4 + 2
    assert counts.synaptic_ones == 10 * (2 + 1) + 3 * 2 + (1 + 1 + 2 * 5)
    plain = dataclasses.replace(counts, payload_ones=None, synaptic_ones=None)
    assert plain == count_ops(tiny_placement, tiny_trace, loihi1)
    assert counts.to_json()["synaptic_ones"] == counts.synaptic_ones


@seeds
@given(values=st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=9))
def test_payload_ones_are_those_of_python(values, make, loihi1):
    placement = Placement(
        "loihi1", (make.block("out", "out", range(len(values)), 0),), ()
    )
    trace = make.trace({"out": make.population(True, [[values]])})
    counts = count_ops(placement, trace, with_payload(loihi1))
    assert counts.payload_ones == sum(abs(value).bit_count() for value in values)
    assert counts.spikes == sum(value != 0 for value in values)


def with_payload(target):
    """Return the target as if its spikes carried 24 bits."""
    payload = dataclasses.replace(target.formats["spike_payload_bits"], value=24)
    formats = {**target.formats, "spike_payload_bits": payload}
    return dataclasses.replace(target, formats=formats)


def test_several_injected_spikes_a_step_all_count(
    tiny_placement, tiny_trace, loihi1, make
):
    populations = {
        **tiny_trace.populations,
        "in": make.population(False, [[[-3, 0], [2, 1], [0, 0]]]),
    }
    trace = dataclasses.replace(tiny_trace, populations=populations)
    counts = count_ops(tiny_placement, trace, loihi1)
    # 5 spikes into 10 synapses and 1 into 3, then 12 from hidden as before
    assert (counts.synaptic_ops, counts.host_messages) == (5 * 10 + 3 + 12, 6)
    assert counts.host_injection_steps == 2


def test_json_has_the_keys_of_the_report(tiny_placement, tiny_trace, loihi1):
    assert count_ops(tiny_placement, tiny_trace, loihi1).to_json() == {
        "synaptic_ops": 35.0,
        "neuron_updates_active": 6.0,
        "neuron_updates_inactive": 6.0,
        "spikes": 5.0,
        "spike_hops": 12.0,
        "host_messages": 3.0,
        "host_macs": 21.0,
        "host_updates": 6.0,
        "n_steps": 3,
    }


def repeated(trace, order):
    """Return the trace with samples in this order, some perhaps repeated."""
    populations = {
        name: dataclasses.replace(
            pop,
            spikes=pop.spikes[order],
            updates_active=pop.updates_active[order],
            updates_inactive=pop.updates_inactive[order],
        )
        for name, pop in trace.populations.items()
    }
    return dataclasses.replace(trace, populations=populations, n_samples=len(order))


@seeds
@given(seed=st.integers(0, 2**32 - 1))
def test_doubled_samples_cost_the_same_each(seed, random_run, loihi1):
    placement, trace = random_run(seed)
    once = count_ops(placement, trace, loihi1)
    order = [*range(trace.n_samples)] * 2
    twice = count_ops(placement, repeated(trace, order), loihi1)
    assert twice.synaptic_ops == 2 * once.synaptic_ops
    assert twice.to_json() == once.to_json()


@seeds
@given(seed=st.integers(0, 2**32 - 1))
def test_spike_times_do_not_matter(seed, random_run, loihi1):
    placement, trace = random_run(seed)
    order = np.random.default_rng(seed).permutation(trace.n_steps)
    populations = {
        name: dataclasses.replace(pop, spikes=pop.spikes[:, order])
        for name, pop in trace.populations.items()
    }
    shuffled = dataclasses.replace(trace, populations=populations)
    assert count_ops(placement, shuffled, loihi1) == count_ops(placement, trace, loihi1)


def count_one_by_one(placement, trace):
    """Walk every message of every spike tile by tile, on 8 columns of tiles."""
    names = [f.name for f in dataclasses.fields(OpCounts) if f.default is not None]
    counts = dict.fromkeys(names, 0)
    injecting = set()
    for route in placement.routes:
        spikes = trace.populations[route.population].spikes
        for sample, step, i in np.ndindex(*spikes.shape[:2], len(route.neurons)):
            for _ in range(abs(spikes[sample, step, route.neurons[i]])):
                counts["synaptic_ops"] += int(route.synapses[i])
                if route.source is None:
                    injecting.add((sample, step))
                for _ in range(route.messages[i]):
                    walk(placement, route, counts)
    for pop in trace.populations.values():
        counts["neuron_updates_active"] += sum(pop.updates_active.ravel().tolist())
        counts["neuron_updates_inactive"] += sum(pop.updates_inactive.ravel().tolist())
        if pop.on_chip:
            counts["spikes"] += sum(pop.spikes.ravel().tolist())
    counts["host_injection_steps"] = len(injecting)
    n_host_steps = trace.n_samples * trace.n_input_steps
    counts["host_macs"] = trace.host_macs_per_step * n_host_steps
    counts["host_updates"] = trace.host_updates_per_step * n_host_steps
    return OpCounts(
        **{**counts, "n_steps": trace.n_steps, "n_samples": trace.n_samples}
    )


def walk(placement, route, counts):
    """Let one message step from tile to tile until it is there."""
    if route.source is None:
        counts["host_messages"] += 1
        return
    start, end = placement.blocks[route.source], placement.blocks[route.target]
    if start.chip != end.chip:
        counts["chip_crossings"] += 1
        return
    counts["spike_messages"] += 1
    here, there = [start.core // 4 % 8, start.core // 32], [end.core // 4 % 8]
    there.append(end.core // 32)
    for axis, name in enumerate(("spike_hops_east_west", "spike_hops_north_south")):
        while here[axis] != there[axis]:
            here[axis] += 1 if here[axis] < there[axis] else -1
            counts[name] += 1


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_counts_match_a_loop_over_every_spike(seed, random_run, loihi1):
    placement, trace = random_run(seed)
    assert count_ops(placement, trace, loihi1) == count_one_by_one(placement, trace)


def test_dense_counts_match_hand_counts():
    # 2 inputs to 3 neurons with one weight 0: 5; a scaling of 3 neurons: 3;
    # 3 neurons to 1 linear output: 3. Only the neurons are updated.
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("in", 2, "input"),
            Population("hidden", 3, "RectifiedLinear", omega=1.0),
            Population("out", 1, "linear"),
        ),
        projections=(
            Projection("w", "in", "hidden", np.array([[1, 2], [3, 0], [5, 6.0]])),
            Projection("self", "hidden", "hidden", 0.5 * np.eye(3), delay=1),
            Projection("read", "hidden", "out", np.ones((1, 3))),
        ),
        output="out",
    )
    assert count_dense(graph, 10) == DenseCounts(macs=(5 + 3 + 3) * 10, updates=30)


def test_dense_counts_reject_no_steps():
    graph = SpikingGraph(1.0, (), (), "out")
    message = "^count_dense got 0 steps; needed at least 1$"
    with pytest.raises(EstimateError, match=message):
        count_dense(graph, 0)
