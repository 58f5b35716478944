"""
Compare ways to train for few bits, on permuted sequential MNIST with an exact memory.

    python benchmarks/psmnist_modes.py --json FILE [--seeds 0 1] [--omegas 1.5:1]
        [--modes direct annealed] [--order 256] [--n-hidden 346]

For each seed and each pair of omegas (of what leaves the memory, and of the hidden
layer) the network of the recipe psmnist-exact is trained in each mode, with the sizes
given, and run on all 10,000 test digits, every step of which counts for the bits:

rates      no quantizer anywhere; the same for all omegas
post-hoc   that network, its rates quantized after training
direct     omega at its target from the start
annealed   omega from 16 to its target by a geometric schedule, held for the last 40 %
held       omega at 16 for the first 60 %, then at its target
trained    both omegas trained, from 4, under a budget for each population: the
           significant bits that direct training came to in the steps that are read

Each row is added to FILE as it is done, which is a ``sweep`` that a report can show.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from measure import environment

from nengo_hybrid import datasets
from nengo_hybrid.evaluation import evaluate, synaptic_ops
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.metrics import pareto_front, significant_bits
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.parameters import with_parameters
from nengo_hybrid.recipe import load_recipe
from nengo_hybrid.train import Smoothing, train

RECIPE = Path(__file__).parents[1] / "deploy" / "recipes" / "psmnist-exact.json"
MODES = ("rates", "post-hoc", "direct", "annealed", "held", "trained")
PLACES = {"omega_readout": "lmu.readout", "omega_hidden": "lmu.hidden"}
SMOOTHING = {
    "annealed": Smoothing(start=16, hold=0.4),
    "held": Smoothing(start=16, hold=0.4, schedule="held"),
}
START, BUDGET_WEIGHT = 4.0, 10.0


class Trainer:
    """
    The network of a recipe, trained with a seed in one mode after another.

    Parameters
    ----------
    recipe : Recipe
    seed : int
    """

    def __init__(self, recipe, seed):
        self.recipe, self.seed = recipe, seed
        self.data = datasets.mnist(seed)
        self.steps = recipe.network["readout_steps"]
        self.found = {}

    def network(self, omegas):
        """Make the network with omegas of its two populations, None for rates."""
        settings = {**self.recipe.network, **dict(zip(PLACES, omegas, strict=True))}
        return SequenceClassifier(self.data.train.x, 10, seed=self.seed, **settings)

    def train(self, omegas, **options):
        """Train; return what comes of it, and the seconds that it took."""
        started, worked = time.perf_counter(), time.process_time()
        options = {"progress": False, **self.recipe.training, **options}
        trained = train(
            self.network(omegas),
            self.data,
            seed=self.seed,
            readout_steps=self.steps,
            **options,
        )
        return trained, {
            "train_s": time.perf_counter() - started,
            "processor_s": time.process_time() - worked,
        }

    def run(self, mode, omegas):
        """Train in a mode; return a row of the table."""
        if mode == "rates":
            trained, taken = self.rates()
            network = trained.network
        elif mode == "post-hoc":
            trained, taken = self.rates()
            network = with_parameters(self.network(omegas), trained.parameters)
        elif mode == "trained":
            budgets = self.budgets(omegas)
            trained, taken = self.train(
                (START, START),
                budgets=budgets,
                budget_weight=BUDGET_WEIGHT,
                train_omega=list(PLACES.values()),
            )
            network = trained.network
        else:
            trained, taken = self.train(omegas, smoothing=SMOOTHING.get(mode))
            self.found[mode, omegas] = trained
            network = trained.network
        row = {
            "name": mode if mode == "rates" else f"{mode} {omegas[0]:g}:{omegas[1]:g}",
            "mode": mode,
            "seed": self.seed,
            "asked": dict(zip(PLACES.values(), omegas, strict=True)),
            "best_epoch": trained.best_epoch,
            "val_accuracy": trained.history["val_accuracy"][trained.best_epoch],
        }
        if mode == "trained":
            row["budgets"] = budgets
        return row | taken | self.tried(network)

    def rates(self):
        """Return what training without any quantizer comes to, done once."""
        if "rates" not in self.found:
            self.found["rates"] = self.train((None, None))
        return self.found["rates"]

    def budgets(self, omegas):
        """Return what direct training came to, in the steps that are read."""
        if ("direct", omegas) not in self.found:
            self.found["direct", omegas] = self.train(omegas)[0]
        graph = to_graph(self.found["direct", omegas].network, dt=1.0)
        options = {"last_steps": self.steps, "record": list(PLACES.values())}
        x = self.data.validation.head(1000).x
        counts = run_graph(graph, x, seed=self.seed, **options)
        return {
            name: {"significant_bits": round(significant_bits(sent), 4)}
            for name, sent in counts.items()
        }

    def tried(self, network):
        """Return what a network answers and sends on the test set."""
        graph, test = to_graph(network, dt=1.0), self.data.test
        found = evaluate(graph, test, readout_steps=self.steps, seed=self.seed)
        overall = found.overall or dict.fromkeys(("bits_max", "significant_bits"))
        return {
            "accuracy": found.accuracy,
            "n_test": len(test),
            "bits_max": overall["bits_max"],
            "significant_bits": overall["significant_bits"],
            "synaptic_ops": synaptic_ops(graph, found) if found.levels else None,
            "spikes": sum(found.spikes.values()),
            "activity": found.activity,
            "omega": {p.name: p.omega for p in graph.populations if p.is_hybrid},
        }


def add_row(path, row):
    """Add a row to a file, which is made if it is not there."""
    content = {"environment": environment(), "sweep": []}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    content["sweep"].append(row)
    costs = ("bits_max", "significant_bits", "synaptic_ops")
    front = pareto_front(content["sweep"], high=("accuracy",), low=costs)
    for tried, is_best in zip(content["sweep"], front, strict=True):
        tried["on_front"] = is_best
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def pair(words):
    """Read a pair of omegas."""
    first, second = map(float, words.split(":"))
    return first, second


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", required=True, type=Path, metavar="FILE")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument(
        "--omegas", nargs="+", type=pair, default=[(1.5, 1.0), (0.75, 0.5)]
    )
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--order", type=int, default=256)
    parser.add_argument("--n-hidden", type=int, default=346)
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    recipe = load_recipe(RECIPE)
    sizes = {"order": arguments.order, "n_hidden": arguments.n_hidden}
    length = {} if arguments.epochs is None else {"epochs": arguments.epochs}
    recipe = replace(
        recipe,
        network={**recipe.network, **sizes},
        training={**recipe.training, **length},
    )
    for seed in arguments.seeds:
        trainer = Trainer(recipe, seed)
        for i, omegas in enumerate(arguments.omegas):
            for mode in arguments.modes:
                if mode == "rates" and i:
                    continue
                row = {**trainer.run(mode, omegas), **sizes}
                add_row(arguments.json, row)
                bits = row["significant_bits"]
                print(
                    f"{row['name']}, seed {seed}: {row['accuracy']:.2%}, significant "
                    f"bits {bits}, bits {row['bits_max']}, {row['train_s']:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )


if __name__ == "__main__":
    main()
