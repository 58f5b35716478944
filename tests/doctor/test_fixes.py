"""Fixes are made for real: what NengoLoihi refused, it builds once it is mended."""

import dataclasses

import nengo
import nengo_loihi
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nengo.exceptions import BuildError
from nengo_loihi.block import Synapse

import nengo_hybrid as nh
from nengo_hybrid.doctor.remedies import block_shapes, rings, windows
from nengo_hybrid.lower import build_chip, read_chip, split_shape
from nengo_hybrid.mapping import place, utilization
from nengo_hybrid.outline import Part
from nengo_hybrid.targets import load_target


@pytest.fixture(scope="module")
def loihi1():
    return load_target("loihi1")


def with_limits(target, **values):
    """Return the target with other numbers for some limits."""
    limits = dict(target.limits)
    for name, value in values.items():
        limits[name] = dataclasses.replace(limits[name], value=value)
    return dataclasses.replace(target, limits=limits)


def build(net):
    return read_chip(build_chip(net, dt=0.001))


def assert_fits(net, n_cores, loihi1):
    """Check that NengoLoihi builds a network, and that it takes so many cores."""
    graph = build(net)
    assert place(graph, loihi1).n_cores == n_cores
    found = nh.check(net)
    assert found.fits and found.n_cores == n_cores
    blocks = [utilization(block, loihi1) for block in graph.blocks]
    counted = [row.used for row in found.rows if row.n_blocks]
    for limit in vars(blocks[0]):
        worst = max(getattr(block, limit)[0] for block in blocks)
        assert max(getattr(used, limit)[0] for used in counted) == worst


def only(fix):
    (change,) = fix.changes
    return change


def test_too_many_inputs(examples, loihi1):
    net = examples.inputs()
    with pytest.raises(BuildError, match=r"Input axons \(4200\) exceeded max \(4096\)"):
        build(net)
    found = nh.check(net)
    sparse, fewer = only(found.fix), only(found.other_fixes[0])
    assert (sparse.kind, sparse.value) == ("sparse weights", (4096, 2))
    assert (fewer.kind, fewer.value) == ("fewer inputs", 4096)
    (wire,) = net.connections
    # Two blocks of 10 neurons, the second of which begins with input 2,100.
    pattern = windows(4200, 4096, split_shape((10,), (20,)))
    places = np.stack([pattern.targets, pattern.axons], axis=1)
    drawn = nengo.dists.Uniform(-0.1, 0.1)
    wire.transform = nengo.Sparse((20, 4200), indices=places, init=drawn)
    assert_fits(net, found.fix.n_cores, loihi1)

    net = examples.inputs()
    (wire,) = net.connections
    with net:
        pre, post = wire.pre[:4096], wire.post
        nengo.Connection(pre, post, transform=nengo.dists.Uniform(-0.1, 0.1))
    net.connections.remove(wire)
    assert_fits(net, found.other_fixes[0].n_cores, loihi1)


def test_too_much_synapse_memory(examples, cut, loihi1):
    net = examples.recurrent()
    # 512 axons, each of 8 runs of 64 weights of 8 bits and 10 bits before: 9 words.
    words = rf"Total synapse bits \({512 * 8 * 9 * 64}\) exceeded max \(1048576\)"
    with pytest.raises(BuildError, match=words):
        build(net)
    found = nh.check(net)
    shape, (sparse, bits) = only(found.fix), map(only, found.other_fixes)
    assert (shape.kind, shape.value) == ("block shape", ((171,), (512,)))
    cut(net, "memory", *shape.value)
    assert_fits(net, found.fix.n_cores, loihi1)

    net = examples.recurrent()
    n_reached, size = sparse.value
    assert size == 512
    pattern = rings(512, n_reached, split_shape((512,), (512,)))
    places = np.stack([pattern.targets, pattern.axons], axis=1)
    drawn = nengo.dists.Uniform(-0.1, 0.1)
    (wire,) = net.connections
    wire.transform = nengo.Sparse((512, 512), indices=places, init=drawn)
    assert_fits(net, found.other_fixes[0].n_cores, loihi1)
    assert bits.value == 3


def test_weights_of_few_bits(examples, monkeypatch):
    # 512 axons of 8 runs of 64 weights of 3 bits and 10 bits before: 202, 4 words.
    code, plain = 3, Synapse.format

    def narrow(synapse, **options):
        if "weight_bits" in options:
            options["weight_bits"] = code
        plain(synapse, **options)

    monkeypatch.setattr(Synapse, "format", narrow)
    (block,) = build(examples.recurrent()).blocks
    (synapses,) = block.synapses
    assert synapses.memory_bits == 512 * 8 * 4 * 64 == 1048576
    code = 4
    with pytest.raises(BuildError, match="Total synapse bits"):
        build(examples.recurrent())


def test_the_block_shape_of_a_convolution_is_found(examples, cut, loihi1):
    net = examples.convolutions()
    with pytest.raises(BuildError, match=r"conv1.*synapse bits \(\d+\) exceeded"):
        build(net)
    found = nh.check(net)
    shape = only(found.fix)
    assert (shape.name, shape.kind) == ("conv1", "block shape")
    assert shape.value == ((4, 4, 16), (4, 4, 32))
    cut(net, "conv1", *shape.value)
    assert_fits(net, found.fix.n_cores, loihi1)


def test_too_many_neurons_to_decode(loihi1):
    with nengo.Network(seed=0) as net:
        big = nengo.Ensemble(4100, 1, label="big")
        nengo.Probe(big, solver=nengo.solvers.NoSolver(np.ones((4100, 1))))
    found = nh.check(net)
    change = only(found.fix)
    assert (change.kind, change.name, change.value) == ("fewer neurons", "big", 4096)
    with nengo.Network(seed=0) as net:
        big = nengo.Ensemble(4096, 1, label="big")
        nengo.Probe(big, solver=nengo.solvers.NoSolver(np.ones((4096, 1))))
    assert_fits(net, found.fix.n_cores, loihi1)


def test_output_axons_are_mended_after_what_they_reach(cut, loihi1):
    with nengo.Network(seed=0) as net:
        ensembles = [nengo.Ensemble(600, 1, label=name) for name in "abc"]
        for pre, post in zip(ensembles, ensembles[1:] + ensembles[2:], strict=True):
            drawn = nengo.dists.Uniform(-1e-3, 1e-3)
            nengo.Connection(pre.neurons, post.neurons, transform=drawn)
    cut(net, "b", (600,), (600,))
    target = with_limits(loihi1, output_axons_per_core=1200)
    found = nh.check(net, target)
    assert {b.limit for b in found.breaches} == {"synapse_bits", "output_axons"}
    for change in found.fix.changes:
        assert change.kind == "block shape"
        cut(net, change.name, *change.value)
    again = nh.check(net, target)
    assert again.fits and again.n_cores == found.fix.n_cores


def test_what_is_mended_by_the_way_is_not_changed(cut, loihi1):
    # b in blocks of 299, 1, 299 and 1 neurons: the large ones lack memory, and a sends
    # 4 x 400 axons. Three blocks of 200 are enough, and then so are 3 x 400 axons.
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(400, 1, label="a"), nengo.Ensemble(600, 1, label="b")
        drawn = nengo.dists.Uniform(-1e-3, 1e-3)
        nengo.Connection(a.neurons, b.neurons, transform=drawn)
    cut(net, "b", (1, 299), (2, 300))
    found = nh.check(net, with_limits(loihi1, output_axons_per_core=1300))
    assert [(b.name, b.limit, b.used) for b in found.breaches] == [
        ("a", "output_axons", 1600),
        ("b", "synapse_bits", 400 * (4 * 576 + 384)),
    ]
    change = only(found.fix)
    assert (change.name, change.value) == ("b", ((2, 100), (2, 300)))
    assert found.fix.n_cores == 4


def test_neurons_that_the_chip_lacks_go_to_the_host():
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(5, 1, label="a")
        b = nengo.Ensemble(5, 1, neuron_type=nengo.Sigmoid(), label="b")
        nengo.Connection(a, b)
    found = nh.check(net)
    change = only(found.fix)
    assert (change.name, change.kind) == ("b", "on_chip")
    assert change.words == "run 'b' on the host: net.config[ensemble].on_chip = False"
    net.config[b].on_chip = False
    assert nh.check(net).fits
    assert nh.check(net).n_cores == found.fix.n_cores == 2


def test_where_nothing_helps_there_is_no_fix():
    with nengo.Network(seed=0) as net:
        nengo.Ensemble(5, 1, neuron_type=nengo.Sigmoid())
    found = nh.check(net)
    assert not found.fits and found.fix is None and found.other_fixes == ()


def test_what_fits_needs_no_fix(examples, cut):
    net = examples.recurrent()
    cut(net, "memory", (128,), (512,))
    found = nh.check(net)
    assert (found.fits, found.fix, found.other_fixes) == (True, None, ())


def test_shapes_of_blocks_by_hand(loihi1):
    part = Part("p", 6, None, (2, 3), True)
    target = with_limits(loihi1, compartments_per_core=4)
    assert block_shapes(part, target) == [
        ((1, 3), 2),
        ((2, 2), 2),
        ((2, 1), 3),
        ((1, 2), 4),
        ((1, 1), 6),
    ]


def test_windows_and_rings_by_hand():
    # 4 inputs, of which each block of one neuron reads 3, from the next half on.
    found = windows(4, 3, split_shape((1,), (2,)))
    pairs = sorted(zip(found.axons.tolist(), found.targets.tolist(), strict=True))
    assert pairs == [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (3, 1)]
    found = rings(3, 2, split_shape((3,), (3,)))
    pairs = list(zip(found.axons.tolist(), found.targets.tolist(), strict=True))
    assert pairs == [(0, 0), (0, 1), (1, 2), (1, 0), (2, 1), (2, 2)]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=4),
    room=st.fixed_dictionaries(
        {
            "compartments_per_core": st.integers(10, 40),
            "output_axons_per_core": st.integers(20, 80),
            "synapse_memory_per_core": st.integers(2, 20).map(lambda n: 1024 * n),
        }
    ),
)
def test_blocks_that_are_cut_as_a_fix_says_fit(sizes, room, cut, loihi1):
    target = with_limits(loihi1, **room)
    with nengo.Network(seed=0) as net:
        nengo_loihi.add_params(net)
        ensembles = [nengo.Ensemble(n, 1, label=f"e{n}") for n in sizes]
        for pre, post in zip(ensembles, ensembles[1:], strict=False):
            drawn = nengo.dists.Uniform(-1, 1)
            nengo.Connection(pre.neurons, post.neurons, transform=drawn)
    found = nh.check(net, target)
    assume(found.fix is not None)
    assume({change.kind for change in found.fix.changes} == {"block shape"})
    for change in found.fix.changes:
        cut(net, change.name, *change.value)
    again = nh.check(net, target)
    assert again.fits and again.n_cores == found.fix.n_cores
