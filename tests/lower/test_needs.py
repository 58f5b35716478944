"""Needs counted from shapes are those of the blocks that NengoLoihi builds."""

from collections import Counter

import nengo
import nengo_loihi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nengo_loihi.builder import Model
from nengo_loihi.builder.builder import ValidationLevel
from nengo_loihi.decode_neurons import OnOffDecodeNeurons, Preset5DecodeNeurons

from nengo_hybrid.lower import build_chip, count_needs, count_part, read_chip
from nengo_hybrid.lower import read_outline as read
from nengo_hybrid.mapping import utilization
from nengo_hybrid.targets import load_target

NEURONS = nengo.SpikingRectifiedLinear(
    amplitude=0.01, initial_state={"voltage": nengo.dists.Choice([0])}
)
NAMES = ("compartments", "input_axons", "output_axons", "synapse_bits")


def neurons(n, label=None, *, on_chip=True):
    """Return an ensemble of neurons that have one gain."""
    ensemble = nengo.Ensemble(
        n, 1, neuron_type=NEURONS, gain=np.full(n, 100.0), bias=np.zeros(n), label=label
    )
    config = nengo.Network.context[-1].config
    nengo_loihi.add_params(nengo.Network.context[-1])
    config[ensemble].on_chip = on_chip
    return ensemble


def cut(net, ensemble, shape, whole=None):
    """Set the block shape of an ensemble."""
    whole = (ensemble.n_neurons,) if whole is None else whole
    net.config[ensemble].block_shape = nengo_loihi.BlockShape(shape, whole)


def counted(net, model=None):
    """Return what was counted of each block, in NengoLoihi's order."""
    blocks = count_needs(read(net, model=model)).blocks
    return [tuple(getattr(b, n) for n in NAMES) for part in blocks for b in part]


def built(net):
    """Return what the blocks need that NengoLoihi builds, in integers."""
    loihi1 = load_target("loihi1")
    graph = read_chip(build_chip(net, dt=0.001))
    found = [utilization(block, loihi1) for block in graph.blocks]
    return [tuple(used for used, _ in vars(u).values()) for u in found]


def split_only(net, model=None):
    """Return what blocks need that NengoLoihi splits, though it may refuse them."""
    model = Model() if model is None else model
    model.validation_level = ValidationLevel.NONE
    model.build(net, discretize=False)
    found = [block.utilization().values() for block in model.blocks]
    return [tuple(int(used) for used, _ in values) for values in found]


def test_full_weights_by_hand():
    # 300 axons of 70 weights of 8 bits: a run of 64 with 10 bits before it takes 522
    # bits and so 9 words of 64; the other 6 take 58 bits, one word.
    with nengo.Network(seed=0) as net:
        pre, post = neurons(300, "pre"), neurons(70, "post")
        weights = nengo.dists.Uniform(-0.1, 0.1)
        nengo.Connection(pre.neurons, post.neurons, transform=weights)
    wanted = [(300, 0, 300, 0), (70, 300, 0, 300 * 10 * 64)]
    assert counted(net) == built(net) == wanted


def test_decode_neurons_by_hand():
    # 10 pairs a dimension: 40 compartments that take 50 axons of 40 weights, 330 bits
    # and so 6 words; they share the 4 axons of the encoders, of 30 weights, 250 bits.
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(50, 2), nengo.Ensemble(30, 2)
        nengo.Connection(pre, post)
    wanted = [(50, 0, 50, 0), (30, 4, 0, 4 * 256), (40, 50, 4, 50 * 384)]
    assert counted(net) == built(net) == wanted


def test_a_convolution_by_hand():
    # 4x4 pixels, kernels of 2x2 with a stride of 2: every pixel reaches the 3 filters
    # of one place, by one of 4 parts of the kernel. From the 2 channels that is a row
    # of 6 weights of 8 bits beside indices of 6 bits: 94 bits, 2 words. Of the last
    # axons, 2 slots each, one for every pixel.
    with nengo.Network(seed=0) as net:
        transform = nengo.Convolution(
            3,
            (4, 4, 2),
            strides=(2, 2),
            kernel_size=(2, 2),
            init=nengo.dists.Uniform(-0.1, 0.1),
        )
        pre, post = neurons(32), neurons(12)
        nengo.Connection(pre.neurons, post.neurons, transform=transform)
    wanted = [(32, 0, 2 * 16, 0), (12, 16, 0, 4 * 2 * 64)]
    assert counted(net) == built(net) == wanted


def test_equal_rows_are_stored_once_when_a_block_is_cut():
    with nengo.Network(seed=0) as net:
        pre, post = neurons(20), neurons(10)
        weights = np.full((10, 20), 0.1)
        nengo.Connection(pre.neurons, post.neurons, transform=weights)
    assert counted(net)[1] == built(net)[1] == (10, 20, 0, 20 * 128)
    cut(net, post, (5,))
    assert counted(net)[1:] == built(net)[1:] == [(5, 20, 0, 64)] * 2


def test_a_part_alone_is_counted_as_among_all():
    net = draw_network(5, kind="convolutions")
    outline = read(net)
    every = count_needs(outline)
    for number, blocks in enumerate(every.blocks):
        alone, inlets = count_part(outline, number)
        assert list(map(str, alone)) == list(map(str, blocks))
        for i, inlet in inlets.items():
            assert inlet.bits.tolist() == every.inlets[i].bits.tolist()


def draw_shape(rng, net, ensemble, whole):
    """Sometimes cut an ensemble into blocks."""
    if rng.random() < 0.6:
        cut(net, ensemble, tuple(int(rng.integers(1, n + 1)) for n in whole), whole)


def draw_weights(rng, n_pre, n_post):
    """Draw a transform between neurons: full, drawn, diagonal or sparse."""
    kind = rng.integers(5)
    if kind == 0:
        return nengo.dists.Uniform(-1e-4, 1e-4)
    if kind == 1 and n_pre == n_post:
        return 1e-4
    if kind == 2:
        places = np.argwhere(rng.random((n_post, n_pre)) < 0.3)
        if len(places):
            values = rng.choice([1e-4, -2e-4], len(places))
            shape = n_post, n_pre
            return nengo.Sparse(shape, indices=places, init=values)
    if kind == 3:
        return rng.choice([1e-4, -1e-4], (n_post, n_pre))
    return rng.normal(size=(n_post, n_pre)) * 1e-4


def decoders(rng, ensemble, size=None, *, weights=False):
    """Give decoders of which no two are alike, as those of like neurons may be."""
    size = ensemble.dimensions if size is None else size
    values = rng.normal(scale=1e-4, size=(ensemble.n_neurons, size))
    return nengo.solvers.NoSolver(values, weights=weights)


def draw_dense(rng, net):
    """Draw ensembles, joined in all the ways that the chip has."""
    sizes = rng.integers(2, 60, rng.integers(2, 5))
    ensembles = []
    for n in map(int, sizes):
        dimensions = int(rng.integers(1, 4))
        ensembles.append(nengo.Ensemble(n, dimensions, intercepts=[-0.9] * n))
        draw_shape(rng, net, ensembles[-1], (n,))
    source = neurons(int(rng.integers(2, 30)), on_chip=False)
    value = nengo.Node(np.zeros(2))
    passing = nengo.Node(size_in=2)
    for pre in ensembles:
        nengo.Connection(value, pre, transform=rng.normal(size=(pre.dimensions, 2)))
        to_node = rng.normal(size=(2, pre.dimensions))
        solver = decoders(rng, pre)
        nengo.Connection(pre, passing, transform=to_node, synapse=None, solver=solver)
        for post in ensembles:
            kind = rng.integers(8)
            if kind < 2:
                solver = decoders(rng, pre, weights=bool(kind))
                shape = post.dimensions, pre.dimensions
                nengo.Connection(pre, post, transform=rng.random(shape), solver=solver)
            elif kind == 2:
                first = int(rng.integers(0, pre.n_neurons))
                some = pre.neurons[first :: int(rng.integers(1, 4))]
                weights = draw_weights(rng, some.size_out, post.n_neurons)
                nengo.Connection(some, post.neurons, transform=weights)
            elif kind == 3:
                weights = draw_weights(rng, pre.n_neurons, post.dimensions)
                nengo.Connection(pre.neurons, post, transform=weights)
            elif kind == 4:
                weights = rng.random((post.n_neurons, pre.dimensions)) * 1e-3
                solver = decoders(rng, pre)
                nengo.Connection(pre, post.neurons, transform=weights, solver=solver)
    last = ensembles[-1]
    nengo.Connection(passing, last, transform=rng.normal(size=(last.dimensions, 2)))
    weights = draw_weights(rng, source.n_neurons, last.n_neurons)
    nengo.Connection(source.neurons, last.neurons, transform=weights)
    weights = rng.random((last.n_neurons, 2)) * 1e-3
    nengo.Connection(value, last.neurons, transform=weights)
    result = nengo.Node(size_in=1)
    rule = nengo.PES() if rng.random() < 0.5 else None
    some = {"solver": decoders(rng, last, 1), "function": sum}
    learned = nengo.Connection(last, result, learning_rule_type=rule, **some)
    if rule is not None:
        nengo.Connection(result, learned.learning_rule)
    nengo.Probe(ensembles[0], solver=decoders(rng, ensembles[0]))
    nengo.Probe(last[0], solver=decoders(rng, last, 1))
    nengo.Probe(last.neurons)
    with nengo.Network():
        inner = nengo.Ensemble(5, 1)
        solver = decoders(rng, ensembles[0], 1)
        nengo.Connection(ensembles[0][0], inner, solver=solver)


def draw_convolution(rng, shape, channels_last):
    """Draw a convolution of an image, or the transpose of one."""
    options = {
        "kernel_size": tuple(int(k) for k in rng.integers(1, 4, 2)),
        "strides": tuple(int(k) for k in rng.integers(1, 3, 2)),
        "padding": str(rng.choice(["valid", "same"])),
        "channels_last": channels_last,
        "init": nengo.dists.Uniform(-1e-4, 1e-4),
    }
    n_filters = int(rng.integers(1, 7))
    if rng.random() < 0.2:
        kind = nengo.transforms.ConvolutionTranspose
        return kind(n_filters, shape, **options)
    transform = nengo.Convolution(n_filters, shape, **options)
    if rng.random() < 0.3:
        size = *options["kernel_size"], transform.input_shape.n_channels, n_filters
        options["init"] = rng.choice([1e-4, -1e-4], size)
    return nengo.Convolution(n_filters, shape, **options)


def draw_convolutions(rng, net):
    """Draw a chain of convolutions."""
    channels_last = bool(rng.random() < 0.6)
    rows, columns = (int(n) for n in rng.integers(4, 12, 2))
    n_channels = int(rng.integers(1, 4))
    shape = (rows, columns, n_channels)
    shape = shape if channels_last else (n_channels, rows, columns)
    pre = neurons(int(np.prod(shape)), on_chip=bool(rng.random() < 0.5))
    for _ in range(rng.integers(1, 4)):
        spatial = shape[:2] if channels_last else shape[1:]
        if min(spatial) < 3 or np.prod(shape) > 3000:
            break
        transform = draw_convolution(rng, shape, channels_last)
        whole = tuple(int(n) for n in transform.output_shape.shape)
        post = neurons(int(np.prod(whole)))
        draw_shape(rng, net, post, whole)
        wire = nengo.Connection(pre.neurons, post.neurons, transform=transform)
        net.config[wire].pop_type = 32 if rng.random() < 0.7 else 16
        pre, shape = post, whole
    last = neurons(3)
    nengo.Connection(pre.neurons, last.neurons, transform=nengo.dists.Uniform(0, 1e-4))


def draw_network(seed, *, kind):
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=int(rng.integers(2**31))) as net:
        nengo_loihi.add_params(net)
        {"dense": draw_dense, "convolutions": draw_convolutions}[kind](rng, net)
    return net


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind, n", [("dense", 40), ("convolutions", 60)])
def test_random_networks_need_what_is_built(kind, n):
    seen = Counter()

    @settings(max_examples=n, deadline=None, derandomize=True)
    @given(seed=st.integers(0, 2**32 - 1))
    def check(seed):
        net = draw_network(seed, kind=kind)
        pairs = [OnOffDecodeNeurons(pairs_per_dim=2), Preset5DecodeNeurons()]
        model = Model()
        model.decode_neurons = pairs[seed % 2]
        found = counted(net, model)
        # The connections that replace nodes are built in any order.
        assert sorted(found) == sorted(split_only(net, model))
        seen.update({"networks": 1, "blocks": len(found)})
        seen["cut"] += len(found) > len(read(net).parts)

    check()
    assert seen["networks"] >= n and seen["cut"] > n / 3, seen
