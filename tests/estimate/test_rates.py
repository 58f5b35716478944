"""Rates in the place of a run: the same counts, as expected values."""

import dataclasses
import functools
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nengo_hybrid.estimate import (
    OpCounts,
    Rates,
    count_detail,
    count_ops,
    estimate,
    estimate_latency,
)
from nengo_hybrid.exceptions import EstimateError, ShapeError

# Joules and seconds here are smaller than pytest's absolute tolerance.
approx = functools.partial(pytest.approx, rel=1e-9, abs=0)

seeds = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def refuse(tiny_placement, loihi1):
    """Return a function that expects an error about rates, word for word."""

    def refuse(message, error=EstimateError, n_steps=10, active=1.0, **spikes):
        spikes = {"in": 0.5, "hidden": 0.25, "out": 1.0, **spikes}
        rates = Rates(n_steps, spikes, active=active)
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            count_ops(tiny_placement, rates, loihi1)

    return refuse


def test_counts_match_hand_counts(tiny_placement, loihi1):
    # Each step: in, half a spike into 10 synapses and half into 3; hidden, a quarter
    # into 1 and 1, and a quarter, as 2 messages, into 5. Four steps.
    spikes = {"in": 0.5, "hidden": 0.25, "out": [1.0]}
    rates = Rates(4, spikes, active=0.5, host_macs=7, host_updates=2)
    assert count_ops(tiny_placement, rates, loihi1) == OpCounts(
        synaptic_ops=4 * (0.5 * 13 + 0.25 * 7),
        neuron_updates_active=8.0,
        neuron_updates_inactive=8.0,
        spikes=4 * (3 * 0.25 + 1),
        spike_messages=4 * 0.25 * (2 + 2),
        spike_hops_east_west=4 * 0.25 * (2 * 2 + 2),
        spike_hops_north_south=4 * 0.25 * 2,
        chip_crossings=0,
        host_messages=4.0,
        # silent if neither of two neurons spikes: a quarter of the steps
        host_injection_steps=3.0,
        host_macs=7,
        host_updates=2,
        n_steps=4,
        n_samples=1,
    )


def test_latency_matches_hand_counts(tiny_placement, loihi1):
    rates = Rates(4, {"in": 0.5, "hidden": 0.25, "out": 1.0})
    latency = estimate_latency(tiny_placement, rates, loihi1)
    # core 0: 6.5 operations and 2 active updates
    assert latency.compute_s == approx((6.5 * 3.5 + 2 * 8.4) * 1e-9)
    assert latency.host_injection_s == approx(0.75 * 9e-6)
    assert latency.slowest_core == (0, 0)
    worst = latency.compute_s + latency.barrier_s + 9e-6
    assert latency.worst_step_s == approx(worst)


@seeds
@given(seed=st.integers(0, 2**32 - 1))
def test_rates_of_a_run_give_its_counts(seed, random_run, loihi1):
    placement, trace = random_run(seed)
    spikes = {
        name: np.abs(pop.spikes).mean(axis=(0, 1))
        for name, pop in trace.populations.items()
    }
    active = sum(p.updates_active.sum() for p in trace.populations.values())
    inactive = sum(p.updates_inactive.sum() for p in trace.populations.values())
    rates = Rates(
        trace.n_steps,
        spikes,
        active=active / (active + inactive),
        host_macs=trace.host_macs_per_step * trace.n_steps,
        host_updates=trace.host_updates_per_step * trace.n_steps,
    )
    expected = count_ops(placement, rates, loihi1)
    counted = count_ops(placement, trace, loihi1)
    for field in dataclasses.fields(OpCounts):
        # how often neurons spike in one step is not in their rates
        if field.name not in ("host_injection_steps", "n_samples", "n_steps"):
            value = getattr(counted, field.name)
            per_inference = value if value is None else value / trace.n_samples
            assert getattr(expected, field.name) == approx(per_inference)


def test_detail_sums_to_the_counts(tiny_placement, loihi1):
    rates = Rates(4, {"in": 0.5, "hidden": 0.25, "out": 1.0}, active=0.5)
    counts = count_ops(tiny_placement, rates, loihi1)
    detail = count_detail(tiny_placement, rates, loihi1)
    assert detail.steps["synaptic_ops"].tolist() == [counts.synaptic_ops / 4] * 4
    for parts in (detail.populations, detail.cores):
        ops = sum(part.synaptic_ops for part in parts.values())
        assert ops == approx(counts.synaptic_ops)


def test_an_estimate_of_rates_has_a_total(tiny_placement, loihi1):
    rates = Rates(4, {"in": 0.5, "hidden": 0.25, "out": 1.0})
    energy = estimate(tiny_placement, rates, loihi1).energy
    assert energy.low_j < energy.total_j < energy.high_j


def test_negative_rate(refuse):
    refuse(
        "population 'hidden' has a rate of -0.25 spikes a step (neuron 1); needed 0 to "
        "1, for a neuron sends at most one on target 'loihi1'",
        hidden=[0.5, -0.25, 0.5],
    )


def test_more_than_one_spike_a_step(refuse):
    refuse(
        "population 'out' has a rate of 1.5 spikes a step; needed 0 to 1, for a neuron "
        "sends at most one on target 'loihi1'",
        out=1.5,
    )


def test_rate_that_is_no_number(refuse):
    refuse(
        "population 'out' has a rate of nan spikes a step; needed 0 to 1, for a neuron "
        "sends at most one on target 'loihi1'",
        out=float("nan"),
    )


def test_the_host_injects_several_spikes_but_not_fewer_than_none(
    refuse, tiny_placement, loihi1
):
    refuse(
        "population 'in' has a rate of -1 spikes a step (neuron 0); needed at least 0 "
        "for the host to inject",
        **{"in": -1},
    )
    rates = Rates(1, {"in": 3.0, "hidden": 0.0, "out": 0.0})
    counts = count_ops(tiny_placement, rates, loihi1)
    assert (counts.synaptic_ops, counts.host_injection_steps) == (39, 1)


def test_missing_rate(tiny_placement, loihi1):
    message = (
        "^population 'in' is placed but has no rate; there are rates of hidden, out$"
    )
    with pytest.raises(EstimateError, match=message):
        count_ops(tiny_placement, Rates(1, {"out": 0.5, "hidden": 0.5}), loihi1)


def test_rates_of_another_size(refuse):
    refuse(
        "population 'hidden' has rates of shape (2,); needed one, or one for each of "
        "its 3 neurons",
        error=ShapeError,
        hidden=[0.5, 0.5],
    )


def test_no_steps(refuse):
    refuse("rates are of 0 steps; needed at least 1", n_steps=0)


def test_more_than_all_active(refuse):
    refuse("rates have 1.1 of the compartments active; needed 0 to 1", active=1.1)
