"""
Digits as still images on Loihi 2: LIF neurons, and convolutions, trained and deployed.

    python benchmarks/loihi2_images.py {lif,convolutions} [--seed N]

Scikit-learn's 8 x 8 digits: 1,293 to train on, 144 to choose the epoch, 360 to test.
An image is held for some steps, fewer in training; the answer is read in the last ones.
"""

import click
import nengo
import numpy as np
from sklearn.datasets import load_digits

import nengo_hybrid as nh
from nengo_hybrid.datasets import Dataset, Split
from nengo_hybrid.graph_run import run_neurons
from nengo_hybrid.lower import to_graph
from nengo_hybrid.metrics import accuracy, classify

N_TRAIN, N_CHOOSE = 1293, 1437
# Steps an image and those that are read; steps in training; seconds a step, epochs.
SETTINGS = {"lif": (48, 40, 8, 1e-3, 30), "convolutions": (32, 28, 4, 1.0, 12)}


def still_digits(n_steps, seed):
    """Hold each image for some steps."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.data))
    x = np.repeat(digits.data[order, None] / 16, n_steps, axis=1)
    y = digits.target[order]
    ends = (0, N_TRAIN, N_CHOOSE, len(y))
    parts = (Split(x[a:b], y[a:b]) for a, b in zip(ends[:-1], ends[1:], strict=True))
    return Dataset("digits held still", *parts, n_classes=10)


def lif(seed):
    """Make a network of 128 LIF neurons."""
    with nengo.Network(seed=seed) as net:
        x = nengo.Node(np.zeros(64), label="x")
        own = {"gain": np.ones(128), "bias": np.ones(128), "label": "hidden"}
        kind = nengo.LIF(amplitude=0.01)
        hidden = nengo.Ensemble(128, 1, neuron_type=kind, **own)
        weights = nengo.dists.Uniform(-0.5, 0.5)
        nengo.Connection(x, hidden.neurons, transform=weights, synapse=None)
        read(hidden.neurons, 0.1)
    return net


def convolutions(seed):
    """Make two convolutional layers of hybrid-spiking neurons."""
    with nengo.Network(seed=seed) as net:
        layer = nengo.Node(np.zeros(64), label="x")
        kernels = (
            nengo.Convolution(8, (8, 8, 1), init=nengo.dists.Uniform(-0.4, 0.4)),
            nengo.Convolution(
                16, (6, 6, 8), strides=(2, 2), init=nengo.dists.Uniform(-0.15, 0.15)
            ),
        )
        for i, kernel in enumerate(kernels):
            n = kernel.size_out
            own = {"gain": np.ones(n), "bias": np.zeros(n), "label": f"layer {i}"}
            kind = nh.HybridSpiking(nengo.RectifiedLinear(), omega=4)
            neurons = nengo.Ensemble(n, 1, neuron_type=kind, **own).neurons
            nengo.Connection(layer, neurons, transform=kernel, synapse=None)
            layer = neurons
        read(layer, 0.15)
    return net


def read(neurons, size):
    """Add the sums that are the answer."""
    out = nengo.Node(size_in=10, label="out")
    weights = nengo.dists.Uniform(-size, size)
    nengo.Connection(neurons, out, transform=weights, synapse=None)
    nengo.Probe(out)


@click.command(help=__doc__)
@click.argument("kind", type=click.Choice(list(SETTINGS)))
@click.option("--seed", default=0, show_default=True)
def main(kind, seed):
    n_steps, n_read, n_trained, dt, epochs = SETTINGS[kind]
    data = still_digits(n_trained, seed)
    trained = nh.train(
        {"lif": lif, "convolutions": convolutions}[kind](seed),
        data,
        epochs=epochs,
        learning_rate=5e-3,
        readout_steps=n_trained // 2,
        unroll_simulation=1,
        dt=dt,
        seed=seed,
        progress=False,
    )
    data = still_digits(n_steps, seed)
    floats = run_neurons(to_graph(trained.network, dt=dt), data.test.x)["out"]
    target = nh.load_target("loihi2")
    deployed = nh.deploy(trained, target, calibration=data.train.x)
    trace = nh.run_deployed(deployed, data.test.x)
    rights = [
        accuracy(classify(o, n_read), data.test.y) for o in (floats, trace.output)
    ]
    programs = [p.program for p in deployed.quantized.populations if not p.is_input]
    bits = sum(block.utilization.synapse_bits[0] for block in deployed.placement.blocks)
    print(
        f"{kind}, seed {seed}: {rights[0]:.2%} in floats, {rights[1]:.2%} on the chip, "
        f"from the same voltages; {', '.join(programs)}; "
        f"{deployed.placement.n_cores} cores, {bits:,} synapse bits"
    )


if __name__ == "__main__":
    main()
