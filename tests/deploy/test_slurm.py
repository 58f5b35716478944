"""Batch scripts: short, strict, and what they run when a job is stopped."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from nengo_hybrid.cli import main

FOLDER = Path(__file__).parents[2] / "deploy" / "slurm"
SCRIPTS = sorted(FOLDER.iterdir())
STOPPED = """
mkdir -p run/checkpoints
touch run/checkpoints/checkpoint.npz
exit 143
"""


def called(command):
    """Return how a command was called by name, without the program."""
    return f"nengo-hybrid {command}"


def test_there_are_three():
    assert [p.name for p in SCRIPTS] == [
        "board.sbatch",
        "emulate.sbatch",
        "train.sbatch",
    ]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_short_strict_and_parse(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert len(text.splitlines()) < 30
    # sbatch reads its options up to the first command, which has to be this one.
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    assert lines[0] == "set -euo pipefail"
    assert text.rindex("#SBATCH") < text.index("set -euo")
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_commands_have_the_options_that_are_given(path):
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?:srun )?nengo-hybrid (.*)$", text, flags=re.MULTILINE)
    # No other program does a part of the work.
    assert len(lines) == text.count("nengo-hybrid ") > 0
    for line in lines:
        name, *words = shlex.split(line)
        command = main.commands[name]
        known = {option for p in command.params for option in p.opts}
        given = {word for word in re.findall(r"--[\w-]+", " ".join(words))}
        assert given <= known, f"{path.name}: {name}"


def test_a_training_is_queued_again_and_resumed(cluster):
    first, calls = cluster("train.sbatch", "digits", "run", nengo_hybrid=STOPPED)
    assert first.returncode == 143
    assert calls == [
        called("train digits --out run --seed 0 --quiet"),
        "scontrol requeue 77",
    ]
    made = "touch run/bundle.zip"
    second, calls = cluster("train.sbatch", "digits", "run", "3", nengo_hybrid=made)
    assert second.returncode == 0, second.stderr
    assert calls == [called("train digits --out run --seed 3 --quiet --resume")]
    third, calls = cluster("train.sbatch", "digits", "run")
    assert (third.returncode, calls) == (0, [])
    assert third.stdout == "run/bundle.zip is there already\n"


def test_a_training_that_failed_is_not_queued_again(cluster):
    done, calls = cluster("train.sbatch", "digits", "run", nengo_hybrid="exit 2")
    assert done.returncode == 2
    assert calls == [called("train digits --out run --seed 0 --quiet")]


def test_every_task_of_the_array_has_its_chip(cluster):
    arguments = ("emulate.sbatch", "run", "loihi1", "site/loihi1-half.json")
    done, calls = cluster(*arguments, task="1")
    assert done.returncode == 0, done.stderr
    deployed = "run/loihi1-half.zip"
    assert calls == [
        called(f"deploy run --target site/loihi1-half.json --out {deployed}"),
        called(f"emulate {deployed}"),
        called(f"estimate {deployed}"),
        called(
            f"report {deployed} --html run/loihi1-half.html --json run/loihi1-half.json"
        ),
    ]
    done, calls = cluster(*arguments, task="2")
    assert done.returncode != 0
    assert calls == []


def test_what_fails_ends_the_task(cluster):
    fails = '[[ "$1" != emulate ]]'
    done, calls = cluster("emulate.sbatch", "run", "loihi1", nengo_hybrid=fails)
    assert done.returncode == 1
    assert [call.split()[1] for call in calls] == ["deploy", "emulate"]


BOARD = ("board.sbatch", "model.py:net", "1.0", "out")


def test_a_board_is_the_last_of_three_commands(cluster):
    done, calls = cluster(*BOARD, BOARD_PYTHON="/opt/nxsdk/bin/python")
    assert done.returncode == 0, done.stderr
    assert calls == [
        called("doctor model.py:net"),
        called(
            "emulate model.py:net --time 1.0 --on-overflow raise "
            "--out out/emulated.npz --json out/emulated.json --quiet"
        ),
        called(
            "board model.py:net --time 1.0 --python /opt/nxsdk/bin/python "
            "--out out/board.npz --compare out/emulated.npz --json out/board.json"
        ),
    ]


def test_what_does_not_fit_costs_no_time_on_a_board(cluster):
    done, calls = cluster(*BOARD, nengo_hybrid="exit 1", BOARD_PYTHON="python")
    assert (done.returncode, calls) == (1, [called("doctor model.py:net")])


def test_the_python_of_the_board_has_to_be_named(cluster):
    done, calls = cluster(*BOARD)
    assert done.returncode != 0
    assert calls == []
    assert done.stderr.endswith(
        "BOARD_PYTHON: names the Python that has NengoLoihi and NxSDK\n"
    )
