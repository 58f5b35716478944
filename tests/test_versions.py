import dataclasses
import pathlib
import re

import pytest

from nengo_hybrid.versions import (
    BEST_TENSORFLOW,
    RUN_TIME_RANGES,
    RUN_TOGETHER,
    TRAINING_RANGES,
    Range,
    VersionRow,
    check_versions,
    minor,
)

ROOT = pathlib.Path(__file__).parent.parent

NEWEST = {
    "python": "3.11.7",
    "nengo": "4.1.0",
    "nengo-loihi": "1.1.0",
    "numpy": "2.4.6",
    "scipy": "1.17.1",
    "numba": "0.68.1",
    "scikit-learn": "1.9.1",
    "tensorflow": "2.21.0",
    "tf-keras": "2.21.0",
    "nengo-dl": "3.6.0",
}


def change(**versions):
    """Return the newest versions with some changed; None takes a package away."""
    changed = {name.replace("_", "-"): found for name, found in versions.items()}
    merged = {**NEWEST, **changed}
    return {name: found for name, found in merged.items() if found is not None}


def row(report, package):
    return next(row for row in report.rows if row.package == package)


@pytest.mark.parametrize(
    "version, state",
    [
        (None, "missing"),
        ("2.15.1", "too old"),
        ("2.16", "ok"),
        ("2.16.0rc1", "ok"),
        ("2.21.99", "ok"),
        ("2.22", "too new"),
        ("3.0.0.dev1", "too new"),
    ],
)
def test_a_range_includes_its_start_and_not_its_end(version, state):
    assert Range("2.16", "2.22").state(version) == state


@pytest.mark.parametrize(
    "version, state", [("1.0.9", "too old"), ("1.1.0", "ok"), ("1.1.1", "too new")]
)
def test_a_pinned_release_is_the_only_one(version, state):
    pinned = Range("1.1.0", "1.1.0")
    assert pinned.state(version) == state
    assert str(pinned) == "==1.1.0"


def test_an_open_range_has_no_too_new():
    assert Range("1.11").state("99") == "ok"
    assert str(Range("1.11")) == ">=1.11"


def test_what_was_run_together_needs_no_mending():
    report = check_versions(NEWEST)
    assert {row.state for row in report.rows} == {"ok"}
    assert report.runs and report.trains
    assert report.mend == ()
    assert report.combination == (
        "Python 3.11, NumPy 2.4, TensorFlow 2.21 were run together."
    )


def test_versions_that_work_need_not_have_run_together():
    report = check_versions(change(python="3.13.0"))
    assert report.trains
    assert report.combination == (
        "Python 3.13, NumPy 2.4, TensorFlow 2.21 each work; they were not run together."
    )


def test_without_training_the_rest_runs_and_training_is_offered():
    report = check_versions(change(tensorflow=None, tf_keras=None, nengo_dl=None))
    assert report.runs and not report.trains
    assert report.combination == (
        "Python 3.11, NumPy 2.4 run deployed networks; "
        "training lacks tensorflow, tf-keras, nengo-dl."
    )
    assert report.mend == (
        'pip install "setuptools<81" wheel',
        'pip install --no-build-isolation "tensorflow>=2.21,<2.22" '
        '"tf-keras>=2.21,<2.22" "nengo-dl==3.6.0"',
    )


def test_a_missing_nengo_dl_is_built_with_an_old_setuptools():
    report = check_versions(change(nengo_dl=None))
    assert report.mend == (
        'pip install "setuptools<81" wheel',
        'pip install --no-build-isolation "nengo-dl==3.6.0"',
    )


def test_tf_keras_goes_by_tensorflow():
    report = check_versions(change(tf_keras="2.19.0"))
    assert row(report, "tf-keras") == VersionRow(
        "tf-keras", "2.19.0", ">=2.21,<2.22", "too old", "training"
    )
    assert report.runs and not report.trains
    assert report.combination == "Does not work as a whole: tf-keras is too old."
    assert report.mend == ('pip install "tf-keras>=2.21,<2.22"',)


def test_an_old_tensorflow_takes_an_old_numpy():
    found = change(tensorflow="2.18.1", tf_keras="2.18.0")
    report = check_versions(found)
    assert row(report, "numpy").state == "too new"
    assert row(report, "numpy").needed_for == "training"
    assert report.runs and not report.trains
    assert report.mend == ('pip install "numpy>=1.26,<2.1"',)
    assert check_versions({**found, "numpy": "2.0.2"}).trains


def test_a_tensorflow_out_of_range_is_replaced_with_its_keras():
    report = check_versions(change(tensorflow="2.12.0", tf_keras=None, numpy="1.26.4"))
    assert row(report, "tensorflow").state == "too old"
    assert report.mend == (
        'pip install "tensorflow>=2.21,<2.22" "tf-keras>=2.21,<2.22"',
    )


def test_an_old_numpy_is_a_matter_of_run_time_whatever_the_tensorflow():
    found = change(tensorflow="2.16.2", tf_keras="2.16.0", numpy="1.25.2")
    report = check_versions(found)
    assert row(report, "numpy").needed_for == "run time"
    assert not report.runs


def test_python_is_not_for_pip_to_change():
    report = check_versions(change(python="3.9.18"))
    assert not report.runs
    assert report.mend == ("# make an environment with Python >=3.10,<3.14",)


def test_nothing_known_is_everything_missing():
    report = check_versions({})
    assert {row.state for row in report.rows} == {"missing"}
    assert not report.runs


def test_every_mend_mends():
    found = change(nengo="3.2.0", numpy="2.6.0", tensorflow="2.22.0", tf_keras=None)
    command = check_versions(found).mend[-1]
    for name, least in re.findall(r'"([a-z-]+)[>=]=([\d.]+)', command):
        found[name] = least
    assert check_versions(found).trains


def test_rows_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        check_versions(NEWEST).rows[0].state = "ok"


def test_this_environment_is_read_without_importing():
    report = check_versions()
    assert report.runs, report.combination


@pytest.mark.parametrize("python, numpy, tensorflow", RUN_TOGETHER)
def test_what_was_run_together_is_what_is_pinned(python, numpy, tensorflow):
    pins = ROOT / "deploy" / "constraints" / f"py{python.replace('.', '')}.txt"
    if not pins.exists():
        pytest.skip("the constraints are in the repository, not in the package")
    pinned = dict(
        line.replace("_", "-").split("==")
        for line in pins.read_text().splitlines()
        if not line.startswith("#")
    )
    assert minor(pinned["numpy"]) == numpy
    assert minor(pinned["tensorflow"]) == tensorflow
    assert check_versions({**pinned, "python": python}).trains


def test_the_ranges_are_those_the_package_asks_for():
    setup = ROOT / "setup.py"
    if not setup.exists():
        pytest.skip("setup.py is in the repository, not in the package")
    asked = set(re.findall(r'"([a-z-]+)([<>=][^"]+)"', setup.read_text()))
    for name, fit in {**RUN_TIME_RANGES, **TRAINING_RANGES}.items():
        if name in ("python", "numpy"):  # NumPy has no upper bound for pip
            continue
        assert (name, str(fit)) in asked


def test_the_offered_tensorflow_was_run():
    assert BEST_TENSORFLOW in {tensorflow for _, _, tensorflow in RUN_TOGETHER}
