"""What is read of an HDF5 file, and everything that is refused."""

import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import CompatError, HybridError, InterchangeError
from nengo_hybrid.interchange import hdf5
from nengo_hybrid.interchange.hdf5 import read_tree, told_with_path

h5py = pytest.importorskip("h5py")


def read(path):
    with told_with_path(path, "file"):
        return read_tree(path)


def refuses(path, words, error=InterchangeError):
    """Check the whole message, behind the file's name."""
    whole = f"file {str(path)!r} cannot be read: {words}"
    with pytest.raises(error, match=f"^{re.escape(whole)}$"):
        read(path)


def test_numbers_and_texts_are_read_in_their_groups(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/b"] = np.arange(3.0)
        file["a/flag"] = True
        file["a/kind"] = "Affine"
        file.create_dataset("old", (1,), "S10", [b"dense"])
        file["edges"] = [["a", "b"], ["b", "ä"]]
        file.create_dataset("packed", data=np.zeros((100, 100)), compression="gzip")
    found = read(path)
    assert found["a"]["b"].tolist() == [0, 1, 2]
    assert found["a"]["flag"] and found["a"]["kind"] == "Affine"
    assert found["old"].tolist() == ["dense"]
    assert found["edges"].tolist() == [["a", "b"], ["b", "ä"]]
    assert found["packed"].shape == (100, 100) and not found["packed"].any()


def soft_link(file, other):
    file["a"] = h5py.SoftLink("/b")
    return f"'a' needs to be in the file, got a link to :/b; {COPY}"


def external_link(file, other):
    file["a"] = h5py.ExternalLink(str(other), "/b")
    return f"'a' needs to be in the file, got a link to {other}:/b; {COPY}"


def own_parent(file, other):
    file["a/b"] = file["/"]
    return "'a/b' needs to be there once, got it under a second name"


def second_name(file, other):
    file["a"] = 1.0
    file["b"] = file["a"]
    return "'b' needs to be there once, got it under a second name"


def values_elsewhere(file, other):
    other.write_bytes(bytes(8))
    file.create_dataset("a", (1,), float, external=[(str(other), 0, 8)])
    return "array 'a' needs to be in the file, got one whose values are in another"


def virtual(file, other):
    layout = h5py.VirtualLayout((4,), float)
    layout[:] = h5py.VirtualSource(str(other), "x", (4,))
    file.create_virtual_dataset("a", layout)
    return "array 'a' needs to be in the file, got one whose values are in another"


def empty(file, other):
    file["a"] = h5py.Empty(float)
    return "array 'a' needs values, got an empty one"


def reference(file, other):
    file.create_dataset("a", data=file.ref, dtype=h5py.ref_dtype)
    return "array 'a' needs numbers or texts, got object"


def records(file, other):
    file["a"] = np.zeros(2, [("x", float)])
    return "array 'a' needs numbers or texts, got [('x', '<f8')]"


def named_type(file, other):
    file["a"] = np.dtype(float)
    return "'a' needs to be a group or an array, got a Datatype"


def huge_shape(file, other):
    file.create_dataset("a", (2**16, 2**16), float)
    return (
        "array 'a' of shape (65536, 65536) brings what is read to 34,359,738,368 bytes "
        "and 0 texts; 1,073,741,824 and 65,536 are the most"
    )


def huge_chunk(file, other):
    file.create_dataset("a", (1,), float, maxshape=(None,), chunks=(2**28,))
    return (
        "array 'a' of shape (1,) brings what is read to 2,147,483,648 bytes and 0 "
        "texts; 1,073,741,824 and 65,536 are the most"
    )


def not_written(file, other):
    file.create_dataset("a", (2**20,), float)
    return (
        "array 'a' of shape (1048576,) needs 8,388,608 bytes, got 0; its values are "
        "not in the file"
    )


def not_written_packed(file, other):
    file.create_dataset("a", (2**20,), float, compression="gzip")
    return (
        "array 'a' of shape (1048576,) needs 8,388,608 bytes, got 0 packed; its values "
        "are not in the file"
    )


def written_in_part(file, other):
    # A chunk of 1,024 zeros, and a thousand that are nowhere.
    file.create_dataset("a", (2**20,), float, compression="gzip", chunks=(1024,))[
        :9
    ] = 0
    n_stored = file["a"].id.get_storage_size()
    return (
        f"array 'a' of shape (1048576,) needs 8,388,608 bytes, got {n_stored} packed; "
        "its values are not in the file"
    )


def other_filter(file, other):
    file.create_dataset("a", data=np.arange(100), scaleoffset=0)
    return (
        "array 'a' needs filters of gzip, shuffle, fletcher32, lzf, got number 6; "
        "write it without"
    )


def other_bytes(file, other):
    file.create_dataset("a", (1,), "S2", [b"\xff\xfe"])
    return "array 'a' needs text in UTF-8, got other bytes"


def deep(file, other):
    file.create_group("/".join("a" * 17))
    return f"group '{'/'.join('a' * 17)}' is 17 groups deep; 16 are the most"


COPY = "copy what it leads to in its place"
HOSTILE = [
    soft_link,
    external_link,
    own_parent,
    second_name,
    values_elsewhere,
    virtual,
    empty,
    reference,
    records,
    named_type,
    huge_shape,
    huge_chunk,
    not_written,
    not_written_packed,
    written_in_part,
    other_filter,
    other_bytes,
    deep,
]


@pytest.mark.parametrize("make", HOSTILE)
def test_what_is_not_plain_values_is_refused(tmp_path, make):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        words = make(file, tmp_path / "other.h5")
    refuses(path, words)


def test_too_many_texts_and_objects_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = ["x"] * 20
    monkeypatch.setattr(hdf5, "MAX_TEXTS", 10)
    refuses(
        path,
        "array 'a' of shape (20,) brings what is read to 160 bytes and 20 texts; "
        "1,073,741,824 and 10 are the most",
    )
    monkeypatch.setattr(hdf5, "MAX_TEXTS", 20)
    monkeypatch.setattr(hdf5, "MAX_BYTES", 170)
    with h5py.File(path, "a") as file:
        file["a"][:] = "x" * 10
    refuses(path, "array 'a' has texts of more than 170 bytes")
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 1)
    refuses(path, "it has more than 1 groups and arrays")


def test_what_is_no_hdf5_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    refuses(path, "No such file or directory; name a file")
    refuses(tmp_path, "Is a directory; name a file")
    path.write_bytes(b"PK")
    refuses(path, "it needs to be HDF5, got something else")


def test_h5py_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["a"] = 1.0
    monkeypatch.setitem(sys.modules, "h5py", None)
    refuses(
        path,
        "h5py is needed to read it and not installed; run pip install h5py",
        CompatError,
    )


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "a.h5"
    with h5py.File(path, "w") as file:
        file["a/b"] = np.arange(200.0)
        file["a/kind"] = "LIF"
        file.create_dataset("c", data=np.arange(300), compression="gzip")
    return path.read_bytes()


@settings(max_examples=60)
@given(st.data())
def test_a_file_that_is_cut_off_anywhere_is_refused(whole_file, tmp_path_factory, data):
    n_bytes = data.draw(st.integers(0, len(whole_file) - 1))
    path = tmp_path_factory.mktemp("cut") / "a.h5"
    path.write_bytes(whole_file[:n_bytes])
    with pytest.raises(
        HybridError, match="cannot be read: it (is cut off|needs to be)"
    ):
        read(path)
