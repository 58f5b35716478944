"""The command train: a bundle that answers as was said, and what is refused."""

import json
import signal
from importlib import import_module

import numpy as np
import pytest

from nengo_hybrid import datasets, recipe_training
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import DataError

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

RECIPE = {
    "schema": 1,
    "name": "small",
    "dataset": "digits",
    "network": {
        "order": 8,
        "theta_steps": 64,
        "n_hidden": 12,
        "basis": "rotations",
        "quantize_loop": True,
        "omega_hub": 6,
        "omega_output": None,
        "readout_steps": 2,
    },
    "training": {"engine": "parallel", "epochs": 2, "label_smoothing": 0.1},
}

ALL_RATES = {
    "quantize_loop": False,
    **dict.fromkeys(("omega_hub", "omega_readout", "omega_hidden", "omega_output")),
}


@pytest.fixture
def few_digits(monkeypatch):
    """Train on 200 digits only."""

    def loaded(seed):
        data = datasets.digits(seed)
        parts = (getattr(data, p) for p in ("train", "validation", "test"))
        return datasets.Dataset("few", *(part.head(200) for part in parts), 10)

    monkeypatch.setitem(recipe_training.DATASETS, "digits", loaded)
    return loaded


def write_recipe(folder, **changes):
    path = folder / "small.json"
    path.write_text(json.dumps({**RECIPE, **changes}))
    return str(path)


def test_the_bundle_answers_as_the_figures_say(run, tmp_path, few_digits):
    arguments = ("train", write_recipe(tmp_path), "--out", "run", "--seed", "3")
    result = run(*arguments, "--json", "figures.json")
    assert result.exit_code == 0, result.output
    bundle = load_bundle(tmp_path / "run" / "bundle.zip")
    about = json.loads((tmp_path / "figures.json").read_text())
    assert about == bundle.about
    test = few_digits(3).test
    found = evaluate(bundle.graph, test, readout_steps=2, seed=3)
    assert about["accuracy"]["test"] == found.accuracy
    assert about["accuracy"]["n_test"] == len(test)
    assert about["activity"] == found.activity
    n_trained = 8 * 12 + 12 + 12 * 10 + 10
    assert about["n_trained"] == n_trained
    assert f"{100 * found.accuracy:.2f} % of 200 test samples" in result.stdout
    for name in ("lmu.loop", "lmu.hub", "lmu.hidden", "all neurons"):
        assert name in result.stdout


def test_a_recipe_trains_on_a_file_of_your_own(run, tmp_path):
    digits = datasets.digits()
    train, test = digits.train.head(100), digits.test.head(20)
    arrays = {
        "x_train": train.x,
        "y_train": train.y,
        "x_test": test.x,
        "y_test": test.y,
    }
    np.savez(tmp_path / "own.npz", **arrays)
    training = {**RECIPE["training"], "minibatch_size": 30}
    recipe = write_recipe(tmp_path, dataset="own.npz", training=training)
    result = run("train", recipe, "--out", "run")
    assert result.exit_code == 0, result.output
    about = load_bundle(tmp_path / "run" / "bundle.zip").about
    assert about["data_sha256"] == recipe_training.load_data(about).sha256
    assert about["accuracy"]["n_test"] == 20
    np.savez(tmp_path / "own.npz", **arrays | {"y_test": arrays["y_test"][::-1]})
    with pytest.raises(DataError, match="^data set 'own.npz' has sha256 "):
        recipe_training.load_data(about)


def test_one_bit_networks_send_one_bit_and_answer_the_same(run, tmp_path, few_digits):
    found = []
    for one_bit in (False, True):
        recipe = write_recipe(tmp_path, one_bit=one_bit)
        run("train", recipe, "--out", f"run{one_bit}", "--quiet")
        found.append(load_bundle(tmp_path / f"run{one_bit}" / "bundle.zip"))
    graded, single = found
    assert single.about["accuracy"] == graded.about["accuracy"]
    assert set().union(*single.about["counts"].values()) <= {"-1", "0", "1"}
    assert not set().union(*graded.about["counts"].values()) <= {"-1", "0", "1"}
    sizes = [
        sum(p.n_neurons for p in bundle.graph.populations if p.is_hybrid)
        for bundle in found
    ]
    assert sizes[1] > 1.5 * sizes[0]


def test_a_folder_with_a_training_is_not_written_over(run, tmp_path, few_digits):
    arguments = ("train", write_recipe(tmp_path), "--out", "run", "--quiet")
    assert run(*arguments).exit_code == 0
    before = (tmp_path / "run" / "bundle.zip").read_bytes()
    result = run(*arguments)
    assert result.exit_code == 2
    assert "CheckpointError: " in result.stderr and len(result.stderr.split("\n")) == 2
    assert (tmp_path / "run" / "bundle.zip").read_bytes() == before
    resumed = run(*arguments, "--resume")
    assert resumed.exit_code == 0, resumed.output
    after = load_bundle(tmp_path / "run" / "bundle.zip")
    np.testing.assert_array_equal(
        after.graph.projections[-1].weights,
        load_bundle_of(before, tmp_path).graph.projections[-1].weights,
    )


def test_ctrl_c_says_how_to_go_on(run, tmp_path, few_digits, monkeypatch):
    def interrupted(self, loss):
        signal.raise_signal(signal.SIGINT)

    progress = import_module("nengo_hybrid.train.progress").EpochProgress
    monkeypatch.setattr(progress, "minibatch_done", interrupted)
    result = run("train", write_recipe(tmp_path), "--out", "run", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (
        130,
        "",
        "nengo-hybrid: stopped by SIGINT at epoch 0, minibatch 1; the checkpoint is "
        "run/checkpoints/checkpoint.npz, pass resume=True (--resume) to go on\n",
    )


def load_bundle_of(content, folder):
    (folder / "before.zip").write_bytes(content)
    return load_bundle(folder / "before.zip")


def test_an_unknown_key_is_refused_before_anything(run, tmp_path, refused):
    recipe = write_recipe(tmp_path, training={"epoch": 2})
    refused(
        run("train", recipe, "--out", "run"),
        "BuildError: recipe small.json, training: unknown key 'epoch'; it knows "
        "epochs, minibatch_size, learning_rate, budgets, budget_weight, train_omega, "
        "engine, logit_scale, label_smoothing, weight_decay",
    )
    assert not (tmp_path / "run").exists()


def test_a_network_of_rates_has_no_bits(run, tmp_path, few_digits):
    recipe = write_recipe(tmp_path, **changed("network", **ALL_RATES))
    result = run("train", recipe, "--out", "my run")
    assert result.exit_code == 0, result.output
    assert "nothing is quantized: every neuron sends its rate" in result.stdout
    wrote = "wrote my run/bundle.zip; next: nengo-hybrid deploy 'my run'\n"
    assert result.stdout.endswith(wrote)
    bundle = load_bundle(tmp_path / "my run" / "bundle.zip")
    about = bundle.about
    assert not any(p.is_hybrid for p in bundle.graph.populations)
    assert about["accuracy"]["rate"] == about["accuracy"]["test"]
    assert (about["overall"], about["activity"], about["spikes"]) == (None, {}, {})


def changed(section, **values):
    """Return a change of the recipe in one section."""
    return {section: {**RECIPE.get(section, {}), **values}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"smoothing": {"start": 8, "stop": -1, "schedule": "linear"}},
            "BuildError: recipe small.json, smoothing: stop needs a finite number "
            "above 0, got -1",
        ),
        (
            {"smoothing": {"lmu.hidden": {"start": 8, "stop": -1}}},
            "BuildError: recipe small.json, smoothing of lmu.hidden: stop needs a "
            "finite number above 0, got -1",
        ),
        (
            {"smoothing": {"start": 8, "schedule": "cubic"}},
            "TrainError: Smoothing knows the schedules geometric, linear, cosine, "
            "held; got 'cubic'",
        ),
        (
            {"smoothing": {"hidden": {"start": 8}}},
            "BuildError: the network has no ensemble 'hidden'; it has lmu.hidden, "
            "lmu.hub, lmu.loop, output",
        ),
        (
            {"smoothing": {"lmu.loop": {"start": 8}}},
            "TrainError: omega of lmu.loop cannot be moved by a schedule, since it is "
            "run before each epoch: nothing trained comes before it",
        ),
        (
            changed("training", budgets={"output": {"bits": 2}}),
            "TrainError: budgets of output: unknown measure 'bits'; it knows rate, "
            "bits_max, significant_bits, spikes_per_step",
        ),
        (
            changed("training", minibatch_size=201),
            "TrainError: train needs a minibatch_size of at most 200, the size of "
            "few.train; got 201",
        ),
        (
            changed("network", readout_steps=65),
            "ShapeError: readout_steps needs 1 to 64, the steps of the training "
            "sequences, got 65",
        ),
        (
            changed("network", basis="fourier"),
            "BuildError: LMU knows the bases legendre, rotations; got 'fourier'",
        ),
        (
            {"dataset": "letters"},
            "DataError: recipe small needs a dataset of digits, mnist, or an .npz file "
            "of your own, got 'letters'",
        ),
        (
            {"one_bit": True, **changed("network", **ALL_RATES)},
            "BuildError: recipe small asks for one_bit, but nothing in its network is "
            "quantized; give it an omega, or one_bit false",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    run, tmp_path, few_digits, refused, changes, message
):
    recipe = write_recipe(tmp_path, **changes)
    refused(run("train", recipe, "--out", "run", "--quiet"), message)
    assert not (tmp_path / "run" / "bundle.zip").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda x, y: (x[:, :, 0], y),
            "ShapeError: few.train needs x of shape (n_samples, n_steps, size_in), got "
            "(200, 64)",
        ),
        (
            lambda x, y: (x, y[1:]),
            "ShapeError: few.train has 200 sequences, but labels of shape (199,); "
            "needed (200,)",
        ),
        (
            lambda x, y: (x, y + 1),
            "DataError: few.train needs whole labels in 0..9, got 10; check n_classes",
        ),
        (
            lambda x, y: (x[:0], y[:0]),
            "DataError: few.train is empty; at least one sequence is needed",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(
    run, tmp_path, few_digits, monkeypatch, refused, spoil, message
):
    def spoiled(seed):
        data = few_digits(seed)
        train = datasets.Split(*spoil(data.train.x, data.train.y))
        return datasets.Dataset("few", train, data.validation, data.test, 10)

    monkeypatch.setitem(recipe_training.DATASETS, "digits", spoiled)
    recipe = write_recipe(tmp_path)
    refused(run("train", recipe, "--out", "run", "--quiet"), message)


def test_checkpoints_that_do_not_fit_are_refused_and_left(
    run, tmp_path, few_digits, refused
):
    recipe = write_recipe(tmp_path)
    options = ("--out", "run", "--quiet", "--resume")
    assert run("train", recipe, "--out", "run", "--quiet").exit_code == 0
    folder = tmp_path / "run" / "checkpoints"
    newest, previous = (folder / f"checkpoint{end}.npz" for end in ("", "-previous"))
    before = newest.read_bytes(), previous.read_bytes()
    where = "run/checkpoints/checkpoint.npz"

    write_recipe(tmp_path, **changed("network", n_hidden=13))
    result = run("train", recipe, *options)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    words = f"nengo-hybrid: CheckpointError: checkpoint {where} was made with a network"
    assert result.stderr.startswith(words)
    write_recipe(tmp_path, **changed("training", epochs=3))
    refused(
        run("train", recipe, *options),
        f"CheckpointError: checkpoint {where} was made with epochs=2, but train got 3; "
        "pass epochs=2 to resume, or another folder to begin",
    )
    write_recipe(tmp_path)
    refused(
        run("train", recipe, *options, "--seed", "4"),
        f"CheckpointError: checkpoint {where} was made with seed=0, but train got 4; "
        "pass seed=0 to resume, or another folder to begin",
    )
    assert (newest.read_bytes(), previous.read_bytes()) == before

    newest.write_bytes(before[0][:-40])
    refused(
        run("train", recipe, *options),
        f"CheckpointError: checkpoint {where} is damaged: it is cut off; "
        "checkpoint-previous.npz beside it is intact (epoch 1, minibatch 0): delete "
        "checkpoint.npz and resume from that",
    )
    assert previous.read_bytes() == before[1]
    newest.unlink()  # as it says
    assert run("train", recipe, *options).exit_code == 0
