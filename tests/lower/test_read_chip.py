"""NengoLoihi's chip model as a graph: names, refusals, and that it is a copy."""

import re

import nengo
import nengo_loihi
import numpy as np
import pytest
from nengo_loihi.block import LoihiBlock
from nengo_loihi.builder import Model
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.probe import LoihiProbe

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.graphs import digest
from nengo_hybrid.lower import build_chip, probe_filter, read_chip


def make_block(n=2, label="block"):
    """Return a block in integers, with nothing but its compartments."""
    block = LoihiBlock(n, label=label)
    compartment = block.compartment
    for name in ("decay_u", "decay_v", "vth", "bias", "refract_delay"):
        setattr(compartment, name, np.full(n, 10, np.int32))
    compartment.vmin, compartment.vmax = -100, 100
    compartment.scale_u = compartment.scale_v = False
    return block


def make_model(*blocks):
    model = Model()
    for block in blocks or [make_block()]:
        model.add_block(block)
    return model


def two_ensembles(label="pre", *, block_shape=None, other="post"):
    """Return a network of two ensembles, one after the other, and a probe on each."""
    with nengo.Network(seed=0) as net:
        nengo_loihi.add_params(net)
        net.pre = nengo.Ensemble(10, 1, label=label)
        net.post = nengo.Ensemble(6, 1, label=other)
        nengo.Connection(
            net.pre.neurons, net.post.neurons, transform=np.ones((6, 10)) / 100
        )
        net.spikes = nengo.Probe(net.pre.neurons)
        net.voltages = nengo.Probe(net.post.neurons[[4, 1]], "voltage")
    if block_shape:
        net.config[net.pre].block_shape = nengo_loihi.BlockShape(*block_shape)
    return net


def build(net, **options):
    return build_chip(net, dt=0.001, **options)


def names(graph):
    return [(block.name, block.population) for block in graph.blocks]


def test_blocks_keep_their_order_and_name_their_populations():
    graph = read_chip(build(two_ensembles()))
    found = names(graph)
    assert [population for _, population in found] == [name for name, _ in found]
    assert ["pre" in found[0][0], "post" in found[1][0]] == [True, True]
    assert [block.n_compartments for block in graph.blocks] == [10, 6]
    assert (graph.target, graph.chip_steps, graph.latency_steps) == ("loihi1", 1, 0)
    assert graph.host.dt == 0.001


def test_names_and_digests_are_the_same_in_every_build():
    # Objects without labels are not named by their place in memory.
    one, other = (read_chip(build(two_ensembles(None, other=None))) for _ in range(2))
    assert names(one) == names(other)
    assert one.sha256 == other.sha256
    assert not any("0x" in name for block in names(one) for name in block)


def test_blocks_of_a_split_ensemble_are_one_population():
    whole = read_chip(build(two_ensembles()))
    model = build(two_ensembles(block_shape=((4,), (10,))))
    graph = read_chip(model)
    assert [block.n_compartments for block in graph.blocks] == [4, 4, 2, 6]
    population = whole.blocks[0].population
    assert [block.population for block in graph.blocks[:3]] == [population] * 3
    assert len({block.name for block in graph.blocks}) == 4
    neurons = [block.neurons.tolist() for block in graph.blocks[:3]]
    assert sorted(sum(neurons, [])) == list(range(10))
    assert neurons[0] == list(model.block_comp_map[list(model.blocks)[0]])
    # A neuron is the same neuron, whichever block has it; but for what is rounded
    # block by block.
    bias = np.zeros(10)
    for block in graph.blocks[:3]:
        bias[block.neurons] = block.bias / block.vth
    (first, _) = whole.blocks
    np.testing.assert_allclose(bias, first.bias / first.vth, atol=0.02)
    assert np.ptp(bias) > 1


def test_populations_of_one_name_get_numbers():
    net = two_ensembles("same", block_shape=((5,), (10,)), other="same")
    graph = read_chip(build(net))
    first, again, second = [block.population for block in graph.blocks]
    assert first == again
    assert second == f"{first} #2"


def test_inputs_of_one_name_get_numbers():
    model = make_model()
    for n in (3, 2, 1):
        model.add_input(SpikeInput(n, label="lines"))
    graph = read_chip(model)
    assert [i.name for i in graph.inputs] == ["lines", "lines #2", "lines #3"]
    assert [i.population for i in graph.inputs] == ["lines", "lines #2", "lines #3"]
    assert [i.n_lines for i in graph.inputs] == [3, 2, 1]
    assert [p.n_neurons for p in graph.host.populations] == [3, 2, 1]
    assert graph.host_reasons["lines #2"] == "its spikes come from the host"


def test_blocks_of_one_name_get_numbers():
    graph = read_chip(make_model(make_block(2), make_block(3)))
    assert names(graph) == [("block", "block"), ("block", "block #2")]


def test_probes_name_what_they_read():
    graph = read_chip(build(two_ensembles()))
    spikes, voltages = graph.probes
    assert (spikes.variable, voltages.variable) == ("spiked", "voltage")
    assert spikes.name == f"spiked of {graph.blocks[0].name}"
    ((block, compartments),) = voltages.parts
    assert (block, compartments.tolist()) == (1, [4, 1])


def test_what_is_read_by_hand():
    block = make_block(2)
    block.compartment.bias[:] = 3, -4
    block.compartment.enable_noise[:] = True, False
    block.compartment.noise_exp, block.compartment.noise_offset = 5, -1
    block.compartment.noise_at_membrane = 1
    (found,) = read_chip(make_model(block)).blocks
    assert found.bias.tolist() == [3, -4]
    assert (found.vmin, found.vmax) == (-100, 100)
    assert found.neurons.tolist() == [0, 1]
    assert found.noise.enabled.tolist() == [True, False]
    assert (found.noise.exponent, found.noise.offset) == (5, -1)
    assert found.noise.at_membrane is True
    assert found.synapses == found.axons == ()
    assert read_chip(make_model()).blocks[0].noise is None


def test_a_model_in_floats_is_refused():
    model = Model()
    model.build(two_ensembles(), discretize=False)
    with pytest.raises(LowerError) as caught:
        read_chip(model)
    assert str(caught.value) == (
        "block 'pre' needs integers of 32 bits, got float32; discretize the model "
        "first (target='sim', not 'simreal')"
    )


def test_a_block_that_is_half_in_floats_is_refused():
    block = make_block()
    block.compartment.bias = block.compartment.bias.astype(np.float64)
    words = (
        "block 'other' needs integers of 32 bits, got float64, int32; discretize the "
        "model first (target='sim', not 'simreal')"
    )
    block.label = "other"
    with pytest.raises(LowerError, match=f"^{re.escape(words)}$"):
        read_chip(make_model(make_block(), block))


def test_a_model_without_blocks_is_refused():
    words = "the model has nothing on the chip; put at least one ensemble there"
    with pytest.raises(LowerError, match=f"^{words}$"):
        read_chip(Model())


def test_a_probe_of_something_else_is_refused():
    block = make_block()
    model = make_model(block)
    model.add_probe(LoihiProbe(target=[block], key="refractory"))
    words = "a probe reads 'refractory'; compartments have spiked, voltage, current"
    with pytest.raises(LowerError, match=f"^{words}$"):
        read_chip(model)


def arrays_of(model):
    """Yield every array of a chip model that can be changed in place."""
    for block in model.blocks:
        compartment = block.compartment
        yield from vars(compartment).values()
        for synapse in block.synapses:
            yield from (*synapse.weights, *synapse.indices)
            yield synapse.axon_to_weight_map
            yield synapse.axon_compartment_bases
    for source in (*model.blocks, *model.inputs):
        for axon in source.axons:
            yield from (axon.compartment_map, axon.compartment_atoms)


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_later_changes_of_the_model_do_not_change_the_graph(kind):
    if kind == "dense":
        net = two_ensembles()
    else:
        shape = nengo.transforms.ChannelShape((4, 4, 1))
        with nengo.Network(seed=0) as net:
            nengo_loihi.add_params(net)
            pre = nengo.Ensemble(16, 1)
            post = nengo.Ensemble(8, 1, gain=np.ones(8), bias=np.zeros(8))
            transform = nengo.Convolution(2, shape, kernel_size=(3, 3))
            nengo.Connection(pre.neurons, post.neurons, transform=transform)
    model = build(net)
    graph = read_chip(model)
    before = digest(graph)
    n_changed = 0
    for array in arrays_of(model):
        if isinstance(array, np.ndarray) and array.size:
            array[...] = 1 - array if array.dtype != bool else ~array
            n_changed += 1
    assert n_changed > 10
    assert digest(graph) == before
    assert digest(read_chip(model)) != before


def test_a_graph_of_a_model_can_be_run():
    model = build(two_ensembles())
    graph = read_chip(model)
    found = Emulator(graph).run(np.zeros((1, 20, graph.n_lines), np.int16))
    assert found.spikes.any()
    assert [values.shape for values in found.probes] == [(1, 20, 10), (1, 20, 2)]


def test_a_model_that_learns_is_read():
    with nengo.Network(seed=0) as net:
        pre, post = nengo.Ensemble(10, 1), nengo.Node(size_in=1)
        learned = nengo.Connection(
            pre, post, learning_rule_type=nengo.PES(), function=lambda x: 0
        )
        nengo.Connection(post, learned.learning_rule)
    model = build(net)
    model.pes_error_scale = 25.0
    graph = read_chip(model)
    assert graph.learns
    (rule,) = [
        s.learning for block in graph.blocks for s in block.synapses if s.learning
    ]
    (synapse,) = [s for block in model.blocks for s in block.synapses if s.learning]
    assert rule.error_scale == 25.0
    assert rule.trace_tau == synapse.tracing_tau
    assert (rule.trace_epoch, rule.weight_epoch) == (
        synapse.train_epoch,
        synapse.learn_epoch,
    )
    assert not read_chip(build(two_ensembles())).learns


def test_build_chip_builds_into_a_model():
    model = Model(dt=0.001)
    assert build(two_ensembles(), model=model) is model
    assert len(list(model.blocks)) == 2


@pytest.mark.parametrize("model", [nengo.builder.Model(dt=0.001), "a model"])
def test_build_chip_refuses_another_builders_model(model):
    with pytest.raises(LowerError) as caught:
        build_chip(two_ensembles(), dt=0.001, model=model)
    assert str(caught.value) == (
        "model has to be a nengo_loihi.builder.Model with dt=0.001, got "
        f"{model} with dt={getattr(model, 'dt', None)}"
    )


def test_build_chip_refuses_another_time_step():
    model = Model(dt=0.002)
    with pytest.raises(LowerError) as caught:
        build_chip(two_ensembles(), dt=0.001, model=model)
    assert str(caught.value) == (
        f"model has to be a nengo_loihi.builder.Model with dt=0.001, got {model} with "
        "dt=0.002"
    )


def test_the_time_step_reaches_the_graph():
    graph = read_chip(build_chip(two_ensembles(), dt=0.002))
    assert graph.host.dt == 0.002


def test_a_probe_filter_keeps_its_state():
    block = make_block(1)
    probe = LoihiProbe(
        target=[block],
        key="voltage",
        weights=[np.ones((1, 1))],
        synapse=nengo.Lowpass(1),
    )
    data = np.ones((6, 1), np.float32)
    whole = probe_filter(0.5)(probe, data)
    parts = probe_filter(0.5)
    joined = np.concatenate([parts(probe, data[:2]), parts(probe, data[2:])])
    np.testing.assert_array_equal(joined, whole)
    assert whole[0] < whole[-1] < 1
