"""A checkout, and programs of a cluster that note how they are called."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRUN = '#!/bin/bash\nexec "$@"\n'
NOTE = '#!/bin/bash\necho "$(basename "$0") $*" >>"$CALLS"\n'


@pytest.fixture
def cluster(tmp_path):
    """Return a function that runs a batch script where nothing is installed."""
    programs = tmp_path / "programs"
    programs.mkdir()
    calls = tmp_path / "calls"

    def run(script, *arguments, nengo_hybrid="", task="0", **settings):
        calls.write_text("")
        contents = {"srun": SRUN, "scontrol": NOTE, "nengo-hybrid": NOTE + nengo_hybrid}
        for name, content in contents.items():
            (programs / name).write_text(content)
            (programs / name).chmod(0o755)
        done = subprocess.run(
            ["bash", str(ROOT / "deploy" / "slurm" / script), *map(str, arguments)],
            env={
                "PATH": f"{programs}:{os.defpath}",
                "CALLS": str(calls),
                "SLURM_JOB_ID": "77",
                "SLURM_ARRAY_TASK_ID": task,
                **settings,
            },
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        return done, calls.read_text().splitlines()

    return run
