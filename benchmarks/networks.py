"""
Networks on which Loihi 1 emulators are compared, and the spikes that go into them.

Each network is made open or closed. An open one ends in a probe of its output's
spikes, and its inputs take the spikes made here. In a closed one the output goes to
a Python node on the host at every step, and what that node returns comes back to the
chip; it runs in a `nengo_loihi.Simulator` with ``precompute=False``. What the node was
told stands in the list ``heard`` of the network: once by Nengo when it is made, then
at every step.
"""

import os
from pathlib import Path

import nengo
import numpy as np
import scipy.sparse

import nengo_hybrid  # noqa: F401  (mends NengoLoihi, so it comes first)

# isort: split
import nengo_loihi
from nengo_loihi.builder import Model

DT_S = 0.001
FRAME_STEPS = 100
N_PIXELS = 28 * 28


def convnet(*, filters=(8, 16), images=None, closed=False, seed=0):
    """
    Make a convolutional classifier of 28x28 images, laid out as NengoLoihi's example.

    A neuron of the host turns each pixel into spikes; the layers on the chip have 3x3
    kernels with a stride of 2, and the ten classes are read on the host. With 8 and
    16 filters the chip has 8*13*13 + 16*6*6 = 1,928 neurons.

    Parameters
    ----------
    filters : tuple of int
        Filters of each layer on the chip.
    images : (n, 784) array, optional
        What a closed network shows, each for ``FRAME_STEPS``.
    closed : bool
    seed : int
        Of the random kernels.

    Returns
    -------
    nengo.Network
        With the attributes ``layers`` (neurons by name), ``probe`` and ``size_in``.
    """
    rng = np.random.default_rng(seed)
    neuron_type = nengo.SpikingRectifiedLinear(amplitude=0.01)
    with _new_network(seed) as network:
        pixels = _host_spikes(network, N_PIXELS, neuron_type, gain=100)
        network.layers = {}
        pre, shape = pixels, (1, 28, 28)
        for i, n_filters in enumerate(filters):
            # Slightly excitatory, so that activity neither fades nor fills up.
            fan_in, gain = 9 * shape[0], 2.0 if i == 0 else 2.5
            kernel = rng.normal(0.3 / fan_in, fan_in**-0.5, (3, 3, shape[0], n_filters))
            transform = nengo.Convolution(
                n_filters,
                shape,
                strides=(2, 2),
                channels_last=False,
                init=gain * kernel,
            )
            n_neurons = transform.output_shape.size
            layer = _chip_neurons(n_neurons, neuron_type, 100, f"conv{i}")
            nengo.Connection(pre, layer, transform=transform, synapse=0.005)
            network.layers[f"conv{i}"] = layer
            pre, shape = layer, transform.output_shape.shape
        frames = digit_images(100, seed=seed) if images is None else images
        _end(network, pixels, pre, frames if closed else None, 10, rng)
    return network


def dense(activity=0.05, *, sizes=(390, 256, 256, 29), closed=False, seed=0):
    """
    Make dense layers of integrate-and-fire neurons, of the keyword spotter's shape.

    Parameters
    ----------
    activity : float
        Share of the neurons of every layer that spike in a step, about.
    sizes : tuple of int
        Input lines, then the neurons of each layer on the chip.
    closed : bool
    seed : int
        Of the random weights.

    Returns
    -------
    nengo.Network
        With the attributes ``layers`` (neurons by name), ``probe`` and ``size_in``.
    """
    rng = np.random.default_rng(seed)
    neuron_type = nengo.SpikingRectifiedLinear()
    with _new_network(seed) as network:
        lines = _host_spikes(network, sizes[0], neuron_type, gain=1)
        network.layers = {}
        pre = lines
        for i, (n_pre, n_post) in enumerate(zip(sizes, sizes[1:], strict=False)):
            # A mean of 1 / n_pre, and what is lost where voltages overshoot.
            mean = (1 + activity) / n_pre
            weights = rng.normal(mean, 0.5 * n_pre**-0.5, (n_post, n_pre))
            layer = _chip_neurons(n_post, neuron_type, 1, f"dense{i}")
            nengo.Connection(pre, layer, transform=weights, synapse=None)
            network.layers[f"dense{i}"] = layer
            pre = layer
        rates = rng.uniform(0, 2 * activity / DT_S, (100, sizes[0]))
        _end(network, lines, pre, rates if closed else None, sizes[-1], rng)
    return network


def recurrent(
    n_neurons=5000,
    *,
    n_ensembles=5,
    closed=False,
    n_eval_points=None,
    solver=None,
    seed=0,
):
    """
    Make LIF neurons in a ring of ensembles, each decoded into the next.

    NengoLoihi cannot round the decoders of one ensemble of 5,000 neurons: they are
    too small beside the biases.

    Parameters
    ----------
    n_neurons : int
        Over all ensembles.
    n_ensembles : int
    closed : bool
    n_eval_points : int, optional
        Of each ensemble; by default Nengo's.
    solver : nengo.solvers.Solver, optional
        Of the decoders; by default Nengo's.
    seed : int

    Returns
    -------
    nengo.Network
        With the attributes ``layers`` (neurons by name), ``probe`` and ``size_in``.
    """
    rng = np.random.default_rng(seed)
    with _new_network(seed) as network:
        ring = [
            nengo.Ensemble(
                n_neurons // n_ensembles,
                1,
                max_rates=nengo.dists.Uniform(100, 150),
                n_eval_points=n_eval_points or nengo.Default,
                label=f"ring{i}",
            )
            for i in range(n_ensembles)
        ]
        for pre, post in zip(ring, ring[1:] + ring[:1], strict=True):
            nengo.Connection(pre, post, synapse=0.1, solver=solver or nengo.Default)
        network.layers = {ens.label: ens.neurons for ens in ring}
        frames = rng.uniform(-1, 1, (100, n_ensembles))
        network.heard = []
        show = _show(frames, network.heard)
        stimulus = nengo.Node(show, size_in=1 if closed else 0)
        for i, ens in enumerate(ring):
            nengo.Connection(stimulus[i], ens, synapse=None)
        network.size_in = 2 * n_ensembles
        if closed:
            nengo.Connection(ring[-1], stimulus, synapse=0.01)
        else:
            network.probe = nengo.Probe(ring[-1].neurons)
    return network


def recurrent_sparse(n_neurons=5000, *, fan_out=100, reach=500, n_lines=500, seed=0):
    """
    Make LIF neurons with random sparse weights, four in five of them excitatory.

    A neuron reaches neurons at most ``reach`` away, so that no block needs more input
    axons than a core has. Every line reaches ``fan_out`` neurons in the same way.

    Returns
    -------
    nengo.Network
        With the attributes ``layers`` (neurons by name), ``probe`` and ``size_in``.
    """
    rng = np.random.default_rng(seed)
    kinds = np.where(rng.random(n_neurons) < 0.8, 1.0, -4.0)
    inner = _local_weights(np.arange(n_neurons), n_neurons, fan_out, reach, rng)
    centres = np.arange(n_lines) * n_neurons // n_lines
    outer = _local_weights(centres, n_neurons, fan_out, reach, rng)
    with _new_network(seed) as network:
        lines = _host_spikes(network, n_lines, nengo.SpikingRectifiedLinear(), gain=1)
        ensemble = nengo.Ensemble(
            n_neurons,
            1,
            neuron_type=nengo.LIF(),
            gain=np.ones(n_neurons),
            bias=rng.uniform(0.6, 1.2, n_neurons),
            label="sparse",
        )
        for pre, weights in [
            (lines, 8e-4 * outer),
            (ensemble.neurons, 1e-4 * inner @ scipy.sparse.diags(kinds)),
        ]:
            transform = nengo.Sparse(weights.shape, init=weights.tocsr())
            nengo.Connection(pre, ensemble.neurons, transform=transform, synapse=0.005)
        network.layers = {"sparse": ensemble.neurons}
        network.probe = nengo.Probe(ensemble.neurons)
    return network


def build(network):
    """Build NengoLoihi's chip model of a network, as its simulator does."""
    model = Model(dt=DT_S)
    model.build(network)
    return model


def count_lines(model):
    """Count the lines of all inputs of a chip model."""
    return sum(lines.n_neurons for lines in model.inputs)


def add_spikes(model, spikes):
    """
    Give one sample of spikes to the inputs of a chip model, in place of others.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    spikes : (n_steps, n_lines) bool array
        Lines of all inputs, in the model's order. Step 0 is time 1 on the chip.
    """
    ends = np.cumsum([lines.n_neurons for lines in model.inputs])
    parts = np.split(spikes, ends[:-1], axis=1)
    for lines, part in zip(model.inputs, parts, strict=True):
        lines.spikes.clear()
        for step, row in enumerate(part):
            lines.add_spikes(step + 1, row.nonzero()[0])


def random_spikes(n_samples, n_steps, n_lines, *, activity=0.05, seed=0):
    """
    Draw independent spikes.

    Returns
    -------
    (n_samples, n_steps, n_lines) bool array
        True in a share ``activity`` of the elements.
    """
    rng = np.random.default_rng(seed)
    return rng.random((n_samples, n_steps, n_lines), dtype=np.float32) < activity


def image_spikes(n_samples, n_steps, *, max_rate_hz=100, seed=0):
    """
    Turn images into the regular spikes of a non-leaky neuron for each pixel.

    Returns
    -------
    (n_samples, n_steps, 784) bool array
        A white pixel spikes at ``max_rate_hz``; each starts at a random phase.
    """
    rng = np.random.default_rng(seed)
    per_step = digit_images(n_samples, seed=seed)[:, None] * max_rate_hz * DT_S
    phase = rng.random((n_samples, 1, N_PIXELS))
    whole = np.floor(phase + per_step * np.arange(n_steps + 1)[:, None])
    return np.diff(whole, axis=1) > 0


def digit_images(n_samples, *, seed=0):
    """
    Take images from MNIST's test set, or make blurred random ones without it.

    Returns
    -------
    (n_samples, 784) float array
        From 0 to 1. MNIST is read from the folder that ``NENGO_HYBRID_DATA`` names.
    """
    rng = np.random.default_rng(seed)
    folder = os.environ.get("NENGO_HYBRID_DATA")
    if folder:
        with np.load(Path(folder) / "mnist.npz") as arrays:
            images = arrays["x_test"]
        chosen = rng.choice(len(images), n_samples, replace=n_samples > len(images))
        return images[chosen].reshape(n_samples, N_PIXELS) / 255
    # As bright as MNIST, whose pixels have a mean of 0.13 and are mostly black.
    noise = np.kron(rng.random((n_samples, 7, 7)), np.ones((4, 4)))
    return np.clip(4 * noise - 3, 0, 1).reshape(n_samples, N_PIXELS)


def _new_network(seed):
    network = nengo.Network(seed=seed)
    nengo_loihi.add_params(network)
    return network


def _host_spikes(network, n_lines, neuron_type, *, gain):
    """Make the neurons of the host that inject spikes."""
    ensemble = nengo.Ensemble(
        n_lines,
        1,
        neuron_type=neuron_type,
        gain=np.full(n_lines, gain),
        bias=np.zeros(n_lines),
        label="lines",
    )
    network.config[ensemble].on_chip = False
    network.size_in = n_lines
    return ensemble.neurons


def _chip_neurons(n_neurons, neuron_type, gain, label):
    return nengo.Ensemble(
        n_neurons,
        1,
        neuron_type=neuron_type,
        gain=np.full(n_neurons, gain),
        bias=np.zeros(n_neurons),
        label=label,
    ).neurons


def _end(network, lines, output, frames, size_out, rng):
    """Probe the output; or read it on the host, where ``frames`` answer it."""
    if frames is None:
        network.probe = nengo.Probe(output)
        return
    network.heard = []
    stimulus = nengo.Node(_show(frames, network.heard), size_in=size_out)
    nengo.Connection(stimulus, lines, synapse=None)
    n_neurons = output.size_out
    weights = rng.normal(0, n_neurons**-0.5, (size_out, n_neurons))
    nengo.Connection(output, stimulus, transform=weights, synapse=0.005)


def _show(frames, heard):
    """Make a node's function that shows frames in turn, and notes what it is told."""

    def show(t, told=None):
        if told is not None:
            heard.append(told)
        return frames[int(t / DT_S + 0.5) // FRAME_STEPS % len(frames)]

    return show


def _local_weights(centres, n_neurons, fan_out, reach, rng):
    """Draw weights (n_neurons, n_pre), from 0.5 to 1.5, around each centre."""
    offsets = distinct(len(centres), 2 * reach, fan_out, rng) - reach
    post = (centres[:, None] + offsets) % n_neurons
    pre = np.repeat(np.arange(len(centres)), fan_out)
    values = rng.uniform(0.5, 1.5, len(pre))
    return scipy.sparse.csr_matrix(
        (values, (post.ravel(), pre)), shape=(n_neurons, len(centres))
    )


def distinct(n_rows, n, k, rng):
    """Draw ``k`` distinct numbers below ``n`` for every row, in ascending order."""
    rows = [rng.choice(n, k, replace=False) for _ in range(n_rows)]
    return np.sort(np.array(rows), axis=1)
