"""A pytest plugin that writes the outcome of every test to a JSON file."""

import collections
import json
import pathlib

outcomes = {}


def pytest_addoption(parser):
    parser.addoption("--outcomes", help="JSON file that receives test id -> outcome")


def pytest_runtest_logreport(report):
    """Keep the first outcome that is not a plain pass of set-up or tear-down."""
    name = report.outcome
    if hasattr(report, "wasxfail"):
        name = "xfailed" if name == "skipped" else "xpassed"
    if report.when == "call" or name != "passed":
        outcomes.setdefault(report.nodeid, name)


def pytest_collectreport(report):
    """Count a test file that could not be collected as one failure."""
    if report.failed:
        outcomes[report.nodeid] = "failed"


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput"):
        return
    counts = dict(collections.Counter(outcomes.values()))
    path = pathlib.Path(session.config.getoption("--outcomes"))
    path.write_text(json.dumps({"counts": counts, "outcomes": outcomes}, indent=1))
