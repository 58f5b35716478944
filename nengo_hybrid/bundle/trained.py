"""A trained network as a file: what it is, and where it comes from."""

from dataclasses import dataclass

import numpy as np

from nengo_hybrid.bundle.archive import (
    TRAINED,
    damage_named,
    read_archive,
    write_archive,
)
from nengo_hybrid.bundle.checks import check_graph
from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph

# What a training calls it, in its folder.
TRAINED_NAME = "bundle.zip"
# Of populations; the others are plain values.
ARRAYS = ("bias", "initial_voltage", "stagger")
PLAIN = ("name", "n_neurons", "activation", "omega", "amplitude")


@dataclass(frozen=True)
class Bundle:
    """
    A network and where it comes from.

    Attributes
    ----------
    graph : SpikingGraph
    about : dict
        Plain values as JSON has them: recipe, seed, versions, figures.
    """

    graph: SpikingGraph
    about: dict


def save_bundle(bundle, path):
    """
    Write a bundle, in one step: readers see the old file or the new one.

    Parameters
    ----------
    bundle : Bundle
    path : path-like

    Returns
    -------
    pathlib.Path

    Raises
    ------
    BundleError
        If it cannot be written.
    """
    bundle.graph.refuse_dynamics("a bundle", BundleError)
    graph, arrays = _taken_apart(bundle.graph)
    arrays = {name: _shortened(array) for name, array in arrays.items()}
    content = {"about": bundle.about, "graph": graph}
    return write_archive(path, TRAINED, content, arrays)


def load_bundle(path):
    """
    Read a bundle; nothing of it is executed.

    Parameters
    ----------
    path : path-like
        The zip that `save_bundle` or ``nengo-hybrid train`` wrote.

    Returns
    -------
    Bundle

    Raises
    ------
    BundleError
        If it is missing, damaged, too large, of another kind or of another schema.
    """
    manifest, arrays = read_archive(path, TRAINED)
    with damage_named(path):
        arrays = {name: _restored(array) for name, array in arrays.items()}
        return Bundle(_put_together(manifest["graph"], arrays), manifest["about"])


def _taken_apart(graph):
    """Return a graph as plain values, and its arrays by name."""
    arrays, populations, projections = {}, [], []
    for i, population in enumerate(graph.populations):
        populations.append({key: getattr(population, key) for key in PLAIN})
        for key in ARRAYS:
            if getattr(population, key) is not None:
                arrays[f"population{i}.{key}"] = getattr(population, key)
    for i, p in enumerate(graph.projections):
        projections.append(
            {"name": p.name, "pre": p.pre, "post": p.post, "delay": p.delay}
        )
        arrays[f"projection{i}.weights"] = p.weights
    plain = {
        "dt": graph.dt,
        "output": graph.output,
        "populations": populations,
        "projections": projections,
    }
    return plain, arrays


def _put_together(plain, arrays):
    """Undo `_taken_apart`, and check what comes of it."""
    populations = []
    for i, values in enumerate(plain["populations"]):
        given = {key: arrays.get(f"population{i}.{key}") for key in ARRAYS}
        populations.append(Population(**values, **given))
    projections = [
        Projection(weights=arrays[f"projection{i}.weights"], **values)
        for i, values in enumerate(plain["projections"])
    ]
    graph = SpikingGraph(
        plain["dt"], tuple(populations), tuple(projections), plain["output"]
    )
    check_graph(graph)
    return graph


def _shortened(array):
    """Return an array in float32 where that is exact."""
    if array.dtype == np.float64 and np.array_equal(array.astype(np.float32), array):
        return array.astype(np.float32)
    return array


def _restored(array):
    return array.astype(float) if array.dtype == np.float32 else array
