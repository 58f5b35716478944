"""How commands are run, and what they are held to."""

import inspect
import subprocess
import sys
import textwrap

import pytest
from click.testing import CliRunner

from nengo_hybrid.cli import main


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    # click keeps the two outputs apart by itself since 8.2, and has no setting then.
    has_setting = "mix_stderr" in inspect.signature(CliRunner).parameters
    settings = {"mix_stderr": False} if has_setting else {}
    return lambda *args: CliRunner(**settings).invoke(main, args)


@pytest.fixture
def refused():
    """Return a function that checks that a command failed with one line, status 2."""

    def check(result, message):
        assert result.stderr == f"nengo-hybrid: {message}\n"
        assert (result.exit_code, result.stdout) == (2, "")

    return check


@pytest.fixture
def in_a_process_of_its_own():
    """Return a function that runs Python source in a fresh interpreter."""

    def run(source):
        command = [sys.executable, "-c", textwrap.dedent(source)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run
