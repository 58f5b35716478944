"""Profiles: every number has a unit, evidence and a source; errors name the field."""

import ast
import json
import pathlib
import re

import pytest

import nengo_hybrid
from nengo_hybrid.exceptions import TargetError
from nengo_hybrid.targets import EVIDENCE, load_target, target_names

SECTIONS = ("limits", "formats", "costs", "times", "static")
PACKAGE = pathlib.Path(nengo_hybrid.__file__).parent


@pytest.fixture
def profile():
    """Return a small sound profile, to be spoilt."""
    return {
        "schema": 1,
        "name": "abacus",
        "kind": "processor",
        "date": "1622",
        "host": None,
        "limits": {},
        "formats": {},
        "costs": {
            "mac": {
                "value": 2,
                "low": 1,
                "high": 3,
                "unit": "J",
                "evidence": "measured, quoted",
                "source": "napier: by hand",
            },
            "mac_batch1": None,
            "neuron_update": None,
        },
        "times": {},
        "static": {},
        "sources": {"napier": "A letter"},
    }


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a profile and gives its path."""

    def write(content, indent=None):
        path = tmp_path / "abacus.json"
        path.write_text(json.dumps(content, indent=indent), encoding="utf-8")
        return path

    return write


def test_names_are_those_of_the_files():
    assert target_names() == (
        "cortex-a",
        "cortex-m4",
        "cpu-i7-4960x",
        "cpu-xeon",
        "datapath-45nm",
        "gpu-quadro-k4000",
        "gpu-titan-black",
        "jetson-tx1",
        "kerasspiking-loihi",
        "loihi1",
        "loihi1-fitted",
        "loihi2",
        "movidius",
        "spinnaker1",
        "spinnaker2",
        "truenorth",
    )


@pytest.mark.parametrize("name", target_names())
def test_every_number_has_unit_evidence_and_source(name):
    target = load_target(name)
    assert target.name == name
    cited = set()
    for section in SECTIONS:
        for entry in getattr(target, section).values():
            if entry is None:
                continue
            assert entry.unit
            assert {w.strip() for w in entry.evidence.split(",")} <= set(EVIDENCE)
            keys = [part.split()[0].rstrip(":,") for part in entry.source.split(";")]
            assert set(keys) <= set(target.sources)
            cited |= {key for key in target.sources if key in entry.source}
    assert cited == set(target.sources), "a source that no number cites"


def test_loihi1_adds_up():
    target = load_target("loihi1")
    n_tiles = target.limit("mesh_columns") * target.limit("mesh_rows")
    assert n_tiles * target.limit("cores_per_tile") == target.limit("cores_per_chip")
    assert load_target(target.host).kind == "processor"
    active = target.costs["neuron_update_active"]
    inactive = target.costs["neuron_update_inactive"]
    assert (active.low, active.high) == (inactive.value, active.value)
    assert (inactive.low, inactive.high) == (inactive.value, active.value)


def test_fitted_numbers_are_the_high_ends_of_loihi1():
    # its bands cite the fit; the numbers themselves are in the profile of the fit
    simulated, fitted = load_target("loihi1"), load_target("loihi1-fitted")
    assert simulated.costs["synaptic_op"].high == fitted.costs["synaptic_op"].value
    spike = [fitted.cost(name) for name in ("spike_generation", "spike_within_tile")]
    high = simulated.sourced("costs", "spike_within_tile").high
    assert high == pytest.approx(sum(spike), rel=1e-9, abs=0)
    for name in ("neuron_update_active", "barrier_all_tiles"):
        high = simulated.sourced("times", name).high
        assert high == pytest.approx(fitted.time(name), rel=1e-9, abs=0)


def test_loihi2_inherits_energies_and_has_times_by_published_ratios():
    loihi1, loihi2 = load_target("loihi1"), load_target("loihi2")
    for name in ("synaptic_op", "neuron_update_active", "hop_east_west"):
        assert loihi2.cost(name) == loihi1.cost(name)
        assert loihi2.costs[name].evidence == "inherited, simulated, quoted"
    # 3.5, 8.4 and 30 ns by 5, 2 and 10
    names = ("synaptic_op", "neuron_update_active", "spike_generation")
    assert [loihi2.time(name) for name in names] == [0.7e-9, 4.2e-9, 3e-9]
    assert loihi2.times["synaptic_op"].source.startswith("intel2021: a fifth")
    assert loihi2.costs["host_injection_power"] is None


def test_quoted_and_recalled_numbers_say_so():
    # what nobody here saw at its source
    for name, section, number, word in (
        ("loihi1", "costs", "synaptic_op", "quoted"),
        ("loihi1-fitted", "costs", "synaptic_op", "quoted"),
        ("loihi2", "limits", "compartments_per_core", "quoted"),
        ("loihi2", "limits", "cores_per_chip", "recalled"),
        ("spinnaker1", "costs", "synaptic_op", "quoted"),
        ("truenorth", "costs", "synaptic_op", "quoted"),
        ("truenorth", "times", "step", "recalled"),
        ("datapath-45nm", "costs", "sram_1mb_read", "recalled"),
    ):
        entry = getattr(load_target(name), section)[number]
        assert word in entry.evidence.split(", "), (name, number)


def test_numbers_of_the_chip_stand_in_the_profile_alone():
    target = load_target("loihi1")
    entries = [e for s in SECTIONS for e in getattr(target, s).values() if e]
    numbers = {x for e in entries for x in (e.value, e.low, e.high)}
    telling = {x for x in numbers if not isinstance(x, tuple) and (x > 9 or x % 1)}
    assert {23.6, 1024, 29.7} <= telling
    for folder in ("targets", "estimate"):
        for path in (PACKAGE / folder).glob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            nodes = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
            found = {n for n in nodes if isinstance(n, (int, float))}
            assert not found & telling, path.name


def test_path_of_a_profile(profile, write):
    target = load_target(write(profile))
    assert (target.name, target.cost("mac"), target.cost("neuron_update")) == (
        "abacus",
        2,
        None,
    )
    assert load_target(str(write(profile))) == target


def test_digest_is_of_the_content_and_not_of_the_layout(profile, write):
    before = load_target(write(profile)).sha256
    backwards = dict(reversed(profile.items()))
    assert load_target(write(backwards, indent=4)).sha256 == before
    profile["costs"]["mac"]["value"] = 2.5
    assert load_target(write(profile)).sha256 != before


def test_band_defaults_to_the_value(profile, write):
    del profile["costs"]["mac"]["low"], profile["costs"]["mac"]["high"]
    mac = load_target(write(profile)).costs["mac"]
    assert (mac.low, mac.value, mac.high) == (2, 2, 2)


def test_unknown_target():
    message = (
        f"target 'loihi3' is unknown; needed one of {', '.join(target_names())}, "
        "or the path of a profile (.json)"
    )
    with pytest.raises(TargetError, match=f"^{re.escape(message)}$"):
        load_target("loihi3")


def test_missing_file(tmp_path):
    path = tmp_path / "none.json"
    message = f"profile '{path}' cannot be read: No such file or directory"
    with pytest.raises(TargetError, match=f"^{re.escape(message)}$"):
        load_target(path)


def test_file_that_is_not_json(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(TargetError, match=r"^profile '.*broken\.json' is not JSON: E"):
        load_target(path)


UNITS_OF_COSTS = "J, mJ, uJ, nJ, pJ, W, mW, uW"
FIELDS = "evidence, high, low, source, unit, value"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"unit": None}, f" has unit None; needed one of {UNITS_OF_COSTS}"),
        ({"unit": "ns"}, f" has unit 'ns'; needed one of {UNITS_OF_COSTS}"),
        ({"unit": []}, f" has unit []; needed one of {UNITS_OF_COSTS}"),
        ({"value": -2}, " has value -2; needed a number of at least 0"),
        ({"low": -1}, " has low -1; needed a number of at least 0"),
        ({"value": True}, " has value True; needed a number of at least 0"),
        ({"value": "2"}, " has value '2'; needed a number of at least 0"),
        ({"value": []}, " has value []; needed a number of at least 0"),
        ({"value": float("nan")}, " has value nan; needed a number of at least 0"),
        ({"value": float("inf")}, " has value inf; needed a number of at least 0"),
        ({"low": 4}, " has low 4 above high 3"),
        ({"value": 5}, " has value 5 outside low 1, high 3"),
        ({"value": 0}, " has value 0 outside low 1, high 3"),
        ({"value": [1, 2]}, " is a choice of values; it has no low or high"),
        (
            {"evidence": "measured, guessed"},
            f" has evidence 'guessed'; needed words of {', '.join(EVIDENCE)}",
        ),
        (
            {"source": "napier; neper"},
            " cites 'neper'; needed a key of sources: napier",
        ),
        ({"source": ""}, " cites ''; needed a key of sources: napier"),
        ({"note": "x"}, f" has an unknown field 'note'; needed {FIELDS}"),
    ],
)
def test_spoilt_number(profile, write, change, words):
    profile["costs"]["mac"].update(change)
    message = f"profile 'abacus.json': costs.mac{words}"
    with pytest.raises(TargetError, match=f"^{re.escape(message)}$"):
        load_target(write(profile))


@pytest.mark.parametrize("field", ["value", "unit", "evidence", "source"])
def test_missing_part_of_a_number(profile, write, field):
    del profile["costs"]["mac"][field]
    message = rf"^profile 'abacus\.json': costs\.mac has no {field}$"
    with pytest.raises(TargetError, match=message):
        load_target(write(profile))


ALL_FIELDS = "chip, costs, date, formats, host, kind, limits, name, schema, sources, "


@pytest.mark.parametrize(
    "change, words",
    [
        ({"schema": 2}, "needed an object with schema 1"),
        ({"name": ""}, "'name' must be a word"),
        ({"date": 1622}, "'date' must be null or text such as 2018-01"),
        ({"limits": []}, "'limits' must be an object"),
        ({"kind": "abacus"}, "kind is 'abacus'; needed one of model, neuromorphic, "),
        ({"kind": ["model"]}, "kind is ['model']; needed one of model, neuromorphic, "),
        ({"chip": 1}, "'chip' must be null or a word"),
        ({"host": "monk"}, "host is 'monk'; needed null or one of cortex-a, "),
        (
            {"costs": {"neuron_update": None}},
            "costs.mac is missing; write null if nobody published it",
        ),
        (
            {"costs": {"mac": 2, "mac_batch1": None, "neuron_update": None}},
            f"costs.mac must be null or an object with {FIELDS}",
        ),
        (
            {"prices": {}},
            f"'prices' is not a field of a profile; needed {ALL_FIELDS}static, times",
        ),
    ],
)
def test_spoilt_header(profile, write, change, words):
    profile.update(change)
    message = f"profile 'abacus.json': {words}"
    with pytest.raises(TargetError, match=f"^{re.escape(message)}"):
        load_target(write(profile))


def test_missing_field(profile, write):
    del profile["times"]
    message = f"'times' is missing; needed {ALL_FIELDS}static, times"
    with pytest.raises(TargetError, match=f"{re.escape(message)}$"):
        load_target(write(profile))


def test_a_profile_takes_numbers_from_another(profile, write):
    profile |= {"chip": "loihi1", "limits": "loihi1"}
    profile["costs"]["neuron_update"] = {"from": "cpu-i7-4960x", "divided_by": 2}
    profile["costs"]["mac_batch1"] = {
        "from": "jetson-tx1",
        "evidence": "inherited",
        "source": "napier: as that of the Jetson",
    }
    target = load_target(write(profile))
    assert target.chip == "loihi1"
    assert target.limits == load_target("loihi1").limits
    assert target.cost("neuron_update") == 4.3e-9
    mac = target.costs["mac_batch1"]
    assert (mac.value, mac.evidence) == (32, "inherited, derived")
    assert mac.source.startswith("napier: as that of the Jetson; blouw2019: measured")
    assert {"napier", "keras-spiking", "blouw2019"} <= set(target.sources)


@pytest.mark.parametrize(
    "entry, words",
    [
        ({"from": "pascal"}, "is from 'pascal'; needed a profile of the package"),
        ({"from": ["a"]}, "is from ['a']; needed a profile of the package"),
        ({"from": "loihi1"}, "is from 'loihi1', which has none"),
        ({"from": "jetson-tx1"}, "is from 'jetson-tx1', which has none"),
        (
            {"from": "cortex-a", "divided_by": 0},
            "has divided_by 0; needed a number above 0",
        ),
        (
            {"from": "cortex-a", "divided_by": "2"},
            "has divided_by '2'; needed a number above 0",
        ),
        (
            {"from": "cortex-a", "times": 2},
            "has an unknown field 'times'; needed divided_by, evidence, from, source",
        ),
    ],
)
def test_spoilt_reference(profile, write, entry, words):
    profile["costs"]["mac"] = entry
    message = f"profile 'abacus.json': costs.mac {words}"
    with pytest.raises(TargetError, match=f"^{re.escape(message)}$"):
        load_target(write(profile))


def test_spoilt_reference_to_a_section(profile, write):
    profile["limits"] = "pascal"
    words = "limits is from 'pascal'; needed a profile of the package"
    message = f"profile 'abacus.json': {words}"
    with pytest.raises(TargetError, match=f"^{re.escape(message)}$"):
        load_target(write(profile))
