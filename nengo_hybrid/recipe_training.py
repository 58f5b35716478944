"""
From a recipe to a bundle: the data, the network, its training, and what it answers.

Like `nengo_hybrid.pipeline`, which takes it from there, this knows an order.
"""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nengo_hybrid import datasets, results
from nengo_hybrid.bundle import TRAINED_NAME, Bundle, save_bundle
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import BuildError, DataError
from nengo_hybrid.metrics import accuracy
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.one_bit import to_one_bit
from nengo_hybrid.recipe import is_by_name
from nengo_hybrid.train import Smoothing, train

DATASETS = {"digits": datasets.digits, "mnist": datasets.mnist}
# Training samples that tell how many one-bit neurons take the place of one.
N_SIZED = 12_000


def train_recipe(
    recipe, *, seed=0, progress=True, checkpoints=None, resume=False, check=None
):
    """
    Build the network of a recipe and train it.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    progress : bool
    checkpoints, resume
        As in `train`.
    check : callable, optional
        Called with the untrained `SpikingGraph`, so that it may refuse it.

    Returns
    -------
    data : Dataset
    trained : Trained
    """
    data = _load_data(recipe.name, recipe.dataset, seed)
    network = SequenceClassifier(
        data.train.x, data.n_classes, seed=seed, **recipe.network
    )
    if check is not None:
        check(to_graph(network))
    trained = train(
        network,
        data,
        smoothing=_smoothing(recipe),
        readout_steps=recipe.network["readout_steps"],
        seed=seed,
        progress=progress,
        checkpoints=checkpoints,
        resume=resume,
        **recipe.training,
    )
    return data, trained


def _smoothing(recipe):
    """Return a recipe's smoothing, as `train` takes it."""
    values = recipe.smoothing
    if is_by_name(values):
        return {name: Smoothing(**part) for name, part in values.items()}
    return None if values is None else Smoothing(**values)


def train_bundle(recipe, *, seed=0, progress=True, on_sample=None, **options):
    """
    Train the network of a recipe, and try it on the test set.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    progress : bool
        Whether training draws its progress bar.
    on_sample : callable, optional
        Called as ``on_sample(n_done, n_samples)`` while the test set is run.
    options
        Others of `train_recipe`.

    Returns
    -------
    data : Dataset
    bundle : Bundle
    """
    started = time.monotonic()
    _check_one_bit(recipe)
    data, trained = train_recipe(recipe, seed=seed, progress=progress, **options)
    trained_s = time.monotonic() - started
    network, steps = trained.network, trained.readout_steps
    graph, readout = to_graph(network, dt=trained.dt), {"readout_steps": steps}
    rates = results.rate_answers(graph, data.test.x, steps)
    if recipe.one_bit:
        sizes = _one_bit_sizes(graph, data.train.head(N_SIZED), seed, readout)
        graph = to_graph(to_one_bit(network, sizes), dt=trained.dt)
    found = evaluate(graph, data.test, seed=seed, progress=on_sample, **readout)
    about = {
        "recipe": asdict(recipe),
        "versions": results.versions(),
        "data_sha256": data.sha256,
        **trained.about(),
        "n_trained": sum(
            np.size(value)
            for name, value in trained.parameters.items()
            if not name.endswith(".omega")
        ),
        "accuracy": {
            "validation": trained.history["val_accuracy"][trained.best_epoch],
            "rate": accuracy(rates, data.test.y),
            "test": found.accuracy,
            "n_test": len(data.test),
        },
        **found.to_json(),
        "wall_s": {"train": trained_s, "all": time.monotonic() - started},
    }
    return data, Bundle(graph, about)


def train_into(recipe, folder, **options):
    """
    Train the network of a recipe, try it on the test set, and keep it as a bundle.

    Parameters
    ----------
    recipe : Recipe
    folder : path-like
        Gets ``checkpoints`` and ``bundle.zip``.
    options
        Others of `train_bundle`.

    Returns
    -------
    Bundle
    """
    checkpoints = Path(folder) / "checkpoints"
    _, bundle = train_bundle(recipe, checkpoints=checkpoints, **options)
    save_bundle(bundle, Path(folder) / TRAINED_NAME)
    return bundle


def _check_one_bit(recipe):
    """Refuse to turn what is not quantized into spikes of one bit."""
    built = {"omega_readout": 1, "omega_hidden": 1, "omega_output": 1}
    settings = built | recipe.network
    omegas = [value for name, value in settings.items() if name.startswith("omega_")]
    if recipe.one_bit and not any(omegas):
        raise BuildError(
            f"recipe {recipe.name} asks for one_bit, but nothing in its network is "
            "quantized; give it an omega, or one_bit false"
        )


def _one_bit_sizes(graph, split, seed, options):
    """Return the neurons that each needed on some samples, and a quarter and one."""
    largest = evaluate(graph, split, seed=seed, **options).largest
    return {name: sizes + sizes // 4 + 1 for name, sizes in largest.items()}


def load_data(about):
    """
    Load the data set that a bundle was trained on.

    Parameters
    ----------
    about : dict
        Of the bundle.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the bundle names none, or its data are others here.
    """
    recipe = about.get("recipe")
    if recipe is None:
        raise DataError(
            "the bundle names no recipe, and so no data set; needed one that "
            "`nengo-hybrid train` wrote"
        )
    data = _load_data(recipe["name"], recipe["dataset"], about["seed"])
    if data.sha256 != about["data_sha256"]:
        raise DataError(
            f"data set {recipe['dataset']!r} has sha256 {data.sha256} here, and the "
            f"network was trained on {about['data_sha256']}; use the versions that the "
            "bundle names, or train it again"
        )
    return data


def _load_data(recipe, name, seed):
    if name.endswith(".npz"):
        return datasets.load(name, seed)
    if name not in DATASETS:
        raise DataError(
            f"recipe {recipe} needs a dataset of {', '.join(DATASETS)}, or an .npz "
            f"file of your own, got {name!r}"
        )
    return DATASETS[name](seed)
