"""
Measure what a check of a network takes, as networks grow.

    python benchmarks/doctor.py [--json FILE] [--quick]

Ensembles in a ring, each decoded into the next; layers of 500 neurons with full weights
that are drawn, and of 1,000, which do not fit and are mended; and a convolution. Each
network is made and checked in a process of its own, which tells its time (best of 3,
without imports) and its peak of memory (with all of it). Where it is quick enough,
NengoLoihi builds the same network beside it.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings

import nengo_hybrid as nh

# isort: split
import nengo
import numpy as np

SIZES = 1_000, 10_000, 100_000
MOST_BUILT = 10_000
KIB = 1024


def ring(n_neurons):
    """Make ensembles of 500 neurons, each decoded into the next."""
    with nengo.Network(seed=0) as network:
        ensembles = [nengo.Ensemble(500, 2) for _ in range(n_neurons // 500)]
        for pre, post in zip(ensembles, ensembles[1:] + ensembles[:1], strict=True):
            nengo.Connection(pre, post)
    return network


def layers(n_neurons, width=500):
    """Make layers of neurons with full weights between them."""
    with nengo.Network(seed=0) as network:
        ensembles = [nengo.Ensemble(width, 1) for _ in range(n_neurons // width)]
        weights = nengo.dists.Uniform(-1e-3, 1e-3)
        for pre, post in zip(ensembles, ensembles[1:], strict=False):
            nengo.Connection(pre.neurons, post.neurons, transform=weights)
    return network


def convolution(n_neurons):
    """Make a convolution with 32 filters of 3x3 of an image of 3 channels."""
    side = round((n_neurons / 32) ** 0.5)
    shape = side, side, 3
    weights = nengo.dists.Uniform(-0.1, 0.1)
    transform = nengo.Convolution(32, shape, padding="same", init=weights)
    with nengo.Network(seed=0) as network:
        pre, post = (
            nengo.Ensemble(
                n,
                1,
                neuron_type=nengo.SpikingRectifiedLinear(amplitude=0.01),
                gain=np.full(n, 100),
                bias=np.zeros(n),
            )
            for n in (3 * side**2, 32 * side**2)
        )
        nengo.Connection(pre.neurons, post.neurons, transform=transform)
    return network


def wide_layers(n_neurons):
    """Make layers of 1,000 neurons, at least two: too many output axons."""
    return layers(max(n_neurons, 2_000), 1_000)


NETWORKS = {
    "ring": ring,
    "layers": layers,
    "wide layers": wide_layers,
    "convolution": convolution,
}


def measure(kind, n_neurons, *, builds):
    """Check a network in this process, or let NengoLoihi build it."""
    from nengo_hybrid.lower import build_chip

    warnings.simplefilter("ignore")
    found = {"network": kind, "neurons": n_neurons}
    seconds = []
    for _ in range(1 if builds else 3):
        network = NETWORKS[kind](n_neurons)
        started = time.perf_counter()
        if builds:
            try:
                found["cores"] = len(build_chip(network, dt=0.001).blocks)
            except nengo.exceptions.BuildError as error:
                found["refused"] = str(error)
        else:
            checked = nh.check(network)
            found |= {"cores": checked.n_cores, "fits": checked.fits}
            found["mended"] = checked.fix is not None
        seconds.append(time.perf_counter() - started)
    found["seconds"] = min(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    return found | {"peak_bytes": peak}


def in_a_process_of_its_own(kind, n_neurons, *, builds):
    """Measure elsewhere, so that the peak of memory is of this network."""
    task = json.dumps([kind, n_neurons, builds])
    command = [sys.executable, __file__, "--one", task]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print the figures as they come, and with --json write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="1,000 neurons only")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        kind, n_neurons, builds = json.loads(arguments.one)
        print(json.dumps(measure(kind, n_neurons, builds=builds)))
        return
    figures = []
    print("network       neurons  cores  check      peak  fits  NengoLoihi's build")
    for kind in NETWORKS:
        for n in SIZES[:1] if arguments.quick else SIZES:
            found = in_a_process_of_its_own(kind, n, builds=False)
            peer = None
            if n <= MOST_BUILT:
                peer = in_a_process_of_its_own(kind, n, builds=True)
            figures.append({"check": found, "build": peer})
            built = "-" if peer is None else f"{peer['seconds']:.2f} s"
            if peer is not None and "refused" in peer:
                built += f" (refused: {peer['refused'][:40]})"
            peak = f"{found['peak_bytes'] / 1e6:.0f} MB"
            print(
                f"{kind:12} {n:8,} {found['cores']:6} {found['seconds']:6.2f} s "
                f"{peak:>9}  {'yes' if found['fits'] else 'no':4}  {built}",
                flush=True,
            )
            if arguments.json:
                with open(arguments.json, "w", encoding="utf-8") as file:
                    json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
