"""The whole estimate, and the same work elsewhere."""

import json
import re

import pytest

from nengo_hybrid.estimate import (
    DenseCounts,
    compare_dense,
    compare_model,
    count_ops,
    estimate,
)
from nengo_hybrid.exceptions import EstimateError
from nengo_hybrid.targets import load_target

NJ = 1e-9


@pytest.mark.parametrize(
    "name, energy_nj, evidence",
    [
        ("cpu-i7-4960x", 1000 * 8.6 + 100 * 8.6, "quoted"),
        ("gpu-titan-black", 1000 * 0.3 + 100 * 0.3, "quoted"),
        ("cortex-a", 1000 * 0.9 + 100 * 0.9, "quoted"),
        # prices per MAC of whole inferences: updates are in them
        ("cortex-m4", 1000 * 1.22, "derived, quoted"),
        ("cpu-xeon-batch1", 1000 * 36, "derived"),
        ("gpu-quadro-k4000-batch1", 1000 * 172, "derived"),
        ("jetson-tx1-batch1", 1000 * 32, "derived"),
        ("movidius-batch1", 1000 * 8.7, "derived"),
    ],
)
def test_processors_match_hand_counts(name, energy_nj, evidence):
    row = compare_dense(DenseCounts(macs=1000, updates=100), load_target(name))
    assert (row.target, row.evidence) == (name, evidence)
    assert row.energy_j == pytest.approx(energy_nj * NJ)
    assert row.low_j == row.energy_j == row.high_j


def test_processor_without_a_price_has_no_energy(tmp_path):
    content = {
        "schema": 1,
        "name": "abacus",
        "kind": "processor",
        "date": None,
        "host": None,
        "limits": {},
        "formats": {},
        "costs": {
            "mac": {"value": 1, "unit": "J", "evidence": "recalled", "source": "x"},
            "neuron_update": None,
        },
        "times": {},
        "static": {},
        "sources": {"x": "y"},
    }
    path = tmp_path / "abacus.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    abacus = load_target(path)
    assert compare_dense(DenseCounts(macs=3, updates=1), abacus).energy_j is None
    assert compare_dense(DenseCounts(macs=3, updates=0), abacus).energy_j == 3


def test_kerasspiking_matches_a_hand_count(tiny_placement, tiny_trace, loihi1):
    counts = count_ops(tiny_placement, tiny_trace, loihi1)
    row = compare_model(counts, load_target("kerasspiking-loihi"))
    # 35 operations, and 12 updates that are all taken as active
    assert row.energy_j == pytest.approx((35 * 27.1 + 12 * 81) * 1e-12)
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


def test_comparison_with_a_chip_needs_a_run_on_it(tiny_placement, tiny_trace, loihi1):
    message = (
        "target 'loihi1' cannot be compared with by prices alone; "
        "map the network onto it, run it, and estimate that"
    )
    with pytest.raises(EstimateError, match=f"^{re.escape(message)}$"):
        estimate(tiny_placement, tiny_trace, loihi1, compare=[loihi1])
