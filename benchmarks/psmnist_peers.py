"""
Train an LSTM or a GRU on permuted sequential MNIST, for as long as our networks.

    python benchmarks/psmnist_peers.py train {lstm,gru} --out FOLDER [--seconds 200 900]
    python benchmarks/psmnist_peers.py test FOLDER

Keras' layers, with as many trained values as the recipe psmnist-exact has (245,258), on
the same 54,000 digits in the same order of pixels, in minibatches of 100. Training
stops at the last of the seconds given, compilation not counted; at each of them the
weights are kept. ``test`` asks these for all 10,000 test digits. Both write what they
found into FOLDER/peer.json. Adam at a constant rate, gradients cut to a norm of 1; a
loop in TensorFlow's graph, which is faster here than Keras' layers compiled by XLA
(``--xla`` does that).
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
from measure import environment

from nengo_hybrid import datasets

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

UNITS = {"lstm": 245, "gru": 283}  # 244,520 and 245,654 trained values
MINIBATCH_SIZE, N_CLASSES = 100, 10
RECORD = "peer.json"


def make_model(kind, n_steps):
    """Make a layer of Keras, and one linear unit per class on its last state."""
    import tensorflow as tf

    layer = {"lstm": tf.keras.layers.LSTM, "gru": tf.keras.layers.GRU}[kind]
    return tf.keras.Sequential(
        [
            tf.keras.layers.Input((n_steps, 1)),
            layer(UNITS[kind]),
            tf.keras.layers.Dense(N_CLASSES),
        ]
    )


def make_step(model, learning_rate, xla):
    """Return what trains one minibatch and gives its loss."""
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

    return step


def minibatches(split, seed):
    """Give minibatches without end, each epoch in a new order."""
    rng = np.random.RandomState(seed)
    while True:
        order = rng.permutation(len(split))
        for first in range(0, len(split) - MINIBATCH_SIZE + 1, MINIBATCH_SIZE):
            chosen = order[first : first + MINIBATCH_SIZE]
            yield split.x[chosen], split.y[chosen]


def train(arguments):
    """Train for the seconds given; keep the weights at each, and the loss all along."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(arguments.seed)
    data = datasets.mnist(arguments.seed)
    model = make_model(arguments.kind, data.n_steps)
    step = make_step(model, arguments.learning_rate, arguments.xla)
    weights = model.get_weights()
    zeros = np.zeros((MINIBATCH_SIZE, data.n_steps, 1), np.float32)
    step(tf.constant(zeros), tf.zeros(MINIBATCH_SIZE, tf.int32))
    # As before what compilation did.
    model.set_weights(weights)
    step = make_step(model, arguments.learning_rate, arguments.xla)
    loaded = next(minibatches(data.train, arguments.seed))
    step.get_concrete_function(*map(tf.constant, loaded))
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "kind": arguments.kind,
        "n_trained": model.count_params(),
        "learning_rate": arguments.learning_rate,
        "xla": arguments.xla,
        "seed": arguments.seed,
        "environment": environment(),
        "marks": [],
        "loss": [],
    }
    budgets, n_done = sorted(arguments.seconds), 0
    started, worked = time.perf_counter(), time.process_time()
    for x, y in minibatches(data.train, arguments.seed):
        record["loss"].append(float(step(tf.constant(x), tf.constant(y))))
        n_done += 1
        passed = time.perf_counter() - started
        if passed < budgets[0]:
            continue
        model.save_weights(folder / f"{budgets[0]:g}.weights.h5")
        record["marks"].append(
            {
                "budget_s": budgets.pop(0),
                "passed_s": passed,
                "processor_s": time.process_time() - worked,
                "minibatches": n_done,
                "epochs": n_done * MINIBATCH_SIZE / len(data.train),
                "load_average": os.getloadavg()[1],
            }
        )
        write(record, folder)
        if not budgets:
            break
    recent = np.mean(record["loss"][-50:])
    print(f"{arguments.kind}: {record['marks']}, last 50 losses {recent:.4f}")


def test(arguments):
    """Ask the weights that were kept for the class of all test digits."""
    import tensorflow as tf

    folder = Path(arguments.folder)
    record = json.loads((folder / RECORD).read_text())
    data = datasets.mnist(record["seed"])
    model = make_model(record["kind"], data.n_steps)
    answer = tf.function(lambda x: tf.argmax(model(x, training=False), axis=1))
    for mark in record["marks"]:
        model.load_weights(folder / f"{mark['budget_s']:g}.weights.h5")
        parts = np.array_split(data.test.x, len(data.test) // 500)
        answers = np.concatenate([answer(tf.constant(x)).numpy() for x in parts])
        mark["accuracy"] = float(np.mean(answers == data.test.y))
        mark["n_test"] = len(answers)
        print(
            f"{record['kind']} ({record['n_trained']:,} trained values), "
            f"{mark['passed_s']:.0f} s, {mark['minibatches']} minibatches, "
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
    trained.add_argument("--seconds", nargs="+", type=float, default=[200, 900])
    trained.add_argument("--learning-rate", type=float, default=3e-3)
    trained.add_argument("--seed", type=int, default=0)
    trained.add_argument("--xla", action="store_true")
    trained.set_defaults(run=train)
    tested = commands.add_parser("test")
    tested.add_argument("folder", metavar="FOLDER")
    tested.set_defaults(run=test)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
