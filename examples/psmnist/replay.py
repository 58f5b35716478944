"""
Run stored networks on the test digits of permuted sequential MNIST.

    python examples/psmnist/replay.py [--samples N] [--out FOLDER] [BUNDLE ...]

Needs ``mnist.npz`` in the folder that NENGO_HYBRID_DATA names. Without names, all
bundles beside this file are run, each on the first N of the 10,000 digits. Writes
``replay.svg``: what the hidden neurons of each send while they are shown one of them.
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from nengo_hybrid import datasets
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.exceptions import DataError
from nengo_hybrid.graph_run import run_graph

N_SHOWN = 80


def replay(path, split):
    """Run a bundle's network on some sequences; return the `Evaluation`."""
    bundle = load_bundle(path)
    steps, seed = bundle.about["readout_steps"], bundle.about["seed"]
    return evaluate(bundle.graph, split, readout_steps=steps, seed=seed)


def hidden_counts(path, x):
    """Return what hidden neurons send to one sequence, (n_steps, n_neurons) ints."""
    bundle = load_bundle(path)
    (name,) = (p.name for p in bundle.graph.populations if p.name.endswith("hidden"))
    found = run_graph(bundle.graph, x[None], seed=bundle.about["seed"], record=[name])
    return found[name][0]


def draw(paths, x, path):
    """Draw a digit, and the counts of some hidden neurons of each network."""
    figure, axes = plt.subplots(
        1,
        len(paths) + 1,
        figsize=(2.5 + 3 * len(paths), 3),
        width_ratios=[2, *[3] * len(paths)],
        layout="constrained",
    )
    pixels = np.zeros(784)
    pixels[np.random.RandomState(0).permutation(784)] = x[:, 0]
    axes[0].imshow(pixels.reshape(28, 28), cmap="gray_r")
    axes[0].set(xticks=[], yticks=[], title="one pixel a step")
    for ax, network in zip(axes[1:], paths, strict=True):
        counts = hidden_counts(network, x)[:, :N_SHOWN].T
        image = ax.imshow(counts, aspect="auto", cmap="magma_r", interpolation="none")
        ax.set(xlabel="step", title=network.stem)
        figure.colorbar(image, ax=ax, label="count", ticks=range(counts.max() + 1))
    axes[1].set_ylabel("hidden neuron")
    figure.savefig(path)
    plt.close(figure)


def main(bundles=(), samples=500, out="."):
    """Run bundles; return the `Evaluation` of each by name."""
    paths = [Path(path) for path in bundles] or sorted(
        Path(__file__).parent.glob("*.zip")
    )
    split, found = datasets.mnist().test.head(samples), {}
    for path in paths:
        found[path.stem] = replay(path, split)
        bits = found[path.stem].overall
        spikes = sum(found[path.stem].spikes.values())
        print(
            f"{path.stem}: {found[path.stem].accuracy:.2%} of {len(split)} digits; "
            f"bits_max {bits['bits_max']:.2f}, significant_bits "
            f"{bits['significant_bits']:.2f}, {spikes:,.0f} spikes a digit"
        )
    picture = Path(out) / "replay.svg"
    draw(paths, split.x[0], picture)
    print(f"wrote {picture}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE")
    parser.add_argument("--samples", type=int, default=500, metavar="N")
    parser.add_argument("--out", default=".", help="folder for the picture")
    try:
        main(**vars(parser.parse_args()))
    except DataError as error:
        sys.exit(str(error))
