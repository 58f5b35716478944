"""
The suites of NengoDL and NengoLoihi, run by pytest in a process of its own.

Not part of the ordinary tests: ``pytest -m parity`` runs them, for minutes.
"""

import json
import os
import pathlib
import subprocess
import sys
import sysconfig
from importlib import metadata

import pytest

import nengo_hybrid

HERE = pathlib.Path(__file__).parent
EXPECTED_FAILURES = json.loads((HERE / "expected_failures.json").read_text())


def missing_distributions():
    """Return the lines of requirements.txt, and the suites, that are not installed."""
    lines = (HERE / "requirements.txt").read_text().splitlines()
    wanted = [line.split("==")[0] for line in lines if not line.startswith("#")]
    installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
    return [name for name in (*wanted, "nengo-dl") if name not in installed]


def run_suite(suite, folder):
    """
    Run one suite through the shims.

    Returns
    -------
    counts, outcomes : dict
        Outcome -> number of tests, and test id -> outcome.
    str
        The end of what pytest printed.
    """
    package = pathlib.Path(nengo_hybrid.__file__).parent.parent
    paths = [package, HERE, HERE / "startup"]
    options = f"""
        -q -n 2 --tb=short -p no:cacheprovider
        -p shims_first -p pytest7 -p outcomes -p {suite}_suite
        --outcomes {folder / "outcomes.json"} -c {HERE / suite}.ini
        --rootdir {sysconfig.get_path("purelib")} --pyargs {suite}
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
    found = json.loads(results.read_text())
    return found["counts"], found["outcomes"], printed


@pytest.mark.parity
@pytest.mark.skipif(
    bool(missing_distributions()),
    reason=f"not installed: {', '.join(missing_distributions())}; "
    "run pip install -r tests/parity/requirements.txt",
)
@pytest.mark.parametrize(
    "suite, least_passed", [("nengo_loihi", 470), ("nengo_dl", 367)]
)
def test_a_suite_fails_only_where_expected(suite, least_passed, tmp_path):
    counts, outcomes, printed = run_suite(suite, tmp_path)
    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    assert failed == set(EXPECTED_FAILURES[suite]), printed
    assert counts["passed"] >= least_passed, counts


def test_every_expected_failure_has_a_reason():
    for suite, failures in EXPECTED_FAILURES.items():
        for test, reason in failures.items():
            assert test.startswith(f"{suite}/")
            assert len(reason) > 10
