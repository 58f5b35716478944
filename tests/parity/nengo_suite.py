"""
A pytest plugin that runs Nengo's own tests on the chip's emulator.

Nengo holds them for its backends: all tests that ask for a ``Simulator``. Those of
`nengo_unsupported.json`, for any emulator or for the one that is used, are skipped, or
with ``--unsupported`` run and expected to fail. It comes after `emulators`.
"""

import fnmatch
import json
import pathlib

import pytest
from nengo.rc import rc

UNSUPPORTED = pathlib.Path(__file__).with_name("nengo_unsupported.json")


def pytest_collection_modifyitems(config, items):
    """Mark every unsupported test with its reason."""
    reason_of = unsupported_tests(config.getoption("--emulator"))
    for item in items:
        for pattern, reason in reason_of.items():
            if fnmatch.fnmatchcase(item.nodeid, pattern):
                item.add_marker(unsupported(config, reason))


def unsupported_tests(emulator):
    """Return the reason for every pattern of tests that an emulator fails."""
    lists = json.loads(UNSUPPORTED.read_text())
    return {
        as_pattern(test): reason
        for reasons in (lists["any"], lists.get(emulator, {}))
        for reason, tests in reasons.items()
        for test in tests
    }


def as_pattern(test):
    """Turn a test id with asterisks into a pattern; brackets stand for themselves."""
    return test.replace("[", "[[]")


def unsupported(config, reason):
    """Return the mark for a test that is not supported."""
    if config.getoption("--unsupported"):
        return pytest.mark.xfail(reason=reason, strict=True)
    return pytest.mark.skip(reason=reason)


def pytest_runtest_setup():
    """Set what the conftest of Nengo's repository sets for every test."""
    rc.reload_rc([])
    rc["decoder_cache"]["enabled"] = "False"
    rc["exceptions"]["simplified"] = "False"
    rc["nengo.Simulator"]["fail_fast"] = "True"
    rc["progress"]["progress_bar"] = "False"
