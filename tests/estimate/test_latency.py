"""How long a step takes: by hand, by a loop, and what decides."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nengo_hybrid.estimate import estimate_latency
from nengo_hybrid.exceptions import EstimateError
from nengo_hybrid.placement import Placement
from nengo_hybrid.targets import load_target

# Joules and seconds here are smaller than pytest's absolute tolerance.
approx = functools.partial(pytest.approx, rel=1e-9, abs=0)

NS, US = 1e-9, 1e-6


def test_step_matches_hand_counts(tiny_placement, tiny_trace, loihi1):
    latency = estimate_latency(tiny_placement, tiny_trace, loihi1)
    # Core 0 holds 2 of the 3 hidden compartments, so two thirds of their updates.
    # Step 0, core 0: 10 operations, 2 inactive updates; step 1, core 0: 13
    # operations, 4/3 active and 2/3 inactive updates; step 2, core 8: 6 operations
    # and 1 active update, more than 2 active updates on core 0.
    slowest = [
        10 * 3.5 + 2 * 5.3,
        13 * 3.5 + 4 / 3 * 8.4 + 2 / 3 * 5.3,
        6 * 3.5 + 8.4,
    ]
    compute = sum(slowest) / 3
    # 3 tiles of 32: two of the 31 ways from one tile to all
    barrier = 113 + 2 / 31 * (465 - 113)
    assert latency.compute_s == approx(compute * NS)
    assert latency.barrier_s == approx(barrier * NS)
    assert latency.host_injection_s == approx(2 / 3 * 9 * US)
    assert latency.step_s == approx((compute + barrier + 6000) * NS)
    assert latency.inference_s == approx(3 * latency.step_s)
    assert latency.worst_step_s == approx((slowest[1] + barrier + 9000) * NS)
    assert latency.bound_by == "host_injection"
    assert latency.slowest_core == (0, 0)
    assert latency.excludes == ("host_computation",)


def test_band_matches_hand_counts(tiny_placement, tiny_trace, loihi1):
    latency = estimate_latency(tiny_placement, tiny_trace, loihi1)
    low = (10 * 3.1 + 2 * 5.3) + (13 * 3.1 + 2 * 5.3) + (6 * 3.1 + 5.3)
    high = (10 * 4.7 + 2 * 8.4) + (13 * 4.7 + 4 / 3 * 9.7 + 2 / 3 * 8.4)
    high += 6 * 4.7 + 9.7
    barriers = (113 + 2 / 31 * (465 - 113), 600 + 2 / 31 * (1800 - 600))
    assert latency.step_low_s == approx((low / 3 + barriers[0] + 6000) * NS)
    assert latency.step_high_s == approx((high / 3 + barriers[1] + 6000) * NS)
    assert latency.inference_low_s == approx(3 * latency.step_low_s)
    assert latency.inference_high_s == approx(3 * latency.step_high_s)


def silent(trace):
    """Return the trace without injected spikes."""
    population = trace.populations["in"]
    quiet = dataclasses.replace(population, spikes=np.zeros_like(population.spikes))
    return dataclasses.replace(trace, populations={**trace.populations, "in": quiet})


def test_without_injection_the_barrier_decides(tiny_placement, tiny_trace, loihi1):
    latency = estimate_latency(tiny_placement, silent(tiny_trace), loihi1)
    assert latency.host_injection_s == 0
    assert latency.bound_by == "barrier"


def test_with_many_synapses_the_slowest_core_decides(
    tiny_placement, tiny_trace, loihi1
):
    routes = list(tiny_placement.routes)
    routes[2] = dataclasses.replace(routes[2], synapses=np.array([1000]))
    heavy = dataclasses.replace(tiny_placement, routes=tuple(routes))
    latency = estimate_latency(heavy, silent(tiny_trace), loihi1)
    assert latency.bound_by == "compute"
    assert latency.slowest_core == (0, 8)


@pytest.mark.parametrize(
    "cores, barrier_ns", [([0], 113), ([0, 3], 113), (range(0, 128, 4), 465)]
)
def test_barrier_spans_the_tiles_in_use(make, loihi1, cores, barrier_ns):
    blocks = [make.block(f"b{core}", "out", [core], core) for core in cores]
    spikes = np.zeros((1, 2, 128), dtype=int)
    trace = make.trace({"out": make.population(True, spikes)})
    placement = Placement("loihi1", tuple(blocks), ())
    latency = estimate_latency(placement, trace, loihi1)
    assert latency.barrier_s == approx(barrier_ns * NS)
    assert latency.step_s == approx(barrier_ns * NS)


@pytest.mark.parametrize(
    "name, part",
    [
        ("synaptic_op", "compute_s"),
        ("neuron_update_active", "compute_s"),
        ("barrier_all_tiles", "barrier_s"),
        ("host_injection", "host_injection_s"),
    ],
)
def test_no_step_time_without_a_time(tiny_placement, tiny_trace, loihi1, name, part):
    unknown = dataclasses.replace(loihi1, times={**loihi1.times, name: None})
    latency = estimate_latency(tiny_placement, tiny_trace, unknown)
    assert getattr(latency, part) is None
    assert (latency.step_s, latency.inference_s, latency.bound_by) == (None,) * 3
    assert latency.worst_step_s is None


def test_time_of_what_never_happens_is_not_needed(tiny_placement, tiny_trace, loihi1):
    times = {**loihi1.times, "host_injection": None}
    unknown = dataclasses.replace(loihi1, times=times)
    latency = estimate_latency(tiny_placement, silent(tiny_trace), unknown)
    assert latency.step_s > 0


def test_a_host_that_computes_nothing_is_not_left_out(
    tiny_placement, tiny_trace, loihi1
):
    idle = dataclasses.replace(
        tiny_trace, host_macs_per_step=0, host_updates_per_step=0
    )
    assert estimate_latency(tiny_placement, idle, loihi1).excludes == ()


def compute_one_by_one(placement, trace):
    """Return the mean and the largest time of the slowest core, in ns."""
    times = []
    for sample, step in np.ndindex(trace.n_samples, trace.n_steps):
        cores = dict.fromkeys([(b.chip, b.core) for b in placement.blocks], 0.0)
        for block in placement.blocks:
            pop = trace.populations[block.population]
            share = len(block.neurons) / pop.spikes.shape[-1]
            active = pop.updates_active[sample, step]
            inactive = pop.updates_inactive[sample, step]
            cores[block.chip, block.core] += share * (8.4 * active + 5.3 * inactive)
        for route in placement.routes:
            end = placement.blocks[route.target]
            spikes = trace.populations[route.population].spikes[sample, step]
            for neuron, synapses in zip(route.neurons, route.synapses, strict=True):
                cores[end.chip, end.core] += 3.5 * abs(spikes[neuron]) * synapses
        times.append(max(cores.values()))
    return sum(times) / len(times), max(times)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_compute_matches_a_loop_over_every_core(seed, random_run, loihi1):
    placement, trace = random_run(seed)
    latency = estimate_latency(placement, trace, loihi1)
    mean, worst = compute_one_by_one(placement, trace)
    assert latency.compute_s == approx(mean * NS)
    injects = 9000 if latency.host_injection_s > 0 else 0
    expected = worst * NS + latency.barrier_s + injects * NS
    assert latency.worst_step_s == approx(expected)
    assert latency.step_low_s <= latency.step_s <= latency.step_high_s


def test_json_is_plain(tiny_placement, tiny_trace, loihi1):
    plain = estimate_latency(tiny_placement, tiny_trace, loihi1).to_json()
    assert plain["slowest_core"] == [0, 0]
    assert plain["excludes"] == ["host_computation"]
    assert plain["keeps_up"] is None
    assert {type(v) for v in plain.values()} <= {float, str, list, type(None)}


def test_a_given_step_is_taken_and_held_against_what_is_needed(
    tiny_placement, tiny_trace, loihi1
):
    free = estimate_latency(tiny_placement, tiny_trace, loihi1)
    slow = estimate_latency(tiny_placement, tiny_trace, loihi1, step_s=1e-3)
    assert (slow.step_low_s, slow.step_s, slow.step_high_s) == (1e-3,) * 3
    assert slow.inference_s == approx(3e-3)
    assert (slow.bound_by, slow.keeps_up) == ("given", True)
    assert (slow.compute_s, slow.worst_step_s) == (free.compute_s, free.worst_step_s)
    hasty = estimate_latency(tiny_placement, tiny_trace, loihi1, step_s=8e-6)
    assert hasty.keeps_up is False


@pytest.mark.parametrize("step_s", [0, -1e-3, float("nan"), float("inf")])
def test_a_step_takes_time(tiny_placement, tiny_trace, loihi1, step_s):
    message = f"^step_s is {step_s}; needed seconds above 0, or None$"
    with pytest.raises(EstimateError, match=message):
        estimate_latency(tiny_placement, tiny_trace, loihi1, step_s=step_s)


def test_no_step_is_shorter_than_the_shortest(make):
    loihi2 = load_target("loihi2")
    placement = Placement("loihi2", (make.block("out", "out", [0], 0),), ())
    trace = make.trace({"out": make.population(True, [[[0]]])}, target="loihi2")
    latency = estimate_latency(placement, trace, loihi2)
    # the barrier of one tile takes 113 ns, and nothing else is done
    assert latency.barrier_s == approx(113 * NS)
    assert latency.step_s == approx(200 * NS)
    assert latency.bound_by == "shortest_step"


def test_fitted_times_are_for_spikes_and_messages_too(make):
    fitted = load_target("loihi1-fitted")
    blocks = (make.block("a", "a", [0, 1], 0), make.block("out", "out", [0], 4))
    routes = (make.route("a", [0, 1], 0, 1, [1, 2], [1, 1]),)
    spikes = {"a": make.population(True, [[[1, 1]]], [[1]], [[1]])}
    spikes["out"] = make.population(True, [[[0]]], [[0]], [[1]])
    latency = estimate_latency(
        Placement("loihi1", blocks, routes), make.trace(spikes), fitted
    )
    # core 0: an active and an inactive update, 2 spikes, 3 messages; core 4 less
    assert latency.compute_s == approx((9.7 + 6.0 + 2 * 30 + 3 * 5.1) * NS)
