"""
How far accuracy in floats depends on the voltages that a network starts from.

    python benchmarks/loihi2_voltages.py DEPLOYED [--n-draws N]

DEPLOYED is the file of a run on Loihi 2, as ``nengo-hybrid deploy`` and ``emulate``
leave it. In floats the test set is run from the voltages that the chip starts from, and
N times from others, drawn anew for every sample.
"""

import click
import numpy as np

from nengo_hybrid.bundle import load_deployed
from nengo_hybrid.evaluation import evaluate
from nengo_hybrid.metrics import accuracy
from nengo_hybrid.recipe_training import load_data


@click.command(help=__doc__)
@click.argument("path", type=click.Path(exists=True))
@click.option("--n-draws", default=12, show_default=True)
def main(path, n_draws):
    deployed = load_deployed(path, needed=("run",))
    answers, test = deployed.run.answers, load_data(deployed.about).test
    test = test.head(len(answers))
    steps = deployed.about["readout_steps"]
    same = evaluate(deployed.graph, test, readout_steps=steps)
    drawn = [
        evaluate(deployed.graph, test, readout_steps=steps, seed=seed).accuracy
        for seed in range(n_draws)
    ]
    print(
        f"{accuracy(answers, test.y):.2%} on the chip, {same.accuracy:.2%} in floats "
        f"from its voltages, {np.mean(same.answers == answers):.2%} of answers alike; "
        f"from {n_draws} draws {np.mean(drawn):.2%}, standard deviation "
        f"{100 * np.std(drawn):.2f} points"
    )


if __name__ == "__main__":
    main()
