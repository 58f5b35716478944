"""
The file that a bundle is: a zip of ``manifest.json`` and of arrays as ``.npy``.

There is no pickle in it. The manifest has the SHA-256 of each array and says of which
kind the bundle is; a file that says more than it holds is refused before memory is
taken for it.
"""

import hashlib
import io
import json
import math
import os
import secrets
import shlex
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from nengo_hybrid.exceptions import BundleError

SCHEMA = 1
MANIFEST = "manifest.json"
TRAINED, DEPLOYED = "trained", "deployed"
WANTED = {
    TRAINED: "a trained network, such as run/bundle.zip",
    DEPLOYED: "a deployed one; run `nengo-hybrid deploy {path}` first",
}
WRITERS = {TRAINED: "nengo-hybrid train", DEPLOYED: "nengo-hybrid deploy"}
# Unpacked; beyond, neither written nor read.
LARGEST_BYTES = 2**31
# The same bytes for the same content, whenever it is written.
WRITTEN = (1980, 1, 1, 0, 0, 0)
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    EOFError,
    OverflowError,
    MemoryError,
    RuntimeError,  # of encrypted files and unknown compression, and recursion
    zipfile.BadZipFile,
    zlib.error,
)


def write_archive(path, kind, content, arrays, *, level=9):
    """
    Write a bundle, in one step: readers see the old file or the new one.

    Parameters
    ----------
    path : path-like
    kind : str
        `TRAINED` or `DEPLOYED`.
    content : dict
        Plain values as JSON has them.
    arrays : dict of str to array
    level : int
        Of the compression, up to 9.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    BundleError
        If it cannot be written.
    """
    path = Path(path)
    files = {name: as_npy(array) for name, array in arrays.items()}
    manifest = {
        "schema": SCHEMA,
        "kind": kind,
        **content,
        "sha256": {name: _sha256(data) for name, data in files.items()},
    }
    entries = {MANIFEST: json.dumps(manifest, indent=1).encode()}
    entries |= {f"{name}.npy": data for name, data in files.items()}
    _check_size(path, sum(map(len, entries.values())))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries.items():
                entry = zipfile.ZipInfo(name, WRITTEN)
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED, level)
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


def read_archive(path, kind):
    """
    Read a bundle; nothing of it is executed.

    Returns
    -------
    manifest : dict
    arrays : dict of str to array

    Raises
    ------
    BundleError
        If it is missing, damaged, too large, of another kind or of another schema.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_size(path, sum(entry.file_size for entry in entries))
            manifest = json.loads(archive.read(MANIFEST))
            _check_manifest(path, manifest, kind)
            files = {entry.filename: archive.read(entry) for entry in entries}
    except BundleError:
        raise
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise BundleError(
            f"bundle {path} cannot be read ({reason}); needed a zip that "
            f"`{WRITERS[kind]}` wrote"
        ) from error
    with damage_named(path):
        names = {MANIFEST, *(f"{name}.npy" for name in manifest["sha256"])}
        if len(entries) != len(names) or set(files) != names:
            raise ValueError(f"it holds other files than {MANIFEST} says")
        arrays = {
            name: _array(files[f"{name}.npy"], sha256, name)
            for name, sha256 in manifest["sha256"].items()
        }
    return manifest, arrays


@contextmanager
def damage_named(path):
    """Turn what goes wrong with the content of a bundle into a `BundleError`."""
    try:
        yield
    except BundleError:
        raise
    except UNREADABLE as error:
        raise BundleError(
            f"bundle {path} is damaged ({error}); make or fetch it again"
        ) from error


def _check_manifest(path, manifest, kind):
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BundleError(
            f"bundle {path} needs schema {SCHEMA}; it is of another version, or none"
        )
    # The first bundles were all trained networks, and did not say so.
    found = manifest.get("kind", TRAINED)
    if found != kind:
        wanted = WANTED[kind].format(path=shlex.quote(str(path)))
        known = found if found in WANTED else "unknown"
        raise BundleError(f"bundle {path} is of kind {known}; needed {wanted}")


def _check_size(path, n_bytes):
    if n_bytes > LARGEST_BYTES:
        raise BundleError(
            f"bundle {path} takes {n_bytes:,} bytes unpacked, and {LARGEST_BYTES:,} "
            "are allowed; emulate fewer samples"
        )


def as_npy(array):
    """Return an array as the bytes of an .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(
        buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False
    )
    return buffer.getvalue()


def _array(data, sha256, name):
    """Read an .npy file whose header fits its bytes."""
    if _sha256(data) != sha256:
        raise ValueError(f"array {name} is not the one that was written")
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ValueError(f"array {name} is of another .npy version than 1.0")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    n_bytes = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "biuf" or is_fortran or n_bytes != len(data) - file.tell():
        raise ValueError(f"array {name} is no plain array of its size")
    # A copy, since compiled code tells arrays that cannot be written apart.
    return np.frombuffer(data, dtype, offset=file.tell()).reshape(shape).copy()


def _sha256(data):
    return hashlib.sha256(data).hexdigest()
