"""The command train: a bundle that answers as was said, and what is refused."""

import json

import numpy as np
import pytest

from nengo_hybrid import datasets, pipeline
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.evaluation import evaluate

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


@pytest.fixture
def few_digits(monkeypatch):
    """Train on 200 digits only."""

    def loaded(seed):
        data = datasets.digits(seed)
        parts = (getattr(data, p) for p in ("train", "validation", "test"))
        return datasets.Dataset("few", *(part.head(200) for part in parts), 10)

    monkeypatch.setitem(pipeline.DATASETS, "digits", loaded)
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
    unquantized = dict.fromkeys(("omega_readout", "omega_hidden", "omega_output"))
    network = {"order": 8, "theta_steps": 64, "n_hidden": 12, "readout_steps": 2}
    recipe = write_recipe(tmp_path, network={**network, **unquantized})
    result = run("train", recipe, "--out", "run")
    assert result.exit_code == 0, result.output
    assert "nothing is quantized: every neuron sends its rate" in result.stdout
    bundle = load_bundle(tmp_path / "run" / "bundle.zip")
    about = bundle.about
    assert not any(p.is_hybrid for p in bundle.graph.populations)
    assert about["accuracy"]["rate"] == about["accuracy"]["test"]
    assert (about["overall"], about["activity"], about["spikes"]) == (None, {}, {})
