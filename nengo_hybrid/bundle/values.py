"""
Values of known types as JSON and arrays, and back: `take_apart`, `put_together`.

Arrays of one type lie one behind the other in one array, since a network may have a
hundred thousand small ones. Coming back, every field is checked to be of its type, and
no other types are made than those that are named.
"""

import functools
import math
import types
import typing
from dataclasses import MISSING, fields, is_dataclass

import numpy as np


def take_apart(value):
    """
    Turn a value into what JSON can hold, and arrays.

    Parameters
    ----------
    value : object
        Dataclasses, tuples, lists, dicts with str keys, arrays and plain values.

    Returns
    -------
    plain : object
        In which an array is its type, place and shape; a dataclass its name and
        fields.
    arrays : dict of str to (n,) array
        By type, such as "i4".

    Examples
    --------
    >>> plain, arrays = take_apart((1, np.array([[2], [3]], dtype=np.int8)))
    >>> plain
    {'tuple': [1, {'array': ['i1', 0, [2, 1]]}]}
    >>> arrays["i1"].tolist()
    [2, 3]
    """
    writer = _Writer()
    plain = writer.plain(value)
    return plain, {kind: np.concatenate(part) for kind, part in writer.parts.items()}


def put_together(plain, arrays, known):
    """
    Undo `take_apart`.

    Parameters
    ----------
    plain, arrays
        As `take_apart` gives them.
    known : iterable of type
        The dataclasses that may be made.

    Raises
    ------
    ValueError
        If it names another type, lacks a field, or a field has a value of another
        type than it is declared with.
    """
    return _Reader(arrays, {kind.__name__: kind for kind in known}).value(plain)


class _Writer:
    def __init__(self):
        self.parts, self.sizes = {}, {}

    def plain(self, value):
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, np.ndarray):
            return {"array": self.put(value)}
        if isinstance(value, tuple):
            return {"tuple": [self.plain(item) for item in value]}
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return {"dict": {key: self.plain(item) for key, item in value.items()}}
        if not is_dataclass(value):
            raise TypeError(f"a bundle holds no {type(value).__name__}")
        own = {f.name: self.plain(getattr(value, f.name)) for f in fields(value)}
        return {"type": type(value).__name__, "fields": own}

    def put(self, array):
        """Put an array behind those of its type; return type, place and shape."""
        kind, place = array.dtype.str[1:], self.sizes.get(array.dtype.str[1:], 0)
        flat = np.ravel(array).astype(array.dtype.newbyteorder("<"), copy=False)
        self.parts.setdefault(kind, []).append(flat)
        self.sizes[kind] = place + len(flat)
        return [kind, place, list(array.shape)]


class _Reader:
    def __init__(self, arrays, known):
        self.arrays, self.known = arrays, known

    def value(self, plain):
        if plain is None or isinstance(plain, (bool, int, float, str)):
            return plain
        if isinstance(plain, list):
            return [self.value(item) for item in plain]
        if set(plain) == {"tuple"}:
            return tuple(self.value(item) for item in plain["tuple"])
        if set(plain) == {"dict"}:
            return {key: self.value(item) for key, item in plain["dict"].items()}
        if set(plain) == {"array"}:
            return self.array(*plain["array"])
        if set(plain) == {"type", "fields"}:
            return self.made(plain["type"], plain["fields"])
        raise ValueError(f"it has a value of keys {', '.join(plain)}")

    def array(self, kind, place, shape):
        """Copy an array out of those of its type."""
        pool, size = self.arrays[kind], math.prod(shape)
        if pool.dtype.str[1:] != kind:
            raise ValueError(f"the array {kind} is of type {pool.dtype}")
        if min(place, *shape, 0) < 0 or place + size > len(pool):
            raise ValueError(f"an array of {shape} is beyond the {len(pool)} values")
        return pool[place : place + size].reshape(shape).copy()

    def made(self, name, plain):
        """Make a dataclass of checked fields."""
        if name not in self.known:
            raise ValueError(f"it has a value of the unknown type {name!r}")
        hints = _field_types(self.known[name])
        for key in sorted(set(plain) ^ set(hints)):
            if key not in hints or key in _required(self.known[name]):
                verb = "has an unknown" if key in plain else "lacks the"
                raise ValueError(
                    f"{name} {verb} field {key!r}, as if it were of another version"
                )
        values = {key: self.value(item) for key, item in plain.items()}
        for key, value in values.items():
            if not _is_of(value, hints[key]):
                raise ValueError(f"{name}.{key} is of type {type(value).__name__}")
        return self.known[name](**values)


@functools.cache
def _field_types(kind):
    """Return the types that each field of a dataclass may have."""
    hints = typing.get_type_hints(kind)
    return {field.name: _alternatives(hints[field.name]) for field in fields(kind)}


@functools.cache
def _required(kind):
    """Return the fields of a dataclass that have no default."""
    absent = (MISSING, MISSING)
    given = {f.name: (f.default, f.default_factory) for f in fields(kind)}
    return {name for name, defaults in given.items() if defaults == absent}


def _alternatives(hint):
    is_union = isinstance(hint, types.UnionType)
    found = typing.get_args(hint) if is_union else (hint,)
    return (*found, int) if float in found else found


def _is_of(value, alternatives):
    """Tell whether a value is of one of some types; True is no number."""
    if isinstance(value, bool):
        return bool in alternatives
    return isinstance(value, alternatives)
