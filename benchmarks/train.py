"""
Time a training minibatch against NengoDL and KerasLMU, on their own network.

    python benchmarks/train.py [--json FILE] [--quick] [--keras-python PYTHON]

The network is that of NengoDL's documentation for psMNIST: 212 tanh units on a memory
of order 256, with and without feedback, minibatches of 100 sequences of 784 steps. All
train in turn. A ratio is a peer's time to ours: the median over repetitions, with the
lowest and highest; "clock" is time that passed, "processor" that which the process
used, of all cores together. Without feedback ours has the memory's read-out of each
sequence beforehand, once for all epochs, which is not counted. Values are noise.
KerasLMU runs in a process of its own, with the interpreter that ``--keras-python``
names.
"""

import argparse
import functools
import importlib.util
import json
import multiprocessing
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace

from measure import environment, ratios, spread
from train_peers import (
    KerasTrainer,
    Size,
    nengo_dl_trainer,
    our_trainer,
    per_minibatch,
)


@dataclass(frozen=True)
class Scale:
    """
    How much to measure.

    Attributes
    ----------
    n_repetitions : int
    n_fast : int
        Minibatches of what takes milliseconds, for one time.
    size : Size
    n_steps, orders, minibatch_sizes : tuple of int
        Of networks that show how time and memory grow.
    """

    n_repetitions: int = 5
    n_fast: int = 100
    size: Size = Size()
    n_steps: tuple = (98, 196, 392, 784)
    orders: tuple = (32, 64, 128, 256)
    minibatch_sizes: tuple = (12, 25, 50, 100)


QUICK = Scale(
    n_repetitions=2,
    n_fast=10,
    size=Size(n_steps=64, order=32, n_hidden=24, minibatch_size=20),
    n_steps=(32, 64),
    orders=(16, 32),
    minibatch_sizes=(10, 20),
)


def trainers(size, keras_python):
    """
    Return, by name, what makes a trainer, and by the same names, what is its peer.

    Returns
    -------
    makers, peers : dict
    """
    makers = {
        "ours": functools.partial(our_trainer, size, feedback=True),
        "ours, spiking": functools.partial(
            our_trainer, size, feedback=True, spiking=True
        ),
        "nengo-dl": functools.partial(nengo_dl_trainer, size, feedback=True),
        "ours, without feedback": functools.partial(our_trainer, size, feedback=False),
        "nengo-dl, without feedback": functools.partial(
            nengo_dl_trainer, size, feedback=False
        ),
    }
    peers = {
        "nengo-dl": ("ours", "ours, spiking", "ours, without feedback"),
        "nengo-dl, without feedback": ("ours, without feedback",),
    }
    if keras_python is not None:
        for mode in ("recurrent", "raw", "fft"):
            name = f"keras-lmu, {mode}"
            makers[name] = functools.partial(KerasTrainer, keras_python, size, mode)
            feeds_back = mode == "recurrent"
            peers[name] = ("ours" if feeds_back else "ours, without feedback",)
    return makers, peers


def measure_peers(scale, keras_python):
    """Train all in turn; return times, ratios and how near to the limit ours are."""
    makers, peers = trainers(scale.size, keras_python)
    ready, built = {}, {}
    for name, make in makers.items():
        started = time.perf_counter()
        ready[name] = make()
        ready[name](1)
        ready[name](1)  # TensorFlow compiles a part of it at the second call only
        built[name] = time.perf_counter() - started
        report(f"{name}: built and compiled in {built[name]:.1f} s")
    times, limits = {name: [] for name in ready}, []
    for repetition in range(scale.n_repetitions):
        limits.append(product_rate(scale.size))
        for name, train in ready.items():
            is_fast = name == "ours, without feedback"
            times[name].append(train(scale.n_fast if is_fast else 1))
        report(f"repetition {repetition + 1} of {scale.n_repetitions}")
    for trainer in ready.values():
        if isinstance(trainer, KerasTrainer):
            trainer.close()
    found = {"build_s": built, "minibatch_s": {}, "ratio": {}}
    for clock in ("clock", "processor"):
        taken = {name: [t[clock] for t in values] for name, values in times.items()}
        found["minibatch_s"][clock] = {n: spread(t) for n, t in taken.items()}
        found["ratio"][clock] = {
            f"{theirs} / {ours}": ratios(taken[theirs], taken[ours])
            for theirs, of_ours in peers.items()
            for ours in of_ours
        }
    found["operations_per_s"] = {}
    for clock in ("clock", "processor"):
        ours = [scale.size.operations() / t[clock] for t in times["ours"]]
        limit = [rate[clock] for rate in limits]
        found["operations_per_s"][clock] = {
            "one large product": spread(limit),
            "ours": spread(ours),
            "part of it": ratios(ours, limit),
        }
    return found


def product_rate(size):
    """Return the floating-point operations of a second, in one large product."""
    import tensorflow as tf

    n, n_products = size.n_steps * size.minibatch_size, 10
    values = tf.ones((n, size.order))
    weights = tf.ones((size.order, size.order))

    def multiply():
        for _ in range(n_products):
            tf.linalg.matmul(values, weights).numpy()

    taken = per_minibatch(multiply, n_products)
    return {clock: 2 * n * size.order**2 / s for clock, s in taken.items()}


def measure_growth(scale):
    """Return time and memory of a minibatch with feedback, by what is varied."""
    varied = {
        "n_steps": scale.n_steps,
        "order": scale.orders,
        "minibatch_size": scale.minibatch_sizes,
    }
    found = {}
    for name, values in varied.items():
        found[name] = {}
        for value in values:
            size = replace(scale.size, **{name: value})
            found[name][value] = alone(measure_size, size, scale.n_repetitions)
            report(f"{name} {value}: {found[name][value]}")
    return found


def alone(function, *arguments):
    """Call a function in a new process, whose peak of memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def measure_size(size, n_repetitions):
    """Return seconds of a minibatch, and by how much it raises the peak of memory."""
    train = our_trainer(size, feedback=True)
    before = peak_bytes()
    train(1)
    times = [train(1) for _ in range(n_repetitions)]
    return {
        "minibatch_s": spread(t["clock"] for t in times),
        "processor_s": spread(t["processor"] for t in times),
        "peak_growth_mb": (peak_bytes() - before) / 1e6,
    }


def peak_bytes():
    """Return the most memory that this process has held."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def find_keras(python):
    """Return an interpreter that has KerasLMU, or None and why there is none."""
    if python is None and importlib.util.find_spec("keras_lmu") is None:
        return None, "keras_lmu is not installed, and --keras-python names no other"
    python = python or sys.executable
    tried = subprocess.run(
        [python, "-c", "import keras_lmu; print(keras_lmu.__version__)"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        return None, f"{python} cannot import keras_lmu"
    return python, f"KerasLMU {tried.stdout.split()[-1]}"


def report(words):
    """Say on standard error what is being done."""
    print(words, file=sys.stderr, flush=True)


def main():
    """Print the figures as they come, and with --json write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="a small network, twice")
    parser.add_argument("--keras-python", help="interpreter that has KerasLMU")
    arguments = parser.parse_args()
    scale = QUICK if arguments.quick else Scale()
    python, why = find_keras(arguments.keras_python)
    report(why)
    figures = {"environment": environment(), "scale": asdict(scale), "keras-lmu": why}
    for name, measure in (
        ("growth", measure_growth),
        ("peers", functools.partial(measure_peers, keras_python=python)),
    ):
        figures[name] = measure(scale)
        print(json.dumps({name: figures[name]}, indent=2), flush=True)
        if arguments.json:
            with open(arguments.json, "w", encoding="utf-8") as file:
                json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
