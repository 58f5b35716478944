import os
import subprocess
import sys
import textwrap
from importlib import metadata

import pytest


@pytest.fixture
def run_fresh():
    """Run source as a script of its own; give its status, output and last error."""

    def run(source, **environment):
        kept = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(source)],
            capture_output=True,
            text=True,
            check=False,
            env={**kept, **environment},
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def pretend_installed(monkeypatch):
    """Make the shims see the given versions and no others."""

    def pretend(versions):
        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(metadata, "version", version)

    return pretend
