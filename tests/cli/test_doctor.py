"""The command doctor on a network: its table, its figures and its refusals."""

import json

import nengo
import pytest

import nengo_hybrid as nh
from nengo_hybrid import compat
from nengo_hybrid.cli import doctor

FITS = """
import nengo
with nengo.Network(seed=0) as net:
    a, b = nengo.Ensemble(50, 1, label="first"), nengo.Ensemble(40, 1)
    nengo.Connection(a.neurons, b.neurons, transform=nengo.dists.Uniform(-1, 1))

def wide():
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(1024, 1, label="a"), nengo.Ensemble(1024, 1, label="b")
        nengo.Connection(a.neurons, b.neurons, transform=nengo.dists.Uniform(-1, 1))
    return net

def smooth():
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(5, 1, neuron_type=nengo.Sigmoid(), label="s")
    return net

def empty():
    return nengo.Network()

def broken():
    raise ValueError("too\\nsmall")
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    (tmp_path / "model.py").write_text(FITS)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_network_that_fits(run, model):
    result = run("doctor", "model.py:net")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\nIt fits: 2 cores of 1 chip.\n" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "change" not in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if "ensemble1 " in line]
    # 40 of 1,024 compartments, 50 of 4,096 axons, 50 words of 384 bits of memory.
    assert row.split()[-5:] == ["1", "3", "1", "0", "1"]


def test_a_network_that_does_not_fit(run, model):
    result = run("doctor", "model.py:wide")
    assert (result.exit_code, result.stderr) == (1, "")
    words = " ".join(result.stdout.split())
    assert "It does not fit: 10 cores of 1 chip." in words
    assert "- block 'a' needs 9216 output axons on one core, which has 4096" in words
    assert (
        "The smallest change that fits, counted anew (12 cores): - cut 'a' into 3 "
        "blocks: net.config[ensemble].block_shape = nengo_loihi.BlockShape((342,), "
        "(1024,))"
    ) in words
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_neurons_that_cannot_run(run, model):
    result = run("doctor", "model.py:smooth")
    assert (result.exit_code, result.stderr) == (1, "")
    words = " ".join(result.stdout.split())
    assert "- cannot be built: 's': neurons of type Sigmoid cannot run" in words
    assert "No change that was tried makes it fit." in words


def test_figures_go_to_json(run, model, tmp_path):
    result = run(
        "doctor", "model.py:wide", "--target", "loihi1", "--json", "found.json"
    )
    assert result.exit_code == 1
    assert result.stdout.endswith("wrote found.json\n")
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["schema"], found["network"]) == (1, "model.py:wide")
    assert (found["fits"], found["target"], found["n_cores"]) == (False, "loihi1", 10)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["a"]["used"]["output_axons"] == [9216, 4096]
    assert rows["b"]["n_blocks"] == 9
    (change,) = found["fix"]["changes"]
    assert (change["name"], change["value"]) == ("a", [[342], [1024]])
    (breach,) = found["breaches"]
    assert (breach["limit"], breach["used"]) == ("output_axons", 9216)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["model.py:empty"],
            "LowerError: the network has nothing on the chip; put at least one "
            "ensemble there",
        ),
        (
            ["model.py:none"],
            "BuildError: model.py has no 'none'; there are net, wide(), smooth(), "
            "empty(), broken()",
        ),
        (
            ["other.py:net"],
            "BuildError: 'other.py' cannot be read (no such file); name a Python file",
        ),
        (
            ["model.py"],
            "BuildError: a network is named as FILE.py:NAME, such as model.py:net; got "
            "'model.py'",
        ),
        (
            ["model.py:broken"],
            "BuildError: model.py, line 22: ValueError: too small",
        ),
        (
            ["model.py:net", "--target", "cortex-m4"],
            "TargetError: target 'cortex-m4' is a processor, onto which no network is "
            "mapped; needed loihi1, loihi1-fitted",
        ),
        (
            ["model.py:net", "--target", "loihi2"],
            "TargetError: target 'loihi2' has graded spikes, and needs are counted as "
            "NengoLoihi builds them; needed loihi1, loihi1-fitted",
        ),
        (
            ["model.py:net", "--json", "none/found.json"],
            "BundleError: --json needs a file in a folder that can be written, got "
            "'none/found.json' (No such file or directory)",
        ),
        (
            ["--target", "loihi1"],
            "BuildError: --target is for a network; name one, such as model.py:net",
        ),
    ],
)
def test_bad_input_is_one_line(run, model, refused, arguments, message):
    refused(run("doctor", *arguments), message)


def test_versions_as_figures(run, tmp_path):
    result = run("doctor", "--json", "-")
    found = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0 if found["runs"] else 1, "")
    (own,) = [row for row in found["rows"] if row["package"] == "nengo"]
    assert own["installed"] == nengo.__version__
    assert set(found["mended"]) == {state.shim.name for state in compat.states()}
    assert set(found["mended"].values()) <= {"applied", "waiting", "not needed"}

    shown = run("doctor", "--json", "versions.json").stdout
    assert shown.endswith("wrote versions.json\n") and "mended on import" in shown
    assert json.loads((tmp_path / "versions.json").read_text()) == found


def test_an_unknown_target_is_one_line(run, model):
    result = run("doctor", "model.py:net", "--target", "loihi9")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "nengo-hybrid: TargetError: target 'loihi9' is unknown; needed one of "
    )
    assert result.stderr.count("\n") == 1


def test_what_fails_within_is_one_line(run, model, monkeypatch, refused):
    def fail(*arguments):
        raise ZeroDivisionError("no\nsuch")

    monkeypatch.setattr("nengo_hybrid.doctor.checks.check", fail)
    refused(
        run("doctor", "model.py:net"),
        "LowerError: the network cannot be read: model.py: ZeroDivisionError: no such",
    )


def test_shares_never_hide_a_breach():
    assert [doctor.share(x) for x in (0, 0.001, 0.999, 1, 1.0001, 2.25)] == [
        "0",
        "<1",
        "99",
        "100",
        "101",
        "225",
    ]


def test_check_is_a_public_name():
    from nengo_hybrid.doctor.checks import check

    assert nh.check is check
