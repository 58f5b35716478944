"""The JSON Schemas that come with the package say what the checks say."""

import copy
import json
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import recipe
from nengo_hybrid.exceptions import BuildError
from nengo_hybrid.recipe import KEYS, RECIPES, load_recipe
from nengo_hybrid.report import json_schema

fastjsonschema = pytest.importorskip("fastjsonschema")

DEPLOYED = Path(__file__).parents[1] / "deploy" / "recipes"
FILES = sorted([*RECIPES.glob("*.json"), *DEPLOYED.glob("*.json")])
MADE = {"recipe": recipe.json_schema, "report": json_schema.json_schema}
VALUES = [None, True, 0, 1, 3, -1, 0.5, "a", [], ["a"], [1], {}, {"a": {"b": 1}}]


def shipped(kind):
    file = resources.files("nengo_hybrid") / "schemas" / f"{kind}.schema.json"
    return json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", MADE)
def test_what_is_shipped_is_what_the_checks_ask_for(kind):
    # After a change: nengo_hybrid.recipe.json_schema() and its like, as JSON.
    assert shipped(kind) == MADE[kind]()


def says(validate, content):
    """Tell whether a JSON Schema takes some content."""
    try:
        validate(copy.deepcopy(content))
    except fastjsonschema.JsonSchemaException:
        return False
    return True


@pytest.fixture(scope="module")
def validators():
    return {kind: fastjsonschema.compile(shipped(kind)) for kind in MADE}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_is_valid(validators, path):
    validators["recipe"](json.loads(path.read_text(encoding="utf-8")))


PLACES = [
    ("schema",),
    ("name",),
    ("compare",),
    ("one_bit",),
    ("other",),
    *[
        place
        for section, keys in KEYS.items()
        for place in [
            (section,),
            (section, "other"),
            *[(section, k.rstrip("?")) for k in keys],
        ]
    ],
]


@settings(deadline=None, max_examples=400, derandomize=True)
@given(place=st.sampled_from(PLACES), value=st.sampled_from([*VALUES, "gone"]))
def test_a_schema_takes_the_recipes_that_are_loaded(
    validators, tmp_path_factory, place, value
):
    content = json.loads((RECIPES / "digits.json").read_text(encoding="utf-8"))
    *way, key = place
    part = content
    for name in way:
        part = part[name]
    if value == "gone":
        part.pop(key, None)
    else:
        part[key] = value
    path = tmp_path_factory.mktemp("recipe") / "changed.json"
    path.write_text(json.dumps(content))
    try:
        load_recipe(path)
    except BuildError:
        assert not says(validators["recipe"], content)
    else:
        assert says(validators["recipe"], content)
