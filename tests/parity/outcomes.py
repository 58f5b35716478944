"""A pytest plugin that writes the outcome of every test to a JSON file."""

import collections
import json
import pathlib

outcomes = {}
chip_steps = collections.defaultdict(dict)


def pytest_addoption(parser):
    parser.addoption("--outcomes", help="JSON file that receives test id -> outcome")


def pytest_runtest_logreport(report):
    """Keep the first outcome that is not a plain pass of set-up or tear-down."""
    name = report.outcome
    if hasattr(report, "wasxfail"):
        name = "xfailed" if name == "skipped" else "xpassed"
    if report.when == "call" or name != "passed":
        outcomes.setdefault(report.nodeid, name)
    if report.when == "call":
        steps = dict(report.user_properties).get("chip_steps", {})
        for emulator, n_steps in steps.items():
            chip_steps[emulator][report.nodeid] = n_steps


def pytest_collectreport(report):
    """Count a test file that could not be collected as one failure."""
    if report.failed:
        outcomes[report.nodeid] = "failed"


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return
    counts = dict(collections.Counter(outcomes.values()))
    path = pathlib.Path(session.config.getoption("--outcomes"))
    found = {"counts": counts, "chip": chip_counts(), "outcomes": outcomes}
    path.write_text(json.dumps(found, indent=1))


def chip_counts():
    """Count for each emulator the tests that ran it, those that passed, and steps."""
    return {
        emulator: {
            "tests": len(steps),
            "passed": sum(outcomes[test] == "passed" for test in steps),
            "steps": sum(steps.values()),
        }
        for emulator, steps in chip_steps.items()
    }
