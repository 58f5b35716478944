"""
Train KerasLMU's layer, in an interpreter that has it; see `train_peers.KerasTrainer`.

    python benchmarks/train_keras.py MODE N_STEPS ORDER N_HIDDEN MINIBATCH_SIZE

For each number in a line of standard input, trains as many minibatches and writes
the seconds of one.
"""

import json
import sys
import time

import keras
import keras_lmu
import numpy as np

N_CLASSES = 10


def make_layer(mode, n_steps, order, n_hidden):
    """Make the layer: "recurrent", or one of the convolutions, "raw" and "fft"."""
    shared = {"memory_d": 1, "order": order, "theta": n_steps, "input_to_hidden": True}
    if mode == "recurrent":
        return keras_lmu.LMU(
            hidden_cell=keras.layers.SimpleRNNCell(n_hidden, activation="tanh"),
            hidden_to_memory=True,
            memory_to_memory=True,
            **shared,
        )
    hidden = keras.layers.Dense(n_hidden, activation="tanh")
    return keras_lmu.LMUFeedforward(hidden_cell=hidden, conv_mode=mode, **shared)


def make_model(mode, n_steps, order, n_hidden):
    """Make a classifier of psMNIST's shape."""
    inputs = keras.Input((n_steps, 1))
    hidden = make_layer(mode, n_steps, order, n_hidden)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(N_CLASSES)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(), loss=loss)
    return model


def serve(mode, n_steps, order, n_hidden, minibatch_size):
    """Answer each line of standard input."""
    model = make_model(mode, n_steps, order, n_hidden)
    rng = np.random.RandomState(0)
    x = rng.uniform(0, 1, (minibatch_size, n_steps, 1)).astype(np.float32)
    y = rng.randint(N_CLASSES, size=minibatch_size)
    for line in sys.stdin:
        n_minibatches = int(line)
        clock, processor = time.perf_counter(), time.process_time()
        for _ in range(n_minibatches):
            model.train_on_batch(x, y)
        found = {
            "clock": (time.perf_counter() - clock) / n_minibatches,
            "processor": (time.process_time() - processor) / n_minibatches,
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], *map(int, sys.argv[2:]))
