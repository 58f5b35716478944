import re

import numpy as np
import pytest

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.report.schema import REQUIRED, REQUIRED_WITHIN, check_report


def test_check_report_copies(minimal):
    plain = check_report(minimal)
    assert plain == {"schema": 1, **minimal}
    assert list(plain)[0] == "schema"
    plain["counts"]["spikes"] = -1
    assert minimal["counts"]["spikes"] == 450


@pytest.mark.parametrize("key", REQUIRED)
def test_check_report_names_a_missing_key(minimal, key):
    del minimal[key]
    words = f"report lacks the key '{key}'; use None for a value that is not known"
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        check_report(minimal)


@pytest.mark.parametrize(
    "table, name", [(t, name) for t, names in REQUIRED_WITHIN.items() for name in names]
)
def test_check_report_names_a_missing_key_within(minimal, table, name):
    del minimal[table][name]
    with pytest.raises(BundleError, match=rf"^report lacks the key '{table}\.{name}';"):
        check_report(minimal)


@pytest.mark.parametrize(
    "rows, key, name",
    [
        (lambda r: r["activity"]["lmu.hidden"], "activity.lmu.hidden", "bits_max"),
        (lambda r: r["energy"]["terms"][1], "energy.terms.1", "name"),
        (lambda r: r["compare"][0], "compare.0", "evidence"),
        (lambda r: r["sweep"][1], "sweep.1", "on_front"),
        (lambda r: r["cores"][1], "cores.1", "populations"),
        (lambda r: r["on_chip"][0], "on_chip.0", "n_cores"),
        (lambda r: r["mesh"], "mesh", "mesh_columns"),
        (lambda r: r["test_ranges"][0], "test_ranges.0", "saturated"),
    ],
)
def test_check_report_names_a_missing_key_of_a_row(full, rows, key, name):
    del rows(full)[name]
    words = f"report lacks the key '{key}.{name}';"
    with pytest.raises(BundleError, match=f"^{re.escape(words)}"):
        check_report(full)


def test_check_report_rejects_a_use_without_its_limit(full):
    full["cores"][1]["limits"]["synapse_bits"] = 131072
    words = (
        "report key 'cores.1.limits.synapse_bits' needs what is used and the limit, as "
        "[used, limit], got 131072"
    )
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        check_report(full)


@pytest.mark.parametrize("name, value", [("payload", None), ("state", [1, 2, 3])])
def test_check_report_rejects_a_range_without_its_width(full, name, value):
    full["calibration_ranges"][1][name] = value
    words = (
        f"report key 'calibration_ranges.1.{name}' needs a pair of numbers, got "
        f"{value!r}"
    )
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        check_report(full)


@pytest.mark.parametrize("key", ["sent", "payload_bits"])
def test_check_report_rejects_a_histogram_that_is_none(full, key):
    full[key]["output"] = [1, 2]
    words = f"report key '{key}.output' needs a value of type dict, got list"
    with pytest.raises(BundleError, match=f"^{words}$"):
        check_report(full)


def test_check_report_rejects_numbers_that_are_not_finite(minimal):
    minimal["compare"][0]["energy_j"] = float("nan")
    words = "report key 'compare.0.energy_j' is nan; write None where a number is"
    with pytest.raises(BundleError, match=f"^{re.escape(words)} unknown$"):
        check_report(minimal)


def test_check_report_rejects_nan_within_an_array(minimal):
    minimal["history"] = {"loss": np.array([1.0, np.inf])}
    with pytest.raises(BundleError, match=r"^report key 'history\.loss\.1' is inf;"):
        check_report(minimal)


def test_check_report_converts_numpy_and_tuples(minimal):
    minimal["accuracy"]["rate"] = np.float32(0.5)
    minimal["seed"] = np.int64(3)
    minimal["confusion"] = np.eye(2, dtype=int)
    minimal["seeds"] = (1, 2)
    plain = check_report(minimal)
    assert plain["accuracy"]["rate"] == 0.5
    assert type(plain["accuracy"]["rate"]) is float
    assert type(plain["seed"]) is int
    assert plain["confusion"] == [[1, 0], [0, 1]]
    assert plain["seeds"] == [1, 2]


def test_check_report_rejects_other_types(minimal):
    minimal["seeds"] = {1, 2}
    words = "report key 'seeds' needs a number, a str, None, a list or a dict, got set"
    with pytest.raises(BundleError, match=f"^{words}$"):
        check_report(minimal)
    minimal["seeds"] = {0: 1}
    with pytest.raises(BundleError, match=r"^report key 'seeds\.0' must be a str, got"):
        check_report(minimal)


def test_check_report_rejects_a_wrong_kind(minimal):
    minimal["activity"] = []
    words = "report key 'activity' needs a value of type dict, got list"
    with pytest.raises(BundleError, match=f"^{words}$"):
        check_report(minimal)


def test_check_report_rejects_another_schema(minimal):
    minimal["schema"] = 2
    words = (
        "this version reads reports of schema 1, got schema 2; "
        "use the version of nengo-hybrid that wrote it"
    )
    with pytest.raises(BundleError, match=f"^{words}$"):
        check_report(minimal)


def test_check_report_rejects_a_total_that_leaves_a_term_out(minimal):
    minimal["energy"]["total_j"] = 3e-6
    words = (
        "report key 'energy.total_j' is 3e-06, but host_message is counted and has "
        "no price; a total must be None then, never too small"
    )
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        check_report(minimal)


@pytest.mark.parametrize(
    "path, message",
    [
        (("rows",), "report lacks the key 'waterfall.rows'"),
        (("rows", 1, "delta"), "report lacks the key 'waterfall.rows.1.delta'"),
        (
            ("populations", 0, "causes"),
            "report lacks the key 'waterfall.populations.0.causes'",
        ),
    ],
)
def test_a_waterfall_lacks_nothing(full, path, message):
    *way, last = path
    table = full["waterfall"]
    for key in way:
        table = table[key]
    del table[last]
    with pytest.raises(BundleError, match=f"^{re.escape(message)}; use None"):
        check_report(full)


def test_a_report_may_lack_the_waterfall(full):
    del full["waterfall"]
    assert "waterfall" not in check_report(full)
