"""
A user's network: the Python file that makes it, and the arrays it takes and gives.

The file is run, because that is what its user asks for. Arrays are read and written
without pickle, so that nothing else is.
"""

import contextlib
import inspect
import os
import pathlib
import secrets
import sys
import traceback
import types
import zipfile
import zlib

import nengo
import numpy as np

from nengo_hybrid.exceptions import BuildError, BundleError, DataError, ShapeError
from nengo_hybrid.names import plain_name, unique_names

# The name that the file's module has while it runs; not "__main__", so that what a
# script does only as a script stays undone.
MODULE = "nengo_hybrid_network_file"
TIMES = "t"
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


def split_name(place):
    """
    Split ``FILE.py:NAME``.

    Returns
    -------
    path : pathlib.Path
    name : str

    Raises
    ------
    BuildError
        If there is no colon, no Python name behind it, or no such file.
    """
    file, _, name = place.rpartition(":")
    if not file or not name.isidentifier():
        raise BuildError(
            f"a network is named as FILE.py:NAME, such as model.py:net; got {place!r}"
        )
    path = pathlib.Path(file)
    if not path.is_file():
        reason = "it is a folder" if path.is_dir() else "no such file"
        raise BuildError(f"{file!r} cannot be read ({reason}); name a Python file")
    return path, name


def load_network(path, name):
    """
    Run a Python file and return one of its networks.

    Parameters
    ----------
    path : pathlib.Path
    name : str
        Of a network in it, or of a function without arguments that returns one.

    Returns
    -------
    nengo.Network

    Raises
    ------
    BuildError
        If the file or the function fails, with the line; or if there is no network of
        this name.
    """
    module = _run(path)
    if name not in vars(module):
        raise BuildError(f"{path} has no {name!r}; {_networks(module)}")
    found, what = getattr(module, name), "it is"
    if callable(found) and not isinstance(found, nengo.Network):
        _check_takes_nothing(found, name, path)
        with _told_with_line(path):
            found, what = found(), "it returns"
    if not isinstance(found, nengo.Network):
        raise BuildError(
            f"{name!r} of {path} has to be a nengo.Network, or a function that returns "
            f"one; {what} of type {type(found).__name__}; {_networks(module)}"
        )
    return found


def _run(path):
    """Run a file as a module; what it imports may lie beside it."""
    module = types.ModuleType(MODULE)
    module.__file__ = str(path)
    with _told_with_line(path):
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        # There, because dataclasses and others look their module up.
        sys.modules[MODULE] = module
        sys.path.insert(0, str(path.resolve().parent))
        exec(code, vars(module))
    return module


@contextlib.contextmanager
def _told_with_line(path):
    """Turn whatever goes wrong in a user's file into one line that says where."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise BuildError(describe(error, path)) from error


def describe(error, path):
    """
    Say in one line what went wrong, and where in a user's file if it was there.

    Parameters
    ----------
    error : BaseException
    path : path-like

    Returns
    -------
    str

    Examples
    --------
    >>> describe(ValueError("too small"), "model.py")
    'model.py: ValueError: too small'
    """
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines, message = [error.lineno], error.msg
    else:
        message = " ".join(str(error).split())
    line = f", line {lines[-1]}" if lines and lines[-1] else ""
    colon = ": " if message else ""
    return f"{path}{line}: {type(error).__name__}{colon}{message}"


def _networks(module):
    """Say in words which names of a module stand for a network, or may."""
    public = {k: v for k, v in vars(module).items() if not k.startswith("_")}
    networks = [k for k, v in public.items() if isinstance(v, nengo.Network)]
    makers = [
        f"{k}()"
        for k, v in public.items()
        if inspect.isfunction(v) and v.__module__ == MODULE and _takes_nothing(v)
    ]
    if not networks and not makers:
        return "there is no network in it, and no function without arguments"
    return f"there are {', '.join(networks + makers)}"


def _takes_nothing(function):
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def _check_takes_nothing(function, name, path):
    if not _takes_nothing(function):
        raise BuildError(
            f"{name!r} of {path} needs arguments; write a function without any that "
            "calls it, and name that"
        )


def probe_names(network):
    """
    Name the probes of a network: by their label, or else ``TARGET.attribute``.

    Returns
    -------
    dict of nengo.Probe to str
        No two alike, and none `TIMES`.
    """
    probes = network.all_probes
    names = [p.label or f"{plain_name(p.obj)}.{p.attr}" for p in probes]
    return dict(zip(probes, unique_names(names, {TIMES}), strict=True))


def read_arrays(path):
    """
    Read an .npz file, without pickle.

    Returns
    -------
    dict of str to array

    Raises
    ------
    DataError
        If it is missing, damaged or something else.
    """
    file = None
    try:
        file = np.load(path, allow_pickle=False)
        arrays = dict(file) if hasattr(file, "files") else None
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or "no .npz file of plain numbers"
        raise DataError(
            f"cannot read arrays from {str(path)!r}: {reason}. Make the file with "
            "np.savez(path, label_of_the_node=array)"
        ) from error
    finally:
        if hasattr(file, "close"):
            file.close()
    if not arrays or not all(isinstance(a, np.ndarray) for a in arrays.values()):
        raise DataError(
            f"{str(path)!r} needs arrays with names; make it with "
            "np.savez(path, label_of_the_node=array)"
        )
    return arrays


def match_nodes(arrays, network, n_steps, minibatch_size):
    """
    Find the node that each array is for, and check the array.

    Parameters
    ----------
    arrays : dict of str to array
        By the label of a node with a constant output: (n_steps, size), or
        (minibatch_size, n_steps, size).
    network : nengo.Network
    n_steps : int
    minibatch_size : int or None

    Returns
    -------
    dict of nengo.Node to array

    Raises
    ------
    DataError
        If a name is not that of one such node, or values are not finite numbers.
    ShapeError
        If an array has another shape.
    """
    known = {}
    for node in network.all_nodes:
        if node.label is not None and isinstance(node.output, np.ndarray):
            known.setdefault(node.label, []).append(node)
    found = {}
    for label, values in arrays.items():
        nodes = known.get(label, [])
        if len(nodes) != 1:
            labels = ", ".join(map(repr, sorted(known))) or "none"
            raise DataError(
                f"data needs the label of one node with a constant output, got "
                f"{label!r}, which {len(nodes)} of them have; the labels are {labels}"
            )
        samples = () if minibatch_size is None else (minibatch_size,)
        wanted = *samples, n_steps, nodes[0].size_out
        if values.shape != wanted:
            raise ShapeError(
                f"data of node {label!r} needs the shape {wanted}, got {values.shape}"
            )
        is_real = values.dtype.kind in "biuf"
        if not is_real or not np.isfinite(values).all():
            got = "NaN or infinity" if is_real else f"values of type {values.dtype}"
            raise DataError(f"data of node {label!r} needs finite numbers, got {got}")
        found[nodes[0]] = values
    return found


def write_arrays(path, arrays):
    """
    Write an .npz file, without pickle, in one step: the old file or the new one.

    Parameters
    ----------
    path : path-like
    arrays : dict of str to array

    Raises
    ------
    BundleError
        If it cannot be written; then nothing is left of it.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        # By hand, since np.savez takes names such as "file" for its own arguments.
        with zipfile.ZipFile(temporary, "x") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
        os.replace(temporary, path)
    except OSError as error:
        raise BundleError(
            f"cannot write {str(path)!r}: {error.strerror or error}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
