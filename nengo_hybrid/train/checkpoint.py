"""
Checkpoints: files that hold all that a training needs to go on as if uninterrupted.

A file is an .npz without pickle: a header in JSON, the arrays, and the SHA-256 of both.
It is written under another name and renamed, so that a file is whole or not there. A
folder keeps the newest and the one before it.
"""

import contextlib
import io
import json
import logging
import os
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from nengo_hybrid.exceptions import CheckpointError
from nengo_hybrid.graphs import digest

logger = logging.getLogger(__name__)

SCHEMA = 1
NEWEST, PREVIOUS = "checkpoint.npz", "checkpoint-previous.npz"
HEADER, SHA256 = "header", "sha256"
# What zipfile and NumPy raise for bytes that are not as they were written.
UNREADABLE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_checkpoint(path, header, arrays, *, previous=None):
    """
    Write a checkpoint in one step: readers see the old file or the new one.

    Parameters
    ----------
    path : pathlib.Path
    header : dict
        Plain values, as JSON holds them.
    arrays : dict of str to array
    previous : pathlib.Path, optional
        Where the old file goes, if there is one.

    Raises
    ------
    CheckpointError
        If it cannot be written; then the old file stays.
    """
    content = _content({"schema": SCHEMA, **header}, arrays)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **content)
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            os.replace(path, previous)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CheckpointError(
            f"checkpoint {path} cannot be written: {error.strerror or error}; make "
            "room, or pass another folder"
        ) from error


def read_checkpoint(path):
    """
    Read a checkpoint, and check that it is as it was written.

    Returns
    -------
    header : dict
    arrays : dict of str to array

    Raises
    ------
    CheckpointError
        If it cannot be read, is damaged, or has a schema unknown to this version.
    """
    try:
        packed = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise CheckpointError(
            f"checkpoint {path} cannot be read: {error.strerror}"
        ) from error
    if not zipfile.is_zipfile(packed):
        raise CheckpointError(f"checkpoint {path} is damaged: it is cut off")
    try:
        with np.load(packed, allow_pickle=False) as file:
            content = dict(file)
        written = bytes(content.pop(SHA256)).decode()
        header = json.loads(bytes(content[HEADER]).decode())
        schema = header["schema"]
    except UNREADABLE as error:
        raise CheckpointError(f"checkpoint {path} is damaged: {error}") from error
    if schema != SCHEMA:
        raise CheckpointError(
            f"checkpoint {path} has schema {schema!r}, needed {SCHEMA}; use the "
            "version of nengo-hybrid that wrote it"
        )
    if digest(content) != written:
        raise CheckpointError(
            f"checkpoint {path} is damaged: its content is not that of its SHA-256"
        )
    del content[HEADER]
    return header, content


def _content(header, arrays):
    """Join header, arrays and their digest into the arrays of one file."""
    if HEADER in arrays or SHA256 in arrays:
        raise ValueError(f"no array may be called {HEADER} or {SHA256}")
    plain = json.dumps(header, sort_keys=True).encode()
    content = {name: np.asarray(array) for name, array in arrays.items()}
    content[HEADER] = np.frombuffer(plain, np.uint8)
    return {**content, SHA256: np.frombuffer(digest(content).encode(), np.uint8)}


def _sync_folder(folder):
    """See that a new name survives a power cut, where the system can do so."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Checkpoints:
    """
    The newest checkpoint of one training and the one before it, in a folder.

    Parameters
    ----------
    folder : path-like
        Made if it is missing.
    resume : bool
        Whether to go on from what is there.
    identity : dict
        What the training has to share with the checkpoint it goes on from: "data",
        a digest, and "settings", a dict. The network follows in `check_network`.

    Attributes
    ----------
    loaded : tuple of dict, or None
        Header and arrays of the checkpoint to go on from.
    last : pathlib.Path or None
        The newest that was written or read.

    Raises
    ------
    CheckpointError
        If there is something and ``resume`` is false, or nothing and it is true; if
        it is damaged, or of another training; if the folder cannot be made.
    """

    def __init__(self, folder, *, resume, identity):
        self.folder, self.loaded, self.last = Path(folder), None, None
        self.identity = json.loads(json.dumps(identity, default=np.generic.item))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"checkpoints cannot be written to {folder}: {error.strerror}; pass a "
                "folder that can be made"
            ) from error
        found = [p for p in map(self._path, (NEWEST, PREVIOUS)) if p.exists()]
        if found and not resume:
            raise CheckpointError(
                f"{self.folder} has the checkpoint {found[0].name} already; pass "
                "resume=True (--resume) to go on from it, or another folder"
            )
        if resume and not found:
            raise CheckpointError(
                f"{self.folder} has no checkpoint to resume from, neither {NEWEST} nor "
                f"{PREVIOUS}; pass resume=False (no --resume) to begin"
            )
        if resume:
            self.loaded, self.last = self._load(found[0]), found[0]
            self._check_identity()

    def _path(self, name):
        return self.folder / name

    def _load(self, path):
        """Read a checkpoint; if it is damaged, say what is left."""
        try:
            return read_checkpoint(path)
        except CheckpointError as error:
            if path.name == PREVIOUS:
                raise
            raise CheckpointError(f"{error}; {self._what_is_left()}") from error

    def _what_is_left(self):
        previous = self._path(PREVIOUS)
        try:
            header, _ = read_checkpoint(previous)
        except CheckpointError:
            return f"{PREVIOUS} is no help, so begin again in another folder"
        return (
            f"{PREVIOUS} beside it is intact ({_place(header)}): delete {NEWEST} and "
            "resume from that"
        )

    def _check_identity(self):
        (then, _), now = self.loaded, self.identity
        # Settings first: a seed may draw the data set, too.
        for name, value in now["settings"].items():
            made_with = then["settings"].get(name)
            if made_with != value:
                raise CheckpointError(
                    f"checkpoint {self.last} was made with {name}={made_with!r}, but "
                    f"train got {value!r}; pass {name}={made_with!r} to resume, or "
                    "another folder to begin"
                )
        if then["data"] != now["data"]:
            raise self._of_another("data set", then["data"], now["data"])

    def _of_another(self, what, then, now):
        return CheckpointError(
            f"checkpoint {self.last} was made with a {what} of sha256 {then[:12]}, but "
            f"train got {now[:12]}; pass the same {what} to resume, or another folder "
            "to begin"
        )

    def check_network(self, sha256):
        """
        Refuse a checkpoint of another network; note this one's digest for new ones.

        Raises
        ------
        CheckpointError
        """
        self.identity = {**self.identity, "network": sha256}
        if self.loaded is not None and self.loaded[0]["network"] != sha256:
            raise self._of_another("network", self.loaded[0]["network"], sha256)

    def save(self, header, arrays):
        """
        Write a checkpoint; the newest so far becomes the one before.

        Raises
        ------
        CheckpointError
            If it cannot be written; then those that are there stay.
        """
        newest = self._path(NEWEST)
        header = {**self.identity, **header}
        write_checkpoint(newest, header, arrays, previous=self._path(PREVIOUS))
        self.last = newest
        logger.debug("wrote %s, %s", newest, _place(header))


def _place(header):
    """Say how far a checkpoint is."""
    return f"epoch {header['epoch']}, minibatch {header['minibatch']}"
