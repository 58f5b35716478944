"""`SequenceClassifier`: that each of its classes can be learnt."""

import numpy as np
import pytest

from nengo_hybrid import datasets
from nengo_hybrid.exceptions import ShapeError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.network_graph import to_graph
from nengo_hybrid.networks import SequenceClassifier

DIGITS = {"order": 64, "theta_steps": 64, "n_hidden": 192, "readout_steps": 16}


@pytest.mark.parametrize("seed", [2, 4, 5])
def test_every_class_is_active_before_training(seed):
    # A rectified output that is silent on every sample would never be trained.
    data = datasets.digits(seed=seed)
    network = SequenceClassifier(data.train.x, data.n_classes, seed=seed, **DIGITS)
    found = run_graph(to_graph(network), data.train.x[:100], rates=True)["output"]
    assert (np.mean(found[:, -16:].mean(axis=1) > 0, axis=0) > 0.9).all()


def test_an_exact_output_starts_without_a_bias():
    data = datasets.digits()
    network = SequenceClassifier(
        data.train.x, data.n_classes, omega_output=None, **DIGITS
    )
    assert not network.output.bias.any()


def test_an_answer_is_not_read_over_more_steps_than_there_are():
    message = (
        r"^readout_steps needs 1 to 64, the steps of the training sequences, got 65$"
    )
    with pytest.raises(ShapeError, match=message):
        SequenceClassifier(
            datasets.digits().train.x, 10, **{**DIGITS, "readout_steps": 65}
        )
