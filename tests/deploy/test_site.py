"""Recipes load, and a site's files stand in for the package's without an edit."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from nengo_hybrid import pipeline
from nengo_hybrid.recipe import load_recipe, load_targets
from nengo_hybrid.targets import load_target

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "deploy").rglob("recipes/*.json"))
PROFILES = sorted((ROOT / "deploy").rglob("profiles/*.json"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_load_and_bear_the_name_of_their_file(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    if recipe.deployment is not None:
        target, _ = load_targets(recipe)
        assert target.kind == "neuromorphic"


def test_there_are_recipes_and_profiles():
    assert len(RECIPES) >= 7
    assert [path.name for path in PROFILES] == ["loihi1-half.json"]


def test_half_a_chip_is_half_of_loihi_1():
    half, whole = load_target(PROFILES[0]), load_target("loihi1")
    assert half.chip == "loihi1"
    changed = {name for name in whole.limits if half.limit(name) != whole.limit(name)}
    assert changed == {"cores_per_chip", "mesh_rows"}
    for name in changed:
        assert half.limit(name) * 2 == whole.limit(name)
    # All cores of the half are in its part of the mesh.
    sizes = [half.limit(n) for n in ("mesh_rows", "mesh_columns", "cores_per_tile")]
    assert half.limit("cores_per_chip") == sizes[0] * sizes[1] * sizes[2]
    assert (half.costs, half.times) == (whole.costs, whole.times)


def test_prices_of_another_placement_are_left_out():
    # A placement on half a chip has no counts on the whole one.
    names = ("loihi1-fitted", "loihi2", "cortex-m4", str(PROFILES[0]))
    about = {"recipe": {"compare": names}}
    for target, wanted in (
        (PROFILES[0], ["cortex-m4", "loihi1-half"]),
        ("loihi1", ["loihi1-fitted", "cortex-m4", "loihi1-half"]),
    ):
        deployed = SimpleNamespace(about=about, target=load_target(target))
        found = pipeline.recipe_comparisons(deployed)
        assert [t.name for t in found] == wanted


def test_the_settings_name_files_that_are_there(tmp_path):
    settings = ROOT / "deploy" / "site" / "site.env"
    done = subprocess.run(
        ["bash", "-euc", f'. "{settings}"; echo "$SITE_TARGET"; echo "$SITE_RECIPE"'],
        env={"PATH": "/usr/bin:/bin", "USER": "someone"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    target, recipe = done.stdout.splitlines()
    assert load_target(target).name == "loihi1-half"
    assert load_recipe(recipe).name == "digits-half"


def test_settings_of_the_user_win(tmp_path):
    settings = ROOT / "deploy" / "site" / "site.env"
    done = subprocess.run(
        ["bash", "-euc", f'. "{settings}"; env'],
        env={"PATH": "/usr/bin:/bin", "USER": "me", "SBATCH_PARTITION": "boards"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "SBATCH_PARTITION=boards" in done.stdout.splitlines()
    assert "SBATCH_ACCOUNT=neuromorphic" in done.stdout.splitlines()
