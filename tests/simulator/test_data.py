"""What goes into a simulator by `data`, and what comes out of `sim.data`."""

import re
from collections.abc import Mapping

import nengo
import numpy as np
import pytest
from nengo.exceptions import ValidationError

from nengo_hybrid import LoihiSimulator
from nengo_hybrid.exceptions import EmulateError, ShapeError

N_STEPS = 12


def make_net(*, sample_every=None):
    """Return two constant nodes onto an ensemble, which a node on the host hears."""
    with nengo.Network(seed=1) as net:
        net.one = nengo.Node(np.zeros(2), label="one")
        net.other = nengo.Node([0.5], label="other")
        net.function = nengo.Node(lambda t: t, label="function")
        net.neurons = nengo.Ensemble(20, 2, label="neurons")
        net.listener = nengo.Node(lambda t, x: x + 1, size_in=2)
        nengo.Connection(net.one, net.neurons)
        nengo.Connection(net.other, net.neurons, transform=[[0], [1]])
        net.more = nengo.Ensemble(8, 1, label="more")
        net.link = nengo.Connection(net.neurons[0], net.more)
        nengo.Connection(net.neurons, net.listener)
        options = {"sample_every": sample_every}
        net.spikes = nengo.Probe(net.neurons.neurons, **options)
        net.voltages = nengo.Probe(net.neurons.neurons[[3, 5]], "voltage", **options)
        net.value = nengo.Probe(net.neurons, synapse=0.005, **options)
        net.heard = nengo.Probe(net.listener, **options)
        net.given = nengo.Probe(net.one, **options)
    return net


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def probed(sim):
    return [np.array(sim.data[p]) for p in sim.network.all_probes]


def assert_same(one, other):
    for found, wanted in zip(one, other, strict=True):
        np.testing.assert_array_equal(found, wanted, strict=True)


@pytest.fixture(scope="module")
def sim():
    """Return a simulator for runs that are refused."""
    with LoihiSimulator(make_net()) as simulator:
        yield simulator
        assert simulator.n_steps == 0


@pytest.fixture(scope="module")
def batch():
    with LoihiSimulator(make_net(), minibatch_size=3) as simulator:
        yield simulator
        assert simulator.n_steps == 0


def test_data_is_what_a_node_gives():
    net, values = make_net(), draw(N_STEPS, 2)
    with LoihiSimulator(net) as sim:
        sim.run_steps(N_STEPS, data={net.one: values})
        np.testing.assert_array_equal(sim.data[net.given], values)
        with_data = probed(sim)
        sim.reset()
        sim.run(0.001 * N_STEPS, data={net.one: values})
        assert_same(probed(sim), with_data)
        sim.reset()
        sim.run_steps(N_STEPS)
        assert not sim.data[net.given].any()
        assert (sim.data[net.spikes] != with_data[0]).any()


def test_data_is_as_a_node_with_a_function():
    values = draw(N_STEPS, 2)
    net = make_net()
    with LoihiSimulator(net) as sim:
        sim.run_steps(N_STEPS, data={net.one: values})
        fed = probed(sim)
    net.one.output = lambda t: values[round(t / 0.001) - 1]
    with LoihiSimulator(net) as sim:
        sim.run_steps(N_STEPS)
        assert_same(probed(sim), fed)


def test_data_of_parts_is_the_data_of_the_run():
    net, values = make_net(), draw(N_STEPS, 2)
    with LoihiSimulator(net) as sim:
        sim.run_steps(N_STEPS, data={net.one: values})
        whole = probed(sim)
        sim.reset()
        for part in (values[:5], values[5:6], values[6:]):
            sim.run_steps(len(part), data={net.one: part})
        assert_same(probed(sim), whole)


def test_without_data_a_node_gives_its_own_constant_again():
    net, values = make_net(), draw(3, 1)
    with net:
        own = nengo.Probe(net.other)
    with LoihiSimulator(net) as sim:
        sim.run_steps(3, data={net.other: values})
        sim.run_steps(2)
        assert sim.data[own].tolist() == [*values.tolist(), [0.5], [0.5]]


def test_several_nodes_take_data():
    net = make_net()
    data = {net.one: draw(N_STEPS, 2), net.other: draw(N_STEPS, 1, seed=2)}
    with LoihiSimulator(net) as sim:
        sim.run_steps(N_STEPS, data=data)
        both = probed(sim)
        sim.reset()
        sim.run_steps(N_STEPS, data={net.one: data[net.one]})
        assert (probed(sim)[0] != both[0]).any()


@pytest.mark.parametrize("precompute", [None, False])
@pytest.mark.filterwarnings("ignore:Model is precomputable")
def test_a_sample_alone_is_the_sample_in_a_batch(precompute):
    net, values = make_net(), draw(3, N_STEPS, 2)
    options = {"precompute": precompute, "seed": 7}
    with LoihiSimulator(net, minibatch_size=3, **options) as sim:
        sim.run_steps(N_STEPS, data={net.one: values})
        whole = probed(sim)
    sizes = [20, 2, 2, 2, 2]
    assert [x.shape for x in whole] == [(3, N_STEPS, n) for n in sizes]
    np.testing.assert_array_equal(whole[-1], values)
    assert len(np.unique(whole[0], axis=0)) == 3
    with LoihiSimulator(net, **options) as sim:
        for i in range(3):
            sim.reset()
            sim.run_steps(N_STEPS, data={net.one: values[i]})
            assert_same(probed(sim), [x[i] for x in whole])


def test_a_batch_of_one_keeps_its_axis():
    net = make_net()
    with LoihiSimulator(net, minibatch_size=1) as sim:
        assert [x.shape[:2] for x in probed(sim)[:3]] == [(1, 0)] * 3
        sim.run_steps(4)
        assert [x.shape[:2] for x in probed(sim)] == [(1, 4)] * 5


def test_data_of_the_wrong_shape_is_refused(sim):
    node = sim.network.one
    for shape in [(N_STEPS,), (N_STEPS, 1), (N_STEPS + 1, 2), (2, N_STEPS, 2)]:
        with pytest.raises(ShapeError) as caught:
            sim.run_steps(N_STEPS, data={node: np.zeros(shape)})
        assert str(caught.value).startswith(
            f"{node} needs data of shape (12, 2), got {shape}"
        )


def test_data_of_the_wrong_shape_for_a_batch_is_refused(batch):
    node = batch.network.one
    for shape in [(N_STEPS, 2), (2, N_STEPS, 2), (3, 1, 2), (3, N_STEPS, 1)]:
        with pytest.raises(ShapeError) as caught:
            batch.run_steps(N_STEPS, data={node: np.zeros(shape)})
        assert str(caught.value) == (
            f"{node} needs data of shape (3, 12, 2), got {shape}"
        )


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_data_that_is_not_finite_is_refused(sim, number):
    node, values = sim.network.one, np.zeros((N_STEPS, 2))
    values[3, 1] = number
    with pytest.raises(EmulateError) as caught:
        sim.run_steps(N_STEPS, data={node: values})
    assert str(caught.value) == f"{node} needs finite numbers, got NaN or infinity"


@pytest.mark.parametrize("name", ["function", "listener", "neurons"])
def test_data_for_what_is_not_constant_is_refused(sim, name):
    target = getattr(sim.network, name)
    with pytest.raises(EmulateError) as caught:
        sim.run_steps(N_STEPS, data={target: np.zeros((N_STEPS, 1))})
    assert str(caught.value) == (
        "data is for nodes with a constant output, such as nengo.Node(np.zeros(size)); "
        f"{target} is none of this network"
    )


def test_data_for_a_node_of_another_network_is_refused(sim):
    with nengo.Network():
        stranger = nengo.Node([0.0], label="stranger")
    with pytest.raises(EmulateError, match=re.escape(str(stranger))):
        sim.run_steps(N_STEPS, data={stranger: np.zeros((N_STEPS, 1))})


@pytest.mark.parametrize("every", [1, 3, 5, 2.5])
def test_probes_on_the_chip_are_thinned_out_as_those_of_nengo(every):
    net, thin = make_net(), make_net(sample_every=every * 0.001)
    values = draw(20, 2)
    with LoihiSimulator(net) as sim:
        sim.run_steps(20, data={net.one: values})
        whole = probed(sim)
    with LoihiSimulator(thin) as sim:
        for start, stop in ((0, 7), (7, 8), (8, 20)):
            sim.run_steps(stop - start, data={thin.one: values[start:stop]})
        found = probed(sim)
        times = sim.trange(sample_every=every * 0.001)
    # The last two are on the host, where Nengo thins them out itself.
    steps = np.round(times / 0.001).astype(int)
    if every != 2.5:
        assert steps.tolist() == list(range(every, 21, every))
    assert_same(found, [x[steps - 1] for x in whole])


@pytest.mark.parametrize("minibatch_size", [None, 3])
def test_counts_only_keeps_the_sum_of_all_steps(minibatch_size):
    net = make_net()
    shape = (N_STEPS, 2) if minibatch_size is None else (3, N_STEPS, 2)
    values = draw(*shape)
    options = {"minibatch_size": minibatch_size}
    with LoihiSimulator(net, **options) as sim:
        sim.run_steps(N_STEPS, data={net.one: values})
        whole = probed(sim)
    with LoihiSimulator(net, counts_only=[net.spikes], **options) as sim:
        sim.run_steps(5, data={net.one: values[..., :5, :]})
        sim.run_steps(7, data={net.one: values[..., 5:, :]})
        found = probed(sim)
        assert_same(found[1:], whole[1:])
        sums = whole[0].sum(axis=-2, keepdims=True)
        np.testing.assert_allclose(found[0], sums, rtol=1e-12)
        assert found[0].shape == (*shape[:-2], 1, 20) and sums.any()
        sim.clear_probes()
        sim.run_steps(2)
        assert sim.data[net.spikes].shape == (*shape[:-2], 1, 20)
        assert np.all(sim.data[net.spikes] <= 2 / 0.001)


def test_counts_only_may_be_any_iterable():
    net = make_net()
    with LoihiSimulator(net, counts_only=iter([net.spikes])) as sim:
        sim.run_steps(5)
        assert [x.shape for x in probed(sim)[:2]] == [(1, 20), (5, 2)]


def test_counts_only_of_all_probes_on_the_chip():
    with LoihiSimulator(make_net(), counts_only=True) as sim:
        sim.run_steps(5)
        assert [len(x) for x in probed(sim)] == [1, 1, 1, 5, 5]


@pytest.mark.parametrize("name", ["heard", "neurons"])
def test_counts_only_is_for_probes_on_the_chip(name):
    net = make_net()
    with pytest.raises(ValidationError) as caught:
        LoihiSimulator(net, counts_only=[net.spikes, getattr(net, name)])
    assert str(caught.value) == (
        f"counts_only: has {getattr(net, name)}, which is no probe on the chip"
    )


def test_built_parameters_are_in_the_data():
    net = make_net()
    with LoihiSimulator(net) as sim:
        built = sim.data[net.neurons]
        assert built.gain.shape == built.bias.shape == (20,)
        assert built.encoders.shape == (20, 2)
        assert sim.data[net.link].weights.shape == (1, 20)
        sim.run_steps(2)
        assert sim.data[net.neurons] is built


def test_the_data_is_a_map_that_can_only_be_read():
    net = make_net()
    with LoihiSimulator(net) as sim:
        sim.run_steps(3)
        assert isinstance(sim.data, Mapping)
        assert set(net.all_probes) <= set(sim.data)
        assert net.neurons in sim.data and net.link in sim.data
        with pytest.raises(TypeError):
            sim.data[net.spikes] = 1
        for probe in net.all_probes:
            with pytest.raises(ValueError, match="read-only"):
                sim.data[probe][0] = 1
        with pytest.raises(KeyError) as caught:
            sim.data["nothing"]
        assert caught.value.args == (
            "nothing was not built, or is no probe of this network",
        )


def test_nodes_are_in_the_data():
    # As in Nengo, which built nothing of them.
    net = make_net()
    with LoihiSimulator(net) as sim:
        for node in (net.one, net.function, net.listener):
            assert sim.data[node] is None
            assert sim.data[node] is None
            assert node in sim.data


def test_the_data_holds_each_object_once():
    net = make_net()
    with LoihiSimulator(net) as sim:
        keys = list(sim.data)
        assert len(keys) == len(set(keys)) == len(sim.data)
        for key in keys:
            assert key in sim.data
            sim.data[key]


def test_what_was_read_does_not_change_when_the_run_goes_on():
    net = make_net()
    with LoihiSimulator(net) as sim:
        sim.run_steps(5)
        held = [sim.data[p] for p in net.all_probes]
        before = [np.array(x) for x in held]
        sim.run_steps(5)
        assert_same([np.array(x) for x in held], before)
        assert [len(sim.data[p]) for p in net.all_probes] == [10] * 5
        for probe, first in zip(net.all_probes, before, strict=True):
            np.testing.assert_array_equal(sim.data[probe][:5], first)
