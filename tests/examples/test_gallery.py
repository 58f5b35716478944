"""The page of examples shows them all, with pictures that are there and small."""

import re
from pathlib import Path

import numpy as np

from nengo_hybrid.datasets import Split

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")


def test_every_example_has_its_command():
    there = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "examples").rglob("*.py")
    }
    assert there <= set(re.findall(r"examples/[\w/]+\.py", PAGE))


def test_pictures_are_there_and_small():
    names = re.findall(r"\]\(_static/([\w-]+\.svg)\)", PAGE)
    assert len(names) == len(set(names)) >= 5
    for name in names:
        picture = ROOT / "docs" / "_static" / name
        assert 1e3 < picture.stat().st_size < 150e3, name


def test_digits_are_drawn_with_their_spikes(load, tmp_path):
    spikes = np.zeros((5, 256, 10), dtype=int)
    spikes[:, ::8, 3] = 1
    x, y = np.linspace(0, 1, 5 * 64).reshape(5, 64, 1), np.arange(5)
    path = tmp_path / "digits.svg"
    load("digits_picture").draw(Split(x, y), spikes, np.full(5, 3), path)
    assert path.stat().st_size < 150e3


def test_figures_of_psmnist_are_drawn_into_a_folder(load, tmp_path):
    load("psmnist/figures").main(tmp_path)
    names = {f"psmnist-{name}.svg" for name in ("training", "counts", "sweep")}
    assert {path.name for path in tmp_path.iterdir()} == names
