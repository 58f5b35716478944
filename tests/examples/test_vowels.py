"""Speakers told apart: the files are read as they are, and the way goes to the end."""

import re
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from nengo_hybrid.exceptions import DataError

needs_training = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="TensorFlow is not installed"
)


@pytest.fixture
def vowels(load):
    return load("vowels")


def write_ts(path, series, labels):
    rows = [
        ":".join([*(",".join(map(str, channel)) for channel in s.T), str(label)])
        for s, label in zip(series, labels, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["# made here", "@data", *rows]) + "\n")


@pytest.fixture
def made_up(vowels, tmp_path, monkeypatch):
    """Put an aeon with utterances of nine made-up speakers on the path."""
    rng = np.random.RandomState(0)
    centres = rng.normal(size=(9, 12))
    folder = tmp_path / "aeon" / "datasets" / "data" / "JapaneseVowels"
    for part, n in (("TRAIN", 12), ("TEST", 4)):
        labels = np.repeat(np.arange(9), n)
        series = [
            (centres[k] + 0.3 * rng.normal(size=(rng.randint(7, 30), 12))).round(4)
            for k in labels
        ]
        write_ts(folder / f"JapaneseVowels_{part}.ts", series, labels + 1)
    (tmp_path / "aeon" / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.delitem(sys.modules, "aeon", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return vowels.find_files()


def test_a_file_read_by_hand(vowels, tmp_path):
    path = tmp_path / "two.ts"
    path.write_text("@dimensions 2\n@data\n1,2,3:-4,5,6:2\n0.5:7:1\n")
    series, labels = vowels.read_ts(path)
    assert labels.tolist() == [1, 0]
    assert [s.tolist() for s in series] == [[[1, -4], [2, 5], [3, 6]], [[0.5, 7]]]


def test_the_last_frame_is_held(vowels):
    (held,) = vowels.hold([np.array([[1.0, 2.0], [3.0, 4.0]])])
    assert held.shape == (29, 2)
    assert held[0].tolist() == [1, 2]
    assert np.unique(held[1:], axis=0).tolist() == [[3, 4]]


def test_channels_are_standardized_by_the_training_frames(vowels, made_up):
    data = vowels.load(made_up)
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 54, 36)
    series, _ = vowels.read_ts(made_up[0])
    frames = np.concatenate(series)
    everything = np.concatenate([data.train.x, data.validation.x])
    last = (series[0][-1] - frames.mean(axis=0)) / frames.std(axis=0)
    assert np.any(np.all(np.isclose(everything[:, -1], last, atol=1e-5), axis=1))
    assert np.all(np.bincount(data.validation.y) == 6)


@needs_training
def test_the_whole_way(vowels, made_up, tmp_path, capsys):
    scores = vowels.main(tmp_path, seeds=(0,), epochs=12, n_hidden=32)
    assert set(vowels.STEPS) <= set(scores)
    # Nine speakers: chance is 0.11, and these are far apart.
    assert all(values[0] > 0.5 for values in scores.values())
    printed = capsys.readouterr().out
    assert re.search(r"^loihi1: \d+ cores; [\d,]+ synaptic operations", printed, re.M)
    assert re.search(r"^loihi2: .* all is not known: no price for", printed, re.M)
    assert "emulated, not measured" in printed
    assert (tmp_path / "vowels.svg").stat().st_size < 150e3


def test_without_aeon_the_command_is_named(vowels, monkeypatch):
    monkeypatch.setattr(vowels, "find_spec", lambda name: None)
    words = (
        "vowels needs the files that aeon ships, but aeon is not installed; run `pip "
        "install --no-deps aeon` (its dependencies are not needed)"
    )
    with pytest.raises(DataError, match=f"^{re.escape(words)}$"):
        vowels.find_files()


def test_an_aeon_without_the_file_is_named(vowels, made_up):
    made_up[1].unlink()
    words = (
        f"vowels needs the file {made_up[1]}, which this version of aeon does not "
        "ship; run `pip install --no-deps aeon==1.3.0`"
    )
    with pytest.raises(DataError, match=f"^{re.escape(words)}$"):
        vowels.find_files()


@pytest.mark.skipif(find_spec("aeon") is None, reason="aeon is not installed")
def test_the_real_file_is_the_known_one(vowels):
    data = vowels.load(vowels.find_files())
    assert (len(data.train), len(data.validation), len(data.test)) == (216, 54, 370)
    assert np.bincount(data.test.y).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    found = vowels.baselines(data)
    assert found["ridge on all frames"] == pytest.approx(0.9892, abs=0.003)
