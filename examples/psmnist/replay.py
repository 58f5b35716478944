"""
Run stored networks on the test digits of permuted sequential MNIST.

    python examples/psmnist/replay.py [--samples N] [BUNDLE ...]

Needs ``mnist.npz`` in the folder that NENGO_HYBRID_DATA names. Without names, all
bundles beside this file are run, each on the first N of the 10,000 digits.
"""

import argparse
from pathlib import Path

from nengo_hybrid import datasets
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.evaluation import evaluate


def replay(path, split):
    """Run a bundle's network on some sequences; return the `Evaluation`."""
    bundle = load_bundle(path)
    steps, seed = bundle.about["readout_steps"], bundle.about["seed"]
    return evaluate(bundle.graph, split, readout_steps=steps, seed=seed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="*", metavar="BUNDLE")
    parser.add_argument("--samples", type=int, default=500, metavar="N")
    arguments = parser.parse_args()
    paths = arguments.bundles or sorted(Path(__file__).parent.glob("*.zip"))
    split = datasets.mnist().test.head(arguments.samples)
    for path in map(Path, paths):
        found = replay(path, split)
        bits, spikes = found.overall, sum(found.spikes.values())
        print(
            f"{path.stem}: {found.accuracy:.2%} of {len(split)} digits; "
            f"bits_max {bits['bits_max']:.2f}, significant_bits "
            f"{bits['significant_bits']:.2f}, {spikes:,.0f} spikes a digit"
        )


if __name__ == "__main__":
    main()
