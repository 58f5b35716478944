"""
Run digits.py, and draw what its chip sent for some digits.

    python examples/digits_picture.py [--out FOLDER]

Writes ``digits.svg``: each digit as its pixels, and below it the spikes of the ten
output neurons on the emulated chip while the pixels come in, in their random order.
"""

import argparse
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

N_SHOWN = 5


def draw(split, spikes, answers, path):
    """Draw the first digits of a split, and the output spikes for each."""
    figure, axes = plt.subplots(
        2, N_SHOWN, figsize=(10, 4), height_ratios=[1, 2], layout="constrained"
    )
    order = np.random.RandomState(0).permutation(64)
    for i, (above, below) in enumerate(axes.T):
        pixels = np.zeros(64)
        pixels[order] = split.x[i, :, 0]
        above.imshow(pixels.reshape(8, 8), cmap="gray_r")
        above.set(xticks=[], yticks=[], title=f"a {split.y[i]}, taken for {answers[i]}")
        sent = np.minimum(spikes[i].T, 1)
        sent[split.y[i]] *= 2  # the right answer stands out
        below.imshow(sent, aspect="auto", cmap="magma_r", interpolation="none")
        below.set(yticks=range(10))
    axes[1, 0].set_ylabel("output neuron")
    figure.supxlabel("time step of Loihi 1", fontsize=10)
    figure.savefig(path)
    plt.close(figure)


def main(out="."):
    """Run the example; return what it made."""
    made = runpy.run_path(str(Path(__file__).parent / "digits.py"))
    path = Path(out) / "digits.svg"
    draw(made["data"].test, made["trace"].output_spikes, made["answers"], path)
    print(f"wrote {path}")
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--out", default=".", help="folder for the picture")
    main(**vars(parser.parse_args()))
