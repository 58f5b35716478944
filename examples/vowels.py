"""
Tell nine speakers apart by a vowel: training, two chips, and plain baselines.

    pip install --no-deps aeon
    python examples/vowels.py [--out FOLDER] [--seeds N ...]

JapaneseVowels has 640 utterances of two vowels, 7 to 29 frames of 12 coefficients
(Kudo, Toyama, Shimbo, *Multidimensional curve classification using passing-through
regions*, Pattern Recognition Letters 20, 1999). aeon's wheel ships its files, which are
read from there; aeon itself is not imported. Writes ``vowels.svg``.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import nengo
import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import nengo_hybrid as nh
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.estimate import estimate
from nengo_hybrid.estimate.energy import CHIP_TERMS
from nengo_hybrid.exceptions import DataError
from nengo_hybrid.networks.memory import memory_std

N_SPEAKERS, N_FRAMES, N_CHANNELS = 9, 29, 12
N_VALIDATION = 54
READOUT_STEPS, CHIP_STEPS = 8, 4
STEPS = (
    "as rates",
    "hybrid, in floats",
    "Loihi 1, in integers",
    "Loihi 2, in integers",
)


def find_files():
    """
    Return the paths of the training and the test file inside aeon.

    Raises
    ------
    DataError
        If aeon, or its file, is not there.
    """
    found = find_spec("aeon")
    if found is None:
        raise DataError(
            "vowels needs the files that aeon ships, but aeon is not installed; run "
            "`pip install --no-deps aeon` (its dependencies are not needed)"
        )
    folder = Path(found.submodule_search_locations[0]) / "datasets/data/JapaneseVowels"
    paths = [folder / f"JapaneseVowels_{part}.ts" for part in ("TRAIN", "TEST")]
    for path in paths:
        if not path.is_file():
            raise DataError(
                f"vowels needs the file {path}, which this version of aeon does not "
                "ship; run `pip install --no-deps aeon==1.3.0`"
            )
    return paths


def read_ts(path):
    """
    Read labelled series: channels after colons, frames after commas, a label last.

    Returns
    -------
    series : list of (n_frames, n_channels) array
    labels : (n_series,) int32 array
        From 0; in the file they begin at 1.
    """
    _, _, rows = path.read_text(encoding="utf-8").partition("@data")
    series, labels = [], []
    for row in rows.split():
        *channels, label = row.split(":")
        series.append(np.array([np.fromstring(c, sep=",") for c in channels]).T)
        labels.append(int(label) - 1)
    return series, np.array(labels, dtype=np.int32)


def hold(series):
    """Hold the last frame of each series until ``N_FRAMES``."""
    padded = [np.pad(s, ((0, N_FRAMES - len(s)), (0, 0)), "edge") for s in series]
    return np.array(padded, dtype=np.float32)


def load(paths, seed=0):
    """Standardize each channel by the training frames; hold some out to validate."""
    (series, labels), (test, test_labels) = map(read_ts, paths)
    frames = np.concatenate(series)
    mean, std = frames.mean(axis=0), frames.std(axis=0)
    x, test = (hold([(s - mean) / std for s in part]) for part in (series, test))
    kept, held, kept_y, held_y = train_test_split(
        x, labels, test_size=N_VALIDATION, stratify=labels, random_state=seed
    )
    splits = Split(kept, kept_y), Split(held, held_y), Split(test, test_labels)
    return Dataset("japanese-vowels", *splits, n_classes=N_SPEAKERS)


def baselines(data):
    """Return the accuracy of what knows all frames at once, by name."""
    parts = data.train, data.validation
    x = np.concatenate([part.x for part in parts]).reshape(-1, N_FRAMES * N_CHANNELS)
    y = np.concatenate([part.y for part in parts])
    test = data.test.x.reshape(len(data.test), -1)
    models = {
        "nearest neighbour": KNeighborsClassifier(1),
        "ridge on all frames": RidgeClassifierCV(np.logspace(-3, 5, 17)),
    }
    return {n: m.fit(x, y).score(test, data.test.y) for n, m in models.items()}


def build(data, seed, *, order=4, n_hidden=256):
    """Return a memory of 12 channels, a hidden layer and a neuron per speaker."""
    relu = nengo.RectifiedLinear()
    spread = memory_std(order, N_FRAMES, data.train.x, last_steps=READOUT_STEPS)
    with nengo.Network(seed=seed) as net:
        x = nengo.Node(np.zeros(N_CHANNELS))
        lmu = nh.networks.LMU(
            order,
            N_FRAMES,
            size_in=N_CHANNELS,
            n_hidden=n_hidden,
            hidden_type=nh.HybridSpiking(relu, omega=4),
            quantizer={"readout": nh.HybridSpiking(nh.Identity(), omega=4)},
            readout_scale=0.5 / spread,
        )
        # Small weights and a bias: no neuron of a speaker begins, and stays, silent.
        output = nengo.Ensemble(
            N_SPEAKERS,
            1,
            neuron_type=nh.HybridSpiking(relu, omega=2),
            gain=np.ones(N_SPEAKERS),
            bias=np.full(N_SPEAKERS, 0.5),
            label="output",
        )
        nengo.Connection(x, lmu.input, synapse=None)
        weights = nengo.dists.Uniform(-0.015, 0.015)
        nengo.Connection(lmu.hidden, output.neurons, transform=weights, synapse=None)
        nengo.Probe(output.neurons)
    return net


def run(data, seed, *, epochs=60, **sizes):
    """
    Train, deploy to two chips, and run the test set.

    Returns
    -------
    accuracy : dict of str to float
        By step of the deployment.
    bills : list of str
    trace : Trace
        Of Loihi 1.
    """
    trained = nh.train(
        build(data, seed, **sizes),
        data,
        engine="parallel",
        epochs=epochs,
        minibatch_size=27,
        learning_rate=2e-3,
        readout_steps=READOUT_STEPS,
        budgets={"lmu.hidden": {"rate": 0.5}, "output": {"rate": 0.8}},
        seed=seed,
        progress=False,
    )
    found = nh.waterfall(
        trained, nh.load_target("loihi1"), data.test, chip_steps=CHIP_STEPS, seed=seed
    )
    in_floats = [row.accuracy for row in found.rows[:2]]
    accuracy = dict(zip(STEPS[:2], in_floats, strict=True))
    bills, traces = [], {}
    for step, name in zip(STEPS[2:], ("loihi1", "loihi2"), strict=True):
        target = nh.load_target(name)
        deployed = nh.deploy(
            trained, target, chip_steps=CHIP_STEPS, calibration=data.train.x
        )
        trace = traces[name] = nh.run_deployed(deployed, data.test.x, seed=seed)
        is_graded = name == "loihi2"
        sent = trace.output if is_graded else trace.output_spikes
        n_last = READOUT_STEPS * (1 if is_graded else CHIP_STEPS)
        answers = nh.metrics.classify(sent, n_last)
        accuracy[step] = nh.metrics.accuracy(answers, data.test.y)
        bills.append(
            bill(deployed.placement, estimate(deployed.placement, trace, target))
        )
    return accuracy, bills, traces["loihi1"]


def bill(placement, found):
    """Say what an utterance costs on a chip, and what of it has no price."""
    operations = [term for term in found.energy.terms if term.name in CHIP_TERMS]
    n_synaptic = next(term.count for term in operations if term.name == "synapses")
    priced_uj = 1e6 * sum(term.energy_j for term in operations)
    words = (
        f"{found.target}: {placement.n_cores} cores; {n_synaptic:,.0f} synaptic "
        f"operations an utterance; the chip's operations {priced_uj:.1f} uJ; "
    )
    energy = found.energy
    if energy.unpriced:
        return words + f"all is not known: no price for {', '.join(energy.unpriced)}"
    band = [f"{joules * 1e3:.2f}" for joules in (energy.low_j, energy.high_j)]
    return (
        words + f"all of the board {energy.total_j * 1e3:.2f} mJ ({' to '.join(band)})"
    )


def draw(data, spikes, scores, path):
    """Draw an utterance, the spikes that answer it, and the accuracy at each step."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    axes[0].plot(data.test.x[0])
    axes[0].set(
        xlabel="frame", ylabel="standardized", title="an utterance, its end held"
    )
    steps, speakers = np.nonzero(spikes)
    axes[1].plot(steps, speakers + 1, "|", ms=8)
    axes[1].set(xlabel="time step of Loihi 1", ylabel="neuron of speaker")
    axes[1].set(title="output spikes", yticks=range(1, N_SPEAKERS + 1))
    for place, (name, values) in enumerate(scores.items()):
        color = "0.5" if name not in STEPS else "C0"
        axes[2].plot(100 * np.array(values), [place] * len(values), "o", color=color)
    axes[2].set_yticks(range(len(scores)), scores)
    axes[2].invert_yaxis()
    axes[2].set(xlabel=f"% of {len(data.test)} test utterances, by seed")
    figure.savefig(path)
    plt.close(figure)


def main(out=".", seeds=(0, 1, 2), **settings):
    """Run every seed; return the accuracies by model or step."""
    paths, scores = find_files(), {}
    for seed in seeds:
        data = load(paths, seed)
        accuracy, bills, trace = run(data, seed, **settings)
        for name, value in {**baselines(data), **accuracy}.items():
            scores.setdefault(name, []).append(value)
        print(f"seed {seed}: " + ", ".join(f"{k} {v:.2%}" for k, v in accuracy.items()))
        if seed == seeds[0]:
            print(*bills, "emulated, not measured", sep="\n")
            spikes = trace.output_spikes[0]
    for name, values in scores.items():
        print(f"{np.mean(values):.2%} ({min(values):.2%} to {max(values):.2%}): {name}")
    path = Path(out) / "vowels.svg"
    draw(data, spikes, scores, path)
    print(f"wrote {path}")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--out", default=".", help="folder for the picture")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    try:
        main(**vars(parser.parse_args()))
    except DataError as error:
        sys.exit(str(error))
