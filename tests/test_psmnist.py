"""The stored networks of permuted sequential MNIST, run on real test digits."""

import importlib.util
import os
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import nengo_hybrid as nh
from nengo_hybrid import datasets
from nengo_hybrid.bundle import load_bundle, load_deployed, save_deployed
from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.graphs import digest
from nengo_hybrid.recipe import load_recipe

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "psmnist"
BUNDLES = sorted(FOLDER.glob("*.zip"))
N_DIGITS = 500

needs_mnist = pytest.mark.skipif(
    datasets.DATA_VARIABLE not in os.environ,
    reason=f"{datasets.DATA_VARIABLE} does not name the folder with mnist.npz",
)


@pytest.fixture(scope="module")
def replay():
    path = FOLDER / "replay.py"
    spec = importlib.util.spec_from_file_location("psmnist_replay", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_mnist
@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_what_is_stored_answers_as_was_measured(path, replay):
    about = load_bundle(path).about
    found = replay.replay(path, datasets.mnist().test.head(N_DIGITS))
    # The first 500 digits are a sample: two standard errors at 98 %.
    assert abs(found.accuracy - about["accuracy"]["test"]) < 0.0125
    for name, bits in about["activity"].items():
        # Fewer digits reach fewer extremes; these have a little less ink, too.
        assert found.activity[name]["bits_max"] <= bits["bits_max"] + 1e-9
        measured = found.activity[name]["significant_bits"]
        assert measured == pytest.approx(bits["significant_bits"], rel=0.15)
    if about["recipe"]["one_bit"]:
        assert all(largest.max() <= 1 for largest in found.largest.values())


@needs_mnist
def test_the_picture_shows_what_is_sent(replay, tmp_path, capsys):
    (path,) = (path for path in BUNDLES if path.stem == "psmnist-one-bit")
    found = replay.main([path], samples=4, out=tmp_path)
    assert list(found) == ["psmnist-one-bit"]
    assert capsys.readouterr().out.startswith("psmnist-one-bit: 100.00% of 4 digits; ")
    assert (tmp_path / "replay.svg").stat().st_size < 150e3
    counts = replay.hidden_counts(path, datasets.mnist().test.x[0])
    assert counts.shape[0] == 784
    assert set(np.unique(counts)) == {0, 1}


def test_without_data_it_ends_with_a_line(monkeypatch):
    monkeypatch.delenv(datasets.DATA_VARIABLE, raising=False)
    monkeypatch.setattr("sys.argv", ["replay.py"])
    words = (
        "mnist needs the folder with mnist.npz, but NENGO_HYBRID_DATA is not set; "
        "set it, or pass path="
    )
    with pytest.raises(SystemExit, match=f"^{re.escape(words)}$"):
        runpy.run_path(str(FOLDER / "replay.py"), run_name="__main__")


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_what_is_stored_is_what_the_recipe_makes(path):
    about = load_bundle(path).about
    recipe = load_recipe(ROOT / "deploy" / "recipes" / f"{path.stem}.json")
    assert about["accuracy"]["n_test"] == 10_000
    for section in ("network", "training", "one_bit"):
        assert about["recipe"][section] == getattr(recipe, section)
    assert path.stat().st_size < 4e6


@pytest.mark.parametrize("name", ["psmnist-exact", "psmnist-loop"])
def test_what_is_stored_goes_to_loihi_2_and_into_a_file(name, tmp_path):
    bundle = load_bundle(FOLDER / f"{name}.zip")
    x = np.random.default_rng(0).random((8, 784, 1), dtype=np.float32)
    deployed = nh.deploy(bundle, nh.load_target("loihi2"), calibration=x)
    found = load_deployed(save_deployed(deployed, tmp_path / "loihi2.zip"))
    assert digest(found) == digest(deployed)
    assert found.about["recipe"]["name"] == name
    message = (
        "^population 'output' is the output and has to be on the chip, but it sends"
    )
    with pytest.raises(LowerError, match=message):
        nh.deploy(bundle, nh.load_target("loihi1"))


def test_there_are_bundles():
    assert {path.stem for path in BUNDLES} >= {"psmnist-exact", "psmnist-loop"}
