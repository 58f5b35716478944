"""Data sets as sequences: scikit-learn's digits, MNIST, and your own."""

import hashlib
import io
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nengo_hybrid.exceptions import DataError, ShapeError

DATA_VARIABLE = "NENGO_HYBRID_DATA"
MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
N_DIGITS_TEST = 360
VALIDATION_FRACTION = 0.1


@dataclass(frozen=True)
class Split:
    """Sequences ``x`` (n_samples, n_steps, size_in) and labels ``y`` (n_samples,)."""

    x: np.ndarray
    y: np.ndarray

    def __len__(self):
        return len(self.x)

    def head(self, n):
        """Return the first ``n`` samples."""
        return Split(self.x[:n], self.y[:n])


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test `Split` of one task with ``n_classes`` labels."""

    name: str
    train: Split
    validation: Split
    test: Split
    n_classes: int

    def __post_init__(self):
        for part in ("train", "validation", "test"):
            split = getattr(self, part)
            check_split(split, self.n_classes, f"{self.name}.{part}")
            if split.x.shape[1:] != self.train.x.shape[1:]:
                raise ShapeError(
                    f"{self.name}.{part} has sequences of shape {split.x.shape[1:]}, "
                    f"{self.name}.train of {self.train.x.shape[1:]}; needed the same"
                )

    @property
    def n_steps(self):
        return self.train.x.shape[1]

    @property
    def size_in(self):
        return self.train.x.shape[2]

    @property
    def sha256(self):
        """Digest of every sequence and label, in order."""
        sha = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            for array, dtype in ((split.x, "<f4"), (split.y, "<i4")):
                sha.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
        return sha.hexdigest()


def check_split(split, n_classes, name):
    """
    Refuse sequences and labels that nothing can be learned from.

    Raises
    ------
    ShapeError
        If ``x`` is not (n_samples, n_steps, size_in) with at least one step and
        dimension, or ``y`` not (n_samples,).
    DataError
        If there are no samples, NaN or infinite values, or labels outside
        0 .. ``n_classes - 1``.
    """
    x, y = np.asarray(split.x), np.asarray(split.y)
    if x.ndim != 3 or 0 in x.shape[1:]:
        raise ShapeError(
            f"{name} needs x of shape (n_samples, n_steps, size_in), got {x.shape}"
        )
    if y.shape != (len(x),):
        raise ShapeError(
            f"{name} has {len(x)} sequences, but labels of shape {y.shape}; "
            f"needed ({len(x)},)"
        )
    if len(x) == 0:
        raise DataError(f"{name} is empty; at least one sequence is needed")
    n_bad = np.count_nonzero(~np.isfinite(x))
    if n_bad:
        raise DataError(
            f"{name} has {n_bad} values that are NaN or infinite; clean the data first"
        )
    outside = (y < 0) | (y >= n_classes)
    if not np.issubdtype(y.dtype, np.integer) or np.any(outside):
        worst = y[outside][0] if np.any(outside) else y.dtype
        raise DataError(
            f"{name} needs whole labels in 0..{n_classes - 1}, got {worst}; "
            "check n_classes"
        )


def digits(seed=0):
    """
    Load scikit-learn's 1,797 digits as permuted sequences of 64 pixels.

    The 8x8 pixels, scaled to [0, 1], come one a step in the order
    ``RandomState(0).permutation(64)``. 360 digits are the test set, the same for
    every ``seed``; a tenth of the other 1,437, drawn with ``seed``, is for
    validation. Both draws are stratified.

    Parameters
    ----------
    seed : int
        Of the validation draw.

    Returns
    -------
    Dataset
        1,293 / 144 / 360 sequences, x of shape (n, 64, 1), 10 classes.
    """
    from sklearn.datasets import load_digits

    raw = load_digits()
    x = as_permuted_sequences(raw.data / 16.0)
    rest, test = _stratified(x, raw.target, N_DIGITS_TEST, seed=0)
    n_validation = round(VALIDATION_FRACTION * len(rest))
    train, validation = _stratified(rest.x, rest.y, n_validation, seed=seed)
    return Dataset("digits", train, validation, test, n_classes=10)


def mnist(seed=0, path=None):
    """
    Load MNIST's 70,000 digits as permuted sequences of 784 pixels.

    Parameters
    ----------
    seed : int
        Of the validation draw: a tenth of the 60,000 training digits, stratified.
    path : str or pathlib.Path, optional
        The file ``mnist.npz`` as Keras caches it. By default it is looked for in
        the folder named by the environment variable ``NENGO_HYBRID_DATA``.

    Returns
    -------
    Dataset
        54,000 / 6,000 / 10,000 sequences, x of shape (n, 784, 1), 10 classes.

    Raises
    ------
    DataError
        If the file is missing, truncated, or not the known one.
    """
    arrays = _load_mnist_arrays(_mnist_path(path))
    sequences = {
        key: as_permuted_sequences(arrays[f"x_{key}"].reshape(-1, 784)) / 255
        for key in ("train", "test")
    }
    labels = {key: arrays[f"y_{key}"].astype(np.int32) for key in ("train", "test")}
    n_validation = round(VALIDATION_FRACTION * len(labels["train"]))
    train, validation = _stratified(
        sequences["train"], labels["train"], n_validation, seed=seed
    )
    test = Split(sequences["test"], labels["test"])
    return Dataset("mnist", train, validation, test, n_classes=10)


def load(path, seed=0):
    """
    Load sequences and labels of your own from a file that NumPy wrote.

    The arrays have the names of Keras's data sets: ``x_train``, ``y_train``, ``x_test``
    and ``y_test``, and may have ``x_validation`` and ``y_validation``. Without these, a
    tenth of the training sequences, stratified and drawn with ``seed``, is for
    validation. Sequences are numbers of shape (n, n_steps, size_in), or (n, n_steps) if
    a step is one number; labels are whole numbers from 0.

    Parameters
    ----------
    path : path-like
        Of the ``.npz`` file; also the data set's name.
    seed : int
        Of the validation draw.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the file is missing or has no such arrays, if labels are not whole numbers,
        or if a class has too few training sequences; see also `check_split`.
    ShapeError
        If sequences and labels do not fit each other.
    """
    arrays = _load_own_arrays(path)
    parts = {
        part: Split(_sequences(arrays[f"x_{part}"], path, part), arrays[f"y_{part}"])
        for part in ("train", "validation", "test")
        if f"x_{part}" in arrays
    }
    n_classes = _count_classes({f"y_{p}": split.y for p, split in parts.items()}, path)
    for part, split in parts.items():
        check_split(split, n_classes, f"{path}: {part}")
    counts = _count_by_class(parts["train"].y, n_classes, path)
    if "validation" not in parts:
        parts["train"], parts["validation"] = _hold_out(
            parts["train"], counts, path, seed
        )
    parts = {p: Split(split.x, split.y.astype(np.int32)) for p, split in parts.items()}
    return Dataset(str(path), **parts, n_classes=n_classes)


def _count_classes(labels, path):
    """Return how many classes some arrays of labels name."""
    for name, y in labels.items():
        if not np.issubdtype(y.dtype, np.integer) or not y.size:
            raise DataError(
                f"{path} needs labels that are whole numbers from 0, got {name} of "
                f"type {y.dtype} and shape {y.shape}"
            )
        if y.min() < 0:
            raise DataError(
                f"{path} needs labels that are whole numbers from 0, got {y.min()} in "
                f"{name}"
            )
    return 1 + max(int(y.max()) for y in labels.values())


def _count_by_class(y, n_classes, path):
    """Count the training sequences of each class; refuse one that has none."""
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < n_classes:
        missing = np.setdiff1d(np.arange(len(classes) + 1), classes)[0]
        raise DataError(
            f"{path} has labels up to {n_classes - 1}, and no training sequence of "
            f"class {missing}; number the classes from 0, without gaps"
        )
    return counts


def as_permuted_sequences(pixels):
    """
    Turn images into sequences of one pixel a step, in one fixed random order.

    The order is ``numpy.random.RandomState(0).permutation(n_pixels)``, which the
    public KerasLMU and NengoDL examples use too.

    Parameters
    ----------
    pixels : (n_samples, n_pixels) array

    Returns
    -------
    (n_samples, n_pixels, 1) float32 array
    """
    order = np.random.RandomState(0).permutation(pixels.shape[1])
    return np.ascontiguousarray(pixels[:, order, None], dtype=np.float32)


def _hold_out(split, counts, path, seed):
    """Split off a part for validation, with one of each class at least."""
    if counts.min() < 2:
        raise DataError(
            f"{path}: class {counts.argmin()} has 1 training sequence, so that none "
            "can be drawn for validation; give x_validation and y_validation, or more "
            "sequences"
        )
    n_held_out = max(round(VALIDATION_FRACTION * len(split)), len(counts))
    return _stratified(split.x, split.y, n_held_out, seed=seed)


def _stratified(x, y, n_held_out, *, seed):
    """Split off ``n_held_out`` samples with the classes in proportion."""
    from sklearn.model_selection import train_test_split

    kept_x, held_x, kept_y, held_y = train_test_split(
        x, y, test_size=n_held_out, stratify=y, random_state=seed
    )
    return Split(kept_x, kept_y.astype(np.int32)), Split(
        held_x, held_y.astype(np.int32)
    )


def _mnist_path(path):
    if path is not None:
        return Path(path)
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        raise DataError(
            f"mnist needs the folder with mnist.npz, but {DATA_VARIABLE} is not set; "
            f"set it, or pass path="
        )
    return Path(folder) / "mnist.npz"


def _load_mnist_arrays(path):
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"mnist needs the file {path}, which cannot be read ({error.strerror}); "
            f"it is mnist.npz as Keras caches it, in the folder {DATA_VARIABLE}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != MNIST_SHA256:
        raise DataError(
            f"mnist needs {path} with sha256 {MNIST_SHA256}, got {found}; the file is "
            "truncated or another one: fetch it again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def _load_own_arrays(path):
    """Return the arrays of a file, of which training and test have to be there."""
    needed = "an .npz file with x_train, y_train, x_test and y_test"
    try:
        arrays = np.load(path, allow_pickle=False)
        if isinstance(arrays, np.ndarray):
            raise ValueError("one array without a name")
        with arrays:
            found = dict(arrays)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}); needed {needed}, by a "
            "path from the folder where this runs"
        ) from error
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not what numpy.savez writes, or has Python objects in it "
            f"({error}); needed {needed}"
        ) from error
    pairs = [(f"x_{part}", f"y_{part}") for part in ("train", "test")]
    if {"x_validation", "y_validation"} & set(found):
        pairs.append(("x_validation", "y_validation"))
    missing = [name for pair in pairs for name in pair if name not in found]
    if missing:
        raise DataError(
            f"{path} has no {', '.join(missing)}, it has {', '.join(found)}; "
            f"needed {needed}"
        )
    return found


def _sequences(values, path, part):
    """Return sequences in float32; a number a step becomes a dimension."""
    if values.dtype.kind not in "biuf":
        raise DataError(f"{path}: x_{part} needs real numbers, got {values.dtype}")
    values = values[..., None] if values.ndim == 2 else values
    return np.ascontiguousarray(values, dtype=np.float32)
