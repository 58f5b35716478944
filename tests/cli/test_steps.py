"""train, deploy, emulate, estimate, report: each goes on from the last one's file."""

import json

import pytest

from nengo_hybrid import datasets, pipeline, recipe_training
from nengo_hybrid.bundle import load_bundle, load_deployed
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.graph import digest
from nengo_hybrid.recipe import load_recipe
from nengo_hybrid.report import load_json
from nengo_hybrid.report.schema import check_report

pytest.importorskip("tensorflow")
pytest.importorskip("nengo_dl")

N_TEST = 12
RECIPE = {
    "schema": 1,
    "name": "tiny",
    "dataset": "digits",
    "network": {
        "order": 4,
        "theta_steps": 16,
        "n_hidden": 6,
        "omega_readout": 4,
        "omega_hidden": 4,
        "omega_output": 2,
        "readout_steps": 4,
    },
    "training": {"epochs": 1, "minibatch_size": 20},
    "smoothing": {"start": 8},
    "deployment": {"target": "loihi1", "chip_steps": 2},
    "compare": ["loihi1-fitted", "cortex-m4"],
}


def few_digits(seed):
    """Return the first 16 pixels of a few digits."""
    data = datasets.digits(seed)
    sizes = ((data.train, 40), (data.validation, 20), (data.test, N_TEST))
    parts = (Split(split.x[:n, :16], split.y[:n]) for split, n in sizes)
    return Dataset("few", *parts, n_classes=10)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setitem(recipe_training.DATASETS, "digits", few_digits)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Train the tiny recipe once; return the bytes of its bundle."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.json").write_text(json.dumps(RECIPE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipe_training.DATASETS, "digits", few_digits)
        recipe = load_recipe(folder / "tiny.json")
        recipe_training.train_into(recipe, folder, seed=3, progress=False)
    return (folder / "bundle.zip").read_bytes()


@pytest.fixture
def trained(bundle, tmp_path):
    """Put the trained bundle into ``run``."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "bundle.zip").write_bytes(bundle)
    return tmp_path / "run"


def done(result):
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_the_steps_give_the_report_of_the_demo(run, trained, tmp_path, target):
    file = f"run/{target}.zip"
    done(run("deploy", "run", "--target", target))
    done(run("emulate", file))
    done(run("estimate", file))
    done(run("report", file, "--json", "steps.json", "--html", "page.html"))

    deployment = {**RECIPE["deployment"], "target": target}
    (tmp_path / "tiny.json").write_text(
        json.dumps({**RECIPE, "deployment": deployment})
    )
    recipe = load_recipe(tmp_path / "tiny.json")
    demo = pipeline.run_recipe(recipe, seed=3, progress=False)
    assert load_json("steps.json") == check_report(demo)
    assert "tiny" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", ["loihi1", "loihi2"])
def test_what_is_loaded_runs_as_what_was_deployed(run, trained, target):
    done(run("deploy", "run", "--target", target, "--quiet"))
    loaded = load_deployed(f"run/{target}.zip")
    bundle = load_bundle("run/bundle.zip")
    made = pipeline.deploy_bundle(bundle, loaded.target)
    x = few_digits(3).test.x
    ours = pipeline.run_deployed(loaded, x, seed=5)
    theirs = pipeline.run_deployed(made, x, seed=5)
    assert digest(ours) == digest(theirs)
