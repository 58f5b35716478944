"""
Time a training epoch of `HybridSpiking` against NengoDL's own `RegularSpiking`.

    python benchmarks/train_step.py [--json FILE]

Both train the same network on the same minibatches through NengoDL, in turn in one
process. `RegularSpiking` trains on its rates and never spikes; the ratio is what the
spiking forward pass costs.
"""

import argparse
import json
import statistics
import time

import nengo
import numpy as np

import nengo_hybrid as nh

N_BATCHES, MINIBATCH_SIZE, N_EPOCHS = 10, 100, 5


def make_network(spiking):
    """Make the demo's network with a neuron type for rates of either kind."""
    with nengo.Network(seed=0) as network:
        x = nengo.Node(np.zeros(1))
        lmu = nh.networks.LMU(
            64,
            64,
            n_hidden=192,
            hidden_type=spiking(nengo.RectifiedLinear()),
            quantizer={"readout": spiking(nh.Identity())},
        )
        output = nengo.Ensemble(
            10,
            1,
            neuron_type=spiking(nengo.RectifiedLinear()),
            gain=np.ones(10),
            bias=np.zeros(10),
        )
        nengo.Connection(x, lmu.input, synapse=None)
        weights = nengo.dists.Uniform(-0.17, 0.17)
        nengo.Connection(lmu.hidden, output.neurons, transform=weights, synapse=None)
        nengo.Probe(output.neurons)
    return network


def make_epoch(spiking, data):
    """Return a function that trains one epoch, compiled already."""
    import nengo_dl
    import tensorflow as tf

    network = make_network(spiking)
    sim = nengo_dl.Simulator(
        network,
        dt=1.0,
        minibatch_size=MINIBATCH_SIZE,
        unroll_simulation=8,
        progress_bar=False,
    )
    sim.compile(tf.keras.optimizers.Adam(1e-3), loss="mse")
    n_samples = N_BATCHES * MINIBATCH_SIZE
    x, y = data.train.x[:n_samples], np.eye(10)[data.train.y[:n_samples]]
    targets = np.repeat(y[:, None], data.n_steps, axis=1)

    def epoch():
        sim.fit(x, targets, epochs=1, verbose=0)

    epoch()
    return epoch


def seconds(function):
    """Time one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main():
    """Print, and with --json write, the times of a minibatch and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()
    data = nh.datasets.digits()
    epochs = {
        "HybridSpiking": make_epoch(nh.HybridSpiking, data),
        "RegularSpiking": make_epoch(nengo.RegularSpiking, data),
    }
    times = {name: [] for name in epochs}
    for _ in range(N_EPOCHS):
        for name, epoch in epochs.items():
            times[name].append(seconds(epoch) / N_BATCHES)
    pairs = zip(times["HybridSpiking"], times["RegularSpiking"], strict=True)
    ratios = [ours / theirs for ours, theirs in pairs]
    figures = {
        "seconds_per_minibatch": {n: statistics.median(t) for n, t in times.items()},
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }
    print(json.dumps(figures, indent=2))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
