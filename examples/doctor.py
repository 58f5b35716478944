"""
Networks that do not fit Loihi 1, each for a reason that many meet.

    nengo-hybrid doctor examples/doctor.py:inputs
"""

import nengo_hybrid  # noqa: F401 (before nengo_loihi)

# isort: split
import nengo
import nengo_loihi
import numpy as np

NEURONS = nengo.SpikingRectifiedLinear(
    amplitude=0.01, initial_state={"voltage": nengo.dists.Choice([0])}
)


def layer(label, n, *, on_chip=True):
    """Return ``n`` neurons of one gain, in the network that is being made."""
    ensemble = nengo.Ensemble(
        n, 1, neuron_type=NEURONS, gain=np.full(n, 100), bias=np.zeros(n), label=label
    )
    network = nengo.Network.context[-1]
    nengo_loihi.add_params(network)
    network.config[ensemble].on_chip = on_chip
    return ensemble


def inputs():
    """Connect 4,200 neurons of the host to each of 20: a core listens to 4,096."""
    with nengo.Network(seed=0) as network:
        pixels, hidden = layer("pixels", 4200, on_chip=False), layer("hidden", 20)
        weights = nengo.dists.Uniform(-0.1, 0.1)
        nengo.Connection(pixels.neurons, hidden.neurons, transform=weights)
        nengo.Probe(hidden.neurons)
    return network


def recurrent():
    """Connect 512 neurons to each other, and ask for them to be on one core."""
    with nengo.Network(seed=0) as network:
        memory = layer("memory", 512)
        weights = nengo.dists.Uniform(-0.1, 0.1)
        nengo.Connection(memory.neurons, memory.neurons, transform=weights)
        nengo.Probe(memory.neurons)
        network.config[memory].block_shape = nengo_loihi.BlockShape((512,), (512,))
    return network


def convolutions():
    """Classify images of 28x28 pixels by two convolutions, read by the host."""
    with nengo.Network(seed=0) as network:
        image = nengo.Node(np.zeros(784), label="image")
        before, shape = layer("pixels", 784, on_chip=False), (28, 28, 1)
        nengo.Connection(image, before.neurons, synapse=None)
        for i, n_filters in enumerate((16, 32)):
            transform = nengo.Convolution(
                n_filters,
                shape,
                kernel_size=(5, 5),
                strides=(2, 2),
                init=nengo.dists.Uniform(-0.1, 0.1),
            )
            shape = transform.output_shape.shape
            after = layer(f"conv{i}", transform.output_shape.size)
            nengo.Connection(before.neurons, after.neurons, transform=transform)
            before = after
        answer = nengo.Node(size_in=10, label="answer")
        weights = nengo.dists.Uniform(-0.01, 0.01)
        nengo.Connection(before.neurons, answer, transform=weights)
        nengo.Probe(answer)
    return network
