"""
Run a NengoLoihi script on our emulator, by changing one line of it.

    python examples/loihi_script.py [--out FOLDER] [--time SECONDS]

The script, as NengoLoihi's users write them, has a communication channel and an
oscillator. Where it says ``nengo_loihi.Simulator(net)`` it is to say
``nh.LoihiSimulator(net)``. Both are run here, and their spikes compared bit for bit.
Writes ``loihi_script.svg``.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nengo
import numpy as np

import nengo_hybrid as nh  # before nengo_loihi

# isort: split
import nengo_loihi

nengo_loihi.set_defaults()

with nengo.Network(label="channel and oscillator", seed=1) as net:
    stimulus = nengo.Node(lambda t: [np.sin(6 * t), np.cos(4 * t)])
    sender = nengo.Ensemble(200, dimensions=2, label="sender")
    receiver = nengo.Ensemble(200, dimensions=2, label="receiver")
    nengo.Connection(stimulus, sender)
    nengo.Connection(sender, receiver)

    kick = nengo.Node(lambda t: [1, 0] if t < 0.1 else [0, 0])
    oscillator = nengo.Ensemble(300, dimensions=2, label="oscillator")
    tau, speed = 0.1, 2 * np.pi
    turn = np.eye(2) + tau * speed * np.array([[0, -1], [1, 0]])
    nengo.Connection(kick, oscillator)
    nengo.Connection(oscillator, oscillator, transform=1.1 * turn, synapse=tau)

    received = nengo.Probe(receiver, synapse=0.03)
    oscillation = nengo.Probe(oscillator, synapse=0.03)
    spikes = {e: nengo.Probe(e.neurons) for e in (sender, receiver, oscillator)}


def run(simulator, seconds):
    """Return what the probes recorded, and the seconds to build and to run."""
    started = time.perf_counter()
    with simulator(net, progress_bar=False) as sim:
        built = time.perf_counter()
        sim.run(seconds)
        ended = time.perf_counter()
        data = {probe: np.array(sim.data[probe]) for probe in net.all_probes}
    return data, built - started, ended - built


def main(out=".", seconds=3.0):
    """Run both simulators; return what each recorded, theirs first."""
    found = []
    # A run of ten steps first: ours compiles, or loads what was compiled before.
    first = sum(run(nh.LoihiSimulator, 0.01)[1:])
    print(f"first call of our emulator: {first:.1f} s")
    for simulator in (nengo_loihi.Simulator, nh.LoihiSimulator):
        data, built_s, run_s = run(simulator, seconds)
        found.append(data)
        name = f"{simulator.__module__.partition('.')[0]}.{simulator.__name__}"
        print(f"{name}: built in {built_s:.2f} s, {seconds:g} s run in {run_s:.2f} s")
    compare(*found)
    path = Path(out) / "loihi_script.svg"
    draw(*found, path)
    print(f"wrote {path}")
    return found


def compare(theirs, ours):
    """Say of each ensemble whether its spikes are the same."""
    for ensemble, probe in spikes.items():
        same = np.array_equal(theirs[probe], ours[probe])
        n = np.count_nonzero(theirs[probe])
        print(f"{ensemble.label}: {n:,} spikes, {'the same' if same else 'DIFFERENT'}")


def draw(theirs, ours, path):
    """Draw what both decoded, one over the other, and the spikes of the receiver."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    seconds = 0.001 * np.arange(1, len(ours[received]) + 1)
    for ax, probe in zip(axes, (received, oscillation), strict=False):
        ax.plot(seconds[::10], theirs[probe][::10], color="0.75", lw=4)
        ax.plot(seconds[::10], ours[probe][::10], lw=1)
        ax.set(xlabel="s", title=f"{probe.target.label}: NengoLoihi (grey), ours")
    steps, neurons = np.nonzero(ours[spikes[receiver]][:250, :30])
    axes[2].plot(seconds[steps], neurons, "|", ms=4)
    axes[2].set(xlabel="s", ylabel="neuron", title="spikes of the receiver")
    figure.savefig(path)
    plt.close(figure)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--out", default=".", help="folder for the picture")
    parser.add_argument("--time", type=float, default=3.0, dest="seconds")
    main(**vars(parser.parse_args()))
