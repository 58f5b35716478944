"""Networks that are mapped, as NengoLoihi's chip models, and the spikes they send."""

from types import SimpleNamespace

import numpy as np
from chip_models import joined
from networks import build, convnet, image_spikes, random_spikes, recurrent
from scipy.spatial import cKDTree

# isort: split
from nengo_hybrid import emulate
from nengo_hybrid.datasets import digits
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import BlockGraph, BlockNeeds
from nengo_hybrid.lower import read_chip, to_graph, to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.networks import SequenceClassifier
from nengo_hybrid.placement import Route
from nengo_hybrid.recipe import load_recipe

N_STEPS = 200


def cases():
    """Return, by name, functions that make a chip model and a run of it."""
    return {
        "convnet, 8 and 16 filters": lambda target: _convnet((8, 16), target),
        "convnet, 32 and 64 filters": lambda target: _convnet((32, 64), target),
        "ring of 5,000 LIF": _ring,
        "8 layers of 16 cores": lambda t: _joined(_layers(8, 16), 128, t),
        "4 layers of 8 cores": lambda t: _joined(_layers(4, 8), 32, t),
        "nearest neighbours, 128 cores": lambda t: _near_model(128, t),
        "nearest neighbours, 1,000 cores": lambda t: _near_model(1000, t),
        "10 layers of 100 cores": lambda t: _joined(_layers(10, 100, 8), 1000, t),
    }


def digits_demo(target):
    """
    Make the demo's network with the weights that it starts training from.

    Returns
    -------
    graph : QuantizedGraph
    trace : Trace
        Of ten digits.
    """
    recipe = load_recipe("digits")
    data = digits(0)
    network = SequenceClassifier(data.train.x, data.n_classes, seed=0, **recipe.network)
    graph = to_loihi(to_graph(network, dt=1.0), target=target.name)
    injected = [lines.population for lines in graph.inputs]
    counts = run_graph(graph.host, data.test.x[:10], seed=0, record=injected)
    return graph, emulate.run(graph, place(graph, target), counts)


def _convnet(filters, target):
    model = build(convnet(filters=filters))
    return model, _run(model, image_spikes(4, N_STEPS), target)


def _ring(target):
    model = build(recurrent(n_eval_points=1000))
    return model, _run(model, random_spikes(4, N_STEPS, 10, activity=0.1), target)


def _joined(ways, n_blocks, target):
    model = joined(ways, n_blocks)
    return model, _run(model, random_spikes(1, N_STEPS, 16), target)


def _run(model, spikes, target):
    """Run a model on its lines' spikes, (n_samples, n_steps, n_lines) bool."""
    graph = read_chip(model, target=target.name)
    ends = np.cumsum([lines.n_lines for lines in graph.inputs])
    parts = np.split(spikes.astype(np.int64), ends[:-1], axis=2)
    counts = {i.name: part for i, part in zip(graph.inputs, parts, strict=True)}
    trace = emulate.run(graph, place(graph, target), counts, on_overflow="warn")
    return SimpleNamespace(graph=graph, trace=trace)


def _layers(n_layers, per_layer, reach=None):
    """Join each block of a layer to the next layer's, all or ``reach`` across."""
    across = range(per_layer if reach is None else reach)
    return [
        (layer * per_layer + i, (layer + 1) * per_layer + (i + j) % per_layer)
        for layer in range(n_layers - 1)
        for i in range(per_layer)
        for j in across
    ]


def _near(n_blocks, n_near=5, seed=0):
    """Find what is nearest to points of a square, numbered at random: itself first."""
    points = np.random.default_rng(seed).random((n_blocks, 2))
    return cKDTree(points).query(points, n_near)[1].reshape(n_blocks, n_near)


def _near_model(n_blocks, target):
    """Join each block to the four that are nearest to it."""
    near = enumerate(_near(n_blocks))
    ways = [(i, int(j)) for i, others in near for j in others[1:]]
    return _joined(ways, n_blocks, target)


def large(n_neurons, *, n_per_block=1000, n_near=4, fan_out=100):
    """
    Describe a network of nearest neighbours block by block.

    Every neuron has ``fan_out`` synapses of 8 bits, spread over its own block and
    those nearest to it, ``n_near`` in all.

    Returns
    -------
    BlockGraph
    """
    n_blocks = -(-n_neurons // n_per_block)
    n_near = min(n_near, n_blocks)
    axons, per_axon = n_near * n_per_block, fan_out // n_near
    # Parts of at most 64 weights of 8 bits, each with a header of 10 bits, in words of
    # 64 bits: a full part has 9.
    words = per_axon // 64 * 9 + -(-(per_axon % 64 * 8 + 10) // 64)
    ones = np.ones(n_per_block, dtype=np.int64)
    blocks = tuple(
        BlockNeeds(
            name=f"block{i}",
            population="neurons",
            neurons=np.arange(i * n_per_block, (i + 1) * n_per_block),
            compartments=n_per_block,
            input_axons=axons,
            output_axons=axons,
            synapse_bits=axons * words * 64,
        )
        for i in range(n_blocks)
    )
    routes = tuple(
        Route("neurons", blocks[i].neurons, i, int(j), ones, per_axon * ones)
        for i, near in enumerate(_near(n_blocks, n_near))
        for j in near
    )
    return BlockGraph("loihi1", blocks, routes)
