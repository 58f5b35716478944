"""Train a classifier of permuted digits, deploy it to Loihi 1, count its errors."""

import nengo
import numpy as np

import nengo_hybrid as nh

data = nh.datasets.digits()
hybrid = nh.HybridSpiking(nengo.RectifiedLinear(), omega=4)
readout = nh.HybridSpiking(nh.Identity(), omega=4)
answer = nh.HybridSpiking(nengo.RectifiedLinear(), omega=2)

with nengo.Network(seed=0) as net:
    x = nengo.Node(np.zeros(1), label="x")
    lmu = nh.networks.LMU(
        order=64,
        theta_steps=64,
        n_hidden=192,
        hidden_type=hybrid,
        quantizer={"readout": readout},
        readout_scale=4,
    )
    output = nengo.Ensemble(
        10,
        1,
        neuron_type=answer,
        gain=np.ones(10),
        bias=np.ones(10),
        label="output",
    )
    nengo.Connection(x, lmu.input, synapse=None)
    weights = nengo.dists.Uniform(-0.17, 0.17)
    nengo.Connection(lmu.hidden, output.neurons, transform=weights, synapse=None)
    nengo.Probe(output.neurons)

trained = nh.train(
    net,
    data,
    smoothing=nh.Smoothing(start=16),
    epochs=24,
    learning_rate=5e-3,
    readout_steps=16,
    budgets={"lmu.hidden": {"rate": 0.5}, "output": {"rate": 0.8}},
)
deployed = nh.deploy(trained, nh.load_target("loihi1"), chip_steps=4)
trace = nh.run_deployed(deployed, data.test.x)

answers = nh.metrics.classify(trace.output_spikes, readout_steps=4 * 16)
print(f"deployed accuracy: {nh.metrics.accuracy(answers, data.test.y):.2%}")
