"""A training that was stopped goes on as if it had not been, with either engine."""

import os
import re
import signal
import subprocess
import sys
from importlib import import_module

import nengo
import numpy as np
import pytest

from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.exceptions import (
    CheckpointError,
    DivergenceError,
    Terminated,
    TrainError,
)
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.train import Smoothing, train

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

N_STEPS, N_BATCHES, EPOCHS = 8, 3, 4
ENGINES = ("parallel", "nengo-dl")


def make_data(seed=0, n_classes=2):
    """Sequences of noise around a level that tells the class."""
    rng = np.random.RandomState(seed)

    def split(n):
        y = (np.arange(n) % n_classes).astype(np.int32)
        x = y[:, None, None] / (n_classes - 1) + 0.3 * rng.normal(size=(n, N_STEPS, 1))
        return Split(x.astype(np.float32), y)

    return Dataset("levels", split(65), split(25), split(20), n_classes)


def make_network(data, order=4):
    return SequenceClassifier(
        data.train.x,
        data.n_classes,
        order=order,
        theta_steps=N_STEPS,
        n_hidden=10,
        omega_readout=4,
        omega_hidden=2,
        readout_steps=4,
        seed=0,
    )


def train_small(engine, **settings):
    """Train for seconds, four epochs of three minibatches."""
    data = settings.pop("data", None) or make_data()
    network = settings.pop("network", None) or make_network(data)
    defaults = {
        "epochs": EPOCHS,
        "minibatch_size": 20,
        "learning_rate": 0.02,
        "weight_decay": 0.01,
        "readout_steps": 4,
        "unroll_simulation": 1,
        "smoothing": Smoothing(start=16, hold=0.5),
        "budgets": {"lmu.hidden": {"rate": 0.5}},
        "progress": False,
        "engine": engine,
    }
    return train(network, data, **{**defaults, **settings})


def after_minibatches(n, act, patch=setattr):
    """Call a function when this process has done so many minibatches."""
    progress = import_module("nengo_hybrid.train.progress").EpochProgress
    done, counted = progress.minibatch_done, []

    def minibatch_done(self, loss):
        done(self, loss)
        counted.append(loss)
        if len(counted) == n:
            act()

    patch(progress, "minibatch_done", minibatch_done)


# Which is what a process of its own runs: this file, a signal, when, and the rest.
SCRIPT = """
import os, runpy, sys
path, number, n_minibatches, engine, folder, resume = sys.argv[1:]
tests = runpy.run_path(path)
act = lambda: os.kill(os.getpid(), int(number))
tests["after_minibatches"](int(n_minibatches), act)
tests["train_small"](engine, checkpoints=folder, resume=resume == "True")
print("not stopped")
"""


def train_and_signal(number, n_minibatches, engine, folder, *, resume):
    """Train in a process that gets a signal after so many of its minibatches."""
    arguments = (__file__, int(number), n_minibatches, engine, folder, resume)
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


@pytest.fixture(scope="module", params=ENGINES)
def uninterrupted(request):
    return request.param, train_small(request.param)


def assert_same(trained, other):
    assert set(trained.parameters) == set(other.parameters)
    for name, values in other.parameters.items():
        assert trained.parameters[name].dtype == values.dtype
        np.testing.assert_array_equal(trained.parameters[name], values, err_msg=name)
    assert trained.history == other.history
    assert trained.best_epoch == other.best_epoch


def header_of(path):
    """Return the header of a checkpoint."""
    return import_module("nengo_hybrid.train.checkpoint").read_checkpoint(path)[0]


def stopped_by(number, n_minibatches, monkeypatch, *args, **settings):
    """Return the exception of a training to which a signal comes."""
    with monkeypatch.context() as patches:

        def act():
            signal.raise_signal(number)

        after_minibatches(n_minibatches, act, patches.setattr)
        with pytest.raises((Terminated, KeyboardInterrupt)) as caught:
            train_small(*args, **settings)
    return caught.value


def test_checkpoints_change_nothing_but_the_folder(uninterrupted, tmp_path):
    engine, expected = uninterrupted
    assert_same(train_small(engine, checkpoints=tmp_path), expected)
    newest = header_of(tmp_path / "checkpoint.npz")
    assert (newest["epoch"], newest["minibatch"]) == (EPOCHS, 0)
    assert header_of(tmp_path / "checkpoint-previous.npz")["epoch"] == EPOCHS - 1
    # A training that is over is given back as it was.
    assert_same(train_small(engine, checkpoints=tmp_path, resume=True), expected)


def test_stopped_between_epochs_it_goes_on(uninterrupted, tmp_path, monkeypatch):
    engine, expected = uninterrupted
    error = stopped_by(
        signal.SIGINT, 3 * N_BATCHES, monkeypatch, engine, checkpoints=tmp_path
    )
    assert isinstance(error, KeyboardInterrupt)
    assert str(error) == (
        "stopped by SIGINT at epoch 3, minibatch 0; the checkpoint is "
        f"{tmp_path / 'checkpoint.npz'}, pass resume=True (--resume) to go on"
    )
    assert_same(train_small(engine, checkpoints=tmp_path, resume=True), expected)


def test_terminated_then_killed_it_goes_on(uninterrupted, tmp_path):
    engine, expected = uninterrupted
    newest = tmp_path / "checkpoint.npz"
    n_done = N_BATCHES + 2  # in the middle of the second epoch
    ended = train_and_signal(signal.SIGTERM, n_done, engine, tmp_path, resume=False)
    assert ended.returncode == 143, ended.stderr
    assert ended.stderr.rstrip().endswith(
        f"stopped by SIGTERM at epoch 1, minibatch 2; the checkpoint is {newest}, pass "
        "resume=True (--resume) to go on"
    )
    assert (header_of(newest)["epoch"], header_of(newest)["minibatch"]) == (1, 2)
    n_done = 1 + N_BATCHES + 1  # the rest of the second epoch, the third, one more
    ended = train_and_signal(signal.SIGKILL, n_done, engine, tmp_path, resume=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert (header_of(newest)["epoch"], header_of(newest)["minibatch"]) == (3, 0)
    assert_same(train_small(engine, checkpoints=tmp_path, resume=True), expected)


def test_scalars_go_on_without_a_step_twice(tmp_path, monkeypatch):
    tensorboard = import_module("nengo_hybrid.train.tensorboard")
    args = (monkeypatch, "parallel")
    stopped_by(signal.SIGTERM, N_BATCHES + 1, *args, checkpoints=tmp_path)
    trained = train_small("parallel", checkpoints=tmp_path, resume=True)
    found = {}
    paths = sorted((tmp_path / "tensorboard").iterdir())
    assert len(paths) == 2
    for path in paths:
        for tag, step, value in tensorboard.read_scalars(path):
            found.setdefault(tag, []).append((step, value))
    for key in ("loss", "val_loss", "val_accuracy", "omega.lmu.hidden"):
        expected = list(enumerate(trained.history[key]))
        np.testing.assert_allclose(found[key], expected, rtol=1e-6)
    steps = [step for step, _ in found["learning_rate"]]
    rates = [rate for _, rate in found["learning_rate"]]
    # Half a cosine over twelve minibatches; shown is that of an epoch's last.
    last = np.array([2, 5, 8, 11]) / 12
    assert steps == [0, 1, 2, 3]
    np.testing.assert_allclose(rates, 0.01 * (1 + np.cos(np.pi * last)), rtol=1e-5)
    populations = ("lmu.readout", "lmu.hidden", "output")
    bits = {f"{m}.{p}" for m in ("bits_max", "significant_bits") for p in populations}
    assert bits < set(found)
    assert all(len(found[tag]) == EPOCHS for tag in bits)
    assert found["bits_max.lmu.hidden"][-1][1] > 0


def test_signals_are_handled_as_before_when_training_is_over(tmp_path, monkeypatch):
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    stopped_by(signal.SIGTERM, 1, monkeypatch, "parallel", checkpoints=tmp_path)
    assert [signal.getsignal(number) for number in numbers] == before
    train_small("parallel", checkpoints=tmp_path, resume=True)
    assert [signal.getsignal(number) for number in numbers] == before


def test_terminated_ends_a_process_with_143():
    error = Terminated("stopped")
    assert isinstance(error, SystemExit)
    assert (error.code, str(error)) == (143, "stopped")


def test_what_differs_is_refused_before_training(tmp_path, monkeypatch):
    folder = {"checkpoints": tmp_path, "resume": True}
    train_small("parallel", checkpoints=tmp_path, epochs=1, smoothing=None)
    content = (tmp_path / "checkpoint.npz").read_bytes()

    def refusal(engine="parallel", **settings):
        changed = {"epochs": 1, "smoothing": None, **folder, **settings}
        with pytest.raises(CheckpointError) as caught:
            train_small(engine, **changed)
        return str(caught.value).removeprefix(f"checkpoint {tmp_path}/checkpoint.npz ")

    monkeypatch.setattr(
        import_module("nengo_hybrid.train.epochs").Epochs, "run", None
    )  # which no refusal may come to
    again = "to resume, or another folder to begin"
    assert refusal(epochs=2) == (
        f"was made with epochs=1, but train got 2; pass epochs=1 {again}"
    )
    assert refusal("nengo-dl") == (
        "was made with engine='parallel', but train got 'nengo-dl'; pass "
        f"engine='parallel' {again}"
    )
    assert refusal(smoothing=Smoothing(start=4)).startswith(
        "was made with smoothing=None, but train got {'start': 4, "
    )
    other = refusal(data=make_data(1), network=make_network(make_data()))
    assert other.startswith("was made with a data set of sha256 ")
    other = refusal(network=make_network(make_data(), order=5))
    assert other.startswith("was made with a network of sha256 ")
    assert refusal(resume=False) == (
        f"{tmp_path} has the checkpoint checkpoint.npz already; pass resume=True "
        "(--resume) to go on from it, or another folder"
    )
    assert (tmp_path / "checkpoint.npz").read_bytes() == content


def test_nengo_dl_tells_networks_apart(tmp_path):
    settings = {"checkpoints": tmp_path, "epochs": 1}
    train_small("nengo-dl", **settings)
    other = make_network(make_data())
    for ensemble in other.all_ensembles:
        if ensemble.label == "hidden":
            ensemble.bias = ensemble.bias + 0.25
    with pytest.raises(CheckpointError, match="was made with a network of sha256"):
        train_small("nengo-dl", network=other, resume=True, **settings)


def test_a_process_whose_state_no_checkpoint_holds_is_refused(tmp_path):
    data = make_data()
    network = make_network(data)
    (hidden,) = (e for e in network.all_ensembles if e.label == "hidden")
    hidden.noise = nengo.processes.WhiteNoise(nengo.dists.Gaussian(0, 0.1), seed=1)
    settings = {"network": network, "epochs": 1, "checkpoints": tmp_path}
    with pytest.raises(TrainError) as caught:
        train_small("nengo-dl", **settings)
    assert str(caught.value) == (
        f"checkpoints cannot hold the state of the process {hidden.noise}; needed a "
        "network without it, or checkpoints=None"
    )


def test_resuming_needs_a_folder():
    with pytest.raises(TrainError) as caught:
        train_small("parallel", resume=True)
    assert str(caught.value) == (
        "train needs checkpoints, a folder, to resume from; got None"
    )


@pytest.mark.parametrize(
    ("engine", "first"), [("parallel", "population output"), ("nengo-dl", "parameter ")]
)
def test_a_loss_that_is_not_finite_names_what_was_lost_first(engine, first):
    with pytest.raises(DivergenceError) as caught:
        train_small(engine, learning_rate=1e30, weight_decay=0.0, budgets=None)
    # Weights of 1e30 behind others of 1e30: the hidden layer is finite, the next not.
    assert re.fullmatch(
        rf"the loss is nan at epoch 0, minibatch 1; first not finite: {first}[\w.]*; "
        "lower learning_rate",
        str(caught.value),
    )


def test_a_loss_that_is_not_finite_names_the_last_good_checkpoint(
    tmp_path, monkeypatch
):
    parallel = import_module("nengo_hybrid.train.parallel").ParallelSession
    fit_epoch = parallel.fit_epoch

    def lose(self, epoch, *args, **kwargs):
        if epoch == 2:
            for variable in self.body.biases.values():
                variable.assign(variable * np.inf)
        fit_epoch(self, epoch, *args, **kwargs)

    monkeypatch.setattr(parallel, "fit_epoch", lose)
    with pytest.raises(DivergenceError) as caught:
        train_small("parallel", checkpoints=tmp_path)
    newest = tmp_path / "checkpoint.npz"
    assert str(caught.value) == (
        "the loss is nan at epoch 2, minibatch 0; first not finite: population "
        f"lmu.hidden; the last good checkpoint is {newest}; lower learning_rate"
    )
    assert header_of(newest)["epoch"] == 2


def test_a_fixed_front_that_draws_is_drawn_anew_for_each_epoch(tmp_path, monkeypatch):
    parallel = import_module("nengo_hybrid.train.parallel")
    plan, fixed = import_module("nengo_hybrid.train.plan").Plan, parallel.features
    monkeypatch.setattr(plan, "redraws", True)
    drawn = []

    def features(plan, x, last_steps, *, seed=0):
        drawn.append((len(x), seed))
        with monkeypatch.context() as patches:
            patches.setattr(type(plan), "redraws", False)
            values = fixed(plan, x, last_steps)
        noise = np.random.RandomState(seed).normal(scale=0.1, size=last_steps)
        return {n: v + noise[:, None].astype(np.float32) for n, v in values.items()}

    monkeypatch.setattr(parallel, "features", features)
    expected = train_small("parallel")
    validation, *training = drawn
    assert validation == (25, 0)
    assert [n for n, _ in training] == [65] * EPOCHS
    assert len({seed for _, seed in training}) == EPOCHS
    args = (monkeypatch, "parallel")
    stopped_by(signal.SIGTERM, N_BATCHES + 1, *args, checkpoints=tmp_path)
    drawn.clear()
    assert_same(train_small("parallel", checkpoints=tmp_path, resume=True), expected)
    assert drawn == [validation, *training[1:]]
