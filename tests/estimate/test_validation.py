"""Published measurements: what is held to them, and that they can fail."""

import json
from pathlib import Path

import pytest

from nengo_hybrid.estimate import Rates, count_ops
from nengo_hybrid.targets import load_target

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def cases():
    """Return the module of the benchmark that recomputes the cases."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield __import__("estimate_cases")


@pytest.fixture(scope="module")
def rows(cases):
    """Return every row by case and quantity."""
    return {
        (name, row["quantity"]): row
        for name, case in cases.validate().items()
        for row in case["rows"]
    }


def test_every_requirement_holds(rows):
    held = {key: row for key, row in rows.items() if row["needs"] is not None}
    assert [key for key, row in held.items() if not row["holds"]] == []
    needs = {key: row["needs"] for key, row in held.items()}
    scaled, search = "keyword spotter, scaled", "nearest neighbour"
    assert needs[scaled, "firing rate that gives 16.4 uJ a branch, loihi1"] == (2, 20)
    assert needs[search, "dynamic, loihi1"] == (0.75, 1.25)
    truenorth = "recurrent nets on TrueNorth", "at 20.07 Hz, from the two others"
    assert needs[truenorth] == (0.98, 1.02)
    spotter = [n for (case, _), n in needs.items() if case == "keyword spotter"]
    assert len(spotter) >= 6 and set(spotter) == {(0.5, 2.0)}


def test_firing_rate_matches_a_hand_count(rows):
    # 720,896 synapses at 23.6 pJ and 2,560 active updates at 81 pJ, 10 steps; a spike
    # is one message at 1.7 pJ to the next layer, and hops at 3 or 4 pJ.
    row = rows[
        "keyword spotter, scaled", "firing rate that gives 16.4 uJ a branch, loihi1"
    ]
    silent, all_spike = 2560 * 10 * 81e-6, 720896 * 10 * 23.6e-6
    assert row["predicted"] == pytest.approx(
        100 * (16.4 - silent) / all_spike, rel=0.005
    )


def test_nearest_neighbour_matches_a_hand_count(rows):
    case, measured = "nearest neighbour", 1.33
    row = rows[case, "dynamic, fewest operations, none active"]
    expected = 5.12e7 * 23.6e-9 + 4.608e6 * 52e-9
    assert row["predicted"] == pytest.approx(expected)
    assert row["ratio"] == pytest.approx(expected / measured)
    row = rows[case, "dynamic, most operations, all active"]
    assert row["predicted"] == pytest.approx(5.76e7 * 23.6e-9 + 4.608e6 * 81e-9)


def test_truenorth_matches_a_hand_fit(rows):
    # 68 mW at 11.58 Hz and 94 at 95.93 Hz: 26 mW for 84.35 Hz
    row = rows["recurrent nets on TrueNorth", "at 20.07 Hz, from the two others"]
    assert row["predicted"] == pytest.approx(68 + 26 * (20.07 - 11.58) / 84.35)


def test_the_profile_of_truenorth_is_that_fit(cases):
    case = cases.load_cases()["recurrent nets on TrueNorth"]
    hz, power = case["rates_hz"], case["power_mw"]
    events = [rate * 1048576 * 128 for rate in hz]
    slope = (power[2] - power[0]) / (events[2] - events[0])
    truenorth = load_target("truenorth")
    assert truenorth.cost("synaptic_op") == pytest.approx(1e-3 * slope, rel=1e-3, abs=0)
    intercept = power[0] - slope * events[0]
    assert truenorth.static_power() == pytest.approx(1e-3 * intercept, rel=1e-3, abs=0)


def test_networks_have_the_sizes_that_were_described(cases):
    branch, names = cases.branches(1, n_layers=10, n_per_layer=256)
    rates = Rates(10, dict.fromkeys(names, 1.0))
    counts = count_ops(branch, rates, load_target("loihi1"))
    assert counts.synaptic_ops == 10 * 720896
    # the branch and the output that all branches share
    assert counts.neuron_updates_active == 10 * (2560 + 256)
    with pytest.raises(RuntimeError, match="^built 720896 synapses, described are 1$"):
        cases.check_synapses(branch, 1)


def test_a_row_is_held_to_what_it_needs(cases):
    assert cases.row("x", "J", 2.0, 1.0, needs=(0.5, 2.0))["holds"] is True
    assert cases.row("x", "J", 2.1, 1.0, needs=(0.5, 2.0))["holds"] is False
    assert cases.row("x", "%", 21.0, None, needs=(2, 20))["holds"] is False


def test_a_price_that_is_wrong_is_found(cases, monkeypatch):
    loihi1 = load_target("loihi1")
    dear = cases.with_prices(loihi1, op_j=2 * loihi1.cost("synaptic_op"), chip_w=0.0297)
    targets = {"loihi1": dear}
    monkeypatch.setattr(
        cases, "load_target", lambda name: targets.get(name) or load_target(name)
    )
    (case,) = cases.validate("nearest neighbour").values()
    assert [r["holds"] for r in case["rows"] if r["needs"]] == [False]


def test_the_documentation_has_the_figures(rows):
    text = (BENCHMARKS.parent / "docs" / "validation.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    for (case, quantity), row in rows.items():
        if row["needs"] is None:
            continue
        (line,) = [
            words for words in lines if words.startswith(f"| {case}: {quantity} ")
        ]
        cells = [cell.strip() for cell in line.split("|")]
        assert f"{row['predicted']:.3g}" in cells[2].split()
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        assert cells[5] == ratio


def test_descriptions_are_data_with_sources(cases):
    described = json.loads(cases.CASES.read_text(encoding="utf-8"))
    assert set(described) == set(cases.JUDGES)
    for case in described.values():
        assert case["source"] and case["assumed"] and case["network"]
