"""A task as data: what to build, train, deploy and compare, without any code."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from nengo_hybrid.exceptions import BuildError

RECIPES = Path(__file__).parent / "recipes"
SCHEMA = 1
KEYS = {
    "network": (
        "order",
        "theta_steps",
        "n_hidden",
        "omega_readout",
        "omega_hidden",
        "omega_output",
        "readout_spread",
        "readout_steps",
    ),
    "training": (
        "epochs",
        "minibatch_size",
        "learning_rate",
        "rate_limits",
        "rate_limit_weight",
    ),
    "smoothing": ("start", "stop", "hold", "schedule"),
    "deployment": ("target", "chip_steps"),
}


@dataclass(frozen=True)
class Recipe:
    """
    A task from data to report.

    Attributes
    ----------
    name : str
    dataset : str
        "digits" or "mnist".
    network, training, smoothing, deployment : dict
        Arguments of `SequenceClassifier`, `train`, `Smoothing` and `to_loihi`.
    compare : tuple of str
        Targets to compare with.
    """

    name: str
    dataset: str
    network: dict = field(repr=False)
    training: dict = field(repr=False)
    smoothing: dict = field(repr=False)
    deployment: dict = field(repr=False)
    compare: tuple = field(repr=False)


def load_recipe(name_or_path):
    """
    Load a recipe of the package by its name, or any by the path of its file.

    Raises
    ------
    BuildError
        If it is missing, is not JSON, or has a key that is unknown or lacking.
    """
    path = Path(name_or_path)
    if not path.suffix:
        path = RECIPES / f"{name_or_path}.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.json")))
        raise BuildError(
            f"recipe {str(name_or_path)!r} cannot be read ({error.strerror}); needed "
            f"one of {known}, or the path of a JSON file"
        ) from error
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise BuildError(f"recipe {path.name} is not JSON: {error}") from error
    return _checked(content, path.name)


def _checked(content, name):
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise BuildError(f"recipe {name} needs schema {SCHEMA}")
    fields = tuple(Recipe.__dataclass_fields__)
    _check_keys(content, fields, f"recipe {name}")
    lacking = [key for key in fields if key not in content]
    if lacking:
        raise BuildError(f"recipe {name} lacks {', '.join(lacking)}")
    for section, keys in KEYS.items():
        if not isinstance(content[section], dict):
            raise BuildError(f"recipe {name} needs {section} to be an object")
        _check_keys(content[section], keys, f"recipe {name}, {section}")
    content["compare"] = tuple(content["compare"])
    return Recipe(**content)


def _check_keys(content, known, where):
    for key in content:
        if key not in known:
            raise BuildError(
                f"{where}: unknown key {key!r}; it knows {', '.join(known)}"
            )
