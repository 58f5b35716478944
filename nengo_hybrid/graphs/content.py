"""What a value holds, as a hash: `digest`."""

import dataclasses
import hashlib

import numpy as np


def digest(value):
    """
    Hash a tree of dataclasses, tuples, dicts, arrays and plain values.

    Returns
    -------
    str
        SHA-256 in hexadecimal; equal for equal content, whatever the run.
    """
    sha = hashlib.sha256()
    _feed(sha, value)
    return sha.hexdigest()


def _feed(sha, value):
    if isinstance(value, np.ndarray):
        sha.update(f"array {value.dtype.str} {value.shape}".encode())
        sha.update(np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value):
        sha.update(f"type {type(value).__name__} ".encode())
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            if inner is None and field.metadata.get("added"):
                continue  # So that what was there before keeps its digest.
            sha.update(field.name.encode())
            _feed(sha, inner)
    elif isinstance(value, dict):
        sha.update(f"table {len(value)}".encode())
        for key in sorted(value):
            sha.update(f"key {key!r}".encode())
            _feed(sha, value[key])
    elif isinstance(value, (tuple, list)):
        sha.update(f"sequence {len(value)}".encode())
        for item in value:
            _feed(sha, item)
    else:
        if isinstance(value, np.generic):  # whose repr depends on NumPy's version
            value = value.item()
        sha.update(f"{type(value).__name__} {value!r}".encode())
