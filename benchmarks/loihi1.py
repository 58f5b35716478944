"""
A trained network on Loihi 1, in integers, on a whole test set.

    python benchmarks/loihi1.py BUNDLE [--n-test N] [--json FILE]

The test digits of permuted sequential MNIST are run in parts, since every spike of a
part is kept until it is counted; the estimate is of the first part.
"""

import json
import time
from pathlib import Path

import click
import numpy as np

from nengo_hybrid import datasets, load_target
from nengo_hybrid.bundle import load_bundle
from nengo_hybrid.estimate import estimate
from nengo_hybrid.metrics import accuracy
from nengo_hybrid.pipeline import deploy_bundle, run_deployed
from nengo_hybrid.results import deployed_answers

AT_ONCE = 250


def measure(path, test):
    """Deploy a bundle's network, run it, and price an inference."""
    bundle, target = load_bundle(path), load_target("loihi1")
    deployed = deploy_bundle(bundle, target)
    steps, answers, priced = bundle.about["readout_steps"], [], None
    started = time.perf_counter()
    for first in range(0, len(test), AT_ONCE):
        x = test.x[first : first + AT_ONCE]
        trace = run_deployed(deployed, x, seed=bundle.about["seed"] + first)
        answers.append(deployed_answers(deployed, trace, steps))
        if priced is None:
            priced = estimate(deployed.placement, trace, target).to_json()
        click.echo(f"{first + len(x):,} of {len(test):,} digits", err=True)
    scores, energy = bundle.about["accuracy"], priced["energy"]
    return {
        "network": bundle.about["recipe"]["name"],
        "n_test": len(test),
        "rate": scores["rate"],
        "hybrid": scores["test"],
        "deployed": accuracy(np.concatenate(answers), test.y),
        "overall": bundle.about["overall"],
        "cores": deployed.placement.n_cores,
        "host": deployed.quantized.host_reasons,
        "n_estimated": min(AT_ONCE, len(test)),
        "synaptic_ops": priced["counts"]["synaptic_ops"],
        "energy": {k: energy[k] for k in ("total_j", "low_j", "high_j", "dynamic_j")},
        "step_s": priced["latency"]["step_s"],
        "emulated_s": time.perf_counter() - started,
    }


@click.command(help=__doc__)
@click.argument("path", type=click.Path(exists=True))
@click.option("--n-test", default=10_000, show_default=True)
@click.option("--json", "json_file", default=None)
def main(path, n_test, json_file):
    row = measure(path, datasets.mnist(0).test.head(n_test))
    click.echo(json.dumps(row, indent=1))
    if json_file:
        Path(json_file).write_text(json.dumps(row, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
