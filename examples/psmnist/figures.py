"""
Draw how the stored networks were trained, what their neurons send, and the sweep.

    python examples/psmnist/figures.py [--out FOLDER]

Writes ``psmnist-training.svg``, ``psmnist-counts.svg`` and ``psmnist-sweep.svg``, by
default where it runs. The sweep is that of ``sweep.json``, which
``benchmarks/psmnist_modes.py`` made.
"""

import argparse
import json
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


def draw_sweep(rows, path):
    """Plot accuracy against bits and operations, by mode of training."""
    costs = {
        "bits_max": "bits of activity, maximum",
        "significant_bits": "significant bits a step",
        "synaptic_ops": "synaptic operations a digit, millions",
    }
    figure, grid = plt.subplots(
        1, len(costs), figsize=(9, 3.5), sharey=True, layout="constrained"
    )
    shown = [row for row in rows if row["bits_max"] is not None]
    for axes, (key, label) in zip(grid, costs.items(), strict=True):
        unit = 1e6 if key == "synaptic_ops" else 1
        for mode in dict.fromkeys(row["mode"] for row in shown):
            found = [row for row in shown if row["mode"] == mode]
            values = [row[key] / unit for row in found]
            percent = [100 * row["accuracy"] for row in found]
            axes.plot(values, percent, "o", ms=4, alpha=0.7, label=mode)
        front = [row for row in shown if row["on_front"]]
        values = [row[key] / unit for row in front]
        percent = [100 * row["accuracy"] for row in front]
        axes.plot(values, percent, "o", ms=9, mfc="none", mec="0.3", label="not beaten")
        axes.set(xlabel=label)
    grid[0].set(ylabel="accuracy, %")
    grid[0].legend(frameon=False, fontsize=7)
    figure.savefig(path)


def main(out="."):
    bundles = {p.stem: load_bundle(p).about for p in sorted(HERE.glob("*.zip"))}
    draw_training(bundles, Path(out) / "psmnist-training.svg")
    draw_counts(bundles, Path(out) / "psmnist-counts.svg")
    sweep = json.loads((HERE / "sweep.json").read_text(encoding="utf-8"))["sweep"]
    draw_sweep(sweep, Path(out) / "psmnist-sweep.svg")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--out", default=".", help="folder for the pictures")
    main(**vars(parser.parse_args()))
