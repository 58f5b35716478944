"""Lava-DL's files for graded spikes: sigma-delta neurons, delays, refusals."""

import re

import numpy as np
import pytest

from nengo_hybrid import load_lava_graded
from nengo_hybrid.emulate import run_graded
from nengo_hybrid.emulate.graded import GradedRun
from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

pytest.importorskip("h5py")

from .lava_files import NEURON, dense, layer, write  # noqa: E402

DELTA = {"type": "SDNN", "activation": "relu", "vThMant": 0}
SUMS = DELTA | {"sigma_output": True}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.net"


def run(graph, x):
    """Return what each population behind the input sends, by name, (n_steps, n)."""
    runner = GradedRun(graph)
    names = [p.name for p in graph.populations if not p.is_input]
    x = runner.checked_input(np.array(x, float)[None])
    _, values = next(runner.pieces(x, record=names))
    return {name: sent[0].tolist() for name, sent in values.items()}


def test_sigma_delta_layers_by_hand(path):
    # Spikes have 6 bits behind the point, and a neuron's state 6 more.
    write(
        path,
        layer("input", [1, 1, 2], neuron=DELTA | {"vThMant": 2}),
        layer("flatten", [2]),
        dense([[64, -128]], neuron=DELTA, bias=np.array([-1.0])),
        dense([[2]], neuron=SUMS),
    )
    graph = load_lava_graded(path)
    assert [p.program for p in graph.populations] == [
        "input",
        "delta",
        "sigma-delta",
        "sigma",
    ]
    found = run(graph, [[5, 1], [5, 2], [6, 2], [9, 2], [0, 0]])

    # 1 is not enough to be told, and neither is a change of 1.
    assert found["input 0"] == [[320, 0], [0, 128], [0, 0], [256, 0], [-576, -128]]
    # A step late: 5 - 1, then 5 - 2 * 2 - 1 = 0; with 9 it is 4.
    assert found["dense 2"] == [[0], [256], [-256], [0], [256]]
    assert found["dense 3"] == [[0], [0], [512], [0], [0]]
    assert (
        found["dense 3"]
        == run_graded(graph, np.array([[[5, 1], [5, 2], [6, 2], [9, 2], [0, 0]]]))
        .output[0]
        .tolist()
    )


def test_a_convolution_is_placed(path):
    kernel = np.arange(8).reshape(2, 1, 2, 2).astype(np.float32)
    write(
        path,
        layer("input", [1, 3, 3], neuron=DELTA),
        layer("conv", [2, 2, 2], weight=kernel, neuron=DELTA),
    )
    graph = load_lava_graded(path)
    x = np.arange(9) - 2
    found = run(graph, [x, x])["conv 1"]

    image = x.reshape(3, 3)
    wanted = [
        np.sum(kernel[c, 0] * image[r : r + 2, k : k + 2])
        for c in range(2)
        for r in range(2)
        for k in range(2)
    ]
    # A weight of 64 is 1; what is not above 0 is not told.
    assert found[1] == [max(0, int(w * 64)) // 64 for w in wanted]
    placed = place(graph, load_target("loihi2"))
    assert {block.population for block in placed.blocks} == {"input 0", "conv 1"}


def test_delays_by_hand(path):
    # Weights of more than 8 bits are halved. Neuron 0 hears a step later than
    # neuron 1, and that one a step after the spike.
    write(path, dense([[200], [20]], delay=np.array([1.0, 0.0])))
    graph = load_lava_graded(path)

    assert [(p.delay, p.exponent) for p in graph.projections] == [(1, 7), (2, 7)]
    assert graph.synaptic_delay(graph.projections[1]) == 1
    found = run(graph, [[1], [0], [0], [0]])["dense 0"]
    assert found == [[0, 0], [0, 1], [1, 0], [0, 0]]


def test_a_recurrent_layer_of_spikes(path):
    write(
        path,
        layer(
            "dense_rec",
            [2],
            weight=np.array([[12.0], [0.0]]),
            weight_rec=np.array([[0.0, 0.0], [16.0, 0.0]]),
        ),
    )
    found = run(load_lava_graded(path), [[1], [0], [0], [0]])
    assert found["dense_rec 0"] == [[0, 0], [1, 0], [0, 1], [0, 0]]


REFUSED = [
    (
        (dense([[129]], neuron=DELTA),),
        "layer 0 (dense) has odd weights of up to 129; synapses of 8 bits with a sign "
        "hold even ones from there",
    ),
    (
        (dense([[1]], delay=np.array([63.0])),),
        "layer 0 (dense) needs delays of 0 to 62 steps, got 63 to 63",
    ),
    (
        (dense([[1, 2]], delay=np.array([1.0, 0, 2])),),
        "layer 0 (dense) needs a delay for all, or for each of 1 neurons or 2 inputs, "
        "got (3,)",
    ),
    (
        (dense([[1]], neuron=DELTA | {"activation": "tanh"}),),
        "layer 0 (dense) needs the activation 'relu', got 'tanh'",
    ),
    (
        (dense([[1]], neuron=DELTA | {"cumError": True}),),
        "layer 0 (dense) has neurons with 'cumError', which would be lost",
    ),
    (
        (dense([[1]], neuron=DELTA | {"vThMant": 1024}),),
        "layer 0 (dense) needs a vThMant of 0 to 1,023, got 1,024",
    ),
    (
        (dense([[1]], neuron={"type": "SDNN"}),),
        "layer 0 (dense) needs vThMant of its neurons, and has none",
    ),
    (
        (dense([[1]], neuron=SUMS, bias=np.array([1.0])),),
        "layer 0 (dense) has a bias, which its sums would not get",
    ),
    (
        (layer("input", [1], neuron=NEURON), dense([[1]])),
        "layer 0 (input) needs SDNN neurons or none; load_lava_input turns values into "
        "the spikes of others",
    ),
    (
        (layer("input", [1], neuron=DELTA, bias=1), dense([[1]])),
        "layer 0 (input) has a bias, which would be lost",
    ),
    ((layer("input", [1]),), "it needs a dense or conv layer, and has none"),
]


@pytest.mark.parametrize("layers, words", REFUSED, ids=range(len(REFUSED)))
def test_what_it_cannot_carry_is_refused(path, layers, words):
    write(path, *layers)
    whole = f"Lava-DL network {str(path)!r} cannot be read: {words}"
    with pytest.raises(InterchangeError, match=f"^{re.escape(whole)}$"):
        load_lava_graded(path)


def test_it_needs_graded_spikes(path):
    write(path, dense([[1]]))
    words = "its network is loaded for graded spikes, and target 'loihi1' has none"
    with pytest.raises(InterchangeError, match=words):
        load_lava_graded(path, target="loihi1")


def test_a_layer_without_neurons_is_left_to_load_lava(path):
    said = dense([[1]])
    del said["neuron"]
    write(path, said)
    with pytest.raises(InterchangeError, match=r"currents stay: load_lava reads it$"):
        load_lava_graded(path)


def test_the_first_layers_alone(path):
    write(path, dense([[1]]), layer("average", [1]))

    assert load_lava_graded(path, n_layers=1).output == "dense 0"
