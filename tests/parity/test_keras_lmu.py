"""Our Legendre memory against KerasLMU's, where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys

import nengo
import numpy as np
import pytest

from nengo_hybrid.networks.keras_lmu import load_keras_lmu
from nengo_hybrid.networks.memory import lmu_matrices

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("keras_lmu") is None, reason="KerasLMU is not installed"
)

# KerasLMU 0.9 runs on Keras 3 alone, and so in a process of its own; in float64,
# because its matrix exponential is 6e-6 off in float32.
MATRICES = """
import json, sys
import keras, keras_lmu
keras.config.set_floatx("float64")
found = []
for order, theta in json.loads(sys.argv[1]):
    cell = keras_lmu.LMUCell(memory_d=1, order=order, theta=theta, hidden_cell=None)
    cell.build((1, 1))
    found.append([[[float(x) for x in row] for row in m] for m in (cell.A, cell.B)])
print(json.dumps(found))
"""
TRAINING = """
import json, sys
import keras, keras_lmu, numpy as np
keras.config.set_floatx("float64")
keras.utils.set_random_seed(0)
folder, size_in, cell, options = sys.argv[1], *map(json.loads, sys.argv[2:])
cell = getattr(keras.layers, cell)(5, activation="tanh")
inputs = keras.Input((20, size_in))
hidden = keras_lmu.LMU(order=8, theta=20, hidden_cell=cell, **options)(inputs)
model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
x = np.random.RandomState(0).uniform(-1, 1, (32, 20, size_in))
model.compile(loss="mse", optimizer=keras.optimizers.Adam(0.01))
model.fit(x, x[:, 4, :1] * [1, 2, 3], epochs=3, verbose=0)
for name in ("model.keras", "model.h5"):
    model.save(f"{folder}/{name}")
model.save_weights(f"{folder}/model.weights.h5")
np.savez(f"{folder}/data.npz", x=x[:4], y=model.predict(x[:4], verbose=0))
"""
FEEDFORWARD = {"memory_d": 1, "input_to_hidden": True, "kernel_initializer": "ones"}
RECURRENT = {"memory_d": 3, "hidden_to_memory": True, "memory_to_memory": True}
MODELS = {
    "feedforward": (1, "SimpleRNNCell", FEEDFORWARD),
    "recurrent": (2, "SimpleRNNCell", RECURRENT | {"use_bias": True}),
    "trained theta": (1, "Dense", FEEDFORWARD | {"trainable_theta": True}),
}


def run_program(program, *arguments):
    """Run a program with KerasLMU in a process of its own; return what it prints."""
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    environment.pop("TF_USE_LEGACY_KERAS", None)
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_matrices_equal_keras_lmus():
    sizes = [(1, 4), (4, 10), (16, 64), (64, 64), (256, 784)]
    found = json.loads(run_program(MATRICES, json.dumps(sizes)).splitlines()[-1])
    for (order, theta), (A, B) in zip(sizes, found, strict=True):
        ours = lmu_matrices(order, theta)
        # KerasLMU multiplies rows from the left, so its matrices are transposed.
        np.testing.assert_allclose(np.transpose(A), ours[0], atol=1e-6)
        np.testing.assert_allclose(np.transpose(B), ours[1], atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_trained_model_computes_what_keras_lmu_does(tmp_path, name):
    size_in, cell, options = MODELS[name]
    described = [json.dumps(value) for value in (size_in, cell, options)]
    run_program(TRAINING, str(tmp_path), *described)
    sizes = {"order": 8, "theta_steps": 20, "size_in": size_in}
    with np.load(tmp_path / "data.npz") as data:
        x, y = data["x"], data["y"]
    for file in ("model.keras", "model.h5", "model.weights.h5"):
        known = sizes if file == "model.weights.h5" else {}
        network = load_keras_lmu(tmp_path / file, **known)
        for sequence, expected in zip(x, y, strict=True):
            np.testing.assert_allclose(
                last_output(network, sequence), expected, atol=1e-6
            )


def last_output(network, x):
    """Return what a network gives in the last step of a sequence."""
    network.input.output = lambda t: x[round(t) - 1]
    with nengo.Simulator(network, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(len(x))
    return sim.data[network.probe][-1]
