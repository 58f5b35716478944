"""Our figures by KerasSpiking's prices against its own, where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nengo_hybrid.estimate import (
    DenseCounts,
    Rates,
    compare_dense,
    compare_model,
    count_ops,
)
from nengo_hybrid.placement import PlacedBlock, Placement, Route
from nengo_hybrid.targets import load_target

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(
        any(importlib.util.find_spec(n) is None for n in ("keras_spiking", "tf_keras")),
        reason="KerasSpiking or tf-keras is not installed",
    ),
]

# KerasSpiking 0.3 needs Keras 2, and so a process of its own. Its rates are float32,
# and NumPy 2 keeps to that in products; as Python's numbers they are what they are.
PROGRAM = """
import json, sys
import tensorflow as tf, keras_spiking, numpy as np
options, shape = {"activation": "relu"}, json.loads(sys.argv[2])
layers = [tf.keras.layers.Conv2D(*n, **options) if isinstance(n, list)
          else tf.keras.layers.Dense(n, **options) for n in json.loads(sys.argv[1])]
x = inputs = tf.keras.Input(shape)
tf.keras.utils.set_random_seed(0)
for layer in layers:
    if isinstance(layer, tf.keras.layers.Dense) and len(x.shape) > 2:
        x = tf.keras.layers.Flatten()(x)
    x = layer(x)
data = np.random.RandomState(0).uniform(0, 50, (8, *shape))
energy = keras_spiking.ModelEnergy(tf.keras.Model(inputs, x), example_data=data)
energy.layer_rates = {k: float(v) for k, v in energy.layer_rates.items()}
found = {name: float(energy.total_energy(name, timesteps_per_inference=20))
         for name in ("loihi", "spinnaker", "spinnaker2", "cpu", "gpu", "arm")}
rates = [energy.layer_rates[layer] for layer in layers]
print(json.dumps({"energies": found, "rates": rates}))
"""
N_STEPS, DT = 20, 1e-3
MODELS = (
    ("loihi", "kerasspiking-loihi"),
    ("spinnaker", "spinnaker1"),
    ("spinnaker2",) * 2,
)
PROCESSORS = ("cpu", "cpu-i7-4960x"), ("gpu", "gpu-titan-black"), ("arm", "cortex-a")
DENSE = [390, [256, 256, 29]]
CONVOLUTIONAL = [(9, 8, 2), [[6, 3], [4, 2], 10]]


def run_keras_spiking(layers, shape):
    """Return what KerasSpiking says of a network, and the rates that it found."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(layers), json.dumps(shape)]
    environment = dict(os.environ, TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3")
    run = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])


def connections(layers, shape):
    """Count the inputs, neurons and connections of each layer."""
    for layer in layers:
        if isinstance(layer, list):
            channels, kernel = layer
            after = (*(size - kernel + 1 for size in shape[:2]), channels)
            per_neuron = kernel * kernel * shape[2]
        else:
            after, per_neuron = (layer,), int(np.prod(shape))
        n_neurons = int(np.prod(after))
        yield int(np.prod(shape)), n_neurons, n_neurons * per_neuron
        shape = after


def place(sizes):
    """Put each layer on a core of its own."""
    blocks, routes = [], []
    for i, (n_before, n_neurons, n_connections) in enumerate(sizes):
        name = f"layer {i}"
        blocks.append(PlacedBlock(name, name, np.arange(n_neurons), 0, i, None))
        synapses = np.diff(np.linspace(0, n_connections, n_before + 1).astype(int))
        before = f"layer {i - 1}" if i else "input"
        sent = np.arange(n_before), None if i == 0 else i - 1, i
        routes.append(Route(before, *sent, np.ones(n_before, int), synapses))
    return Placement("loihi1", tuple(blocks), tuple(routes))


@pytest.mark.parametrize(
    "shape, layers",
    [((DENSE[0],), DENSE[1]), CONVOLUTIONAL],
    ids=("dense", "convolutional"),
)
def test_energies_equal_model_energys(shape, layers):
    found = run_keras_spiking(layers, shape)
    sizes = list(connections(layers, shape))
    spikes = {"input": found["rates"][0] * DT, f"layer {len(layers) - 1}": 0.0}
    for i, rate in enumerate(found["rates"][1:]):
        spikes[f"layer {i}"] = rate * DT
    rates = Rates(N_STEPS, spikes)
    counts = count_ops(place(sizes), rates, load_target("loihi1"))
    for theirs, ours in MODELS:
        energy = compare_model(counts, load_target(ours)).energy_j
        assert energy == pytest.approx(found["energies"][theirs], rel=1e-9, abs=0)
    dense = DenseCounts(sum(c for *_, c in sizes), sum(n for _, n, _ in sizes))
    for theirs, ours in PROCESSORS:
        (row,) = compare_dense(dense, load_target(ours))
        assert row.energy_j == pytest.approx(found["energies"][theirs], rel=1e-9, abs=0)
