"""Recipes: the packaged ones are whole, and what is wrong is said in words."""

import copy
import dataclasses
import json
import re
from pathlib import Path

import pytest

from nengo_hybrid import recipe_training
from nengo_hybrid.exceptions import BuildError, TargetError
from nengo_hybrid.recipe import RECIPES, load_recipe, load_targets
from nengo_hybrid.train import Smoothing

PACKAGED = sorted(path.stem for path in RECIPES.glob("*.json"))
PROFILES = RECIPES.parent / "targets" / "profiles"
DIGITS = json.loads((RECIPES / "digits.json").read_text(encoding="utf-8"))


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a changed copy of the digits' recipe."""

    def write(change=None, text=None):
        content = copy.deepcopy(DIGITS)
        if change is not None:
            change(content)
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content) if text is None else text)
        return path

    return write


def exactly(message):
    return f"^{re.escape(message)}$"


def test_there_is_a_recipe_for_the_demo():
    assert "digits" in PACKAGED


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_recipes_load_and_name_what_exists(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.dataset in recipe_training.DATASETS
    assert Smoothing(**recipe.smoothing).start == recipe.smoothing["start"]
    target, compare = load_targets(recipe)
    assert target.name == recipe.deployment["target"]
    assert tuple(t.name for t in compare) == recipe.compare
    assert target.kind == "neuromorphic"


def test_digits_recipe_says_what_its_file_says():
    recipe = load_recipe("digits")
    assert recipe.network["readout_steps"] == 16
    assert recipe.training["budgets"] == {
        "lmu.hidden": {"rate": 0.5},
        "output": {"rate": 0.8},
    }
    assert recipe.deployment == {"target": "loihi1", "chip_steps": 4}
    assert recipe.compare == tuple(DIGITS["compare"])


def test_a_recipe_loads_from_its_path(write):
    path = write(lambda content: content.update(name="mine"))
    assert load_recipe(path).name == load_recipe(str(path)).name == "mine"


def test_unknown_name_lists_the_known():
    message = (
        "recipe 'digit' cannot be read (No such file or directory); needed one of "
        f"{', '.join(PACKAGED)}, or the path of a JSON file"
    )
    with pytest.raises(BuildError, match=exactly(message)):
        load_recipe("digit")


def test_folder_is_no_recipe(tmp_path):
    folder = tmp_path / "recipe.json"
    folder.mkdir()
    message = f"recipe {str(folder)!r} cannot be read (Is a directory); needed one of "
    with pytest.raises(BuildError, match=f"^{re.escape(message)}"):
        load_recipe(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "not JSON", "[1,", "[" * 100000],
    ids=["nothing", "a brace", "words", "an open list", "a deep list"],
)
def test_what_is_not_json(write, text):
    with pytest.raises(BuildError, match=r"^recipe mine\.json is not JSON: \S"):
        load_recipe(write(text=text))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "mine.json"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(BuildError, match=r"^recipe mine\.json is not JSON: "):
        load_recipe(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("schema"),
        lambda content: content.update(schema=2),
        lambda content: content.update(schema="1"),
    ],
)
def test_another_schema(write, change):
    with pytest.raises(BuildError, match=r"^recipe mine\.json needs schema 1$"):
        load_recipe(write(change))


def test_a_list_is_no_recipe(write):
    with pytest.raises(BuildError, match=r"^recipe mine\.json needs schema 1$"):
        load_recipe(write(text="[1]"))


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda content: content.update(epochs=3),
            "recipe mine.json: unknown key 'epochs'; it knows name, dataset, compare, "
            "one_bit, network, training, smoothing, deployment",
        ),
        (
            lambda content: [content.pop(key) for key in ("dataset", "training")],
            "recipe mine.json lacks dataset, training",
        ),
        (
            lambda content: content.update(network=[]),
            "recipe mine.json: network needs an object, got []",
        ),
        (
            lambda content: content.update(name=3),
            "recipe mine.json: name needs a word, got 3",
        ),
        (
            lambda content: content.update(compare="cortex-m4"),
            "recipe mine.json: compare needs a list of words, got 'cortex-m4'",
        ),
        (
            lambda content: content.update(compare=["cortex-m4", None]),
            "recipe mine.json: compare needs a list of words, got ['cortex-m4', None]",
        ),
        (
            lambda content: content["smoothing"].update(end=1),
            "recipe mine.json, smoothing: unknown key 'end'; it knows start, stop, "
            "hold, schedule",
        ),
        (
            lambda content: content["network"].pop("readout_steps"),
            "recipe mine.json, network lacks readout_steps",
        ),
        (
            lambda content: content["deployment"].clear(),
            "recipe mine.json, deployment lacks target, chip_steps",
        ),
        (
            lambda content: content["network"].update(order="64"),
            "recipe mine.json, network: order needs a whole number of at least 1, "
            "got '64'",
        ),
        (
            lambda content: content["network"].update(n_hidden=0),
            "recipe mine.json, network: n_hidden needs a whole number of at least 1, "
            "got 0",
        ),
        (
            lambda content: content["network"].update(n_hidden=2.0),
            "recipe mine.json, network: n_hidden needs a whole number of at least 1, "
            "got 2.0",
        ),
        (
            lambda content: content["training"].update(epochs=True),
            "recipe mine.json, training: epochs needs a whole number of at least 1, "
            "got True",
        ),
        (
            lambda content: content["network"].update(omega_hidden=-1),
            "recipe mine.json, network: omega_hidden needs a finite number above 0, or "
            "null, got -1",
        ),
        (
            lambda content: content["training"].update(learning_rate=float("nan")),
            "recipe mine.json, training: learning_rate needs a finite number above 0, "
            "got nan",
        ),
        (
            lambda content: content["training"].update(budgets={"output": 0.8}),
            "recipe mine.json, training: budgets needs objects of limits by ensemble, "
            """as {"output": {"rate": 0.8}}, got {'output': 0.8}""",
        ),
        (
            lambda content: content["smoothing"].update(hold=None),
            "recipe mine.json, smoothing: hold needs a finite number, got None",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(write, change, message):
    with pytest.raises(BuildError, match=exactly(message)):
        load_recipe(write(change))


def test_optional_keys_may_be_left_out(write):
    def strip(content):
        content["training"].clear()
        content["smoothing"] = {"start": 8}
        del content["network"]["omega_hidden"]

    recipe = load_recipe(write(strip))
    assert (recipe.training, recipe.smoothing) == ({}, {"start": 8})


def test_each_ensemble_may_have_a_smoothing_of_its_own(write):
    parts = {"output": {"start": 8, "schedule": "held"}, "lmu.hidden": {"start": 16}}
    recipe = load_recipe(write(lambda content: content.update(smoothing=parts)))
    assert recipe.smoothing == parts


def test_unknown_target_in_compare(write):
    recipe = load_recipe(write(lambda content: content["compare"].append("abacus")))
    with pytest.raises(TargetError, match="^target 'abacus' is unknown; needed one of"):
        load_targets(recipe)


def test_a_processor_is_no_target_to_deploy_to(write):
    recipe = load_recipe(
        write(lambda content: content["deployment"].update(target="cortex-m4"))
    )
    message = (
        "^target 'cortex-m4' is a processor, onto which no network is mapped; needed "
        "(.*, )?loihi1(, .*)?, and name it in compare instead$"
    )
    with pytest.raises(TargetError, match=message):
        load_targets(recipe)


def test_a_chip_with_unpublished_limits_is_refused(tmp_path):
    path = tmp_path / "chip.json"
    profile = json.loads((PROFILES / "loihi1.json").read_text(encoding="utf-8"))
    profile["limits"]["compartments_per_core"] = None
    path.write_text(json.dumps(profile), encoding="utf-8")
    deployment = {"target": str(path), "chip_steps": 1}
    recipe = dataclasses.replace(load_recipe("digits"), deployment=deployment)
    message = (
        "target 'loihi1' is a chip whose limits.compartments_per_core is null, as "
        "nobody published it; needed loihi1, loihi1-fitted, loihi2, and name it in "
        "compare instead"
    )
    with pytest.raises(TargetError) as caught:
        load_targets(recipe)
    assert str(caught.value) == message


BESIDE = sorted(Path(__file__).parents[1].glob("deploy/recipes/*.json"))


@pytest.mark.parametrize("path", BESIDE, ids=lambda path: path.stem)
def test_the_recipes_beside_the_package_load(path):
    recipe = load_recipe(path)
    assert recipe.name == path.stem and recipe.dataset == "mnist"


def test_there_are_recipes_beside_the_package():
    assert BESIDE


def test_a_recipe_without_deployment_is_not_deployed():
    recipe = load_recipe(BESIDE[0])
    with pytest.raises(BuildError) as caught:
        load_targets(recipe)
    assert str(caught.value) == (
        f"recipe {recipe.name} has no deployment; give it a target and chip_steps, or "
        "only train it"
    )
