"""Convolutions as sparse synapses: exact where they can be, and real digits."""

from dataclasses import replace

import nengo
import numpy as np
from sklearn.datasets import load_digits

from nengo_hybrid import HybridSpiking
from nengo_hybrid.emulate import run_graded
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.lower import to_graph
from nengo_hybrid.mapping import graded_blocks
from nengo_hybrid.metrics import accuracy, classify
from nengo_hybrid.quantize import quantize
from nengo_hybrid.targets import load_target

TARGET = load_target("loihi2")
N_STEPS, READ = 12, 10
N_FIRST, N_SECOND = 4, 24
N_OUT = 4 * N_SECOND


def add_layer(pre, transform, omega, label):
    """Add hybrid-spiking neurons behind a convolution, and return them."""
    n = transform.size_out
    own = {"gain": np.ones(n), "bias": np.zeros(n), "label": label}
    kind = HybridSpiking(nengo.RectifiedLinear(), omega=omega)
    layer = nengo.Ensemble(n, 1, neuron_type=kind, **own).neurons
    nengo.Connection(pre, layer, transform=transform, synapse=None, label=f"to {label}")
    return layer


def network(kernels, readout, omega=4):
    """Make two convolutional layers on images of 8 x 8, and a sum that reads them."""
    with nengo.Network(seed=0) as net:
        x = nengo.Node(np.zeros(64), label="x")
        one = nengo.Convolution(N_FIRST, (8, 8, 1), init=kernels[0])
        shape = 6, 6, N_FIRST
        two = nengo.Convolution(N_SECOND, shape, strides=(2, 2), init=kernels[1])
        first = add_layer(x, one, omega, "first")
        second = add_layer(first, two, omega, "second")
        out = nengo.Node(size_in=len(readout), label="out")
        nengo.Connection(second, out, transform=readout, synapse=None)
        nengo.Probe(out)
    return to_graph(net, dt=1.0)


def drawn(rng):
    first = rng.normal(size=(3, 3, 1, N_FIRST))
    return first, 0.3 * rng.normal(size=(3, 3, N_FIRST, N_SECOND))


def test_kernels_of_whole_units_are_deployed_exactly():
    rng = np.random.default_rng(0)
    # 16ths of a threshold for each count, and the host sends 255 for a 1.
    kernels = (
        rng.integers(-3, 5, (3, 3, 1, N_FIRST)) / 16 * 255 / 16 / 4,
        rng.integers(-3, 4, (3, 3, N_FIRST, N_SECOND)) / 16,
    )
    graph = network(kernels, rng.integers(-8, 8, (3, N_OUT)) / 8)
    x = rng.integers(0, 2, (5, 20, 64)).astype(float)
    voltages = {p.name: np.floor(p.initial_voltage * 16) / 16 for p in hybrids(graph)}
    populations = [
        replace(p, initial_voltage=voltages.get(p.name)) for p in graph.populations
    ]
    graph = replace(graph, populations=tuple(populations))
    quantized = quantize(graph, TARGET, x)
    found = run_graded(quantized, x).output * quantized.population("out").unit

    wanted = run_graph(graph, x, record=["out"])["out"]
    assert np.abs(wanted).max() > 3
    np.testing.assert_array_equal(found, wanted)


def hybrids(graph):
    return [p for p in graph.populations if p.is_hybrid]


def test_only_what_a_kernel_reaches_is_stored():
    # A pixel in the middle reaches 9 places of 4 channels, of 144 neurons: 16 bits each
    # with an index of 8, and a header of 10: 586 bits, 10 words.
    rng = np.random.default_rng(1)
    graph = network(drawn(rng), rng.normal(size=(3, N_OUT)))
    quantized = quantize(graph, TARGET, np.ones((2, 5, 64)))
    (weights,) = (p.weights for p in quantized.into("first"))
    blocks = graded_blocks(quantized, TARGET).blocks

    assert np.count_nonzero(weights[:, 27]) <= 36
    taps = sum(
        min(r + 1, 8 - r, 3) * min(c + 1, 8 - c, 3) for r in range(8) for c in range(8)
    )
    assert np.count_nonzero(weights) <= 4 * taps
    first = next(b for b in blocks if b.population == "first")
    assert first.synapse_bits <= 64 * 10 * 64
    # All weights of all axons would be 144 x 8 bits and headers.
    assert first.synapse_bits < 64 * 144 * 8


def test_digits_are_told_apart_as_in_floats():
    # Kernels as drawn; what reads them is fitted to the rates of the training digits.
    digits, rng = load_digits(), np.random.default_rng(2)
    order = rng.permutation(len(digits.data))
    x = np.repeat(digits.data[order, None] / 16, N_STEPS, axis=1)
    y, train, test = digits.target[order], slice(0, 1437), slice(1437, None)
    kernels = drawn(rng)
    graph = network(kernels, np.zeros((10, N_OUT)))
    rates = run_graph(graph, x[train], rates=True, record=["second"], last_steps=1)
    features = rates["second"][:, 0]
    wanted = np.eye(10)[y[train]] - 0.1
    spread = features.T @ features + 30 * np.eye(N_OUT)
    readout = np.linalg.solve(spread, features.T @ wanted).T
    graph = network(kernels, readout)

    hybrid = run_graph(graph, x[test], record=["out"])["out"]
    quantized = quantize(graph, TARGET, x[train][:256])
    chip = run_graded(quantized, x[test]).output

    rights = [accuracy(classify(o, READ), y[test]) for o in (hybrid, chip)]
    assert rights[0] > 0.85
    # 360 digits: one is 0.28 %.
    assert abs(rights[1] - rights[0]) < 0.005
