"""A task as data: what to build, train, deploy and compare, without any code."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from nengo_hybrid.exceptions import BuildError, TargetError
from nengo_hybrid.targets import Target, load_target, target_names

RECIPES = Path(__file__).parent / "recipes"
SCHEMA = 1
HEADER = {"name": "word", "dataset": "word", "compare?": "words", "one_bit?": "flag"}
OPTIONAL = ("smoothing", "deployment")
# Time steps of Loihi 1 for a step of a network whose recipe names no deployment.
CHIP_STEPS = 4
# What a network cannot be mapped without.
CORE_LIMITS = (
    "cores_per_chip",
    "compartments_per_core",
    "synapse_memory_per_core",
)

# What the values are, by section; a key with a "?" may be left out.
KEYS = {
    "network": {
        "order": "whole",
        "theta_steps": "positive",
        "n_hidden": "whole",
        "omega_readout?": "positive or null",
        "omega_hidden?": "positive or null",
        "omega_output?": "positive or null",
        "omega_input?": "positive or null",
        "quantize_loop?": "flag",
        "omega_hub?": "positive or null",
        "basis?": "word",
        "readout_spread?": "positive",
        "readout_steps": "whole",
    },
    "training": {
        "epochs?": "whole",
        "minibatch_size?": "whole",
        "learning_rate?": "positive",
        "budgets?": "budgets",
        "budget_weight?": "number",
        "train_omega?": "words",
        "engine?": "word",
        "logit_scale?": "positive",
        "label_smoothing?": "number",
        "weight_decay?": "number",
    },
    "smoothing": {
        "start": "positive",
        "stop?": "positive",
        "hold?": "number",
        "schedule?": "word",
    },
    "deployment": {"target": "word", "chip_steps": "whole"},
}


@dataclass(frozen=True)
class Recipe:
    """
    A task from data to report.

    Attributes
    ----------
    name : str
    dataset : str
        "digits", "mnist", or the path of an ``.npz`` file; see `datasets.load`.
    network, training, smoothing, deployment : dict
        Arguments of `SequenceClassifier`, `train`, `Smoothing` (of one for all, or of
        one for each ensemble, by name) and `to_loihi`; the last two are None if omega
        is not annealed, and if there is no deployment.
    compare : tuple of str
        Targets to compare with.
    one_bit : bool
        Whether graded spikes are replaced after training; see `to_one_bit`.
    """

    name: str
    dataset: str
    network: dict = field(repr=False)
    training: dict = field(repr=False)
    smoothing: dict = field(repr=False)
    deployment: dict = field(repr=False)
    compare: tuple = field(repr=False)
    one_bit: bool = False


def load_recipe(name_or_path):
    """
    Load a recipe of the package by its name, or any by the path of its file.

    Raises
    ------
    BuildError
        If it is missing, is not JSON, lacks a key, or has one that is unknown or
        whose value is of the wrong kind.
    """
    path = Path(name_or_path)
    if not path.suffix:
        path = RECIPES / f"{name_or_path}.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        known = ", ".join(recipe_names())
        raise BuildError(
            f"recipe {str(name_or_path)!r} cannot be read ({error.strerror}); needed "
            f"one of {known}, or the path of a JSON file"
        ) from error
    try:
        content = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BuildError(f"recipe {path.name} is not JSON: {error}") from error
    return _checked(content, path.name)


def recipe_names():
    """Return the names of the recipes that come with the package, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.json"))


def load_targets(recipe):
    """
    Load the targets of a recipe.

    Returns
    -------
    target : Target
        The chip to deploy to.
    compare : tuple of Target

    Raises
    ------
    TargetError
        If one is unknown, or the first is no chip that a network is mapped onto.
    BuildError
        If the recipe has no deployment.
    """
    if recipe.deployment is None:
        raise BuildError(
            f"recipe {recipe.name} has no deployment; give it a target and chip_steps, "
            "or only train it"
        )
    target = load_target(recipe.deployment["target"])
    check_chip(target)
    return target, tuple(load_target(name) for name in recipe.compare)


def check_chip(target):
    """Refuse a target that no network is mapped onto, with a `TargetError`."""
    if not isinstance(target, Target):
        raise TargetError(
            f"needed a Target, such as load_target('loihi1'), got {target!r}"
        )
    reason = _why_unmapped(target)
    if reason is not None:
        chips = [n for n in target_names() if _why_unmapped(load_target(n)) is None]
        raise TargetError(
            f"target {target.name!r} is {reason}; needed {', '.join(chips)}, and name "
            "it in compare instead"
        )


def _why_unmapped(target):
    """Say why no network is mapped onto a target, or return None."""
    if target.kind != "neuromorphic":
        return f"a {target.kind}, onto which no network is mapped"
    unknown = [name for name in CORE_LIMITS if target.limit(name) is None]
    if unknown:
        return f"a chip whose limits.{unknown[0]} is null, as nobody published it"
    return None


def _checked(content, name):
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise BuildError(f"recipe {name} needs schema {SCHEMA}")
    where = f"recipe {name}"
    sections = {key + "?" * (key in OPTIONAL): "section" for key in KEYS}
    _check_values(content, HEADER | sections, where)
    for section, keys in KEYS.items():
        content.setdefault(section, None)
        for part, values in _parts(section, content[section]).items():
            _check_values(values, keys, f"{where}, {part}")
    content["compare"] = tuple(content.get("compare", ()))
    return Recipe(**content)


def _parts(section, values):
    """Return what has a section's keys: itself, or what it has for each ensemble."""
    if section == "smoothing" and is_by_name(values):
        return {f"{section} of {name}": part for name, part in values.items()}
    return {} if values is None else {section: values}


def is_by_name(smoothing):
    """Tell whether a recipe has a smoothing for each of some ensembles."""
    parts = (smoothing or {}).values()
    return bool(parts) and all(isinstance(part, dict) for part in parts)


def _check_values(content, kinds, where):
    """Refuse unknown keys, missing keys, and values of another kind."""
    known = {key.rstrip("?"): kind for key, kind in kinds.items()}
    for key in content:
        if key not in known:
            raise BuildError(
                f"{where}: unknown key {key!r}; it knows {', '.join(known)}"
            )
    lacking = [key for key in kinds if not key.endswith("?") and key not in content]
    if lacking:
        raise BuildError(f"{where} lacks {', '.join(lacking)}")
    for key, value in content.items():
        words, is_right, _ = KINDS[known[key]]
        if not is_right(value):
            raise BuildError(f"{where}: {key} needs {words}, got {value!r}")


def _is_number(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _is_budgets(value):
    return isinstance(value, dict) and all(
        isinstance(limits, dict) and all(map(_is_number, limits.values()))
        for limits in value.values()
    )


def _by_name(values):
    """Return the JSON Schema of an object whose values are all of one kind."""
    return {"type": "object", "additionalProperties": values}


def _is_words(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


# Kinds of values: in words, the check, and the same as a JSON Schema. Finer bounds are
# with those who use them.
KINDS = {
    "word": ("a word", lambda value: isinstance(value, str), {"type": "string"}),
    "words": (
        "a list of words",
        _is_words,
        {"type": "array", "items": {"type": "string"}},
    ),
    "section": ("an object", lambda value: isinstance(value, dict), {"type": "object"}),
    "flag": ("true or false", lambda v: isinstance(v, bool), {"type": "boolean"}),
    "number": ("a finite number", _is_number, {"type": "number"}),
    "positive or null": (
        "a finite number above 0, or null",
        lambda v: v is None or _is_number(v) and v > 0,
        {"type": ["number", "null"], "exclusiveMinimum": 0},
    ),
    "positive": (
        "a finite number above 0",
        lambda v: _is_number(v) and v > 0,
        {"type": "number", "exclusiveMinimum": 0},
    ),
    "whole": (
        "a whole number of at least 1",
        lambda v: _is_number(v) and isinstance(v, int) and v >= 1,
        {"type": "integer", "minimum": 1},
    ),
    "budgets": (
        'objects of limits by ensemble, as {"output": {"rate": 0.8}}',
        _is_budgets,
        _by_name(_by_name({"type": "number"})),
    ),
}


def json_schema():
    """Return the JSON Schema of a recipe's file."""
    parts = {name: _form(keys) for name, keys in KEYS.items()}
    smoothing = parts["smoothing"]
    # Of one for all, or of one for each of some ensembles.
    by_name = {**_by_name(smoothing), "minProperties": 1}
    parts["smoothing"] = {"anyOf": [smoothing, by_name]}
    form = _form(HEADER | {key + "?" * (key in OPTIONAL): "section" for key in KEYS})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nengo-hybrid recipe",
        **form,
        "properties": {"schema": {"const": SCHEMA}, **form["properties"], **parts},
        "required": ["schema", *form["required"]],
    }


def _form(kinds):
    """Return the JSON Schema of an object that has these keys and no others."""
    return {
        "type": "object",
        "properties": {key.rstrip("?"): KINDS[kind][2] for key, kind in kinds.items()},
        "required": [key for key in kinds if not key.endswith("?")],
        "additionalProperties": False,
    }
