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


def own_arrays(n=20, n_steps=5, size_in=2, **changes):
    """Return arrays of two classes, as Keras names them."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.normal(size=(n, n_steps, size_in)),
        "y_train": np.arange(n) % 2,
        "x_test": rng.normal(size=(4, n_steps, size_in)),
        "y_test": np.array([1, 0, 0, 1]),
    } | changes
    return {name: values for name, values in arrays.items() if values is not None}


def write(folder, **arrays):
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def test_your_own_sequences_are_those_of_the_file(tmp_path):
    arrays = own_arrays()
    path = write(tmp_path, **arrays)
    data = datasets.load(path)
    assert (data.name, data.n_classes) == (str(path), 2)
    assert (len(data.train), len(data.validation)) == (18, 2)
    assert (data.n_steps, data.size_in) == (5, 2)
    np.testing.assert_array_equal(data.test.x, np.float32(arrays["x_test"]))
    np.testing.assert_array_equal(data.test.y, arrays["y_test"], strict=False)
    # Both classes are in the validation part, and no sequence in two.
    assert sorted(data.validation.y.tolist()) == [0, 1]
    found = sorted(rows(data.train) + rows(data.validation))
    assert found == sorted(x.tobytes() for x in np.float32(arrays["x_train"]))
    assert datasets.load(path).sha256 == data.sha256
    assert datasets.load(path, seed=1).sha256 != data.sha256


def test_a_validation_part_of_your_own_is_taken_as_it_is(tmp_path):
    x, y = np.ones((3, 5, 2), np.uint8), np.array([0, 1, 1], np.int64)
    path = write(tmp_path, **own_arrays(x_validation=x, y_validation=y))
    data = datasets.load(path, seed=7)
    assert (len(data.train), len(data.validation), data.n_classes) == (20, 3, 2)
    assert data.validation.x.dtype == np.float32 and (data.validation.x == 1).all()
    assert data.validation.y.dtype == data.train.y.dtype == np.int32


def test_as_few_sequences_as_two_of_a_class_are_enough(tmp_path):
    labels = np.array([*range(10), *range(10)])
    data = datasets.load(write(tmp_path, **own_arrays(y_train=labels)))
    assert sorted(data.train.y) == sorted(data.validation.y) == list(range(10))


def test_a_number_a_step_is_one_dimension(tmp_path):
    flat = own_arrays(x_train=np.arange(60).reshape(20, 3), x_test=np.eye(4, 3))
    data = datasets.load(write(tmp_path, **flat))
    assert (data.n_steps, data.size_in) == (3, 1)
    assert data.test.x[1].tolist() == [[0], [1], [0]]


@pytest.mark.parametrize(
    "changes, error, message",
    [
        (
            {"x_test": None, "y_train": None},
            DataError,
            "{} has no y_train, x_test, it has x_train, y_test; needed an .npz file "
            "with x_train, y_train, x_test and y_test",
        ),
        (
            {"y_validation": np.zeros(3, int)},
            DataError,
            "{} has no x_validation, it has x_train, y_train, x_test, y_test, "
            "y_validation; needed an .npz file with x_train, y_train, x_test and "
            "y_test",
        ),
        (
            {"y_test": np.array([1.0, 0, 0, 1])},
            DataError,
            "{} needs labels that are whole numbers from 0, got y_test of type float64 "
            "and shape (4,)",
        ),
        (
            {"y_train": np.eye(20, 2)},
            DataError,
            "{} needs labels that are whole numbers from 0, got y_train of type "
            "float64 and shape (20, 2)",
        ),
        (
            {"y_test": np.array([1, -1, 0, 1])},
            DataError,
            "{} needs labels that are whole numbers from 0, got -1 in y_test",
        ),
        (
            {"x_train": np.zeros((20, 5, 2), complex)},
            DataError,
            "{}: x_train needs real numbers, got complex128",
        ),
        (
            {"x_train": np.full((20, 5, 2), np.nan)},
            DataError,
            "{}: train has 200 values that are NaN or infinite; clean the data first",
        ),
        (
            {"x_train": np.zeros(20)},
            ShapeError,
            "{}: train needs x of shape (n_samples, n_steps, size_in), got (20,)",
        ),
        (
            {"y_train": np.arange(19) % 2},
            ShapeError,
            "{}: train has 20 sequences, but labels of shape (19,); needed (20,)",
        ),
        (
            {"x_test": np.zeros((4, 6, 2))},
            ShapeError,
            "{0}.test has sequences of shape (6, 2), {0}.train of (5, 2); needed the "
            "same",
        ),
        (
            {"y_test": np.array([1, 0, 3, 1])},
            DataError,
            "{} has labels up to 3, and no training sequence of class 2; number the "
            "classes from 0, without gaps",
        ),
        (
            {"y_train": np.full(20, 10**12)},
            DataError,
            "{} has labels up to 1000000000000, and no training sequence of class 0; "
            "number the classes from 0, without gaps",
        ),
        (
            {"y_train": np.array([1, *19 * [0]])},
            DataError,
            "{}: class 1 has 1 training sequence, so that none can be drawn for "
            "validation; give x_validation and y_validation, or more sequences",
        ),
    ],
)
def test_your_own_data_that_do_not_fit_are_refused(tmp_path, changes, error, message):
    path = write(tmp_path, **own_arrays(**changes))
    with pytest.raises(error, match=exactly(message.format(path))):
        datasets.load(path)


def test_files_that_are_not_numpys_are_refused(tmp_path):
    path = tmp_path / "own.npz"
    message = (
        f"{path} cannot be read (No such file or directory); needed an .npz file with "
        "x_train, y_train, x_test and y_test, by a path from the folder where this runs"
    )
    with pytest.raises(DataError, match=exactly(message)):
        datasets.load(path)
    refused = f"^{re.escape(f'{path} is not what numpy.savez writes, or has Python')}"
    path.write_text("x_train,y_train\n")
    with pytest.raises(DataError, match=refused):
        datasets.load(path)
    write(tmp_path, **own_arrays(x_train=np.array([{"code": 1}])))
    with pytest.raises(DataError, match=refused):
        datasets.load(path)
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(DataError, match=refused):
        datasets.load(path)


@given(cut=st.integers(0, 1500))
def test_a_file_that_is_cut_off_is_refused(tmp_path_factory, cut):
    path = write(tmp_path_factory.mktemp("cut"), **own_arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    with pytest.raises(DataError):
        datasets.load(path)
