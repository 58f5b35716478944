import json
import os
import pathlib
import re
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.report import load_json, write_json

finite = st.floats(allow_nan=False, allow_infinity=False)
leaf = st.none() | st.booleans() | st.integers() | finite | st.text()
tree = st.recursive(
    leaf,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(extra=tree, counts=st.dictionaries(st.text(), st.integers()))
def test_json_round_trip(make_full, extra, counts):
    report = {**make_full(), "extra": extra}
    report["counts"].update(counts)
    with tempfile.TemporaryDirectory() as folder:
        path = write_json(report, pathlib.Path(folder) / "report.json")
        assert load_json(path) == {"schema": 1, **report}


def test_json_is_the_same_text_for_the_same_report(full, tmp_path):
    first = write_json(full, tmp_path / "a.json").read_bytes()
    again = write_json(load_json(tmp_path / "a.json"), tmp_path / "b.json")
    assert again.read_bytes() == first


def test_write_json_writes_nothing_on_nan(full, tmp_path):
    full["energy"]["low_j"] = float("nan")
    with pytest.raises(BundleError, match=r"^report key 'energy\.low_j' is nan;"):
        write_json(full, tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_load_json_rejects_numbers_that_are_not_finite(full, tmp_path, number):
    path = write_json(full, tmp_path / "report.json")
    path.write_text(path.read_text().replace("0.9722", number))
    with pytest.raises(BundleError, match=r"'accuracy\.deployed' is (nan|inf);"):
        load_json(path)


def test_load_json_says_which_file_lacks_what(full, tmp_path):
    path = write_json(full, tmp_path / "report.json")
    report = json.loads(path.read_text())
    del report["energy"]["unpriced"]
    path.write_text(json.dumps(report))
    words = f"'{path}': report lacks the key 'energy.unpriced';"
    with pytest.raises(BundleError, match=f"^{re.escape(words)}"):
        load_json(path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[" * 200_000])
def test_load_json_rejects_damaged_files(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    words = f"'{path}' is not JSON: "
    with pytest.raises(BundleError, match=f"^{re.escape(words)}"):
        load_json(path)


def test_load_json_of_a_missing_file(tmp_path):
    path = tmp_path / "report.json"
    words = (
        f"cannot read the report '{path}': No such file or directory. "
        "Give the path of a report.json."
    )
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        load_json(path)


def test_write_json_into_a_missing_folder(full, tmp_path):
    path = tmp_path / "missing" / "report.json"
    words = (
        f"cannot write '{path}': No such file or directory. "
        "Give a path in a folder that exists and can be written to."
    )
    with pytest.raises(BundleError, match=f"^{re.escape(words)}$"):
        write_json(full, path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_write_json_into_a_folder_that_is_read_only(full, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BundleError, match="Permission denied"):
        write_json(full, tmp_path / "report.json")


def test_write_json_keeps_the_old_file_when_the_write_fails(
    full, tmp_path, monkeypatch
):
    path = write_json(full, tmp_path / "report.json")
    before = path.read_bytes()

    def fail(source, destination):
        assert pathlib.Path(source).parent == tmp_path
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    full["seed"] = 1
    with pytest.raises(BundleError, match="No space left on device"):
        write_json(full, path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_write_json_leaves_nothing_behind_when_interrupted(full, tmp_path, monkeypatch):
    def interrupt(source, destination):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_json(full, tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []
