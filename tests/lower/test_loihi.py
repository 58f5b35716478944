"""From floats to Loihi's integers: by hand, against the floats, and split."""

import re

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import LowerError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_loihi, unrounded
from nengo_hybrid.lower.loihi import host_reasons


def hybrid(name, n, activation="RectifiedLinear", *, omega=1.0, bias=0.0, **changes):
    """Return a hybrid-spiking population, its bias the same everywhere."""
    bias = np.broadcast_to(np.asarray(bias, dtype=float), n)
    return Population(
        name,
        n,
        activation,
        omega=omega,
        bias=bias,
        initial_voltage=np.zeros(n),
        **changes,
    )


def graph_of(*populations, projections=(), output="out", dt=1.0):
    """Return a graph with an input x of one dimension in front."""
    x = Population("x", 1, "input")
    return SpikingGraph(dt, (x, *populations), tuple(projections), output)


def project(pre, post, weights, delay=0):
    return Projection(f"{pre}_to_{post}", pre, post, np.array(weights, float), delay)


def tiny_graph(**changes):
    """Return one signed neuron on the host and two neurons on the chip."""
    return graph_of(
        hybrid("r", 1, "Identity", omega=2.0),
        hybrid("out", 2, bias=[0.1, 0.0]),
        projections=(project("x", "r", [[1]]), project("r", "out", [[0.5], [-0.25]])),
        **changes,
    )


def dense(quantized, name, source):
    """
    Put all synapses from a source to a population into one matrix.

    Parameters
    ----------
    source : SpikeInput or (list of Block)

    Returns
    -------
    (n_lines or n_neurons of the source, n_neurons) int array
    """
    n_neurons = sum(b.n_compartments for b in quantized.blocks if b.population == name)
    if isinstance(source, list):
        parts = [(block.neurons, block.axons) for block in source]
    else:
        parts = [(np.arange(source.n_lines), source.axons)]
    matrix = np.zeros((sum(len(neurons) for neurons, _ in parts), n_neurons), int)
    for neurons, groups in parts:
        for group in groups:
            block = quantized.blocks[group.target_block]
            synapses = block.synapses[group.target_synapses]
            if block.population != name:
                continue
            for neuron, axon, atom in zip(
                neurons, group.axon_of_neuron, group.atom_of_neuron, strict=True
            ):
                row = synapses.row_of_axon[axon]
                targets = synapses.base_of_axon[axon] + synapses.indices[row][atom]
                posts = block.neurons[targets]
                np.add.at(matrix, (neuron, posts), synapses.weights[row][atom])
    return matrix


def thresholds(quantized, name):
    """Return vth of every neuron of a population."""
    blocks = [b for b in quantized.blocks if b.population == name]
    found = np.zeros(sum(b.n_compartments for b in blocks), dtype=int)
    for block in blocks:
        found[block.neurons] = block.vth
    return found


def exactly(message):
    return f"^{re.escape(message)}$"


def test_integers_by_hand():
    # One spike of r is 1/2 of its unit: 1/4 and -1/8 of a threshold. The largest is
    # to be 255 * 64, so a threshold is 65280 / (1 - 1/4096), the last factor for the
    # 4095/4096 of a current that are gone after a step; in units of 64 that is 1020.
    # Signed weights have 7 bits: 127.5 and 63.75 become 127 (the largest) and 64,
    # times 2 * 64. The bias is 0.1 / 2 steps of the chip: 3264.8.
    quantized = to_loihi(tiny_graph(), chip_steps=2)
    (block,), (lines,) = quantized.blocks, quantized.inputs
    assert block.vth.tolist() == [65280, 65280]
    assert block.bias.tolist() == [3265, 0]
    assert block.decay_v.tolist() == [0, 0]
    assert block.decay_u.tolist() == [4094, 4094]
    assert (block.vmin, block.vmax) == (0, 2**23 - 1)
    assert dense(quantized, "out", lines).tolist() == [[16256, -8192], [-16256, 8192]]
    # 16256 / 65280 is less than 1/4 by 64 / 65280, of which a quarter is 1.
    assert quantized.errors == {"out": pytest.approx(64 / 65280 / 0.25)}
    assert block.vth.dtype == block.bias.dtype == np.int32
    # Two synapses of 8 bits and a header of 10, in words of 64 bits, for two lines.
    (synapses,) = block.synapses
    assert (synapses.memory_bits, synapses.n_axons) == (128, 2)


def test_what_is_rounded_by_hand():
    # A quarter of a threshold is 255 * 64, so that weights are in units of 65280; the
    # threshold is larger by what a current keeps: about 1/4096 of it.
    numbers = unrounded(tiny_graph(), chip_steps=2)
    ((rows,),) = numbers.weights
    assert [row.tolist() for row in rows] == [[[16320, -8160]], [[-16320, 8160]]]
    assert numbers.vth.tolist() == [pytest.approx(65280 * (1 - 1 / 4096), rel=1e-3)] * 2
    assert (numbers.input_gain * 65280).tolist() == pytest.approx(numbers.vth.tolist())
    assert numbers.bias.tolist() == [pytest.approx(0.05 * numbers.vth[0]), 0]
    assert numbers.keep_u.tolist() == [0, 0]
    assert numbers.keep_v.tolist() == [1, 1]
    assert (numbers.vmin.tolist(), numbers.vmax.tolist()) == ([0, 0], [np.inf] * 2)
    assert not numbers.truncates and numbers.resets_to_zero


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 4),
    spread=st.floats(0.1, 3),
    chip_steps=st.integers(1, 8),
)
@settings(max_examples=40)
def test_integers_are_what_is_rounded(seed, n, spread, chip_steps):
    rng = np.random.default_rng(seed)
    weights, bias = spread * rng.normal(size=(n, 3)), rng.uniform(-0.5, 0.5, n)
    graph = graph_of(
        hybrid("r", 3, "Identity", omega=3.0),
        hybrid("out", n, bias=bias, omega=2.0),
        projections=(
            project("x", "r", np.ones((3, 1))),
            project("r", "out", weights),
        ),
    )
    numbers = unrounded(graph, chip_steps=chip_steps)
    (block,) = to_loihi(graph, chip_steps=chip_steps).blocks
    ((rows,),) = numbers.weights
    # A spike of r is a third of its unit, and out counts halves.
    per_spike = np.concatenate([weights.T, -weights.T]) * 2 / 3
    found = np.concatenate(rows) * numbers.input_gain / numbers.vth
    np.testing.assert_allclose(found, per_spike, rtol=1e-6)
    np.testing.assert_allclose(numbers.bias / numbers.vth, 2 * bias / chip_steps, 1e-6)
    # Half of the last bit, and what float32 has; the largest stops at 127 of 127.5.
    assume(block.synapses[0].weight_exponent == 0)
    integers = np.concatenate(block.synapses[0].weights)
    assert np.abs(np.concatenate(rows) - integers).max() <= 64.01
    # Rounded to whole numbers, and these to multiples of 64.
    assert np.abs(numbers.vth - block.vth).max() <= 32.5


def test_what_is_rounded_lies_as_the_integers_do_where_blocks_are_split():
    graph = graph_of(
        hybrid("r", 2, "Identity"),
        hybrid("out", 1100),
        projections=(
            project("x", "r", [[1], [1]]),
            project("r", "out", np.random.default_rng(0).normal(size=(1100, 2))),
        ),
    )
    quantized, numbers = to_loihi(graph), unrounded(graph)
    assert len(quantized.blocks) == len(numbers.weights) == 2
    assert len(numbers.vth) == 1100
    for block, groups in zip(quantized.blocks, numbers.weights, strict=True):
        for group, rows in zip(block.synapses, groups, strict=True):
            for integers, floats in zip(group.weights, rows, strict=True):
                assert np.abs(integers - floats).max() <= 64.01


def test_what_is_where():
    quantized = to_loihi(tiny_graph(), target="mine", chip_steps=3)
    assert (quantized.target, quantized.output, quantized.chip_steps) == (
        "mine",
        "out",
        3,
    )
    (lines,), (block,) = quantized.inputs, quantized.blocks
    assert (lines.name, lines.population, lines.n_lines) == ("r", "r", 2)
    assert (block.name, block.population, block.neurons.tolist()) == (
        "out",
        "out",
        [0, 1],
    )
    host = quantized.host
    assert [p.name for p in host.populations] == ["x", "r"]
    assert [p.name for p in host.projections] == ["x_to_r"]
    assert (host.output, host.dt) == ("r", 1.0)


def test_the_graph_in_floats_is_left_as_it_is():
    graph = tiny_graph()
    to_loihi(graph, chip_steps=2)
    assert graph.projections[1].weights.tolist() == [[0.5], [-0.25]]
    assert graph.population("out").bias.tolist() == [0.1, 0.0]


def test_bias_is_per_step_of_the_chip_whatever_dt():
    # 0.1 a step of 1 is 100 a step of 1/1000.
    slow = to_loihi(tiny_graph(), chip_steps=2).blocks[0]
    graph = tiny_graph(dt=0.001)
    out = hybrid("out", 2, bias=[100.0, 0.0])
    graph = SpikingGraph(0.001, (*graph.populations[:2], out), graph.projections, "out")
    assert to_loihi(graph, chip_steps=2).blocks[0].bias.tolist() == slow.bias.tolist()


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    activation=st.sampled_from(["Identity", "Tanh", "Sigmoid", "RectifiedLinear"]),
    omegas=st.tuples(st.floats(0.5, 20), st.floats(0.5, 20)),
    amplitude=st.floats(0.1, 4),
)
@example(524285, "Identity", (0.5, 17.0), 2.125)  # 104 thresholds a spike
def test_weights_over_thresholds_are_those_in_floats(
    seed, activation, omegas, amplitude
):
    rng = np.random.default_rng(seed)
    n_pre, n_post = rng.integers(1, 6, 2)
    weights = rng.normal(size=(n_post, n_pre))
    wanted = weights.T * amplitude * omegas[1] / omegas[0]
    largest = np.abs(wanted).max()
    # Smaller ones shift bits out; larger ones may leave no threshold.
    assume(2**-10 < largest < 2**8)
    # Rates, which are never sent, keep a ReLU off the chip.
    pre = hybrid("r", n_pre, activation, omega=omegas[0], amplitude=amplitude)
    relay = Population("rates", 1, "Tanh", bias=np.zeros(1))
    graph = graph_of(
        relay,
        pre,
        hybrid("out", n_post, omega=omegas[1]),
        projections=(
            project("rates", "r", np.ones((n_pre, 1))),
            project("r", "out", weights),
        ),
    )
    quantized = to_loihi(graph)
    (lines,) = quantized.inputs
    signed = activation in ("Identity", "Tanh")
    assert lines.n_lines == n_pre * (2 if signed else 1)
    found = dense(quantized, "out", lines) / thresholds(quantized, "out")
    if signed:
        assert np.array_equal(found[n_pre:], -found[:n_pre])
    # Half of the last of 7 bits (all of it for the largest, which is not rounded up),
    # over a threshold, 16320 over the largest weight, that may be 33 less in units
    # of 64: (1 + weight) / (1 - threshold) - 1.
    error = np.abs(found[:n_pre] - wanted).max()
    weight, threshold = 1 / 127 + 1 / 4096, 33 * largest / 16320
    assert error <= largest * (weight + threshold) / (1 - threshold)
    # What is stated is what is there.
    assert quantized.errors["out"] == pytest.approx(error / largest, rel=1e-5, abs=1e-6)


def test_one_population_may_reach_several_on_the_chip():
    graph = graph_of(
        hybrid("r", 2, "Identity"),
        hybrid("a", 3),
        hybrid("b", 2),
        hybrid("out", 2),
        projections=(
            project("r", "a", np.full((3, 2), 1.0)),
            project("r", "b", np.full((2, 2), 2.0)),
            project("a", "out", np.full((2, 3), 3.0)),
            project("b", "out", np.full((2, 2), 4.0)),
        ),
    )
    quantized = to_loihi(graph)
    (lines,) = quantized.inputs
    blocks = {block.name: block for block in quantized.blocks}
    assert list(blocks) == ["a", "b", "out"]
    assert [quantized.blocks[g.target_block].name for g in lines.axons] == ["a", "b"]
    for name, source in (("a", lines), ("b", lines)):
        assert dense(quantized, name, source)[:2].min() == 254 * 64
    # Both go into one block, and share its scale: 3 is three quarters of 4.
    from_a = dense(quantized, "out", [blocks["a"]])
    from_b = dense(quantized, "out", [blocks["b"]])
    assert (from_a == from_a[0, 0]).all()
    assert (from_b == 254 * 64).all()
    assert from_a[0, 0] / from_b[0, 0] == pytest.approx(0.75, abs=0.01)


def test_latency_is_the_longest_way_on_the_chip():
    chain = [
        hybrid("r", 1, "Identity"),
        *(hybrid(name, 1) for name in ("a", "b", "out")),
    ]
    ways = [
        project("r", "a", [[1]]),
        project("a", "b", [[1]]),
        project("b", "out", [[1]]),
    ]
    assert to_loihi(graph_of(*chain, projections=ways)).latency_steps == 3
    shortcut = project("r", "out", [[1]])
    both = to_loihi(graph_of(*chain, projections=[*ways, shortcut]))
    assert both.latency_steps == 3
    short = to_loihi(graph_of(*chain, projections=[*ways[:2], shortcut]))
    assert short.latency_steps == 1
    assert to_loihi(tiny_graph()).latency_steps == 1


@pytest.mark.parametrize(
    "population, reason",
    [
        (
            Population("h", 1, "linear"),
            "it holds real numbers exactly; Loihi 1 sends nothing but one-bit spikes",
        ),
        (
            Population("h", 1, "RectifiedLinear", bias=np.zeros(1)),
            "it sends rates; Loihi 1 sends nothing but one-bit spikes",
        ),
        (
            hybrid("h", 1, "Tanh"),
            "its activation Tanh is not a non-leaky integrate-and-fire neuron, the one "
            "that a compartment computes",
        ),
        (hybrid("h", 1), "x sends it real numbers, not spikes"),
    ],
)
def test_reasons_to_stay_on_the_host(population, reason):
    graph = graph_of(population, projections=(project("x", "h", [[1]]),))
    assert host_reasons(graph) == {
        "x": "it is the input, which comes from outside the chip",
        "h": reason,
    }


def test_what_feeds_the_host_stays_there():
    # a and b feed the memory, b by way of a; the memory is on the host.
    graph = graph_of(
        Population("memory", 1, "linear"),
        hybrid("r", 1, "Identity"),
        hybrid("b", 1),
        hybrid("a", 1),
        hybrid("out", 1),
        projections=(
            project("x", "memory", [[1]]),
            project("memory", "r", [[1]]),
            project("r", "b", [[1]]),
            project("b", "a", [[1]]),
            project("a", "out", [[1]]),
            project("a", "memory", [[1]], delay=1),
        ),
    )
    reasons = host_reasons(graph)
    assert list(reasons) == ["x", "memory", "r", "b", "a"]
    assert reasons["a"] == "it feeds memory, which runs on the host"
    assert reasons["b"] == "it feeds a, which runs on the host"
    quantized = to_loihi(graph)
    assert [p.name for p in quantized.host.projections] == [
        "x_to_memory",
        "memory_to_r",
        "r_to_b",
        "b_to_a",
        "a_to_memory",
    ]
    assert [(i.name, i.n_lines) for i in quantized.inputs] == [("a", 1)]


def test_feedback_a_step_late_stays_on_the_host():
    graph = graph_of(
        hybrid("r", 1, "Identity"),
        hybrid("h", 1),
        hybrid("out", 1),
        projections=(
            project("x", "r", [[1]]),
            project("r", "h", [[1]]),
            project("h", "h", [[0.5]], delay=1),
            project("h", "out", [[1]]),
        ),
    )
    assert host_reasons(graph)["h"] == (
        "h reaches it a step of the network late; on the chip it would be a step of "
        "the chip"
    )
    assert [b.name for b in to_loihi(graph).blocks] == ["out"]


def test_the_output_has_to_be_on_the_chip():
    graph = graph_of(
        hybrid("out", 1, "Tanh"), projections=(project("x", "out", [[1]]),)
    )
    message = (
        "population 'out' is the output and has to be on the chip, but its activation "
        "Tanh is not a non-leaky integrate-and-fire neuron, the one that a compartment "
        "computes; train it as hybrid-spiking RectifiedLinear neurons of spiking "
        "inputs, or take a target with graded spikes"
    )
    with pytest.raises(LowerError, match=exactly(message)):
        to_loihi(graph)


@pytest.mark.parametrize("chip_steps", [0, -1, 2.0, True, "4", None])
def test_chip_steps_are_a_whole_number(chip_steps):
    message = (
        "loihi1 needs chip_steps to be a whole number of at least 1, got "
        f"{chip_steps!r}; 4 sends counts of up to 4 in every step of the network"
    )
    with pytest.raises(LowerError, match=exactly(message)):
        to_loihi(tiny_graph(), chip_steps=chip_steps)


def test_chip_steps_may_be_numpys():
    assert to_loihi(tiny_graph(), chip_steps=np.int64(2)).chip_steps == 2


def test_weights_beyond_the_exponent_are_refused():
    graph = graph_of(
        hybrid("r", 1, "Identity"),
        hybrid("out", 1),
        projections=(project("r", "out", [[1e-6]]),),
    )
    message = (
        "Compartment(out): Could not find appropriate weight exponent: the weights "
        "onto a population are too small beside its threshold or its biases; raise "
        "its omega or its weights"
    )
    with pytest.raises(LowerError, match=exactly(message)):
        to_loihi(graph)


def test_weights_beside_which_a_threshold_is_0_are_refused():
    graph = graph_of(
        hybrid("r", 1, "Identity"),
        hybrid("out", 2),
        projections=(project("r", "out", [[505.0], [-600.0]]),),
    )
    message = (
        "population 'out': one spike adds 600 thresholds to a voltage, beside which "
        "its threshold is 0 in Loihi 1's units; lower its omega or its weights"
    )
    with pytest.raises(LowerError, match=exactly(message)):
        to_loihi(graph)


def test_weights_of_zero_are_synapses_too():
    graph = graph_of(
        hybrid("r", 2, "Identity"),
        hybrid("out", 3, omega=2.0, bias=0.5),
        projections=(project("r", "out", np.zeros((3, 2))),),
    )
    quantized = to_loihi(graph)
    assert quantized.errors == {"out": 0.0}
    (synapses,) = quantized.blocks[0].synapses
    assert [w.size for w in synapses.weights] == [3, 3, 3, 3]
    ratio = quantized.blocks[0].bias / quantized.blocks[0].vth
    # omega times the bias, over the 4 steps of the chip.
    assert np.allclose(ratio, 2 * 0.5 / 4, rtol=0.01)


# A population of 1300, too large for a core, between two small ones. Neuron i of the
# first has the same weights to all, so that both parts have the same scale; the
# first two are alike, and the third is silent, so that rows may be shared.
LARGE = 1300


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    into = np.tile(np.array([0.5, 0.5, 0.0, -0.25]), (LARGE, 1))
    out_of = rng.normal(size=(3, LARGE))
    graph = graph_of(
        hybrid("r", 4, "Identity"),
        hybrid("h", LARGE, bias=np.linspace(0, 0.1, LARGE)),
        hybrid("out", 3),
        projections=(project("r", "h", into), project("h", "out", out_of)),
    )
    return to_loihi(graph), into, out_of


def test_a_large_population_is_split_and_no_neuron_lost(split):
    quantized, _, _ = split
    parts = [b for b in quantized.blocks if b.population == "h"]
    assert [b.n_compartments for b in parts] == [650, 650]
    assert np.concatenate([b.neurons for b in parts]).tolist() == list(range(LARGE))
    assert [b.name for b in parts] == ["h[0:650:1]", "h[650:1300:1]"]
    assert [b.population for b in quantized.blocks] == ["h", "h", "out"]


def test_split_blocks_have_the_weights_of_the_whole(split):
    quantized, into, out_of = split
    (lines,) = quantized.inputs
    found = dense(quantized, "h", lines)[:4] / thresholds(quantized, "h")
    assert np.abs(found - into.T).max() <= 0.5 * (1 / 127 + 1 / 255)
    parts = [b for b in quantized.blocks if b.population == "h"]
    found = dense(quantized, "out", parts) / thresholds(quantized, "out")
    largest = np.abs(out_of).max()
    assert np.abs(found - out_of.T).max() <= largest * (1 / 127 + 1 / 255)
    bias = np.concatenate([b.bias / b.vth for b in parts])
    assert np.allclose(bias, np.linspace(0, 0.1, LARGE) / 4, atol=1e-4)


def test_errors_are_right_where_split_axons_share_rows(split):
    quantized, into, _ = split
    part = quantized.blocks[0]
    # 0.5, 0.5, 0.0, -0.25 and their negatives, of which -0.0 has other bits than 0.0.
    assert len(part.synapses[0].weights) == 6
    assert part.synapses[0].n_axons == 8
    (lines,) = quantized.inputs
    found = dense(quantized, "h", lines)[:4] / thresholds(quantized, "h")
    worst = np.abs(found - into.T).max() / 0.5
    assert quantized.errors["h"] == pytest.approx(worst, rel=1e-5)
    assert 0 < quantized.errors["h"] < 0.01
