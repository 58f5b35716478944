"""
Train an LSTM or a GRU on permuted sequential MNIST, for as long as our networks.

    python benchmarks/psmnist_peers.py train {lstm,gru} --out FOLDER [--seconds 200 900]
    python benchmarks/psmnist_peers.py test FOLDER

Keras' layers, with as many trained values as the recipe psmnist-exact has (490,506),
on the same 54,000 digits in the same order of pixels, in minibatches of 100. At each of
the seconds given, compilation not counted, the weights are kept, and training stops at
the last; ``--resume`` with more seconds goes on from there. ``test`` asks the weights
for all 10,000 test digits. Both write what they found into FOLDER/peer.json. Seconds
are those that pass, or with ``--processor`` those that the process uses of all cores
together, which is fair where other work shares them. Adam at a constant rate, gradients
cut to a norm of 1; a loop in TensorFlow's graph, which is faster here than what XLA
makes of Keras' layers (``--xla``).
"""

import argparse
import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
from measure import environment

from nengo_hybrid import datasets

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

UNITS = {"lstm": 348, "gru": 401}  # 490,690 and 490,032 trained values
MINIBATCH_SIZE, N_CLASSES = 100, 10
RECORD, STATE = "peer.json", "state.npz"


def make_model(kind, units, n_steps):
    """Make a layer of Keras, and one linear unit per class on its last state."""
    import tensorflow as tf

    layer = {"lstm": tf.keras.layers.LSTM, "gru": tf.keras.layers.GRU}[kind]
    return tf.keras.Sequential(
        [
            tf.keras.layers.Input((n_steps, 1)),
            layer(units),
            tf.keras.layers.Dense(N_CLASSES),
        ]
    )


def make_step(model, learning_rate, xla):
    """Return what trains one minibatch and gives its loss, and the optimizer."""
    import tensorflow as tf

    optimizer = tf.keras.optimizers.Adam(learning_rate)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=xla)
    def step(x, y):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                y, model(x, training=True)
            )
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return loss

    return step, optimizer


def minibatches(split, seed, first):
    """Give minibatches without end from a number on, each epoch in a new order."""
    rng, size = np.random.RandomState(seed), MINIBATCH_SIZE
    for number in itertools.count():
        place = number % (len(split) // size)
        if not place:
            order = rng.permutation(len(split))
        if number >= first:
            chosen = order[place * size : (place + 1) * size]
            yield split.x[chosen], split.y[chosen]


def begin(arguments):
    """Return the record of a training: a new one, or that of one that goes on."""
    if arguments.resume:
        return json.loads(Path(arguments.out, RECORD).read_text())
    return {
        "kind": arguments.kind,
        "units": arguments.units or UNITS[arguments.kind],
        "learning_rate": arguments.learning_rate,
        "xla": arguments.xla,
        "seed": arguments.seed,
        "environment": environment(),
        "marks": [],
        "loss": [],
    }


def train(arguments):
    """Train for the seconds given; keep the weights at each, and the loss all along."""
    import tensorflow as tf

    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    record = begin(arguments)
    tf.keras.utils.set_random_seed(record["seed"])
    data = datasets.mnist(record["seed"])
    model = make_model(record["kind"], record["units"], data.n_steps)
    record["n_trained"] = model.count_params()
    step, optimizer = make_step(model, record["learning_rate"], record["xla"])
    variables = [*model.variables, *optimizer.variables]
    done = {"passed_s": 0.0, "processor_s": 0.0}
    if arguments.resume:
        done = record["marks"][-1]
        with np.load(folder / STATE) as state:
            for i, variable in enumerate(variables):
                variable.assign(state[str(i)])
    compile_step(step, variables, data.train)
    batches = minibatches(data.train, record["seed"], len(record["loss"]))
    clock = "processor_s" if arguments.processor else "passed_s"
    started, worked = time.perf_counter(), time.process_time()
    for budget in sorted(arguments.seconds):
        spent = {clock: 0.0}
        while spent[clock] < budget:
            record["loss"].append(float(step(*map(tf.constant, next(batches)))))
            spent = {
                "passed_s": done["passed_s"] + time.perf_counter() - started,
                "processor_s": done["processor_s"] + time.process_time() - worked,
            }
        n_done = len(record["loss"])
        mark = {
            "minibatches": n_done,
            "epochs": n_done * MINIBATCH_SIZE / len(data.train),
        }
        record["marks"].append(mark | spent | {"load_average": os.getloadavg()[1]})
        model.save_weights(folder / f"{n_done}.weights.h5")
        np.savez(folder / STATE, **{str(i): v.numpy() for i, v in enumerate(variables)})
        write(record, folder)
        loss = np.mean(record["loss"][-50:])
        print(f"{record['kind']}: {record['marks'][-1]}, loss {loss:.4f}", flush=True)


def compile_step(step, variables, split):
    """Compile what trains a minibatch, and leave all as it was."""
    import tensorflow as tf

    before = [variable.numpy() for variable in variables]
    first = slice(0, MINIBATCH_SIZE)
    for _ in range(2):  # TensorFlow compiles a part of it at the second call only
        step(tf.constant(split.x[first]), tf.constant(split.y[first]))
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)


def test(arguments):
    """Ask the weights that were kept for the class of all test digits."""
    import tensorflow as tf

    folder = Path(arguments.folder)
    record = json.loads((folder / RECORD).read_text())
    data = datasets.mnist(record["seed"])
    model = make_model(record["kind"], record["units"], data.n_steps)
    answer = tf.function(lambda x: tf.argmax(model(x, training=False), axis=1))
    for mark in record["marks"]:
        model.load_weights(folder / f"{mark['minibatches']}.weights.h5")
        parts = np.array_split(data.test.x, len(data.test) // 500)
        answers = np.concatenate([answer(tf.constant(x)).numpy() for x in parts])
        mark["accuracy"] = float(np.mean(answers == data.test.y))
        mark["n_test"] = len(answers)
        print(
            f"{record['kind']} ({record['n_trained']:,} trained values), "
            f"{mark['passed_s']:.0f} s ({mark['processor_s']:.0f} s of processors), "
            f"{mark['minibatches']} minibatches, "
            f"{mark['epochs']:.2f} epochs: {mark['accuracy']:.2%}"
        )
        write(record, folder)


def write(record, folder):
    """Write the figures."""
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    commands = parser.add_subparsers(required=True)
    trained = commands.add_parser("train")
    trained.add_argument("kind", choices=UNITS)
    trained.add_argument("--out", required=True, metavar="FOLDER")
    trained.add_argument("--units", type=int, help="other than psmnist-exact has")
    trained.add_argument("--seconds", nargs="+", type=float, default=[200, 900])
    trained.add_argument("--learning-rate", type=float, default=3e-3)
    trained.add_argument("--seed", type=int, default=0)
    for flag in ("--xla", "--processor", "--resume"):
        trained.add_argument(flag, action="store_true")
    trained.set_defaults(run=train)
    tested = commands.add_parser("test")
    tested.add_argument("folder", metavar="FOLDER")
    tested.set_defaults(run=test)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
