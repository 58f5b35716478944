"""Data sets: their sizes, order and digests, and the words for damaged ones."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from nengo_hybrid import datasets
from nengo_hybrid.datasets import Dataset, Split, as_permuted_sequences
from nengo_hybrid.exceptions import DataError, ShapeError


@pytest.fixture(scope="module")
def digits():
    return datasets.digits()


def rows(split):
    """Return the sequences of a split as comparable values."""
    return [x.tobytes() for x in split.x]


def small_split(n=4, n_steps=3, size_in=2):
    x = np.arange(n * n_steps * size_in, dtype=float).reshape(n, n_steps, size_in)
    return Split(x, np.arange(n) % 2)


def dataset_with(**parts):
    """Return a small data set, some parts of it replaced."""
    good = dict.fromkeys(("train", "validation", "test"), small_split())
    return Dataset("small", **{**good, **parts}, n_classes=2)


def exactly(message):
    return f"^{re.escape(message)}$"


def test_digits_have_the_stated_sizes(digits):
    sizes = [len(part) for part in (digits.train, digits.validation, digits.test)]
    assert sizes == [1293, 144, 360]
    assert (digits.n_steps, digits.size_in, digits.n_classes) == (64, 1, 10)
    assert digits.train.x.dtype == np.float32
    assert digits.train.y.dtype == np.int32


def test_first_steps_of_a_digit_by_hand():
    # RandomState(0).permutation(64) begins 45, 29, 43: of the zero that scikit-learn
    # has first, pixels (5, 5), (3, 5) and (5, 3), which are 12, 8 and 0 of 16.
    raw = load_digits()
    assert raw.target[0] == 0
    assert [raw.images[0][i] for i in ((5, 5), (3, 5), (5, 3))] == [12, 8, 0]
    sequence = as_permuted_sequences(raw.data[:1] / 16)
    assert sequence[0, :3, 0].tolist() == [0.75, 0.5, 0.0]


def test_digits_are_those_of_scikit_learn_with_their_labels(digits):
    raw = load_digits()
    order = np.random.RandomState(0).permutation(64)
    known = {
        (x.astype(np.float32).tobytes(), int(y))
        for x, y in zip(raw.data[:, order] / 16, raw.target, strict=True)
    }
    found = set()
    for part in (digits.train, digits.validation, digits.test):
        found |= set(zip(rows(part), part.y.tolist(), strict=True))
    assert found == known


def test_parts_share_no_digit(digits):
    parts = [set(rows(p)) for p in (digits.train, digits.validation, digits.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 1797


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_classes_are_in_proportion(digits, part):
    split = getattr(digits, part)
    wanted = np.bincount(load_digits().target) * len(split) / 1797
    # Two draws, each off by less than one digit a class.
    assert np.all(np.abs(np.bincount(split.y, minlength=10) - wanted) < 2)


def test_seed_draws_the_validation_part_but_never_the_test_part(digits):
    other = datasets.digits(seed=1)
    assert rows(other.test) == rows(digits.test)
    assert set(rows(other.validation)) != set(rows(digits.validation))
    assert set(rows(other.train) + rows(other.validation)) == set(
        rows(digits.train) + rows(digits.validation)
    )


def test_same_seed_gives_the_same_data_set(digits):
    assert datasets.digits(seed=0).sha256 == digits.sha256
    assert datasets.digits(seed=1).sha256 != digits.sha256


def test_digest_sees_one_pixel_and_one_label():
    plain = dataset_with()
    pixel, label = small_split(), small_split()
    pixel.x[2, 1, 0] += 1
    label.y[3] = 0
    digests = {plain.sha256, dataset_with(test=pixel).sha256}
    digests.add(dataset_with(test=label).sha256)
    assert len(digests) == 3
    assert dataset_with().sha256 == plain.sha256


@given(
    n_pixels=st.integers(1, 50), n_samples=st.integers(1, 5), seed=st.integers(0, 99)
)
def test_permutation_moves_pixels_and_loses_none(n_pixels, n_samples, seed):
    pixels = np.random.default_rng(seed).random((n_samples, n_pixels))
    sequences = as_permuted_sequences(pixels)
    assert sequences.shape == (n_samples, n_pixels, 1)
    order = np.random.RandomState(0).permutation(n_pixels)
    back = np.empty((n_samples, n_pixels), dtype=np.float32)
    back[:, order] = sequences[:, :, 0]
    assert np.array_equal(back, pixels.astype(np.float32))


def test_head_takes_the_first_samples():
    head = small_split().head(2)
    assert len(head) == 2
    assert np.array_equal(head.x, small_split().x[:2])
    assert head.y.tolist() == [0, 1]


@pytest.mark.parametrize(
    "split, error, message",
    [
        (
            Split(np.zeros((4, 3)), np.zeros(4, int)),
            ShapeError,
            "small.test needs x of shape (n_samples, n_steps, size_in), got (4, 3)",
        ),
        (
            Split(np.zeros((4, 0, 2)), np.zeros(4, int)),
            ShapeError,
            "small.test needs x of shape (n_samples, n_steps, size_in), got (4, 0, 2)",
        ),
        (
            Split(np.zeros((4, 3, 2)), np.zeros(5, int)),
            ShapeError,
            "small.test has 4 sequences, but labels of shape (5,); needed (4,)",
        ),
        (
            Split(np.zeros((4, 3, 2)), np.zeros((4, 1), int)),
            ShapeError,
            "small.test has 4 sequences, but labels of shape (4, 1); needed (4,)",
        ),
        (
            Split(np.zeros((4, 5, 2)), np.zeros(4, int)),
            ShapeError,
            "small.test has sequences of shape (5, 2), small.train of (3, 2); needed "
            "the same",
        ),
        (
            Split(np.zeros((0, 3, 2)), np.zeros(0, int)),
            DataError,
            "small.test is empty; at least one sequence is needed",
        ),
        (
            Split(np.array([[[np.nan], [np.inf], [1.0]]] * 2), np.zeros(2, int)),
            DataError,
            "small.test has 4 values that are NaN or infinite; clean the data first",
        ),
        (
            Split(np.zeros((3, 3, 2)), np.array([0, 2, 1])),
            DataError,
            "small.test needs whole labels in 0..1, got 2; check n_classes",
        ),
        (
            Split(np.zeros((3, 3, 2)), np.array([0, -1, 1])),
            DataError,
            "small.test needs whole labels in 0..1, got -1; check n_classes",
        ),
        (
            Split(np.zeros((3, 3, 2)), np.array([0.0, 1.0, 1.0])),
            DataError,
            "small.test needs whole labels in 0..1, got float64; check n_classes",
        ),
    ],
)
def test_impossible_data_are_refused(split, error, message):
    with pytest.raises(error, match=exactly(message)):
        dataset_with(test=split)


def test_every_part_is_checked():
    empty = Split(np.zeros((0, 3, 2)), np.zeros(0, int))
    for part in ("train", "validation", "test"):
        with pytest.raises(DataError, match=rf"^small\.{part} is empty"):
            dataset_with(**{part: empty})


def test_mnist_needs_the_variable(monkeypatch):
    monkeypatch.delenv(datasets.DATA_VARIABLE, raising=False)
    message = (
        "mnist needs the folder with mnist.npz, but NENGO_HYBRID_DATA is not set; "
        "set it, or pass path="
    )
    with pytest.raises(DataError, match=exactly(message)):
        datasets.mnist()


@pytest.mark.parametrize("by_variable", [True, False])
def test_mnist_names_a_missing_file(tmp_path, monkeypatch, by_variable):
    path = tmp_path / "mnist.npz"
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path))
    message = (
        f"mnist needs the file {path}, which cannot be read (No such file or "
        "directory); it is mnist.npz as Keras caches it, in the folder "
        "NENGO_HYBRID_DATA"
    )
    with pytest.raises(DataError, match=exactly(message)):
        datasets.mnist(path=None if by_variable else path)


def test_mnist_names_a_folder_in_the_place_of_the_file(tmp_path):
    message = f"mnist needs the file {tmp_path}, which cannot be read (Is a directory)"
    with pytest.raises(DataError, match=f"^{re.escape(message)}; it is mnist.npz"):
        datasets.mnist(path=tmp_path)


def test_mnist_tells_a_truncated_file_by_its_digest(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(b"PK\x03\x04")
    wanted = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"
    found = "8dcc7e601606217f3b754766511182a916b17e9a26a94c9d887104eba92e9bb2"
    message = (
        f"mnist needs {path} with sha256 {wanted}, got {found}; the file is truncated "
        "or another one: fetch it again"
    )
    with pytest.raises(DataError, match=exactly(message)):
        datasets.mnist(path=path)


def test_mnist_as_it_is():
    try:
        data = datasets.mnist()
    except DataError as error:
        pytest.skip(f"the real file is not there: {error}")
    sizes = [len(part) for part in (data.train, data.validation, data.test)]
    assert sizes == [54000, 6000, 10000]
    assert (data.n_steps, data.size_in, data.n_classes) == (784, 1, 10)
    assert data.test.x.dtype == np.float32
    # The first test digit is a 7 whose pixel values add up to 18,454.
    assert data.test.y[0] == 7
    assert round(float(data.test.x[0].sum(dtype=float)) * 255) == 18454
    # Every digit class is a tenth of validation to within the rounding of one.
    in_train = np.bincount(np.concatenate([data.train.y, data.validation.y]))
    assert np.abs(np.bincount(data.validation.y) - in_train / 10).max() <= 1
