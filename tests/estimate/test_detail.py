"""Counts by population, core and step: by hand, and by a loop over synapses."""

import dataclasses
import json
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nengo_hybrid.estimate import count_detail, count_ops, estimate_latency
from nengo_hybrid.exceptions import ShapeError
from nengo_hybrid.placement import Placement


def test_detail_matches_hand_counts(tiny_placement, tiny_trace, loihi1):
    detail = count_detail(tiny_placement, tiny_trace, loihi1)
    hidden, injected = detail.populations["hidden"], detail.populations["in"]
    # two spikes into 1 synapse each, two into 5, as 2 messages
    assert (hidden.spikes, hidden.synaptic_ops, hidden.messages) == (4, 12, 6)
    assert (hidden.neuron_updates_active, hidden.neuron_updates_inactive) == (5, 4)
    assert (injected.spikes, injected.synaptic_ops) == (3, 23)
    assert injected.payload_ones is None
    # out, on core 8, gets all that hidden sends
    assert detail.cores[0, 8].synaptic_ops == 12
    assert (detail.cores[0, 8].spikes, detail.cores[0, 8].messages) == (1, 0)
    assert (detail.cores[0, 37].spikes, detail.cores[0, 37].messages) == (2, 4)
    # step 0: 10; step 1: 13 + 1 + 5; step 2: 1 + 5
    assert detail.steps["synaptic_ops"].tolist() == [10, 19, 6]
    plain = detail.to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["cores"]["0/37"]["messages"] == 4


def test_blocks_that_the_trace_tells_apart_are_exact(
    tiny_placement, tiny_trace, loihi1, make
):
    hidden = tiny_trace.populations["hidden"]
    by_block = np.array([[[0, 0], [2, 0], [2, 1]]])
    told = dataclasses.replace(hidden, active_by_block=by_block)
    trace = dataclasses.replace(
        tiny_trace, populations={**tiny_trace.populations, "hidden": told}
    )
    cores = count_detail(tiny_placement, trace, loihi1).cores
    # core 0 has 2 compartments, core 37 has 1; three steps
    assert cores[0, 0].neuron_updates_active == 4
    assert cores[0, 0].neuron_updates_inactive == 2
    assert cores[0, 37].neuron_updates_active == 1
    assert cores[0, 37].neuron_updates_inactive == 2
    assert count_ops(tiny_placement, trace, loihi1) == count_ops(
        tiny_placement, tiny_trace, loihi1
    )


def test_blocks_of_another_number(tiny_placement, tiny_trace, loihi1):
    hidden = tiny_trace.populations["hidden"]
    told = dataclasses.replace(hidden, active_by_block=np.zeros((1, 3, 1), int))
    populations = {**tiny_trace.populations, "hidden": told}
    trace = dataclasses.replace(tiny_trace, populations=populations)
    message = (
        "population 'hidden' has active_by_block of shape (1, 3, 1); needed (1, 3, 2), "
        "for it has 2 blocks"
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        count_detail(tiny_placement, trace, loihi1)


def random_network(make, seed):
    """Return a placement and trace of a random network, and its single synapses."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 3), rng.integers(1, 5)
    sizes = {name: int(rng.integers(1, 6)) for name in ("in", "a", "out")}
    blocks, populations = [], {}
    for name in ("a", "out"):
        cut = int(rng.integers(0, sizes[name]))
        parts = [p for p in (range(cut), range(cut, sizes[name])) if p]
        cores = [int(rng.integers(256)) for _ in parts]
        blocks += [
            make.block(f"{name}[{i}]", name, p, core=c % 128, chip=c // 128)
            for i, (p, c) in enumerate(zip(parts, cores, strict=True))
        ]
        spikes = rng.integers(0, 2, (*shape, sizes[name]))
        by_block = np.stack([rng.integers(0, len(p) + 1, shape) for p in parts], -1)
        active = by_block.sum(-1)
        pop = make.population(True, spikes, active, sizes[name] - active)
        populations[name] = dataclasses.replace(pop, active_by_block=by_block)
    injected = rng.integers(-2, 3, (*shape, sizes["in"]))
    populations["in"] = make.population(False, injected)
    routes, synapses = [], []
    sources = [(None, "in", range(sizes["in"]))]
    sources += [(i, b.population, b.neurons.tolist()) for i, b in enumerate(blocks)]
    for source, name, neurons in sources:
        for end, target in enumerate(blocks):
            connected = rng.random((len(neurons), len(target.neurons))) < 0.4
            per_spike = connected.sum(axis=1)
            routes.append(
                make.route(name, list(neurons), source, end, per_spike > 0, per_spike)
            )
            synapses += [
                (name, neurons[i], end, target.neurons[j])
                for i, j in np.argwhere(connected)
            ]
    return Placement("loihi1", tuple(blocks), tuple(routes)), populations, synapses


def count_synapse_by_synapse(placement, populations, synapses):
    """Deliver every spike over every synapse, one at a time."""
    by_population, by_core, by_step = Counter(), Counter(), Counter()
    for name, neuron, end, _ in synapses:
        core = placement.blocks[end].chip, placement.blocks[end].core
        for sample in populations[name].spikes[..., neuron].tolist():
            for step, count in enumerate(sample):
                for _ in range(abs(count)):
                    by_population[name] += 1
                    by_core[core] += 1
                    by_step[step] += 1
    return by_population, by_core, by_step


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_detail_matches_a_loop_over_every_synapse(seed, make, loihi1):
    placement, populations, synapses = random_network(make, seed)
    trace = make.trace(populations)
    detail = count_detail(placement, trace, loihi1)
    counts = count_ops(placement, trace, loihi1)
    of_population, of_core, of_step = count_synapse_by_synapse(
        placement, populations, synapses
    )
    for name, part in detail.populations.items():
        assert part.synaptic_ops == of_population[name]
    for core, part in detail.cores.items():
        assert part.synaptic_ops == of_core[core]
        assert {type(value) for value in vars(part).values()} == {int}
    expected = [of_step[step] for step in range(trace.n_steps)]
    assert detail.steps["synaptic_ops"].tolist() == expected
    for name in ("neuron_updates_active", "neuron_updates_inactive", "spikes"):
        total = getattr(counts, name)
        assert sum(getattr(part, name) for part in detail.cores.values()) == total
        assert detail.steps[name].sum() == total
    assert counts.synaptic_ops == sum(of_population.values())
    assert estimate_latency(placement, trace, loihi1).compute_s > 0
