"""
Time our emulator against NengoLoihi's on the same network, inputs and outputs.

    python benchmarks/emulate.py [--json FILE]

The demo's network, untrained: 64 memory dimensions injected, 192 hidden and 10 output
neurons, 258 time steps. Both start from counts of the host's part and end in a trace;
compiling is timed apart. Times are per sample.
"""

import argparse
import json
import statistics
import time

import nengo_hybrid as nh
from nengo_hybrid import emulate, hardware
from nengo_hybrid.lower import to_graph, to_loihi
from nengo_hybrid.mapping import place

N_REPEATS, N_SAMPLES, N_REFERENCE = 5, 256, 4


def seconds(function):
    """Time one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main():
    """Print, and with --json write, seconds per sample and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    arguments = parser.parse_args()

    data = nh.datasets.digits()
    network = nh.networks.SequenceClassifier(
        data.train.x, 10, order=64, theta_steps=64, n_hidden=192, seed=0
    )
    graph = to_loihi(to_graph(network), chip_steps=4)
    placement = place(graph, nh.load_target("loihi1"))
    x = data.train.x[:N_SAMPLES]
    counts = emulate.run_graph(graph.host, x, seed=0, record=["lmu.readout"])

    def run(backend, n_samples):
        few = {name: array[:n_samples] for name, array in counts.items()}
        return seconds(lambda: backend(graph, placement, few)) / n_samples

    first = run(emulate.run, 1)
    times = {"nengo-loihi": [], "batch 1": [], f"batch {N_SAMPLES}": []}
    for _ in range(N_REPEATS):
        times["nengo-loihi"].append(run(hardware.run, N_REFERENCE))
        times["batch 1"].append(run(emulate.run, 1))
        times[f"batch {N_SAMPLES}"].append(run(emulate.run, N_SAMPLES))
    reference = times["nengo-loihi"]
    ratios = {
        name: [theirs / ours for theirs, ours in zip(reference, row, strict=True)]
        for name, row in times.items()
    }
    figures = {
        "first_call_s": first,
        "seconds_per_sample": {n: statistics.median(t) for n, t in times.items()},
        "times_faster": {n: statistics.median(r) for n, r in ratios.items()},
        "times_faster_low": {n: min(r) for n, r in ratios.items()},
    }
    print(json.dumps(figures, indent=2))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
