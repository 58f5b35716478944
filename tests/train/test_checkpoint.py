"""Checkpoint files and their folder: what is written comes back, or is refused."""

import json
import os

import numpy as np
import pytest

from nengo_hybrid.exceptions import CheckpointError, TrainError
from nengo_hybrid.train.checkpoint import (
    Checkpoints,
    read_checkpoint,
    write_checkpoint,
)

HEADER = {"epoch": 3, "minibatch": 1, "history": {"loss": [0.1, 1 / 3]}}
ARRAYS = {
    "body.0": np.array([[1.5, -0.0], [np.pi, 2]], np.float32),
    "rng": np.array([1, 2**63 - 1], np.int64),
    "best.omega": np.array(7.0),
}
IDENTITY = {
    "data": "d" * 64,
    "settings": {"epochs": 6, "budgets": {"a": {"rate": 0.1}}},
}


def assert_same(arrays, others):
    assert set(arrays) == set(others)
    for name, array in arrays.items():
        assert array.dtype == others[name].dtype and array.shape == others[name].shape
        assert array.tobytes() == others[name].tobytes()


def make_folder(path, n_saved=2):
    """Return checkpoints of epochs 1, 2, ... in a folder."""
    folder = Checkpoints(path, resume=False, identity=IDENTITY)
    folder.check_network("n" * 64)
    for epoch in range(1, n_saved + 1):
        folder.save({"epoch": epoch, "minibatch": 0}, ARRAYS)
    return folder


def refusal(path, *, resume=True, **changes):
    """Return the words of the refusal to open a folder."""
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(path, resume=resume, identity={**IDENTITY, **changes})
    return str(caught.value)


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, HEADER, ARRAYS)
    header, arrays = read_checkpoint(path)
    assert header == {"schema": 1, **HEADER}
    assert_same(arrays, ARRAYS)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, HEADER, ARRAYS)
    content = path.read_bytes()
    for n_left in range(0, len(content), 97):
        path.write_bytes(content[:n_left])
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(path)
        assert str(caught.value) == f"checkpoint {path} is damaged: it is cut off"


def test_no_changed_byte_goes_unseen(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, HEADER, ARRAYS)
    content, n_refused = path.read_bytes(), 0
    for i in range(0, len(content), 7):
        path.write_bytes(content[:i] + bytes([content[i] ^ 0xFF]) + content[i + 1 :])
        try:
            header, arrays = read_checkpoint(path)
        except CheckpointError as error:
            assert str(error).startswith(f"checkpoint {path} ")
            n_refused += 1
        else:  # a date or the like, of which nothing depends
            assert header == {"schema": 1, **HEADER}
            assert_same(arrays, ARRAYS)
    assert n_refused > 100


def test_content_of_another_digest_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, HEADER, ARRAYS)
    with np.load(path) as file:
        content = dict(file)
    content["rng"] = content["rng"] + 1
    np.savez(path, **content)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == (
        f"checkpoint {path} is damaged: its content is not that of its SHA-256"
    )


def test_another_schema_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_checkpoint(path, HEADER, {"rng": ARRAYS["rng"]})
    with np.load(path) as file:
        content = dict(file)
    header = {**json.loads(bytes(content["header"])), "schema": 2}
    content["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **content)
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == (
        f"checkpoint {path} has schema 2, needed 1; use the version of nengo-hybrid "
        "that wrote it"
    )


def test_a_pickle_is_not_executed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, header=np.array([{"schema": 1}], object), sha256=np.zeros(1))
    with pytest.raises(CheckpointError, match="is damaged: Object arrays cannot be"):
        read_checkpoint(path)


def test_the_newest_and_the_one_before_are_kept(tmp_path):
    folder = make_folder(tmp_path / "new" / "run", n_saved=3)
    names = {"checkpoint.npz", "checkpoint-previous.npz"}
    assert {p.name for p in folder.folder.iterdir()} == names
    assert folder.last == folder.folder / "checkpoint.npz"
    assert read_checkpoint(folder.last)[0]["epoch"] == 3
    previous = folder.folder / "checkpoint-previous.npz"
    assert read_checkpoint(previous)[0]["epoch"] == 2


def test_the_newest_is_loaded(tmp_path):
    make_folder(tmp_path)
    folder = Checkpoints(tmp_path, resume=True, identity=IDENTITY)
    folder.check_network("n" * 64)
    header, arrays = folder.loaded
    assert header["epoch"] == 2 and folder.last == tmp_path / "checkpoint.npz"
    assert_same(arrays, ARRAYS)


def test_a_setting_of_numpy_is_that_of_python(tmp_path):
    make_folder(tmp_path)
    settings = {"epochs": np.int64(6), "budgets": {"a": {"rate": np.float64(0.1)}}}
    identity = {**IDENTITY, "settings": settings}
    folder = Checkpoints(tmp_path, resume=True, identity=identity)
    assert folder.identity == IDENTITY


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    folder = make_folder(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError) as caught:
        folder.save({"epoch": 3, "minibatch": 0}, ARRAYS)
    assert str(caught.value) == (
        f"checkpoint {tmp_path / 'checkpoint.npz'} cannot be written: No space left on "
        "device; make room, or pass another folder"
    )
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "run"
    assert refusal(folder, resume=False) == (
        f"checkpoints cannot be written to {folder}: Not a directory; pass a folder "
        "that can be made"
    )


def test_checkpoints_are_not_overwritten_by_mistake(tmp_path):
    make_folder(tmp_path)
    assert refusal(tmp_path, resume=False) == (
        f"{tmp_path} has the checkpoint checkpoint.npz already; pass resume=True "
        "(--resume) to go on from it, or another folder"
    )


def test_there_has_to_be_a_checkpoint_to_resume_from(tmp_path):
    assert refusal(tmp_path) == (
        f"{tmp_path} has no checkpoint to resume from, neither checkpoint.npz nor "
        "checkpoint-previous.npz; pass resume=False (no --resume) to begin"
    )


def test_a_damaged_newest_names_the_intact_one_before(tmp_path):
    make_folder(tmp_path)
    newest = tmp_path / "checkpoint.npz"
    newest.write_bytes(newest.read_bytes()[:-30])
    assert refusal(tmp_path) == (
        f"checkpoint {newest} is damaged: it is cut off; checkpoint-previous.npz "
        "beside it is intact (epoch 1, minibatch 0): delete checkpoint.npz and resume "
        "from that"
    )
    newest.unlink()  # as it says
    folder = Checkpoints(tmp_path, resume=True, identity=IDENTITY)
    assert folder.loaded[0]["epoch"] == 1
    folder.check_network("n" * 64)
    folder.save({"epoch": 2, "minibatch": 0}, ARRAYS)
    assert read_checkpoint(newest)[0]["epoch"] == 2
    assert read_checkpoint(tmp_path / "checkpoint-previous.npz")[0]["epoch"] == 1


@pytest.mark.parametrize("n_saved", [1, 2])
def test_without_an_intact_one_before_there_is_only_a_new_beginning(tmp_path, n_saved):
    make_folder(tmp_path, n_saved)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    assert refusal(tmp_path) == (
        f"checkpoint {tmp_path / 'checkpoint.npz'} is damaged: it is cut off; "
        "checkpoint-previous.npz is no help, so begin again in another folder"
    )


def test_other_data_are_refused(tmp_path):
    make_folder(tmp_path)
    assert refusal(tmp_path, data="e" * 64) == (
        f"checkpoint {tmp_path / 'checkpoint.npz'} was made with a data set of sha256 "
        "dddddddddddd, but train got eeeeeeeeeeee; pass the same data set to resume, "
        "or another folder to begin"
    )


def test_another_network_is_refused(tmp_path):
    make_folder(tmp_path)
    folder = Checkpoints(tmp_path, resume=True, identity=IDENTITY)
    with pytest.raises(TrainError) as caught:
        folder.check_network("m" * 64)
    assert str(caught.value) == (
        f"checkpoint {tmp_path / 'checkpoint.npz'} was made with a network of sha256 "
        "nnnnnnnnnnnn, but train got mmmmmmmmmmmm; pass the same network to resume, "
        "or another folder to begin"
    )


@pytest.mark.parametrize(
    ("name", "then", "now"),
    [("epochs", 6, 8), ("budgets", {"a": {"rate": 0.1}}, {"a": {"rate": 0.2}})],
)
def test_another_setting_is_named(tmp_path, name, then, now):
    make_folder(tmp_path)
    settings = {**IDENTITY["settings"], name: now}
    assert refusal(tmp_path, settings=settings) == (
        f"checkpoint {tmp_path / 'checkpoint.npz'} was made with {name}={then!r}, but "
        f"train got {now!r}; pass {name}={then!r} to resume, or another folder to begin"
    )
