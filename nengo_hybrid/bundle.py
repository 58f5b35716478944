"""
A trained network as a file: what it is, where it comes from, and no code.

A zip of ``manifest.json`` and of arrays as ``.npy`` without pickle. The manifest has
the SHA-256 of each array.
"""

import hashlib
import io
import json
import os
import secrets
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.graph import Population, Projection, SpikingGraph

SCHEMA = 1
MANIFEST = "manifest.json"
# Of populations; the others are plain values.
ARRAYS = ("bias", "initial_voltage", "stagger")
PLAIN = ("name", "n_neurons", "activation", "omega", "amplitude")
# The same bytes for the same content, whenever it is written.
WRITTEN = (1980, 1, 1, 0, 0, 0)
UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


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
    path = Path(path)
    graph, arrays = _taken_apart(bundle.graph)
    content = {name: _npy(array) for name, array in arrays.items()}
    manifest = {
        "schema": SCHEMA,
        "about": bundle.about,
        "graph": graph,
        "sha256": {name: _sha256(data) for name, data in content.items()},
    }
    files = {MANIFEST: json.dumps(manifest, indent=1).encode()}
    files |= {f"{name}.npy": data for name, data in content.items()}
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                entry = zipfile.ZipInfo(name, WRITTEN)
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
        os.replace(temporary, path)
    except OSError as error:
        raise BundleError(
            f"bundle {path} cannot be written ({error.strerror or error}); name a file "
            "in a folder that exists and can be written to"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return path


def load_bundle(path):
    """
    Read a bundle; nothing of it is executed.

    Raises
    ------
    BundleError
        If it is missing, damaged, or of another schema.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            files = {name: archive.read(name) for name in archive.namelist()}
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise BundleError(
            f"bundle {path} cannot be read ({reason}); needed a zip with {MANIFEST}"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BundleError(
            f"bundle {path} needs schema {SCHEMA}; it is of another version, or none"
        )
    try:
        arrays = {
            name: _array(files[f"{name}.npy"], sha256, name)
            for name, sha256 in manifest["sha256"].items()
        }
        return Bundle(_put_together(manifest["graph"], arrays), manifest["about"])
    except (*UNREADABLE, TypeError, AttributeError) as error:
        raise BundleError(
            f"bundle {path} is damaged ({error}); make or fetch it again"
        ) from error


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
    """Undo `_taken_apart`, and check that sizes fit."""
    populations = []
    for i, values in enumerate(plain["populations"]):
        given = {key: arrays.get(f"population{i}.{key}") for key in ARRAYS}
        populations.append(Population(**values, **given))
    sizes = {p.name: p.n_neurons for p in populations}
    projections = []
    for i, values in enumerate(plain["projections"]):
        weights = arrays[f"projection{i}.weights"]
        needed = sizes[values["post"]], sizes[values["pre"]]
        if weights.shape != needed:
            raise ValueError(
                f"{values['name']} has weights of shape {weights.shape}, not {needed}"
            )
        projections.append(Projection(weights=weights, **values))
    return SpikingGraph(
        plain["dt"], tuple(populations), tuple(projections), plain["output"]
    )


def _npy(array):
    """Return an array as the bytes of an .npy file, in float32 where that is exact."""
    array = np.ascontiguousarray(array)
    if array.dtype == np.float64 and np.array_equal(array.astype(np.float32), array):
        array = array.astype(np.float32)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array(data, sha256, name):
    if _sha256(data) != sha256:
        raise ValueError(f"array {name} is not the one that was written")
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array.astype(float) if array.dtype == np.float32 else array


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
