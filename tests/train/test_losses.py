"""The loss of a training, against its formula in NumPy."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

MEANS = np.array([[0.1, 0.3, 0.2], [0.5, 0.0, 0.1]], np.float32)
LABELS = np.array([1, 2], np.int32)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_cross_entropy_is_that_of_the_softmax(label_smoothing):
    from nengo_hybrid.train.losses import cross_entropy

    p = np.exp(10 * MEANS) / np.exp(10 * MEANS).sum(axis=1, keepdims=True)
    # 0.3 spread over three classes is 0.1 for each; the true one keeps 0.7 besides.
    target = (1 - label_smoothing) * np.eye(3)[LABELS] + label_smoothing / 3
    found = cross_entropy(
        MEANS, LABELS, logit_scale=10.0, label_smoothing=label_smoothing
    )
    expected = -(target * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
