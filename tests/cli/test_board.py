"""
The command board: what it refuses, starts, passes on and compares.

**No board is used.** A real Python is started and runs our script, with stand-ins:
`WITHOUT_BOARD` is NengoLoihi itself, whose own emulator takes the place of the board,
and an ``nxsdk`` that is a name and a version; `PRETENDED` is no NengoLoihi at all, and
shows what happens around a run.
"""

import ast
import json
import sys
from importlib import metadata

import numpy as np
import pytest

from nengo_hybrid import board
from nengo_hybrid.networkfile import write_arrays

NETWORK = """
import nengo
import numpy as np

with nengo.Network(seed=1) as net:
    stim = nengo.Node(lambda t: np.sin(20 * t), label="stim")
    a = nengo.Ensemble(20, 1, label="a")
    nengo.Connection(stim, a)
    nengo.Probe(a, synapse=0.01)
    nengo.Probe(a.neurons, label="spikes")
    nengo.Probe(stim, sample_every=0.01, label="slow")


def make():
    return net
"""
PROBES = ("a.decoded_output", "spikes", "slow")

# Run our script as a Python would that has what stands above.
START = """
import runpy
import sys

sys.argv = sys.argv[2:]  # without this file, and -u
runpy.run_path(sys.argv[0], run_name="__main__")
"""
NAMED = """
import sys
import types

sys.modules["nxsdk"] = types.ModuleType("nxsdk")
sys.modules["nxsdk"].__version__ = "0 (no board)"
"""
WITHOUT_BOARD = f"""
import nengo_hybrid  # for NengoLoihi on this Python
import nengo_loihi


class Simulator(nengo_loihi.Simulator):
    def __init__(self, *args, target, **options):
        assert target == "loihi"
        super().__init__(*args, target="sim", **options)
        self.target = target


nengo_loihi.Simulator = Simulator
{NAMED}
"""
PRETENDED = """
import os
import signal
import sys
import time
import types

import numpy as np


class Simulator:
    def __init__(self, network, dt, seed, target):
        self.network, self.target, self.n_steps = network, target, 0
        print("built", seed, dt)

    def __enter__(self):
        print("on the board")
        return self

    def __exit__(self, *failed):
        LEAVE
        print("left the board", file=sys.stderr)

    def run_steps(self, n_steps):
        RUN
        self.n_steps = n_steps

    def trange(self, sample_every=None):
        every = round((sample_every or 0.001) / 0.001)
        return 0.001 * np.arange(every, self.n_steps + 1, every)

    @property
    def data(self):
        return {
            probe: np.full((self.n_steps, probe.size_in), 2.0)
            for probe in self.network.all_probes
        }


sys.modules["nengo_loihi"] = types.ModuleType("nengo_loihi")
sys.modules["nengo_loihi"].Simulator = Simulator
"""


@pytest.fixture
def environment(tmp_path):
    """Return a function that makes a Python of source that it runs first."""
    (tmp_path / "model.py").write_text(NETWORK)

    def make(source):
        first, program = tmp_path / "first.py", tmp_path / "python"
        first.write_text(source + START)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{first}" "$@"\n')
        program.chmod(0o755)

    return make


@pytest.fixture
def pretend(environment):
    """Return a function that makes a Python of a pretended NengoLoihi."""

    def make(run="pass", leave="pass"):
        source = PRETENDED.replace("RUN", run).replace("LEAVE", leave)
        environment(source + NAMED)

    make()
    return make


@pytest.fixture
def on_board(run):
    """Return a function that runs the command for ten steps."""

    def call(*options, place="model.py:net", python="./python", out="board.npz"):
        steps = ("--time", "0.01") if "--time" not in options else ()
        return run("board", place, "--python", python, "--out", out, *steps, *options)

    return call


def recorded(n_steps=10, **changes):
    """Return what a run of `NETWORK` records that is 2 everywhere."""
    shapes = dict(
        zip(PROBES, ((n_steps, 1), (n_steps, 20), (n_steps // 10, 1)), strict=True)
    )
    arrays = {name: np.full(shape, 2.0) for name, shape in shapes.items()}
    return {"t": 0.001 * np.arange(1, n_steps + 1), **arrays, **changes}


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nengoloihi_without_a_board_agrees_with_the_emulation(
    run, on_board, environment, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "80")
    environment(WITHOUT_BOARD)
    time = ("--time", "0.1")
    emulated = run("emulate", "model.py:make", *time, "--out", "emulated.npz")
    assert emulated.exit_code == 0, emulated.stderr
    compare = ("--compare", "emulated.npz", "--json", "board.json")
    result = on_board(*time, *compare, place="model.py:make")
    assert result.exit_code == 0, result.stderr

    with np.load("emulated.npz") as wanted, np.load("board.npz") as found:
        assert list(found) == list(wanted) == ["t", *PROBES]
        assert wanted["spikes"].any()
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name], strict=True)
    figures = json.loads((tmp_path / "board.json").read_text())
    agrees = {"equal": True, "largest_difference": None, "first_step": None}
    assert figures["probes"] == {
        name: {"shape": list(shape), **agrees}
        for name, shape in zip(PROBES, ((100, 1), (100, 20), (10, 1)), strict=True)
    }
    assert figures["backend"] == "nxsdk"
    assert figures["versions"]["nxsdk"] == "0 (no board)"
    assert figures["versions"]["nengo_loihi"] == metadata.version("nengo-loihi")
    assert (figures["n_steps"], figures["network"]) == (100, "model.py:make")

    lines = result.stdout.splitlines()
    assert lines[0].endswith("100 steps, from the backend that calls itself nxsdk")
    assert lines[-1] == "wrote board.npz, board.json"
    assert sum("equal" in line for line in lines) == 3
    assert max(map(len, lines)) <= 80
    assert "not measured" not in result.stdout


def test_what_differs_is_told_by_probe_step_and_size(on_board, pretend):
    spikes = np.full((20, 20), 2.0)
    spikes[6, 3], spikes[7, 0] = 0.5, 2.25
    slow = np.full((2, 1), 2.0)
    slow[1] = -1
    batch = np.zeros((2, 20, 1))
    changed = {"spikes": spikes, "slow": slow, "a.decoded_output": batch}
    write_arrays("emulated.npz", recorded(20, **changed))
    result = on_board("--time", "0.02", "--compare", "emulated.npz", "--json", "-")
    assert result.exit_code == 0, result.stderr
    probes = json.loads(result.stdout)["probes"]
    # Each of the two rows of "slow" is recorded after 10 steps more.
    for name, largest, first in (("spikes", 1.5, 7), ("slow", 3.0, 20)):
        assert not probes[name]["equal"]
        assert probes[name]["largest_difference"] == largest
        assert probes[name]["first_step"] == first
    other = {"equal": False, "largest_difference": None, "first_step": None}
    assert probes["a.decoded_output"] == {"shape": [20, 1], **other}

    shown = on_board("--time", "0.02", "--compare", "emulated.npz").stdout
    assert "differs from step 7, by up to 1.5 " in shown
    assert "of another shape" in shown


def test_what_is_written_there_is_shown_unless_quiet(on_board, pretend, tmp_path):
    loud = on_board()
    assert loud.exit_code == 0, loud.stderr
    assert loud.stderr == "built None 0.001\non the board\nleft the board\n"
    assert "beside" not in loud.stdout
    assert on_board("--seed", "7").stderr.startswith("built 7 0.001\n")
    quiet = on_board("--quiet")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")
    with np.load("board.npz", allow_pickle=False) as found:
        assert {name: found[name].shape for name in found} == {
            name: array.shape for name, array in recorded().items()
        }


def test_a_failure_there_is_one_line_and_leaves_the_old_file(
    on_board, pretend, tmp_path
):
    pretend(run="raise ValueError('no more')")
    (tmp_path / "board.npz").write_text("older")
    result = on_board("--quiet", "--json", "board.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "nengo-hybrid: EmulateError: the run on the board failed (status 1): File "
    )
    assert result.stderr.endswith(" | ValueError: no more\n")
    assert result.stderr.count("\n") == 1
    assert files(tmp_path) == ["board.npz", "first.py", "model.py", "python"]
    assert (tmp_path / "board.npz").read_text() == "older"


def test_a_crash_there_is_a_failure(on_board, pretend):
    pretend(run="os.kill(os.getpid(), signal.SIGKILL)")
    result = on_board("--quiet")
    assert result.exit_code == 1
    last = "built None 0.001 | on the board\n"
    assert result.stderr.endswith(f"failed (status -9): {last}")


INTERRUPTS = "time.sleep(0.5); os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"


@pytest.mark.parametrize("leave", ["pass", INTERRUPTS])
def test_an_interrupt_is_passed_on_and_the_board_is_left(
    on_board, pretend, tmp_path, leave
):
    pretend(run=INTERRUPTS, leave=leave)
    result = on_board("--json", "board.json")
    assert (result.exit_code, result.stdout) == (130, "")
    # A second one does not wait until the board is left.
    left = "left the board\n" if leave == "pass" else ""
    assert result.stderr == f"built None 0.001\non the board\n{left}"
    assert files(tmp_path) == ["first.py", "model.py", "python"]


NEEDED = "needed the Python of an environment that has NengoLoihi and NxSDK"


@pytest.mark.parametrize("module", ["nxsdk", "nengo_loihi"])
def test_an_environment_without_nxsdk_or_nengoloihi(
    on_board, environment, refused, module
):
    environment(PRETENDED + NAMED + f'sys.modules["{module}"] = None\n')
    refused(
        on_board("--quiet"),
        "BuildError: './python' cannot run it (ModuleNotFoundError: import of "
        f"{module} halted; None in sys.modules); {NEEDED}",
    )


@pytest.mark.parametrize(
    "source, reason",
    [
        ("#!/bin/sh\n", "'./python' cannot run it (it said nothing)"),
        ("#!/bin/sh\necho no >&2\nexit 3\n", "'./python' cannot run it (no)"),
        ("no program", "'./python': Exec format error"),
    ],
)
def test_what_is_no_python(on_board, pretend, tmp_path, refused, source, reason):
    (tmp_path / "python").write_text(source)
    refused(on_board("--quiet"), f"BuildError: {reason}; {NEEDED}")


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"python": "nowhere/python"},
            f"BuildError: --python 'nowhere/python' is no program that runs; {NEEDED}",
        ),
        (
            {"python": "model.py"},
            f"BuildError: --python 'model.py' is no program that runs; {NEEDED}",
        ),
        (
            {"place": "model.py:nets"},
            "BuildError: model.py has no 'nets'; there are net, make()",
        ),
        (
            {"place": "none.py:net"},
            "BuildError: 'none.py' cannot be read (no such file); name a Python file",
        ),
        (
            {"out": "no/board.npz"},
            "BundleError: --out needs a file in a folder that can be written, got "
            "'no/board.npz' (No such file or directory)",
        ),
        (
            {"out": "emulated.npz"},
            "BundleError: --out and --compare are the same file, 'emulated.npz'; name "
            "another",
        ),
        (
            {"compare": "model.py"},
            "DataError: cannot read arrays from 'model.py': no .npz file of plain "
            "numbers. Make the file with np.savez(path, label_of_the_node=array)",
        ),
        (
            {"compare": "longer.npz"},
            "DataError: --compare needs what `nengo-hybrid emulate` recorded of this "
            "network in 10 time steps; 'longer.npz' has 20 time steps",
        ),
        (
            {"compare": "other.npz"},
            "DataError: --compare needs what `nengo-hybrid emulate` recorded of this "
            "network in 10 time steps; 'other.npz' has no probe 'spikes'",
        ),
        (
            {"seconds": "0"},
            "BuildError: --time needs seconds, at least one time step of 0.001 s, got "
            "0",
        ),
    ],
)
def test_bad_input_starts_nothing(
    on_board, pretend, refused, monkeypatch, options, message
):
    monkeypatch.setattr(board, "run_on_board", None)
    write_arrays("emulated.npz", recorded())
    write_arrays("longer.npz", recorded(20))
    write_arrays("other.npz", recorded(spikes=np.array(["x"])))
    given = ("--time", options.pop("seconds", "0.01"))
    given += ("--compare", options.pop("compare", "emulated.npz"))
    refused(on_board(*given, **options), message)


def test_the_script_is_written_for_python_3_5_and_needs_nothing_of_ours():
    tree = ast.parse(board.SCRIPT.read_text(), feature_version=(3, 5))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    others = {"nengo", "nengo_loihi", "numpy", "nxsdk"}
    assert imported - set(sys.stdlib_module_names) == others


def test_no_module_beside_the_script_has_the_name_of_one_of_pythons():
    beside = {path.stem for path in board.SCRIPT.parent.iterdir()}
    assert not beside & set(sys.stdlib_module_names)
