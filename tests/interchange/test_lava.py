"""Lava-DL's files: what is read, what it computes, what is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid import emulate, load_lava
from nengo_hybrid.emulate import Emulator
from nengo_hybrid.exceptions import InterchangeError, ShapeError
from nengo_hybrid.graphs import Probe
from nengo_hybrid.interchange import integrate_and_fire, load_lava_input
from nengo_hybrid.interchange.blocks import row_bits
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

h5py = pytest.importorskip("h5py")

from .lava_files import NEURON, dense, layer, write  # noqa: E402


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.net"


def run(graph, spikes, variable="voltage"):
    """Return what the compartments of a graph have in each step, (n_steps, n)."""
    parts = tuple((b, np.arange(x.n_compartments)) for b, x in enumerate(graph.blocks))
    graph = replace(graph, probes=(Probe("p", variable, parts),))
    return Emulator(graph, 1).run(np.array(spikes, np.int16)[None]).probes[0][0]


def test_two_layers_by_hand(path):
    # A weight w adds 64 w; the threshold is 10 * 64, and 640 is not above it.
    write(path, dense([[4, 6]], bias=np.array([1.0])), dense([[-2], [8]]))
    graph = load_lava(path)
    assert [block.population for block in graph.blocks] == ["dense 0", "dense 1"]
    assert graph.output == "dense 1" and graph.n_lines == 2
    # Bias alone: 64 a step. The spikes of step 0 arrive in step 1: 64 * (4 + 6) more.
    found = run(graph, [[1, 1], [0, 0], [0, 0], [0, 0]])
    assert found[:, 0].tolist() == [64, 0, 64, 128]
    assert found[:, 1:].tolist() == [[0, 0], [0, 0], [-128, 512], [-128, 512]]


def test_the_threshold_itself_is_no_spike(path):
    write(path, dense([[10]]))
    assert run(load_lava(path), [[1], [0], [0]])[:, 0].tolist() == [0, 640, 640]


def test_decays_are_those_of_the_file(path):
    # iDecay has the chip's own 1 in it: 6400 * (4096 - 257) / 4096 = 5998.4
    neuron = NEURON | {"iDecay": 257, "vDecay": 4096, "vThMant": 1000}
    write(path, dense([[100]], neuron=neuron))
    found = run(load_lava(path), [[1], [0], [0], [0]], "current")
    assert found[:, 0].tolist() == [0, 6400, 5998, 5621]


def test_decays_may_differ_by_neuron(path):
    neuron = NEURON | {"iDecay": np.array([1, 4096]), "vThMant": 1000}
    write(path, dense([[2], [2]], neuron=neuron))
    found = run(load_lava(path), [[1], [0], [0]], "current")
    assert found.tolist() == [[0, 0], [128, 128], [127, 0]]


def test_a_recurrent_layer_feeds_itself(path):
    write(
        path,
        layer(
            "dense_rec",
            [2],
            weight=np.array([[12.0], [0.0]]),
            weight_rec=np.array([[0.0, 0.0], [6.0, 0.0]]),
        ),
    )
    found = run(load_lava(path), [[1], [0], [0], [0]])
    assert found[:, 1].tolist() == [0, 0, 384, 384]


def test_a_convolution_keeps_channels_first(path):
    kernel = np.zeros((2, 1, 1, 2))
    kernel[0, 0, 0], kernel[1, 0, 0] = [2, 4], [6, 8]
    bias = np.array([1.0, 0.0])
    write(
        path,
        layer("input", [1, 2, 3]),
        layer("conv", [2, 2, 2], weight=kernel, bias=bias, stride=np.array([1, 1])),
        layer("flatten", [8]),
        dense(2 * np.eye(8)),
    )
    graph = load_lava(path, n_layers=2)
    found = run(graph, [[1, 0, 0, 0, 0, 1], [0] * 6])[1]
    own = np.array([[[2, 0], [0, 4]], [[6, 0], [0, 8]]]) * 64
    own[0] += 2 * 64  # The bias, in two steps.
    own[own > 640] = 0
    assert found.tolist() == own.ravel().tolist()
    assert load_lava(path).output == "dense 3"


def test_a_readout_without_neurons_adds_up(path):
    # lava-dl: a current that stays, a voltage that is the current, and no spike.
    said = dense([[5, -3]])
    del said["neuron"]
    write(path, said)
    graph = load_lava(path)
    (probe,) = graph.probes
    assert probe.name == "voltage of dense 0"
    trace = emulate.run(
        graph,
        place(graph, load_target("loihi1")),
        {"input": np.array([[[1, 0], [1, 0], [0, 1], [0, 0]]])},
    )
    assert trace.probes[probe.name][0, :, 0].tolist() == [0, 320, 640, 448]


@given(st.integers(0, 2**32 - 1))
def test_cut_into_blocks_it_does_the_same(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    file = tmp_path_factory.mktemp("cut") / "some.net"
    kernel = 2 * rng.integers(-9, 10, (3, 2, 2, 2))
    square = rng.integers(-40, 40, (7, 7))
    write(
        file,
        layer("input", [2, 3, 3]),
        layer("conv", [3, 2, 2], weight=kernel),
        layer("flatten", [12]),
        dense(rng.integers(-99, 99, (7, 12))),
        layer("dense_rec", [7], weight=square, weight_rec=square.T),
    )
    target = load_target("loihi1")
    limits = dict(target.limits)
    # The layers have 12, 7 and 7 neurons, and 18, 12 and 7 + 7 input axons.
    key, most = [
        ("compartments_per_core", 1 + seed % 7),
        ("input_axons_per_core", 14 + seed % 3),
    ][seed % 2]
    limits[key] = replace(limits[key], value=most, low=most, high=most)
    small = replace(target, limits=limits)
    spikes = rng.random((20, 18)) < 0.5
    whole, cut = load_lava(file, target=target), load_lava(file, target=small)
    assert len(whole.blocks) == 3 < len(cut.blocks)
    place(cut, small)
    np.testing.assert_array_equal(run(whole, spikes), run(cut, spikes))


def test_one_neuron_that_needs_more_than_a_core_is_refused(path):
    write(path, dense(np.ones((1, 5000))))
    refuses(
        path,
        "'dense 0' needs 5,000 input axons for one neuron; a core of target 'loihi1' "
        "has 4,096",
    )


def test_rows_take_the_bits_that_nengo_loihi_counts():
    from nengo_loihi.block import SynapseConfig

    target = load_target("loihi1")
    for n, dense_row in ((1, True), (64, True), (130, True), (130, False)):
        compression = 3 if dense_row else 0
        # 200 needs 8 bits, the third of NengoLoihi's sizes of an index.
        theirs = SynapseConfig(
            weight_bits=7, n_synapses=63, compression=compression, idx_bits=3
        )
        assert row_bits(n, 200, 8, target, dense_row) == theirs.bits_per_axon(n)


def test_alike_rows_are_stored_once(path):
    kernel = np.full((1, 1, 1, 2), 2.0)
    write(path, layer("input", [1, 1, 9]), layer("conv", [1, 1, 8], weight=kernel))
    (group,) = load_lava(path).blocks[0].synapses
    # A pixel reaches two neurons, or one at either end.
    assert (len(group.weights), group.n_axons) == (2, 9)


def refuses(path, words, load=load_lava):
    """Check the whole message, behind the file's name."""
    whole = f"Lava-DL network {str(path)!r} cannot be read: {words}"
    with pytest.raises(InterchangeError, match=f"^{re.escape(whole)}$"):
        load(path)


CONV = {"weight": np.ones((1, 1, 2, 2))}
IMAGE = layer("input", [1, 3, 3])
REFUSED = [
    ((), "it needs a group 'layer' with layers, and has none"),
    ((IMAGE,), "it needs a dense or conv layer, and has none"),
    ((dense([[1]]), IMAGE), "layer 1 (input) needs to be the first layer"),
    (
        (layer("average", [1]),),
        "layer 0 (average) needs to be input, flatten, dense, conv, dense_rec, and "
        "cannot be carried; it is a read-out: average the spikes of the layer "
        "before, and load with n_layers=0",
    ),
    (
        (layer("pool", [1]),),
        "layer 0 (pool) needs to be input, flatten, dense, conv, dense_rec, and "
        "cannot be carried; lava-dl's own reader refuses it too; train with strided"
        " convolutions",
    ),
    (
        (layer("../x", [1]),),
        "layer 0 (../x) needs to be input, flatten, dense, conv, dense_rec, and "
        "cannot be carried; train without it",
    ),
    ((layer("flatten", [0]),), "layer 0 (flatten) needs a shape of sizes, got (0,)"),
    ((dense([[1]], odd=1),), "layer 0 (dense) has 'odd', which would be lost"),
    (
        (dense([[1]], delay=np.array([3.0])),),
        "layer 0 (dense) has delays of up to 3 steps; a spike of the graph arrives "
        "in the next step. Train without delays, or take load_lava_graded",
    ),
    ((layer("dense", [1]),), "layer 0 (dense) needs a weight, and has none"),
    (
        (layer("dense", [2], weight=np.ones((3, 1))),),
        "layer 0 (dense) needs a weight of 2 rows, got (3, 1)",
    ),
    (
        (dense([[1]]), dense([[1, 1]])),
        "layer 1 (dense) has weights for 2 inputs; the layer before has 1",
    ),
    (
        (IMAGE, dense(np.ones((1, 9)))),
        "layer 1 (dense) needs a flatten layer before it, got an input of shape (1,"
        " 3, 3)",
    ),
    (
        (layer("dense_rec", [2], weight=np.ones((2, 1)), weight_rec=np.ones((2, 1))),),
        "layer 0 (dense_rec) needs a weight_rec of shape (2, 2), got (2, 1)",
    ),
    (
        (dense([[256, -2]]),),
        "layer 0 (dense) has weights from -2 to 256; synapses of 8 bits hold -256 "
        "to 254. Export the network with lava-dl's quantization",
    ),
    (
        (dense([[256]]),),
        "layer 0 (dense) has weights from 256 to 256; synapses of 8 bits hold 0 to "
        "255. Export the network with lava-dl's quantization",
    ),
    (
        (dense([[-256, 0]]),),
        "layer 0 (dense) has weights from -256 to 0; synapses of 8 bits hold -255 "
        "to 0. Export the network with lava-dl's quantization",
    ),
    (
        (dense([[0.5]]),),
        "layer 0 (dense) needs a weight in whole numbers, got others; export the "
        "network with lava-dl's quantization",
    ),
    (
        (dense([[np.nan]]),),
        "layer 0 (dense) needs a weight in whole numbers, got others; export the "
        "network with lava-dl's quantization",
    ),
    (
        (layer("dense", [1], weight="w"),),
        "layer 0 (dense) needs a weight in whole numbers, got <U1; export the "
        "network with lava-dl's quantization",
    ),
    (
        (layer("dense", [1], weight=[[2.0**40]]),),
        "layer 0 (dense) has a weight of more than 31 bits",
    ),
    (
        (dense([[1]], bias=4096),),
        "layer 0 (dense) needs a bias of -4096 to 4,095, got 4,096 to 4,096",
    ),
    (
        (dense([[1]], bias=[1, 2]),),
        "layer 0 (dense) needs a bias for all, for each of 1 channels or 1 neurons,"
        " got 2",
    ),
    (
        (layer("conv", [1, 2, 2], **CONV),),
        "layer 0 (conv) needs an input of channels, height and width, got None; the"
        " file needs an input layer with its shape",
    ),
    (
        (IMAGE, layer("conv", [1, 3, 3], **CONV)),
        "layer 1 (conv) gives the shape (1, 2, 2), and says (1, 3, 3)",
    ),
    (
        (IMAGE, layer("conv", [1, 2, 2], weight=np.ones((1, 2)))),
        "layer 1 (conv) needs a weight of 4 dimensions, got (1, 2)",
    ),
    (
        (IMAGE, layer("conv", [1, 2, 2], stride=[1, 1, 1], **CONV)),
        "layer 1 (conv) needs one or two stride, got 3",
    ),
    (
        (IMAGE, layer("conv", [1, 2, 2], groups=[1, 1], **CONV)),
        "layer 1 (conv) needs one groups, got 2",
    ),
    (
        (dense([[1]], neuron=NEURON | {"type": "SDNN"}),),
        "layer 0 (dense) has neurons of type 'SDNN'; needed CUBA or LOIHI. Sigma-"
        "delta neurons send values, which the graph's spikes do not carry: "
        "load_lava_graded reads them",
    ),
    (
        (dense([[1]], neuron=NEURON | {"gradedSpike": True}),),
        "layer 0 (dense) needs gradedSpike=0 of its neurons, got True",
    ),
    (
        (dense([[1]], neuron=NEURON | {"refDelay": 2}),),
        "layer 0 (dense) needs refDelay=1 of its neurons, got 2",
    ),
    (
        (dense([[1]], neuron=NEURON | {"messageBits": 8}),),
        "layer 0 (dense) has neurons with 'messageBits', which would be lost",
    ),
    (
        (dense([[1]], neuron={"type": "CUBA"}),),
        "layer 0 (dense) needs iDecay of its neurons, and has none",
    ),
    (
        (dense([[1]], neuron=NEURON | {"vDecay": 4097}),),
        "layer 0 (dense) needs a vDecay of 0 to 4,096, got 4,097 to 4,097",
    ),
]


@pytest.mark.parametrize("layers, words", REFUSED)
def test_what_the_graph_cannot_carry_is_refused(path, layers, words):
    refuses(write(path, *layers), words)


def test_layers_need_their_numbers(path):
    with h5py.File(path, "w") as file:
        file["layer/1/type"] = "dense"
        file["layer/../x"] = 1
    refuses(path, "its 2 layers need the names 0 to 1, got '..', '1'")
    with h5py.File(path, "w") as file:
        file["layer/0"] = 1
    refuses(path, "layer 0 needs a type and a shape")


def test_an_input_layer_is_driven_by_its_values(path):
    # A bias of 4 * 0.9 + 1 = 4.6, cut to 4: 256 a step, above 640 in the third.
    neuron = NEURON | {"iDecay": 7}
    write(
        path, layer("input", [2], neuron=neuron, weight=4.0, bias=1.0), dense([[1, 1]])
    )
    found = load_lava_input(path)
    assert found.spikes(np.array([[0.9, 0.0]]), 4)[0].tolist() == [
        [0, 0],
        [0, 0],
        [1, 0],
        [0, 0],
    ]
    with pytest.raises(
        ShapeError,
        match=r"^the input layer needs x of shape \(n_samples, 2\), got \(1, 3\)$",
    ):
        found.spikes(np.zeros((1, 3)), 4)
    assert load_lava(path).n_lines == 2


def test_an_input_layer_without_neurons_is_none(path):
    refuses(
        write(path, IMAGE),
        "layer 0 (input) is no input layer with neurons; the network takes spikes: see "
        "integrate_and_fire",
        load_lava_input,
    )


@given(st.floats(0, 1), st.integers(1, 200))
def test_spikes_come_as_often_as_the_sums_exceed_the_threshold(value, n_steps):
    found = integrate_and_fire(np.array([[value]]), n_steps)[0, :, 0]
    gaps = np.diff(np.flatnonzero(found))
    assert found.sum() <= n_steps * value
    assert not len(gaps) or np.ptp(gaps) == 0


def test_a_trained_network_reads_digits(reference):
    graph = load_lava(reference / "lavadl_mnist.net")
    assert [block.n_compartments for block in graph.blocks] == [128, 64, 10]
    with np.load(reference.parents[1] / "data" / "mnist.npz") as file:
        x, y = file["x_test"][:500], file["y_test"][:500]
    spikes = integrate_and_fire(x.reshape(500, 784) / 255, 20)
    placement = place(graph, load_target("loihi1"))
    trace = emulate.run(graph, placement, {"input": spikes}, bin_steps=20)
    answers = trace.output_spikes[:, 0].argmax(axis=1)
    assert np.count_nonzero(answers == y) == 479
