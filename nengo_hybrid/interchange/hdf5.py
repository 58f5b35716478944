"""
Other people's HDF5 files, read as data and nothing else: `read_tree`.

Every value has to be in the file, once, and as large as the file says; what HDF5 can
do beyond (links, other files, plugins, references) is refused by name.
"""

import contextlib
import io
import math
import pathlib

import numpy as np

from nengo_hybrid.exceptions import CompatError, HybridError, InterchangeError

# Values in all, as they are in memory; arrays of text count by their entries.
MAX_BYTES = 2**30
MAX_TEXTS = 2**16
MAX_OBJECTS = 2**16
MAX_DEPTH = 16
# deflate makes at most 1,032 bytes out of one.
MAX_RATIO = 1100
# HDF5 would look for other filters in plugins, which are programs.
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
NUMBERS = "fiub"
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    MemoryError,
)


@contextlib.contextmanager
def told_with_path(path, what):
    """Say of every error which file it is about, and of others that it is damaged."""
    start = f"{what} {str(path)!r} cannot be read:"
    try:
        yield
    except HybridError as error:
        raise type(error)(f"{start} {error}") from error
    except DAMAGE as error:
        raise InterchangeError(
            f"{start} it is cut off or damaged ({type(error).__name__}); fetch or "
            "write it again"
        ) from error


def read_tree(path):
    """
    Read everything in an HDF5 file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        Groups as dicts, numbers as arrays, texts as str, arrays of texts as arrays of
        str; by name.

    Raises
    ------
    InterchangeError
        If it is not HDF5, or holds more than numbers and texts in groups: links, other
        files, filters that need plugins, values that are not there, or so many that
        they would not fit into `MAX_BYTES`.
    CompatError
        If h5py is not installed.
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InterchangeError(f"{error.strerror or error}; name a file") from error
    if not content.startswith(b"\x89HDF\r\n\x1a\n"):
        raise InterchangeError("it needs to be HDF5, got something else")
    h5py = import_h5py()
    with h5py.File(io.BytesIO(content), "r") as file:
        return _Reader(h5py).group(file, ())


def import_h5py():
    """Import h5py, or say how to get it."""
    try:
        import h5py
    except ImportError as error:
        raise CompatError(
            "h5py is needed to read it and not installed; run pip install h5py"
        ) from error
    return h5py


class _Reader:
    """Reads groups, and keeps count of what it has read."""

    def __init__(self, h5py):
        self.h5py = h5py
        self.seen = set()
        self.n_bytes = 0
        self.n_texts = 0

    def group(self, group, place):
        """Read a group, (n,) names deep."""
        self._note(group, place)
        if len(place) > MAX_DEPTH:
            raise InterchangeError(
                f"group {_named(place)} is {len(place)} groups deep; {MAX_DEPTH} are "
                "the most"
            )
        found = {}
        for name in group:
            inner = (*place, name)
            link = group.get(name, getlink=True)
            if not isinstance(link, self.h5py.HardLink):
                raise InterchangeError(
                    f"{_named(inner)} needs to be in the file, got a link to "
                    f"{getattr(link, 'filename', '')}:{link.path}; copy what it leads "
                    "to in its place"
                )
            item = group[name]
            if isinstance(item, self.h5py.Group):
                found[name] = self.group(item, inner)
            elif isinstance(item, self.h5py.Dataset):
                self._note(item, inner)
                found[name] = self.values(item, inner)
            else:
                raise InterchangeError(
                    f"{_named(inner)} needs to be a group or an array, got a "
                    f"{type(item).__name__}"
                )
        return found

    def _note(self, item, place):
        """Refuse an object that was read before: its own parent, for one."""
        info = self.h5py.h5o.get_info(item.id)
        if info.addr in self.seen:
            raise InterchangeError(
                f"{_named(place)} needs to be there once, got it under a second name"
            )
        self.seen.add(info.addr)
        if len(self.seen) > MAX_OBJECTS:
            raise InterchangeError(
                f"it has more than {MAX_OBJECTS:,} groups and arrays"
            )

    def values(self, dataset, place):
        """Read an array whose values are all in the file."""
        who = f"array {_named(place)}"
        if dataset.external or dataset.is_virtual:
            raise InterchangeError(
                f"{who} needs to be in the file, got one whose values are in another"
            )
        if dataset.shape is None:
            raise InterchangeError(f"{who} needs values, got an empty one")
        is_text = self.h5py.check_string_dtype(dataset.dtype) is not None
        if not is_text and dataset.dtype.kind not in NUMBERS:
            raise InterchangeError(f"{who} needs numbers or texts, got {dataset.dtype}")
        self._check_size(dataset, who, is_text)
        if is_text:
            return _texts(dataset, who)
        return np.asarray(dataset[()])

    def _check_size(self, dataset, who, is_text):
        """Refuse an array that is larger than what is stored of it can be."""
        n_bytes = math.prod(dataset.shape) * dataset.dtype.itemsize
        chunk = math.prod(dataset.chunks or ()) * dataset.dtype.itemsize
        self.n_bytes += max(n_bytes, chunk)
        self.n_texts += math.prod(dataset.shape) * is_text
        if self.n_bytes > MAX_BYTES or self.n_texts > MAX_TEXTS:
            raise InterchangeError(
                f"{who} of shape {dataset.shape} brings what is read to "
                f"{self.n_bytes:,} bytes and {self.n_texts:,} texts; {MAX_BYTES:,} and "
                f"{MAX_TEXTS:,} are the most"
            )
        filters = _filters(dataset)
        unknown = [number for number in filters if number not in FILTERS]
        if unknown:
            raise InterchangeError(
                f"{who} needs filters of {', '.join(FILTERS.values())}, got number "
                f"{unknown[0]}; write it without"
            )
        is_packed = bool({1, 32000} & set(filters))
        n_stored = dataset.id.get_storage_size()
        most = n_stored * (MAX_RATIO if is_packed else 1)
        if n_bytes > most and not (is_text and n_stored):
            packed = " packed" * is_packed
            raise InterchangeError(
                f"{who} of shape {dataset.shape} needs {n_bytes:,} bytes, got "
                f"{n_stored:,}{packed}; its values are not in the file"
            )


def _filters(dataset):
    """List the numbers of the filters that an array went through."""
    plan = dataset.id.get_create_plist()
    return [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]


def _texts(dataset, who):
    """Read one text, or an array of them: one by one, as all may be one large one."""
    texts, n_bytes = np.empty(dataset.shape, object), 0
    try:
        for place in np.ndindex(dataset.shape):
            texts[place] = text = dataset.asstr("utf-8", "strict")[place]
            n_bytes += len(text)
            if n_bytes > MAX_BYTES:
                raise InterchangeError(
                    f"{who} has texts of more than {MAX_BYTES:,} bytes"
                )
    except UnicodeDecodeError as error:
        raise InterchangeError(f"{who} needs text in UTF-8, got other bytes") from error
    return texts if dataset.shape else texts[()]


def _named(place):
    return repr("/".join(place) or "/")
