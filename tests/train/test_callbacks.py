"""Annealing omega in a training of the user's own."""

import nengo
import numpy as np
import pytest

from nengo_hybrid.neurons import HybridSpiking
from nengo_hybrid.train import Smoothing

tf = pytest.importorskip("tensorflow")
nengo_dl = pytest.importorskip("nengo_dl")


def test_omega_moves_with_every_minibatch():
    from nengo_hybrid.train.callbacks import AnnealOmega

    with nengo.Network(seed=0) as network:
        stimulus = nengo.Node([0.0])
        ensembles = [
            nengo.Ensemble(
                3, 1, neuron_type=HybridSpiking(nengo.RectifiedLinear(), omega=omega)
            )
            for omega in (1, 4)
        ]
        for ensemble in ensembles:
            nengo.Connection(stimulus, ensemble.neurons, transform=np.ones((3, 1)))
        probe = nengo.Probe(ensembles[1].neurons)
    seen = []
    with nengo_dl.Simulator(network, minibatch_size=2, progress_bar=False) as sim:
        signals = [sim.model.sig[e.neurons]["omega"] for e in ensembles]

        def note(batch, logs):
            graph = sim.tensor_graph
            tensors = [graph.signals[signal] for signal in signals]
            seen.append(
                [graph.base_params[t.key].numpy()[t.slices[0][0]] for t in tensors]
            )

        sim.compile(tf.keras.optimizers.SGD(0.0), loss="mse")
        sim.fit(
            {stimulus: np.zeros((4, 1, 1))},
            {probe: np.zeros((4, 1, 3))},
            epochs=2,
            verbose=0,
            callbacks=[
                AnnealOmega(sim, Smoothing(start=16, hold=0.5), epochs=2),
                tf.keras.callbacks.LambdaCallback(on_train_batch_begin=note),
            ],
        )
    # Two minibatches an epoch; 16 to its own over the first epoch, then held.
    np.testing.assert_allclose(seen, [[16, 16], [4, 8], [1, 4], [1, 4]])


def test_each_minibatch_has_a_number_and_a_loss_of_its_own():
    from nengo_hybrid.train.callbacks import EachMinibatch

    with nengo.Network(seed=0) as network:
        stimulus = nengo.Node([0.0])
        probe = nengo.Probe(stimulus)
    seen = []
    values = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]).reshape(6, 1, 1)
    with nengo_dl.Simulator(network, minibatch_size=2, progress_bar=False) as sim:
        sim.compile(tf.keras.optimizers.SGD(0.0), loss="mse")
        callback = EachMinibatch(
            lambda minibatch: seen.append(("begin", minibatch)),
            lambda minibatch, loss: seen.append(("end", minibatch, loss)),
            first=3,
        )
        sim.fit(
            {stimulus: values},
            {probe: np.zeros((6, 1, 1))},
            shuffle=False,
            verbose=0,
            callbacks=[callback],
        )
    # Squares of 1, 2 and 4, not their running means.
    expected = [(3, 1.0), (4, 4.0), (5, 16.0)]
    assert seen == [e for i, x in expected for e in (("begin", i), ("end", i, x))]
