"""Event files for TensorBoard: scalars come back, and no step comes twice."""

import pytest

pytest.importorskip("tensorflow")


def read(folder):
    from nengo_hybrid.train.tensorboard import read_scalars

    return [row for path in sorted(folder.iterdir()) for row in read_scalars(path)]


def write(folder, rows, *, goes_on):
    from nengo_hybrid.train.tensorboard import Scalars

    with Scalars(folder, goes_on=goes_on) as scalars:
        for step, values in rows:
            scalars.write(step, values)


def test_scalars_come_back(tmp_path):
    write(
        tmp_path, [(0, {"loss": 0.5, "omega.a": 4}), (1, {"loss": 0.25})], goes_on=False
    )
    assert read(tmp_path) == [("loss", 0, 0.5), ("omega.a", 0, 4), ("loss", 1, 0.25)]


def test_a_step_that_is_there_is_not_written_again(tmp_path):
    write(tmp_path, [(0, {"a": 1.0}), (1, {"a": 2.0})], goes_on=False)
    again = [(1, {"a": 2.0, "b": 8.0}), (2, {"a": 3.0})]
    write(tmp_path, again, goes_on=True)
    rows = sorted(read(tmp_path))
    assert rows == [("a", 0, 1.0), ("a", 1, 2.0), ("a", 2, 3.0), ("b", 1, 8.0)]


def test_a_file_that_is_cut_off_is_read_up_to_there(tmp_path):
    write(tmp_path, [(0, {"a": 1.0}), (1, {"a": 2.0})], goes_on=False)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert read(tmp_path) == [("a", 0, 1.0)]
