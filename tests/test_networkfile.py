"""A user's network: names, and arrays that go in and come out without pickle."""

import sys
import zipfile

import nengo
import numpy as np
import pytest

from nengo_hybrid import networkfile
from nengo_hybrid.exceptions import BuildError, BundleError, DataError
from nengo_hybrid.names import plain_name, unique_names
from nengo_hybrid.networkfile import (
    load_network,
    match_nodes,
    probe_names,
    read_arrays,
    split_name,
    write_arrays,
)


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """Take back what running a file leaves in the interpreter."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, networkfile.MODULE, raising=False)


def write(folder, source, name="model.py"):
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path


@pytest.mark.parametrize("place", ["net", "model.py:", ":net", "model.py:a b", "a:b.c"])
def test_a_place_needs_a_file_and_a_name(place):
    with pytest.raises(BuildError, match=r"^a network is named as FILE\.py:NAME"):
        split_name(place)


def test_the_last_colon_counts(tmp_path):
    path = write(tmp_path, "", "a:b.py")
    assert split_name(f"{path}:net") == (path, "net")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(BuildError, match=r"\(it is a folder\); name a Python file$"):
        split_name(f"{tmp_path}:net")


def test_a_file_may_import_what_lies_beside_it(tmp_path):
    write(
        tmp_path, "import nengo\nmade = nengo.Network(label='beside')", "beside_it.py"
    )
    path = write(tmp_path, "from beside_it import made as net")
    assert load_network(path, "net").label == "beside"


def test_a_file_may_have_dataclasses_and_what_only_scripts_do(tmp_path):
    path = write(
        tmp_path,
        "from __future__ import annotations\n"
        "import dataclasses\n"
        "import nengo\n"
        "@dataclasses.dataclass\n"
        "class Settings:\n"
        "    size: int = 3\n"
        "net = nengo.Network(label=str(Settings().size))\n"
        "if __name__ == '__main__':\n"
        "    raise AssertionError\n",
    )
    assert load_network(path, "net").label == "3"


@pytest.mark.parametrize(
    "source, words",
    [
        ("x = 1\nx = (", "line 2: SyntaxError: "),
        ("\n\nraise ValueError", "line 3: ValueError$"),
        ("def f():\n    1 / 0\nf()", "line 2: ZeroDivisionError: division by zero$"),
        ("import sys\nsys.exit(3)", "line 2: SystemExit: 3$"),
        ("import no_such_package", "line 1: ModuleNotFoundError: No module named "),
        ("def net():\n    return net.no", "line 2: AttributeError: "),
        ("net = lambda: 1 / 0", "line 1: ZeroDivisionError: "),
    ],
)
def test_what_fails_in_a_file_is_told_with_its_line(tmp_path, source, words):
    path = write(tmp_path, source)
    with pytest.raises(BuildError, match=words) as error:
        load_network(path, "net")
    assert str(error.value).startswith(f"{path}, line ")
    assert "\n" not in str(error.value)


def test_a_function_has_to_return_a_network(tmp_path):
    path = write(tmp_path, "def net():\n    return 3\n")
    with pytest.raises(BuildError, match=r"one; it returns of type int; there are net"):
        load_network(path, "net")


def test_a_file_without_networks(tmp_path):
    path = write(tmp_path, "x = 1\n")
    words = r"has no 'net'; there is no network in it, and no function without "
    with pytest.raises(BuildError, match=words):
        load_network(path, "net")


def test_names_of_objects_are_short():
    with nengo.Network():
        a, b = nengo.Ensemble(2, 1, label="a"), nengo.Ensemble(2, 1)
        connection = nengo.Connection(a, b)
    assert [plain_name(x) for x in (a, b, a.neurons)] == ["a", "Ensemble", "a.neurons"]
    assert plain_name(b.neurons) == "Ensemble.neurons"
    assert plain_name(connection) == "a to Ensemble"
    assert plain_name(str(connection)) == "a to Ensemble"


def test_equal_names_are_told_apart_from_all_others():
    names = unique_names(["a", "a", "a #2", "t", "a"], taken={"t"})
    assert names == ["a", "a #2", "a #2 #2", "t #2", "a #3"]


def test_probes_have_names_of_their_own():
    with nengo.Network() as net:
        a = nengo.Ensemble(4, 1, label="a")
        probes = [
            nengo.Probe(a),
            nengo.Probe(a[:1]),
            nengo.Probe(a.neurons[:2], "voltage"),
            nengo.Probe(a, label="t"),
            nengo.Probe(a, label="file"),
        ]
    names = probe_names(net)
    assert [names[p] for p in probes] == [
        "a.decoded_output",
        "a.decoded_output #2",
        "a.neurons.voltage",
        "t #2",
        "file",
    ]


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "file": np.arange(6).reshape(2, 3),
        "a/b [c] #2": np.zeros((0, 4), np.float32),
        "allow_pickle": np.array([True, False]),
    }
    write_arrays(tmp_path / "out", arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    found = read_arrays(tmp_path / "out")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_the_old_file_stays_where_writing_fails(tmp_path):
    path = tmp_path / "out.npz"
    path.write_text("old")
    with pytest.raises(ValueError, match="pickle"):
        write_arrays(path, {"a": np.array([{}], dtype=object)})
    assert [p.name for p in tmp_path.iterdir()] == ["out.npz"]
    assert path.read_text() == "old"


def test_a_folder_that_is_gone_is_told(tmp_path):
    with pytest.raises(BundleError, match=r"^cannot write .*: No such file or "):
        write_arrays(tmp_path / "no" / "out.npz", {})


def one_array(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def pickled(path):
    with open(path, "wb") as file:
        np.savez(file, a=np.array([{}], dtype=object))


def damaged(path):
    write_arrays(path, {"a": np.zeros(100)})
    path.write_bytes(path.read_bytes()[:200])


def a_note(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("note.txt", "hello")


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.write_bytes(b""), "no .npz file of plain numbers"),
        (lambda path: path.write_text("text"), "no .npz file of plain numbers"),
        (damaged, "no .npz file of plain numbers"),
        (pickled, "no .npz file of plain numbers"),
        (one_array, "needs arrays with names"),
        (a_note, "needs arrays with names"),
        (np.savez, "needs arrays with names"),
    ],
)
def test_what_is_no_npz_file_is_refused(tmp_path, make, words):
    make(tmp_path / "data.npz")
    with pytest.raises(DataError, match=words) as error:
        read_arrays(tmp_path / "data.npz")
    assert "\n" not in str(error.value)


def test_arrays_find_their_nodes():
    with nengo.Network() as net:
        a, _ = nengo.Node(np.zeros(2), label="a"), nengo.Node(np.sin, label="b")
        nengo.Node(0, label="twice"), nengo.Node(0, label="twice")
    values = np.ones((3, 5, 2))
    assert match_nodes({"a": values}, net, 5, 3) == {a: values}
    assert match_nodes({"a": values[0] > 0}, net, 5, None).keys() == {a}
    for label, n in {"b": 0, "twice": 2, "c": 0}.items():
        with pytest.raises(DataError, match=f"got '{label}', which {n} of them have"):
            match_nodes({label: values}, net, 5, 3)


def test_describe_keeps_to_one_line():
    words = networkfile.describe(ValueError("a\n  b"), "model.py")
    assert words == "model.py: ValueError: a b"
