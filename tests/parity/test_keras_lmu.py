"""Our Legendre memory against KerasLMU's, where it is installed."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nengo_hybrid.networks.lmu import lmu_matrices

# KerasLMU 0.9 runs on Keras 3 alone, and so in a process of its own; in float64,
# because its matrix exponential is 6e-6 off in float32.
PROGRAM = """
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


@pytest.mark.skipif(
    importlib.util.find_spec("keras_lmu") is None, reason="KerasLMU is not installed"
)
def test_matrices_equal_keras_lmus():
    sizes = [(1, 4), (4, 10), (16, 64), (64, 64), (256, 784)]
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    environment.pop("TF_USE_LEGACY_KERAS", None)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(sizes)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.splitlines()[-1])
    for (order, theta), (A, B) in zip(sizes, found, strict=True):
        ours = lmu_matrices(order, theta)
        # KerasLMU multiplies rows from the left, so its matrices are transposed.
        np.testing.assert_allclose(np.transpose(A), ours[0], atol=1e-6)
        np.testing.assert_allclose(np.transpose(B), ours[1], atol=1e-6)
