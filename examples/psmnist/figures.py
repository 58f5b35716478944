"""
Draw how the stored networks were trained, and what their neurons send.

    python examples/psmnist/figures.py [FOLDER]

Writes ``psmnist-training.svg`` and ``psmnist-counts.svg``, by default beside this file.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

from nengo_hybrid.bundle import load_bundle

HERE = Path(__file__).parent


def draw_training(bundles, path):
    """Plot accuracy in validation over the epochs, and where each network ended."""
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    trained = {n: a for n, a in bundles.items() if not a["recipe"]["one_bit"]}
    for name, about in trained.items():
        history, test = about["history"], about["accuracy"]["test"]
        percent = [100 * value for value in history["val_accuracy"]]
        label = f"{name} (test: {100 * test:.2f} %)"
        axes.plot(history["epoch"], percent, marker=".", label=label)
    axes.set(xlabel="epoch", ylabel="accuracy in validation, %")
    axes.legend(frameon=False)
    figure.savefig(path)


def draw_counts(bundles, path):
    """Plot how often each count is sent, by network and population."""
    rows = max(len(about["counts"]) for about in bundles.values())
    figure, grid = plt.subplots(
        rows, len(bundles), figsize=(9, 1.7 * rows), squeeze=False, layout="constrained"
    )
    for axes in grid.flat:
        axes.axis("off")
    for column, (name, about) in enumerate(bundles.items()):
        for row, (population, counts) in enumerate(about["counts"].items()):
            axes = grid[row, column]
            axes.axis("on")
            total = sum(counts.values())
            sizes = [int(count) for count in counts]
            axes.bar(sizes, [n / total for n in counts.values()], width=0.8)
            axes.set(yscale="log", ylim=(1e-10, 2), title=f"{name}: {population}")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.title.set_fontsize(8)
    figure.supxlabel("count sent in a step")
    figure.supylabel("part of all steps")
    figure.savefig(path)


def main(folder=HERE):
    bundles = {p.stem: load_bundle(p).about for p in sorted(HERE.glob("*.zip"))}
    draw_training(bundles, Path(folder) / "psmnist-training.svg")
    draw_counts(bundles, Path(folder) / "psmnist-counts.svg")


if __name__ == "__main__":
    main(*sys.argv[1:])
