"""`Target` and `Sourced`: one conversion to SI, and None for the unpublished."""

import dataclasses

import pytest

from nengo_hybrid.exceptions import TargetError
from nengo_hybrid.targets import Sourced, load_target


def test_picojoules_become_joules():
    # 23.6 pJ and 35.5 pJ by hand, to the last bit
    entry = Sourced(23.6, "pJ", 23.6, 35.5, "simulated", "davies2018")
    assert entry.in_si() == Sourced(
        2.36e-11, "J", 2.36e-11, 3.55e-11, "simulated", "davies2018"
    )


@pytest.mark.parametrize(
    "unit, si_unit, one",
    [
        ("mJ", "J", 1e-3),
        ("uJ", "J", 1e-6),
        ("nJ", "J", 1e-9),
        ("pJ", "J", 1e-12),
        ("mW", "W", 1e-3),
        ("uW", "W", 1e-6),
        ("ms", "s", 1e-3),
        ("us", "s", 1e-6),
        ("ns", "s", 1e-9),
        ("J", "J", 1),
        ("W", "W", 1),
        ("s", "s", 1),
        ("bit", "bit", 1),
        ("count", "count", 1),
    ],
)
def test_every_unit_becomes_si(unit, si_unit, one):
    si = Sourced(1, unit, 1, 1, "derived", "x").in_si()
    assert (si.value, si.low, si.high, si.unit) == (one, one, one, si_unit)


def test_access_is_in_si():
    target = load_target("loihi1")
    assert target.cost("synaptic_op") == 2.36e-11
    assert target.cost("host_injection_power") == 0.0175
    assert target.time("host_injection") == 9e-6
    assert target.static_power() == 0.0297
    assert target.limit("synapse_memory_per_core") == 16384 * 64
    assert target.format("weight_bits") == (1, 2, 3, 4, 5, 6, 8)


def test_counts_stay_integers():
    limit = load_target("loihi1").limit("compartments_per_core")
    assert limit == 1024
    assert isinstance(limit, int)


def test_unpublished_price_is_none():
    assert load_target("loihi1").cost("host_message") is None


def test_unmentioned_price_is_an_error():
    message = (
        r"^target 'cortex-a' has no 'synaptic_op' in its costs; it has mac, "
        r"mac_batch1, neuron_update\. Add it to the profile, as null if unpublished$"
    )
    with pytest.raises(TargetError, match=message):
        load_target("cortex-a").cost("synaptic_op")


def test_target_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_target("loihi1").name = "other"
