"""The command emulate: what it records and counts, and how it stops."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from nengo_hybrid.cli import bench

NETWORK = """
import nengo
import numpy as np

with nengo.Network(seed=1) as net:
    stim = nengo.Node(np.zeros(1), label="stim")
    a = nengo.Ensemble(20, 1, label="a")
    nengo.Connection(stim, a)
    nengo.Probe(a)
    nengo.Probe(a.neurons, label="spikes")
    nengo.Probe(stim, sample_every=0.01, label="slow")


def make():
    return net


def needs(size):
    return net


number = 3
no_ensembles = nengo.Network()
"""


@pytest.fixture
def network_file(tmp_path):
    """Write a file with a network; return a function that writes another."""

    def write(source, name="model.py"):
        (tmp_path / name).write_text(textwrap.dedent(source), encoding="utf-8")

    write(NETWORK)
    return write


@pytest.fixture
def nothing_runs(monkeypatch):
    """Fail the test if a simulator takes a step."""
    from nengo_hybrid import LoihiSimulator

    def fail(*args, **kwargs):
        raise AssertionError("work was started")

    monkeypatch.setattr(LoihiSimulator, "run_steps", fail)


def simulated(seconds, **options):
    """Run the network of `NETWORK` without the command line; return what probes got."""
    from nengo_hybrid import LoihiSimulator

    names = {}
    exec(NETWORK, names)
    data = options.pop("data", None)
    with LoihiSimulator(names["net"], progress_bar=False, **options) as sim:
        fed = None if data is None else {names["stim"]: data}
        sim.run(seconds, data=fed)
    return {
        p.label or "a.decoded_output": sim.data[p] for p in names["net"].probes
    }, sim


def test_emulate_writes_what_the_simulator_records(run, network_file):
    result = run("emulate", "model.py:make", "--time", "0.05", "--out", "out.npz")
    assert result.exit_code == 0, result.stderr
    data, sim = simulated(0.05)
    with np.load("out.npz", allow_pickle=False) as file:
        assert sorted(file) == sorted(["t", *data])
        np.testing.assert_array_equal(file["t"], sim.trange())
        for name, values in data.items():
            np.testing.assert_array_equal(file[name], values, strict=True)
    assert data["spikes"].any()
    assert result.stdout.endswith(" s\nwrote out.npz\n")


def test_emulate_counts(run, network_file, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run(
        "emulate", "model.py:net", "--time", "0.1", "--seed", "7", "--json", "c.json"
    )
    assert result.exit_code == 0, result.stderr
    data, sim = simulated(0.1, seed=7)
    counts = json.loads((tmp_path / "c.json").read_text())
    spikes = int(np.count_nonzero(data["spikes"]))
    row = counts["chip"]["a"]
    assert row["spikes"] == spikes > 0
    # 20 neurons for 0.1 s: spikes / 2 per second each.
    assert row["rate_hz"] == pytest.approx(spikes / 2)
    assert row["neuron_updates_active"] + row["neuron_updates_inactive"] == 100 * 20
    assert counts["host"] == ["stim"]
    assert list(counts["injected"]) == ["input"]
    assert (counts["seed"], counts["n_steps"], counts["n_samples"]) == (7, 100, 1)
    assert counts["probes"]["spikes"] == [100, 20]
    assert counts["probes"]["slow"] == [10, 1]
    assert counts["stamp"] == "emulated, not measured"
    (line,) = [x for x in result.stdout.splitlines() if x.startswith("│ a  ")]
    assert line.replace("│", " ").split()[1:3] == ["20", f"{spikes:,}"]
    assert "on the host: stim\n" in result.stdout
    assert "100 x 20" in result.stdout


def test_emulate_feeds_nodes_of_a_batch(run, network_file):
    values = np.random.RandomState(0).uniform(-1, 1, size=(2, 30, 1))
    np.savez("data.npz", stim=values)
    batch = "--minibatch-size", "2", "--data", "data.npz"
    result = run(
        "emulate", "model.py:net", "--time", "0.03", *batch, "--out", "o", "--quiet"
    )
    assert (result.exit_code, result.stdout) == (0, "")
    data, _ = simulated(0.03, minibatch_size=2, data=values)
    with np.load("o") as file:
        assert file["spikes"].shape == (2, 30, 20)
        for name, expected in data.items():
            np.testing.assert_array_equal(file[name], expected, strict=True)
        assert not np.array_equal(*file["spikes"])


def test_emulate_keeps_only_counts(run, network_file):
    result = run(
        "emulate", "model.py:net", "--time", "0.05", "--counts-only", "--out", "out.npz"
    )
    assert result.exit_code == 0, result.stderr
    data, _ = simulated(0.05)
    with np.load("out.npz") as file:
        expected = data["spikes"].sum(axis=0, keepdims=True)
        np.testing.assert_array_equal(file["spikes"], expected)
        assert file["slow"].shape == (5, 1)  # on the host


@pytest.mark.parametrize(
    "place, options, message",
    [
        (
            "model.py",
            (),
            "BuildError: a network is named as FILE.py:NAME, such as model.py:net; got "
            "'model.py'",
        ),
        (
            "none.py:net",
            (),
            "BuildError: 'none.py' cannot be read (no such file); name a Python file",
        ),
        (
            "model.py:nets",
            (),
            "BuildError: model.py has no 'nets'; there are net, no_ensembles, make()",
        ),
        (
            "model.py:number",
            (),
            "BuildError: 'number' of model.py has to be a nengo.Network, or a function "
            "that returns one; it is of type int; there are net, no_ensembles, make()",
        ),
        (
            "model.py:needs",
            (),
            "BuildError: 'needs' of model.py needs arguments; write a function without "
            "any that calls it, and name that",
        ),
        (
            "model.py:no_ensembles",
            (),
            "LowerError: the network cannot be built for the chip: model.py: "
            "BuildError: No neurons marked for execution on-chip. Please mark some "
            "ensembles as on-chip; `nengo-hybrid doctor` tells what would fit",
        ),
        *(
            (
                "model.py:net",
                ("--time", seconds),
                "BuildError: --time needs seconds, at least one time step of 0.001 s, "
                f"got {seconds}",
            )
            for seconds in ("nan", "inf", "0", "-1", "0.0001")
        ),
        (
            "model.py:net",
            ("--minibatch-size", "0"),
            "BuildError: --minibatch-size needs at least 1 sample, got 0",
        ),
        (
            "model.py:net",
            ("--out", "no/out.npz"),
            "BundleError: --out needs a file in a folder that can be written, got "
            "'no/out.npz' (No such file or directory)",
        ),
        (
            "model.py:net",
            ("--json", "."),
            "BundleError: --json needs a file in a folder that can be written, got '.' "
            "(Is a directory)",
        ),
        (
            "model.py:net",
            ("--out", "model.py"),
            "BundleError: --out and FILE are the same file, 'model.py'; name another",
        ),
        (
            "model.py:net",
            ("--out", "a", "--json", "./a"),
            "BundleError: --json and --out are the same file, './a'; name another",
        ),
    ],
)
def test_emulate_refuses(
    run, network_file, nothing_runs, place, options, message, refused
):
    time = () if "--time" in options else ("--time", "0.01")
    refused(run("emulate", place, *time, *options), message)


@pytest.mark.parametrize(
    "arrays, message",
    [
        (
            {"stir": np.zeros((10, 1))},
            "DataError: data needs the label of one node with a constant output, got "
            "'stir', which 0 of them have; the labels are 'stim'",
        ),
        (
            {"stim": np.zeros((1, 10))},
            "ShapeError: data of node 'stim' needs the shape (10, 1), got (1, 10)",
        ),
        (
            {"stim": np.full((10, 1), np.nan)},
            "DataError: data of node 'stim' needs finite numbers, got NaN or infinity",
        ),
        (
            {"stim": np.full((10, 1), "x")},
            "DataError: data of node 'stim' needs finite numbers, got values of type "
            "<U1",
        ),
    ],
)
def test_emulate_refuses_data(
    run, network_file, nothing_runs, arrays, message, refused
):
    np.savez("data.npz", **arrays)
    result = run("emulate", "model.py:net", "--time", "0.01", "--data", "data.npz")
    refused(result, message)


def test_emulate_tells_where_the_file_failed(run, network_file, nothing_runs, refused):
    network_file("x = 1\n\nraise ValueError('two\\nlines')\n")
    refused(
        run("emulate", "model.py:net", "--time", "0.01"),
        "BuildError: model.py, line 3: ValueError: two lines",
    )


def test_emulate_refuses_a_batch_that_learns(run, network_file, nothing_runs):
    network_file(
        """
        import nengo
        with nengo.Network(seed=0) as net:
            x, error = nengo.Node(0.5), nengo.Node(size_in=1)
            a = nengo.Ensemble(20, 1)
            nengo.Connection(x, a)
            rule = nengo.Connection(a, error, learning_rule_type=nengo.PES())
            nengo.Connection(error, rule.learning_rule)
        """
    )
    batch = "--minibatch-size", "2"
    result = run("emulate", "model.py:net", "--time", "0.01", *batch)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("nengo-hybrid: LowerError: the network learns on ")
    assert result.stderr.count("\n") == 1


def test_emulate_refuses_what_does_not_fit_into_memory(run, network_file, nothing_runs):
    result = run("emulate", "model.py:net", "--time", "1e9")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("nengo-hybrid: LowerError: the probes record ")
    assert result.stderr.count("\n") == 1


OVERFLOWS = """
import nengo
import numpy as np

with nengo.Network(seed=15) as net:
    pre = nengo.Ensemble(40, 1, max_rates=nengo.dists.Uniform(300, 400))
    post = nengo.Ensemble(10, 1, label="post")
    nengo.Connection(nengo.Node(1.0), pre)
    weights = np.full((10, 40), 0.1)
    nengo.Connection(pre.neurons, post.neurons, transform=weights, synapse=0.2)
"""


def test_emulate_tells_an_overflow_once(run, network_file):
    network_file(OVERFLOWS)
    result = run("emulate", "model.py:net", "--time", "0.5")
    assert result.exit_code == 0, result.stderr
    told = [x for x in result.stderr.splitlines() if " bits and sign of " in x]
    registers = {x.split(" has ")[1].split(" of ")[0] for x in told}
    assert len(told) == len(registers)
    assert "a current" in registers
    assert all(x.startswith("nengo-hybrid: warning: population ") for x in told)
    assert "times in all" not in result.stderr


def test_emulate_stops_at_an_overflow(run, network_file, tmp_path):
    network_file(OVERFLOWS)
    stop = "--on-overflow", "raise", "--out", "out.npz"
    result = run("emulate", "model.py:net", "--time", "0.5", *stop)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("nengo-hybrid: EmulateError: population ")
    assert [path.name for path in tmp_path.iterdir()] == ["model.py"]


FAILS_AT = """
import os
import signal

import nengo

def at(t, x):
    if round(t / 0.001) == 25:
        {action}
    return x

with nengo.Network(seed=0) as net:
    node = nengo.Node(at, size_in=1)
    a = nengo.Ensemble(20, 1)
    nengo.Connection(nengo.Node(1), a)
    nengo.Connection(a, node)
    nengo.Connection(node, a)
    nengo.Probe(a, label="a")
    nengo.Probe(node, label="node")
"""


@pytest.mark.parametrize(
    "action, n_steps",
    [
        # The first lets the part of a run end; the second does not wait for it.
        ("os.kill(os.getpid(), signal.SIGINT)", None),
        ("raise KeyboardInterrupt", 24),
    ],
)
def test_an_interrupt_keeps_what_was_recorded(
    run, network_file, tmp_path, action, n_steps
):
    network_file(FAILS_AT.format(action=action))
    files = "--out", "out.npz", "--json", "counts.json"
    result = run("emulate", "model.py:net", "--time", "1000", *files)
    assert result.exit_code == 130
    counts = json.loads((tmp_path / "counts.json").read_text())
    done = counts["n_steps"]
    assert done == n_steps if n_steps else 25 <= done < 1_000_000
    assert counts["n_steps_wanted"] == 1_000_000
    assert result.stderr.endswith(f"interrupted after {done} of 1000000 steps\n")
    assert "population" in result.stdout
    with np.load("out.npz") as file:
        assert {len(file[name]) for name in ("t", "a", "node")} == {done}


def test_an_interrupt_before_the_run_has_its_status(run, network_file, nothing_runs):
    network_file("raise KeyboardInterrupt")
    result = run("emulate", "model.py:net", "--time", "1", "--out", "out.npz")
    assert (result.exit_code, result.stdout) == (130, "")


def test_a_failure_of_the_users_own_is_one_line(run, network_file):
    network_file(FAILS_AT.format(action="raise ValueError('no more')"))
    result = run("emulate", "model.py:net", "--time", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "nengo-hybrid: EmulateError: the run failed: model.py, line 9: ValueError: "
        "no more\n"
    )


def test_emulate_draws_nothing_into_a_pipe(network_file, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from nengo_hybrid.cli import main; main()",
            *("emulate", "model.py:net", "--time", "0.01"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(bench.BENCHMARKS.parent)},
    )
    assert done.returncode == 0
    assert all(x.startswith("nengo-hybrid: warn") for x in done.stderr.splitlines())
    assert "population" in done.stdout
