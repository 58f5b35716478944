"""Names of a network's objects, and putting trained values into it."""

import re

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid import HybridSpiking
from nengo_hybrid.exceptions import BuildError, ShapeError
from nengo_hybrid.networks import LMU
from nengo_hybrid.parameters import find_ensemble, object_names, with_parameters


def make_network():
    """Build a node of 2, an ensemble of 5 and a node of 3, connected in every way."""
    with nengo.Network(seed=0) as net:
        net.x = nengo.Node([0.5, -0.25], label="x")
        net.ens = nengo.Ensemble(
            5,
            2,
            neuron_type=HybridSpiking(nengo.RectifiedLinear(), omega=2),
            gain=np.ones(5),
            bias=np.zeros(5),
            label="ens",
        )
        net.y = nengo.Node(size_in=3, label="y")
        dense = {"transform": np.ones((5, 2)), "synapse": None}
        nengo.Connection(net.x, net.ens.neurons, label="in", **dense)
        nengo.Connection(
            net.ens, net.y, transform=np.ones((3, 2)), synapse=None, label="decoded"
        )
        nengo.Connection(
            net.ens.neurons[1:3],
            net.y[[2]],
            transform=np.ones((1, 2)),
            synapse=None,
            label="sliced",
        )
        nengo.Connection(net.x[0], net.y[1], transform=3.0, synapse=None, label="one")
        nengo.Connection(
            net.x, net.y[:2], transform=[1.0, 2.0], synapse=None, label="diagonal"
        )
        net.probe = nengo.Probe(net.y)
    return net


@pytest.fixture
def network():
    return make_network()


def run(network, n_steps=20):
    """Return what the network's probe shows in Nengo's own simulator."""
    with nengo.Simulator(network, dt=1.0, progress_bar=False) as sim:
        sim.run_steps(n_steps)
    return sim.data[network.probes[0]]


def exactly(message):
    return f"^{re.escape(message)}$"


def test_names_are_paths_of_labels():
    with nengo.Network(label="top is not named") as net:
        x = nengo.Node([0.0], label="x")
        lmu = LMU(2, 4, n_hidden=3, hidden_type=HybridSpiking(nengo.RectifiedLinear()))
        unnamed = nengo.Ensemble(3, 1)
        connection = nengo.Connection(x, lmu.input)
        with nengo.Network() as part:
            inner = nengo.Node([0.0])
    names = object_names(net)
    assert names[x] == "x"
    assert names[lmu.hidden.ensemble] == "lmu.hidden"
    assert names[unnamed] == "ensemble0"
    assert names[connection] == "connection0"
    assert names[inner] == "network1.node0"
    assert part in net.networks


def test_equal_labels_get_numbers_in_order():
    with nengo.Network() as net:
        nodes = [nengo.Node([0.0], label=label) for label in ("a", "b", "a", "a")]
    names = object_names(net)
    assert [names[node] for node in nodes] == ["a#0", "b", "a#1", "a#2"]


def test_a_number_never_makes_a_name_twice():
    with nengo.Network() as net:
        nodes = [nengo.Node([0.0], label=label) for label in ("a", "a", "a#0")]
    assert [object_names(net)[n] for n in nodes] == ["a#1", "a#2", "a#0"]


@given(
    st.lists(st.sampled_from(["a", "a#0", "a#1", "node0", "b.a", None]), max_size=8),
    st.lists(st.sampled_from(["a", "b", None]), max_size=4),
)
def test_names_are_unique(labels, inner):
    with nengo.Network() as net:
        nodes = [nengo.Node([0.0], label=label) for label in labels]
        for label in ("b", "b"):
            with nengo.Network(label=label):
                nodes += [nengo.Node([0.0], label=name) for name in inner]
    names = object_names(net)
    assert set(names) == set(nodes)
    assert len(set(names.values())) == len(nodes)


@given(st.sets(st.sampled_from(["a", "a#0", "a#1", "b.c", "node7"])))
def test_labels_that_are_there_once_stay(labels):
    with nengo.Network() as net:
        nodes = [nengo.Node([0.0], label=label) for label in labels]
    assert [object_names(net)[node] for node in nodes] == list(labels)


def test_a_copy_has_the_same_names(network):
    copied = network.copy(add_to_container=False)
    assert list(object_names(copied).values()) == list(object_names(network).values())


def test_find_ensemble_by_name(network):
    assert find_ensemble(network, "ens") is network.ens


@pytest.mark.parametrize("name", ["hidden", "x", "in"])
def test_find_ensemble_lists_what_there_is(network, name):
    message = f"the network has no ensemble {name!r}; it has ens"
    with pytest.raises(BuildError, match=exactly(message)):
        find_ensemble(network, name)


def test_original_is_left_as_it_is(network):
    before = run(network)
    changed = with_parameters(
        network,
        {
            "in.weights": np.full((5, 2), 0.5),
            "decoded.weights": np.full((3, 5), 0.25),
            "sliced.weights": np.full((1, 2), 2.0),
            "one.weights": np.array(1.0),
            "diagonal.weights": np.array([0.5, 0.5]),
            "ens.bias": np.full(5, 0.5),
            "ens.omega": np.float32(3),
        },
    )
    assert np.array_equal(run(network), before)
    assert network.ens.neuron_type.omega == 2
    assert not np.array_equal(run(changed), before)


def test_values_arrive_where_they_belong(network):
    # x = (1/2, -1/4). "one" adds 3 * 1/2 to y[1] and "diagonal" (1/2, -1/2) to y[:2];
    # the others are silenced.
    quiet = {
        "in.weights": np.zeros((5, 2)),
        "decoded.weights": np.zeros((3, 5)),
        "sliced.weights": np.zeros((1, 2)),
    }
    assert np.allclose(run(with_parameters(network, quiet))[-1], [0.5, 1.0, 0.0])
    values = {"one.weights": np.array(-4.0), "diagonal.weights": np.array([8.0, 0.0])}
    changed = with_parameters(network, {**quiet, **values})
    assert np.allclose(run(changed)[-1], [4.0, -2.0, 0.0])


def test_neurons_take_weights_bias_and_omega(network):
    # A current of 1/2 * 1/2 + 1/2 in every neuron, and omega 4: 3 spikes a step of
    # 1/4 each. "sliced" reads neurons 1 and 2 with weights 1 and 10.
    changed = with_parameters(
        network,
        {
            "in.weights": np.tile([0.5, 0.0], (5, 1)),
            "ens.bias": np.full(5, 0.5),
            "ens.omega": np.array(4.0),
            "decoded.weights": np.zeros((3, 5)),
            "sliced.weights": np.array([[1.0, 10.0]]),
        },
    )
    assert np.allclose(run(changed)[-1, 2], 11 * 0.75)


def test_decoded_weights_are_decoders_and_transform_in_one(network):
    # Every neuron sends its input of 1/2, exactly, with omega 2; row i of the weights
    # adds up to 5 * (i + 1).
    changed = with_parameters(
        network,
        {
            "in.weights": np.tile([1.0, 0.0], (5, 1)),
            "decoded.weights": np.outer([1.0, 2.0, 3.0], np.ones(5)),
            "sliced.weights": np.zeros((1, 2)),
            "one.weights": np.array(0.0),
            "diagonal.weights": np.zeros(2),
        },
    )
    assert np.allclose(run(changed)[-1], [2.5, 5.0, 7.5])
    again = with_parameters(changed, {"decoded.weights": np.zeros((3, 5))})
    assert np.allclose(run(again)[-1], 0.0)


@pytest.mark.parametrize(
    "name, needed, got",
    [
        ("in.weights", (5, 2), (2, 5)),
        ("decoded.weights", (3, 5), (3, 2)),
        ("sliced.weights", (1, 2), (3, 5)),
        ("one.weights", (), (1, 1)),
        ("diagonal.weights", (2,), (2, 2)),
        ("ens.bias", (5,), (5, 1)),
        ("ens.omega", (), (5,)),
    ],
)
def test_wrong_shapes_are_refused(network, name, needed, got):
    message = (
        f"parameter {name!r} needs shape {needed}, got {got}; it is of another "
        "network, or of another version of this one"
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        with_parameters(network, {name: np.zeros(got)})


@pytest.mark.parametrize(
    "name",
    [
        "out.weights",
        "weights",
        "in.decoders",
        "in",
        "",
        "ens.weights",
        "in.bias",
        "x.bias",
        "x.omega",
    ],
)
def test_unknown_names_are_refused(network, name):
    message = (
        f"parameter {name!r} belongs to nothing in the network; it is of another "
        "network, or of another version of this one"
    )
    with pytest.raises(BuildError, match=exactly(message)):
        with_parameters(network, {name: np.zeros(5)})


def test_omega_is_for_hybrid_spiking_only():
    with nengo.Network() as net:
        nengo.Ensemble(3, 1, neuron_type=nengo.RectifiedLinear(), label="rates")
    message = "parameter 'rates.omega' is for HybridSpiking neurons only"
    with pytest.raises(BuildError, match=exactly(message)):
        with_parameters(net, {"rates.omega": np.array(1.0)})


def test_bias_needs_an_ensemble_with_gains():
    with nengo.Network() as net:
        nengo.Ensemble(3, 1, label="ens")
    message = (
        "parameter 'ens.bias' is for ensembles with gains of their own, since Nengo "
        "takes both or none; give its gain, too, before the bias"
    )
    with pytest.raises(BuildError, match=exactly(message)):
        with_parameters(net, {"ens.bias": np.zeros(3)})


def test_a_kernel_is_put_into_a_copy_of_its_convolution():
    with nengo.Network() as network:
        x = nengo.Node(np.zeros(6), label="x")
        y = nengo.Node(size_in=8, label="y")
        filters = nengo.Convolution(2, (6, 1), kernel_size=(3,), strides=(1,))
        nengo.Connection(x, y, transform=filters, synapse=None, label="filters")
    kernel = np.arange(6.0).reshape(3, 1, 2)
    (connection,) = with_parameters(network, {"filters.weights": kernel}).connections
    assert (connection.transform.n_filters, connection.transform.padding) == (
        2,
        "valid",
    )
    np.testing.assert_array_equal(connection.transform.sample(), kernel)
    assert network.connections[0].transform is filters
    with pytest.raises(ShapeError) as caught:
        with_parameters(network, {"filters.weights": kernel[:2]})
    assert str(caught.value) == (
        "parameter 'filters.weights' needs shape (3, 1, 2), got (2, 1, 2); it is of "
        "another network, or of another version of this one"
    )
