"""
Stored networks on Loihi 2, in integers, on a whole test set.

    python benchmarks/loihi2.py [BUNDLE ...] [--n-test N] [--json FILE]

Each is quantized by the first 256 training digits, placed, run on the test digits of
permuted sequential MNIST and priced. The accuracy in floats is the one that the bundle
has, of the same digits.
"""

import json
import time
from pathlib import Path

import click
import numpy as np

from nengo_hybrid import datasets, load_target
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.emulate import GradedRun, run_graded
from nengo_hybrid.estimate import estimate
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.mapping import place
from nengo_hybrid.metrics import accuracy, classify
from nengo_hybrid.quantize import quantize

STORED = Path(__file__).parents[1] / "examples" / "psmnist"
N_CALIBRATED = 256
# Test digits of which all counts are compared with those in floats.
N_COMPARED = 128


def divergence(floats, graph, x):
    """Compare counts on the chip with those in floats, from the same voltages."""
    names = [p.name for p in floats.populations if p.is_hybrid]
    wanted, run = run_graph(floats, x, record=names), GradedRun(graph)
    found = {name: [] for name in names}
    for _, values in run.pieces(run.checked_input(x), record=names):
        for name in names:
            found[name].append(values[name])
    rows = {}
    for name in names:
        off = np.concatenate(found[name]).astype(int) - wanted[name]
        rows[name] = {
            "equal": float(np.mean(off == 0)),
            "rms": float(np.sqrt(np.mean(np.square(off)))),
            "rms_of_sum": float(np.sqrt(np.mean(np.square(off.sum(axis=1))))),
        }
    return rows


def measure(path, data, n_test, message_bits):
    bundle, target = load_bundle(path), load_target("loihi2")
    steps, test = bundle.about["readout_steps"], data.test.head(n_test)
    graph = quantize(
        bundle.graph,
        target,
        data.train.x[:N_CALIBRATED],
        message_bits=message_bits,
    )
    placement = place(graph, target)
    started = time.perf_counter()
    trace = run_graded(graph, test.x, last_steps=steps)
    emulated_s = time.perf_counter() - started
    found = estimate(placement, trace, target)
    return {
        "network": Path(path).stem,
        "message_bits": message_bits,
        "n_test": len(test),
        "float_accuracy": bundle.about["accuracy"]["test"],
        "accuracy": accuracy(classify(trace.output, steps), test.y),
        "cores": placement.n_cores,
        "compartments": sum(len(block.neurons) for block in placement.blocks),
        "chip_steps": graph.chip_steps,
        "synaptic_ops": found.counts.synaptic_ops,
        "spikes": found.counts.spikes,
        "priced_j": found.energy.priced_j(),
        "priced_low_j": found.energy.priced_j("low_j"),
        "priced_high_j": found.energy.priced_j("high_j"),
        "unpriced": list(found.energy.unpriced),
        "compute_per_step_s": found.latency.compute_s,
        "barrier_per_step_s": found.latency.barrier_s,
        "activity": {p.name: trace.activity(p.name) for p in graph.populations},
        "rounding": graph.errors,
        "emulated_s": emulated_s,
        "divergence": divergence(bundle.graph, graph, test.x[:N_COMPARED]),
    }


@click.command(help=__doc__)
@click.argument("bundles", nargs=-1, type=click.Path(exists=True))
@click.option("--n-test", default=10_000, show_default=True)
@click.option("--message-bits", default=12, show_default=True)
@click.option("--json", "json_file", default=None)
def main(bundles, n_test, message_bits, json_file):
    paths = bundles or [STORED / f"psmnist-{name}.zip" for name in ("exact", "loop")]
    data, rows = datasets.mnist(0), []
    for path in paths:
        row = measure(path, data, n_test, message_bits)
        rows.append(row)
        print(
            f"{row['network']}: {row['accuracy']:.2%} of {row['n_test']:,} digits on "
            f"the chip, {row['float_accuracy']:.2%} in floats; {row['cores']} cores, "
            f"{row['synaptic_ops']:,.0f} synaptic operations, {row['priced_j']:.3g} J "
            f"({row['priced_low_j']:.3g} to {row['priced_high_j']:.3g}) of what has a "
            f"price, {row['compute_per_step_s'] * 1e6:.1f} us of computing a time step "
            f"({row['chip_steps']} a pixel); {row['emulated_s']:.0f} s"
        )
        for name, off in row["divergence"].items():
            print(
                f"  {name}: {off['equal']:.1%} of the counts are those in floats; "
                f"root mean square {off['rms']:.2f}, in sum {off['rms_of_sum']:.1f}"
            )
    if json_file:
        Path(json_file).write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
