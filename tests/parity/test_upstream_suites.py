"""
The suites of NengoDL, NengoLoihi and Nengo, run by pytest in a process of its own.

Not part of the ordinary tests: ``pytest -m parity`` runs them, for minutes; with ``-k
our_emulator`` those that run on our emulator.
"""

import json
import os
import pathlib
import subprocess
import sys
import sysconfig
from importlib import metadata
from typing import NamedTuple

import pytest

import nengo_hybrid

HERE = pathlib.Path(__file__).parent
EXPECTED_FAILURES = json.loads((HERE / "expected_failures.json").read_text())
UNSUPPORTED = json.loads((HERE / "nengo_unsupported.json").read_text())
THEIRS, OURS = "nengo-loihi", "nengo-hybrid"


class Run(NamedTuple):
    """
    One run of a suite, and what it has to reach.

    Attributes
    ----------
    suite : str
    least_passed : int
    emulator : str
        Whose emulator runs the chip; none for NengoDL.
    least_emulated : int
        Tests that passed and in which that emulator ran.
    """

    suite: str
    least_passed: int
    emulator: str = ""
    least_emulated: int = 0


# Under these names in expected_failures.json too.
RUNS = {
    "nengo_loihi": Run("nengo_loihi", 470, THEIRS, 203),
    "nengo_dl": Run("nengo_dl", 367),
    "nengo": Run("nengo", 104, THEIRS, 33),
    "nengo_loihi-our_emulator": Run("nengo_loihi", 469, OURS, 203),
    "nengo-our_emulator": Run("nengo", 108, OURS, 37),
}


def missing_distributions():
    """Return the lines of requirements.txt, and the suites, that are not installed."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    wanted = [line.split("==")[0] for line in lines if not line.startswith("#")]
    installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
    return [name for name in (*wanted, "nengo-dl") if name not in installed]


def suite_options(run):
    """Return pytest's options for one run: plugins, and on whose emulator."""
    options = "-p shims_first -p pytest7 -p outcomes "
    if run.emulator:
        options += f"-p emulators --emulator {run.emulator} "
    if run.suite == "nengo":
        options += "--unsupported "
    return f"{options} -p {run.suite}_suite -c {HERE / run.suite}.ini"


def run_suite(run, folder):
    """
    Run one suite through the shims.

    Returns
    -------
    dict
        "counts", outcome -> number of tests; "outcomes", test id -> outcome; "chip",
        emulator -> how many tests it ran, how many of them passed, and steps.
    str
        The end of what pytest printed.
    """
    package = pathlib.Path(nengo_hybrid.__file__).parent.parent
    paths = [package, HERE, HERE / "startup"]
    options = f"""
        -q -n 2 --tb=short -p no:cacheprovider {suite_options(run)}
        --outcomes {folder / "outcomes.json"}
        --rootdir {sysconfig.get_path("purelib")} --pyargs {run.suite}
    """
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split()],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    printed = done.stdout[-4000:]
    results = folder / "outcomes.json"
    assert results.exists(), printed
    return json.loads(results.read_text()), printed


@pytest.mark.parity
@pytest.mark.skipif(
    bool(missing_distributions()),
    reason=f"not installed: {', '.join(missing_distributions())}; "
    "run pip install -r tests/parity/requirements.txt",
)
@pytest.mark.parametrize("name", RUNS)
def test_a_suite_fails_only_where_expected(name, tmp_path):
    run = RUNS[name]
    found, printed = run_suite(run, tmp_path)
    outcomes, chip = found["outcomes"], found["chip"]
    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    assert failed == set(EXPECTED_FAILURES[name]), printed
    assert found["counts"]["passed"] >= run.least_passed, found["counts"]
    # The other emulator ran no integers at all.
    assert not ({THEIRS, OURS} - {run.emulator}) & set(chip), chip
    if run.emulator:
        assert chip[run.emulator]["passed"] >= run.least_emulated, chip


def test_every_expected_failure_has_a_reason():
    assert set(EXPECTED_FAILURES) == set(RUNS)
    for name, failures in EXPECTED_FAILURES.items():
        for test, reason in failures.items():
            assert test.startswith(f"{RUNS[name].suite}/")
            assert len(reason) > 10


def test_every_unsupported_test_has_a_reason():
    assert set(UNSUPPORTED) == {"any", THEIRS}
    for reasons in UNSUPPORTED.values():
        for reason, tests in reasons.items():
            assert len(reason) > 10
            assert all(test.startswith("nengo/") for test in tests)
