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
        "cpu-xeon-batch1",
        "gpu-quadro-k4000-batch1",
        "gpu-titan-black",
        "jetson-tx1-batch1",
        "kerasspiking-loihi",
        "loihi1",
        "movidius-batch1",
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


ALL_FIELDS = "costs, date, formats, host, kind, limits, name, schema, sources, "


@pytest.mark.parametrize(
    "change, words",
    [
        ({"schema": 2}, "needed an object with schema 1"),
        ({"name": ""}, "'name' must be a word"),
        ({"date": 1622}, "'date' must be null or text such as 2018-01"),
        ({"limits": []}, "'limits' must be an object"),
        ({"kind": "abacus"}, "kind is 'abacus'; needed one of model, neuromorphic, "),
        ({"kind": ["model"]}, "kind is ['model']; needed one of model, neuromorphic, "),
        ({"host": "monk"}, "host is 'monk'; needed null or one of cortex-a, "),
        (
            {"costs": {"neuron_update": None}},
            "costs.mac is missing; write null if nobody published it",
        ),
        (
            {"costs": {"mac": 2, "neuron_update": None}},
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
