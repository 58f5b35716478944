"""What runs where and why, every breach at once, and the words of each refusal."""

import dataclasses

import nengo
import nengo_loihi
import numpy as np
import pytest

import nengo_hybrid as nh
from nengo_hybrid.exceptions import LowerError, PlacementError, TargetError
from nengo_hybrid.targets import load_target


def places(found):
    return {row.name: row.place for row in found.rows}


def reason(found, name):
    (row,) = [row for row in found.rows if row.name == name]
    return row.reason


def full(n_pre, n_post, **options):
    """Return a network of two ensembles with full weights between their neurons."""
    with nengo.Network(seed=0) as net:
        net.pre, net.post = nengo.Ensemble(n_pre, 1), nengo.Ensemble(n_post, 1)
        nengo.Connection(
            net.pre.neurons,
            net.post.neurons,
            transform=nengo.dists.Uniform(-1, 1),
            **options,
        )
    return net


def test_every_object_has_a_row_with_place_and_reason():
    with nengo.Network(seed=0) as net:
        nengo_loihi.add_params(net)
        value = nengo.Node(0.5, label="value")
        a = nengo.Ensemble(10, 1, label="a")
        b = nengo.Ensemble(10, 1, label="b")
        direct = nengo.Ensemble(1, 1, neuron_type=nengo.Direct(), label="direct")
        off = nengo.Ensemble(5, 1, label="off")
        net.config[off].on_chip = False
        passing = nengo.Node(size_in=1, label="passing")
        nengo.Connection(value, a)
        nengo.Connection(a, passing, synapse=None)
        nengo.Connection(passing, b)
        nengo.Connection(b, direct)
        nengo.Connection(off.neurons, b.neurons, transform=np.ones((10, 5)))
        nengo.Connection(value, direct)
        nengo.Probe(b, label="answer")
    found = nh.check(net)
    assert places(found) == {
        "a": "chip",
        "b": "chip",
        "direct": "host",
        "off": "host",
        "value": "host",
        "passing": "removed",
        "value to a": "host to chip",
        "a to passing": "removed",
        "passing to b": "removed",
        "b to direct": "chip to host",
        "off.neurons to b.neurons": "host to chip",
        "value to direct": "host",
        "answer": "chip to host",
        "a to b": "chip",
    }
    assert reason(found, "off") == "its on_chip is False"
    assert reason(found, "direct") == "in Direct mode there are no neurons"
    assert reason(found, "passing") == "it only passes values on"
    assert reason(found, "a to b") == (
        "through decode neurons, onto the encoders; instead of connections through "
        "nodes"
    )
    assert found.fits and (found.n_cores, found.n_chips) == (5, 1)
    cores = {row.name: row.n_blocks for row in found.rows if row.n_blocks}
    assert cores == {"a": 1, "b": 1, "b to direct": 1, "answer": 1, "a to b": 1}


def test_a_row_by_hand():
    # 20 axons of 10 weights of 8 bits and 10 bits before them: 2 words of 64 bits.
    rows = {row.name: row for row in nh.check(full(20, 10)).rows}
    used = rows["ensemble1"].used
    assert (used.compartments, used.input_axons) == ((10, 1024), (20, 4096))
    assert (used.output_axons, used.synapse_bits) == ((0, 4096), (2560, 1048576))
    added = rows["ensemble0.neurons to ensemble1.neurons"]
    assert added.n_blocks == 0
    assert added.used.input_axons == (20, 4096)
    assert added.used.output_axons == (20, 4096)
    assert added.used.compartments == (0, 1024)


def test_an_ensemble_that_learns_is_on_the_host_and_says_so():
    with nengo.Network() as net:
        a, b = nengo.Ensemble(5, 1, label="a"), nengo.Ensemble(5, 1, label="b")
        rule = nengo.Connection(a, b, learning_rule_type=nengo.PES()).learning_rule
        nengo.Connection(b, rule)
    found = nh.check(net)
    assert places(found)["b"] == "host"
    assert reason(found, "b").startswith("a connection into it learns")
    assert reason(found, "a to b").endswith("and learns")


def test_why_an_ensemble_has_several_cores():
    with nengo.Network() as net:
        nengo.Ensemble(2000, 1, label="large")
    assert reason(nh.check(net), "large") == (
        "a compartment a neuron; cut into 2, as a core has 1024 compartments of 2000"
    )
    with net:
        nengo_loihi.add_params(net)
        (large,) = net.ensembles
        net.config[large].block_shape = nengo_loihi.BlockShape((500,), (2000,))
    assert reason(nh.check(net), "large").endswith("; cut into 4 by its block_shape")


def test_all_breaches_are_told_at_once():
    # In a network that NengoLoihi cannot build for any of four reasons.
    net = full(1024, 1024)
    with net:
        big = nengo.Ensemble(5000, 1, label="big")
        nengo.Probe(big, label="decoded")
        nengo.Ensemble(5, 1, neuron_type=nengo.Sigmoid(), label="smooth")
        noisy = nengo.processes.WhiteNoise()
        nengo.Ensemble(5, 1, noise=noisy, label="noisy")
    found = nh.check(net)
    assert [(b.name, b.limit, b.used, b.available) for b in found.breaches] == [
        ("ensemble0", "output_axons", 9 * 1024, 4096),
        ("decoded", "input_axons", 5000, 4096),
    ]
    assert [b.n_blocks for b in found.breaches] == [1, 2]
    assert found.breaches[0].words == (
        "block 'ensemble0' needs 9216 output axons on one core, which has 4096"
    )
    assert found.refusals == (
        "'smooth': neurons of type Sigmoid cannot run on the chip; take LIF or "
        "SpikingRectifiedLinear, or set net.config[ensemble].on_chip = False",
        "'noisy': its noise cannot be built; take it off, or set "
        "net.config[ensemble].on_chip = False",
    )
    assert not found.fits


def build_refused(net):
    """Let NengoLoihi refuse a network."""
    with pytest.raises(Exception):  # noqa: B017 (some are bare assertions)
        nengo_loihi.builder.Model().build(net)


def sliced_post(net):
    nengo.Connection(net.a, net.b[0], transform=[[1, 1]])


def sliced_neurons(net):
    nengo.Connection(net.a.neurons, net.b.neurons[:5])


def other_synapse(net):
    nengo.Connection(net.a, net.b, synapse=nengo.Alpha(0.1))


def sparse_decoded(net):
    nengo.Connection(net.a, net.b, transform=nengo.Sparse((2, 2), indices=[[0, 0]]))


def sparse_to_host(net):
    node = nengo.Node(lambda t, x: x, size_in=2)
    sparse = nengo.Sparse((2, 5), indices=[[0, 0]])
    nengo.Connection(net.a.neurons, node, transform=sparse)


def sparse_from_node(net):
    node = nengo.Node([1, 1])
    sparse = nengo.Sparse((5, 2), indices=[[0, 0]])
    nengo.Connection(node, net.a.neurons, transform=sparse)


def uneven_gains(net):
    transform = nengo.Convolution(1, (1, 5, 1), kernel_size=(1, 1))
    nengo.Connection(net.a.neurons, net.b.neurons, transform=transform)


def one_dimension(net):
    transform = nengo.Convolution(1, (5, 1), kernel_size=(1,), strides=(1,))
    nengo.Connection(net.a.neurons, net.b.neurons, transform=transform)


def other_rule(net):
    rule, weights = nengo.Oja(), np.ones((5, 5))
    nengo.Connection(
        net.a.neurons, net.b.neurons, transform=weights, learning_rule_type=rule
    )


def narrow_axons(net):
    options = {"neuron_type": nengo.SpikingRectifiedLinear()}
    options |= {"gain": np.ones(8), "bias": np.zeros(8)}
    pre, post = nengo.Ensemble(8, 1, **options), nengo.Ensemble(8, 1, **options)
    transform = nengo.Convolution(2, (2, 2, 2), kernel_size=(1, 1), channels_last=False)
    transform = nengo.Convolution(2, (2, 2, 2), kernel_size=(1, 1))
    wire = nengo.Connection(pre.neurons, post.neurons, transform=transform)
    nengo_loihi.add_params(net)
    net.config[wire].pop_type = 16


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "add, words",
    [
        (
            sliced_post,
            "'a to b': it reaches some dimensions only; place values with a transform "
            "instead",
        ),
        (
            sliced_neurons,
            "'a.neurons to b.neurons': it reaches some neurons only; connect to all, "
            "with weights of 0",
        ),
        (
            other_synapse,
            "'a to b': a compartment filters with Lowpass or None, not Alpha",
        ),
        (
            sparse_decoded,
            "'a to b': what is decoded cannot have a sparse transform; make it dense",
        ),
        (
            sparse_to_host,
            "'a.neurons to node0': a transform of type Sparse cannot be read by the "
            "host; make it dense, or put it behind a node",
        ),
        (
            sparse_from_node,
            "'node0 to a.neurons': a transform of type Sparse takes spikes, and a node "
            "sends values; put neurons between them",
        ),
        (
            uneven_gains,
            "'a.neurons to b.neurons': neurons behind a convolution need one gain; set "
            "it, and the bias",
        ),
        (
            one_dimension,
            "'a.neurons to b.neurons': convolutions have 2 dimensions, not 1; neurons "
            "behind a convolution need one gain; set it, and the bias",
        ),
        (
            other_rule,
            "'a.neurons to b.neurons': only PES learns on the chip, not Oja; only what "
            "is decoded of an ensemble learns; connect the ensemble",
        ),
        (
            narrow_axons,
            "'ensemble2.neurons to ensemble3.neurons': axons of pop_type 16 have to "
            "begin at every fourth neuron of a block; put channels last, in blocks of "
            "a multiple of 4 channels, or set pop_type = 32",
        ),
    ],
)
def test_what_nengo_loihi_refuses_is_told_with_what_to_do(add, words):
    with nengo.Network(seed=0) as net:
        net.a, net.b = nengo.Ensemble(5, 2, label="a"), nengo.Ensemble(5, 2, label="b")
        add(net)
    if add is sliced_neurons:
        net.connections[0].transform = np.ones((5, 5))
    found = nh.check(net)
    assert found.refusals == (words,)
    build_refused(net)


def test_only_what_is_refused_is():
    # The same kinds of connections, as NengoLoihi takes them.
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(5, 2), nengo.Ensemble(5, 2)
        nengo.Connection(a[0], b, transform=[[1], [0]])
        nengo.Connection(a, b[1], transform=[[1, 1]], solver=full_weights())
        nengo.Connection(a.neurons, b.neurons, transform=nengo.Sparse((5, 5), [[0, 1]]))
        nengo.Connection(a[1], nengo.Node(size_in=1), learning_rule_type=nengo.PES())
    found = nh.check(net)
    assert found.refusals == () and found.fits


def full_weights():
    return nengo.solvers.LstsqL2(weights=True)


def test_bad_networks_and_targets_are_refused_in_words():
    with nengo.Network() as net:
        nengo.Node(0)
    with pytest.raises(
        LowerError,
        match=r"^the network has nothing on the chip; put at least one ensemble there$",
    ):
        nh.check(net)
    with pytest.raises(
        TargetError,
        match=r"^target 'cortex-m4' is a processor, onto which no network is mapped; "
        r"needed loihi1, loihi1-fitted$",
    ):
        nh.check(full(3, 3), "cortex-m4")
    with pytest.raises(TargetError, match=r"^target 'loihi9' is unknown; needed "):
        nh.check(full(3, 3), "loihi9")


def test_what_nengo_loihi_cannot_split_is_told_in_its_words():
    with nengo.Network() as net:
        a, b = nengo.Ensemble(5, 1), nengo.Ensemble(5, 1)
        node = nengo.Node(size_in=1)
        nengo.Connection(a, node, transform=nengo.dists.Uniform(0, 1))
        nengo.Connection(node, b)
    with pytest.raises(
        LowerError,
        match=r"^NengoLoihi cannot tell host from chip: Mergeable transforms must be "
        r"specified as Numpy arrays, not distributions. Set `remove_passthrough=False`"
        r"\.$",
    ):
        nh.check(net)


def test_a_limit_that_nobody_published_is_an_error():
    loihi1 = load_target("loihi1")
    limits = loihi1.limits | {"compartments_per_core": None}
    with pytest.raises(PlacementError, match="null for limits.compartments_per_core"):
        nh.check(full(3, 3), dataclasses.replace(loihi1, limits=limits))


def test_cores_fill_one_chip_after_another():
    with nengo.Network() as net:
        for _ in range(129):
            nengo.Ensemble(1, 1)
    found = nh.check(net)
    assert (found.n_cores, found.n_chips) == (129, 2)
