"""
Networks of the Neuromorphic Intermediate Representation: `load_nir`, `save_nir`.

Files are read and written with h5py alone; docs/interchange has what each node becomes.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.interchange.hdf5 import import_h5py, read_tree, told_with_path
from nengo_hybrid.interchange.nir_graph import to_graph
from nengo_hybrid.interchange.nir_nodes import read_nodes
from nengo_hybrid.interchange.nir_write import OURS, VERSION, describe

WHAT = "NIR file"


def load_nir(path, *, dt=None, reset="value"):
    """
    Load a network from a file of NIR.

    Parameters
    ----------
    path : path-like
    dt : float, optional
        Length of a step, in seconds; without need for files that `save_nir` wrote.
    reset : str
        What a neuron does after a spike: "value", to go to its ``v_reset`` as NIR says,
        or "subtract", to lose its threshold, as some tools that write NIR do.

    Returns
    -------
    SpikingGraph
        That `nengo_hybrid.graph_run.run_neurons` runs.

    Raises
    ------
    InterchangeError
        If the file is damaged or hostile, or has anything that the graph cannot carry,
        by the name of its node.
    CompatError
        If h5py is not installed.
    """
    with told_with_path(path, WHAT):
        said, before, ours = _read_graph(read_tree(path))
        dt = ours.get("dt") if dt is None else dt
        if dt is None:
            raise InterchangeError("it says no time step; pass dt, in seconds")
        dt = float(dt)
        if not 0 < dt < np.inf:
            raise InterchangeError(f"dt has to be above 0, in seconds, got {dt:g}")
        nodes = _without_bias(read_nodes(said, before, dt=dt, reset=reset), ours)
        return _in_order(to_graph(nodes, before, dt=dt), ours)


def _read_graph(tree):
    """
    Find the nodes of a file, and what is before each.

    Returns
    -------
    said : dict of str to dict
    before : dict of str to list of str
    ours : dict
        What `save_nir` noted.
    """
    graph = tree.get("node")
    if not isinstance(graph, dict) or graph.get("type") != "NIRGraph":
        raise InterchangeError("it needs a node of type NIRGraph, and has none")
    nodes, edges = graph.get("nodes"), np.asarray(graph.get("edges"))
    if not isinstance(nodes, dict) or not nodes:
        raise InterchangeError("its graph needs nodes, and has none")
    if edges.dtype != object or edges.ndim != 2 or edges.shape[1] != 2:
        raise InterchangeError(
            f"its edges need to be pairs of names, got an array of shape {edges.shape}"
        )
    unknown = sorted(set(graph) - {"type", "nodes", "edges", "metadata"})
    if unknown:
        raise InterchangeError(f"its graph has {unknown[0]!r}, which would be lost")
    before = {name: [] for name in nodes}
    for pre, post in edges.tolist():
        for name in (pre, post):
            if name not in nodes:
                raise InterchangeError(
                    f"the edge from {pre!r} to {post!r} needs a node {name!r}; there "
                    "is none"
                )
        if pre in before[post]:
            raise InterchangeError(f"the edge from {pre!r} to {post!r} is there twice")
        before[post].append(pre)
    metadata = graph.get("metadata")
    ours = metadata.get(OURS) if isinstance(metadata, dict) else None
    return nodes, before, ours if isinstance(ours, dict) else {}


def _without_bias(nodes, ours):
    """Take away the zeros of convolutions that had no bias, which NIR asks for."""
    noted = set(map(str, np.ravel(ours.get("unbiased", ())).tolist()))
    return {
        name: replace(node, bias=None)
        if name in noted and not np.any(node.bias)
        else node
        for name, node in nodes.items()
    }


def _in_order(graph, ours):
    """Sort populations and projections as they were when they were written."""
    for part in ("populations", "projections"):
        found = {p.name: p for p in getattr(graph, part)}
        names = np.ravel(ours.get(part, ())).tolist()
        if sorted(map(str, names)) == sorted(found):
            graph = replace(graph, **{part: tuple(found[name] for name in names)})
    return graph


def save_nir(graph, path):
    """
    Write a network to a file of NIR: readers see the old file or the new one.

    Parameters
    ----------
    graph : SpikingGraph
        Of an input, `Dynamics` and linear populations.
    path : path-like

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InterchangeError
        Before anything is written, if the graph has what NIR cannot carry: other
        neurons, a reset by subtraction, initial voltages. Or if the file cannot be
        written.
    CompatError
        If h5py is not installed.
    """
    content, path = describe(graph), Path(path)
    h5py = import_h5py()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with h5py.File(temporary, "x") as file:
            file["version"] = VERSION
            _write_group(h5py, file.create_group("node"), content)
        os.replace(temporary, path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise InterchangeError(
            f"{WHAT} {str(path)!r} cannot be written ({reason}); name a file in a "
            "folder that exists and can be written to"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return path


def _write_group(h5py, group, content):
    """Write a dict: dicts as groups, texts, numbers and arrays as arrays."""
    for name, value in content.items():
        if isinstance(value, dict):
            _write_group(h5py, group.create_group(name), value)
        elif np.asarray(value).dtype.kind == "U":
            texts = np.array(value, dtype=object)
            group.create_dataset(name, data=texts, dtype=h5py.string_dtype())
        else:
            packed = {"compression": "gzip"} if np.ndim(value) else {}
            group.create_dataset(name, data=value, **packed)
