"""The whole estimate, and the same work elsewhere."""

import functools
import json
import re

import pytest

from nengo_hybrid.estimate import (
    DenseCounts,
    Rates,
    compare_dense,
    compare_model,
    count_ops,
    estimate,
)
from nengo_hybrid.exceptions import EstimateError
from nengo_hybrid.placement import Placement
from nengo_hybrid.targets import load_target

# Joules and seconds here are smaller than pytest's absolute tolerance.
approx = functools.partial(pytest.approx, rel=1e-9, abs=0)

NJ = 1e-9
BUSY, BATCH_1 = "dense, per operation", "dense, measured at batch 1"


@pytest.mark.parametrize(
    "name, energy_nj, evidence, basis",
    [
        ("cpu-i7-4960x", 1000 * 8.6 + 100 * 8.6, "quoted", BUSY),
        ("gpu-titan-black", 1000 * 0.3 + 100 * 0.3, "quoted", BUSY),
        ("cortex-a", 1000 * 0.9 + 100 * 0.9, "quoted", BUSY),
        ("datapath-45nm", 1100 * 4.6e-3, "derived, quoted", BUSY),
        # prices per MAC of whole inferences: updates are in them
        ("cortex-m4", 1000 * 1.22, "derived, quoted", BATCH_1),
        ("cpu-xeon", 1000 * 36, "derived", BATCH_1),
        ("gpu-quadro-k4000", 1000 * 172, "derived", BATCH_1),
        ("jetson-tx1", 1000 * 32, "derived", BATCH_1),
        ("movidius", 1000 * 8.7, "derived", BATCH_1),
    ],
)
def test_processors_match_hand_counts(name, energy_nj, evidence, basis):
    dense = DenseCounts(macs=1000, updates=100)
    (row,) = compare_dense(dense, load_target(name))
    assert (row.target, row.evidence, row.basis) == (name, evidence, basis)
    assert row.energy_j == approx(energy_nj * NJ)


def test_a_processor_with_both_prices_has_two_rows(tmp_path):
    mac = {"value": 1, "unit": "J", "evidence": "recalled", "source": "x"}
    prices = {"mac": mac, "mac_batch1": {**mac, "value": 4}, "neuron_update": None}
    rows = compare_dense(DenseCounts(macs=3, updates=0), abacus(tmp_path, prices))
    assert [(row.energy_j, row.basis) for row in rows] == [(3, BUSY), (12, BATCH_1)]


def test_processor_without_a_price_has_no_energy(tmp_path):
    mac = {"value": 1, "unit": "J", "evidence": "recalled", "source": "x"}
    prices = {"mac": mac, "mac_batch1": None, "neuron_update": None}
    target = abacus(tmp_path, prices)
    (row,) = compare_dense(DenseCounts(macs=3, updates=1), target)
    assert row.energy_j is None
    (row,) = compare_dense(DenseCounts(macs=3, updates=0), target)
    assert row.energy_j == 3
    (row,) = compare_dense(
        DenseCounts(macs=3, updates=0), abacus(tmp_path, {**prices, "mac": None})
    )
    assert (row.energy_j, row.basis) == (None, BUSY)


def abacus(folder, costs):
    """Return a processor with these prices."""
    content = {
        "schema": 1,
        "name": "abacus",
        "kind": "processor",
        "date": None,
        "host": None,
        "limits": {},
        "formats": {},
        "costs": costs,
        "times": {},
        "static": {},
        "sources": {"x": "y"},
    }
    path = folder / "abacus.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return load_target(path)


def test_kerasspiking_matches_a_hand_count(tiny_placement, tiny_trace, loihi1):
    counts = count_ops(tiny_placement, tiny_trace, loihi1)
    row = compare_model(counts, load_target("kerasspiking-loihi"))
    # 35 operations, and 12 updates that are all taken as active
    assert row.energy_j == approx((35 * 27.1 + 12 * 81) * 1e-12)
    assert row.evidence == "quoted"


def test_kinds_are_not_confused(tiny_placement, tiny_trace, loihi1):
    counts = count_ops(tiny_placement, tiny_trace, loihi1)
    message = "^target 'loihi1' is of kind neuromorphic; needed a processor$"
    with pytest.raises(EstimateError, match=message):
        compare_dense(DenseCounts(1, 1), loihi1)
    message = "^target 'cortex-a' is of kind processor; needed a model$"
    with pytest.raises(EstimateError, match=message):
        compare_model(counts, load_target("cortex-a"))


def test_estimate_has_the_keys_of_the_report(tiny_placement, tiny_trace, loihi1):
    result = estimate(
        tiny_placement,
        tiny_trace,
        loihi1,
        dense=DenseCounts(macs=1000, updates=100),
        compare=("cortex-a", load_target("kerasspiking-loihi")),
    )
    plain = result.to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == ["counts", "energy", "latency", "compare"]
    assert plain["counts"]["synaptic_ops"] == 35
    assert plain["energy"]["total_j"] == result.energy.total_j
    assert {"step_s", "inference_s", "bound_by"} <= set(plain["latency"])
    assert [row["target"] for row in plain["compare"]] == [
        "cortex-a",
        "kerasspiking-loihi",
    ]
    assert set(plain["compare"][0]) == {
        "target",
        "energy_j",
        "low_j",
        "high_j",
        "evidence",
        "basis",
    }


def test_comparison_with_a_processor_needs_the_dense_network(
    tiny_placement, tiny_trace, loihi1
):
    message = (
        "comparing with processor 'cortex-a' needs the network as dense rates; "
        "pass dense=count_dense(graph, n_steps)"
    )
    with pytest.raises(EstimateError, match=f"^{re.escape(message)}$"):
        estimate(tiny_placement, tiny_trace, loihi1, compare=["cortex-a"])


def test_comparison_with_another_chip_needs_a_run_on_it(
    tiny_placement, tiny_trace, loihi1
):
    message = (
        "target 'loihi2' cannot be compared with by prices alone; "
        "map the network onto it, run it, and estimate that"
    )
    with pytest.raises(EstimateError, match=f"^{re.escape(message)}$"):
        estimate(tiny_placement, tiny_trace, loihi1, compare=["loihi2"])


def test_other_prices_of_the_same_chip_are_a_row(tiny_placement, tiny_trace, loihi1):
    result = estimate(tiny_placement, tiny_trace, loihi1, compare=["loihi1-fitted"])
    fitted = estimate(tiny_placement, tiny_trace, load_target("loihi1-fitted"))
    (row,) = result.compare
    assert (row.target, row.basis) == ("loihi1-fitted", "spikes, all terms")
    assert row.energy_j == fitted.energy.total_j != result.energy.total_j


@pytest.mark.parametrize(
    "name, op_pj, update_pj",
    [("spinnaker1", 13300, 26000), ("spinnaker2", 450, 2190)],
)
def test_spinnaker_matches_a_hand_count(
    tiny_placement, tiny_trace, loihi1, name, op_pj, update_pj
):
    counts = count_ops(tiny_placement, tiny_trace, loihi1)
    row = compare_model(counts, load_target(name))
    assert row.energy_j == approx((35 * op_pj + 12 * update_pj) * 1e-12)
    assert row.basis == "spikes, operations alone"


def test_truenorth_pays_for_a_whole_chip(tiny_placement, tiny_trace, loihi1):
    counts = count_ops(tiny_placement, tiny_trace, loihi1)
    truenorth = load_target("truenorth")
    # 35 operations, and one chip for 3 steps of 1 ms
    row = compare_model(counts, truenorth)
    assert row.energy_j == approx(35 * 2.297e-12 + 3e-3 * 64.4e-3)
    assert row.basis == "spikes, whole chips"
    faster = compare_model(counts, truenorth, step_s=1e-4)
    assert faster.energy_j == approx(35 * 2.297e-12 + 3e-4 * 64.4e-3)


def test_kerasspiking_example_matches_a_hand_count(make):
    # A Dense layer of 10 inputs and 5 neurons, inputs at 7 Hz, 10 steps of 1 ms: 50
    # connections * 7 / s * 10 ms = 3.5 operations, and 5 * 10 updates.
    placement = Placement(
        "loihi1",
        (make.block("dense", "dense", range(5), 0),),
        (make.route("input", range(10), None, 0, [1] * 10, [5] * 10),),
    )
    rates = Rates(10, {"input": 7 * 1e-3, "dense": 0.0})
    counts = count_ops(placement, rates, load_target("loihi1"))
    row = compare_model(counts, load_target("kerasspiking-loihi"))
    assert row.energy_j == approx((3.5 * 27.1 + 50 * 81) * 1e-12, rel=1e-9, abs=0)
    # what ModelEnergy.total_energy("loihi", timesteps_per_inference=10) gives
    assert row.energy_j == approx(4.14485e-9)
