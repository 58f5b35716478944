"""
NengoLoihi's emulator against a dense one of our own, and the laws of a run.

`emulate` below follows the published arithmetic of Loihi's compartments: current and
voltage decay with truncation toward zero, a spike above the threshold resets the
voltage to zero, and a spike arrives one time step after it was sent.
"""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import hardware
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graph_run import run_graph
from nengo_hybrid.graphs import Population, Projection, SpikingGraph, digest
from nengo_hybrid.lower import to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

LOIHI1 = load_target("loihi1")
NEEDED = "injected population 'r' needs counts of shape (n_samples, n_steps, 1)"


def hybrid(name, n, activation="RectifiedLinear", *, omega=1.0, bias=0.0):
    bias = np.broadcast_to(np.asarray(bias, dtype=float), n)
    zeros = np.zeros(n)
    return Population(
        name, n, activation, omega=omega, bias=bias, initial_voltage=zeros
    )


def make_graph(rng, sizes=(3, 5, 2), *, chip_steps=3, activation="Identity"):
    """Quantize a random network: r on the host, h and out on the chip."""
    n_in, n_hidden, n_out = sizes
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", n_in, "input"),
            Population("rate", 4, "Tanh", bias=np.zeros(4)),
            hybrid("r", n_in, activation, omega=3.0),
            hybrid("h", n_hidden, bias=rng.uniform(-0.1, 0.3, n_hidden)),
            hybrid("out", n_out, omega=2.0),
        ),
        projections=(
            Projection("x_to_rate", "x", "rate", np.ones((4, n_in))),
            Projection("x_to_r", "x", "r", np.eye(n_in)),
            Projection("r_to_h", "r", "h", rng.normal(size=(n_hidden, n_in))),
            Projection("r_to_out", "r", "out", 0.5 * rng.normal(size=(n_out, n_in))),
            Projection("h_to_out", "h", "out", rng.normal(size=(n_out, n_hidden))),
        ),
        output="out",
    )
    return to_loihi(graph, chip_steps=chip_steps)


def random_counts(rng, graph, n_samples=3, n_steps=8):
    n_neurons = graph.host.population("r").n_neurons
    return {"r": rng.integers(-3, 4, (n_samples, n_steps, n_neurons))}


def run(graph, counts, **settings):
    return hardware.run(graph, place(graph, LOIHI1), counts, **settings)


def dense(graph, groups, n_source):
    """Return a matrix (n_source, n_compartments) per block that groups reach."""
    matrices = {}
    for group in groups:
        block = graph.blocks[group.target_block]
        synapses = block.synapses[group.target_synapses]
        new = np.zeros((n_source, block.n_compartments), dtype=np.int64)
        matrix = matrices.setdefault(group.target_block, new)
        for i, axon in enumerate(group.axon_of_neuron):
            row, atom = synapses.row_of_axon[axon], group.atom_of_neuron[i]
            targets = synapses.base_of_axon[axon] + synapses.indices[row][atom]
            np.add.at(matrix[i], targets, synapses.weights[row][atom])
    return matrices


def decayed(x, parts):
    """Multiply by parts / 4096, truncated toward zero."""
    return np.sign(x) * (np.abs(x) * parts // 4096)


def emulate(graph, lines):
    """
    Run a chip step by step with dense matrices.

    Parameters
    ----------
    lines : dict of str to (n_samples, n_steps, n_lines) int array

    Returns
    -------
    spikes : list of (n_samples, n_steps, n_compartments) bool array
    active : list of (n_samples, n_steps) int array
        Both per block.
    """
    n_samples, n_steps, _ = next(iter(lines.values())).shape
    sources = [(lines[i.name], dense(graph, i.axons, i.n_lines)) for i in graph.inputs]
    between = [dense(graph, b.axons, b.n_compartments) for b in graph.blocks]
    sizes = [b.n_compartments for b in graph.blocks]
    u, v = ([np.zeros((n_samples, n), np.int64) for n in sizes] for _ in range(2))
    spiked = [np.zeros((n_samples, n), bool) for n in sizes]
    spikes = [np.zeros((n_samples, n_steps, n), bool) for n in sizes]
    active = [np.zeros((n_samples, n_steps), int) for _ in sizes]
    for step in range(n_steps):
        arriving = [np.zeros((n_samples, n), np.int64) for n in sizes]
        for counts, matrices in sources:
            for target, matrix in matrices.items():
                if step > 0:
                    arriving[target] += counts[:, step - 1].astype(np.int64) @ matrix
        for source, matrices in enumerate(between):
            for target, matrix in matrices.items():
                arriving[target] += spiked[source].astype(np.int64) @ matrix
        for i, block in enumerate(graph.blocks):
            u[i] = decayed(u[i], 4096 - 1 - block.decay_u.astype(int)) + arriving[i]
            v[i] = decayed(v[i], 4096 - block.decay_v.astype(int)) + u[i] + block.bias
            v[i] = np.clip(v[i], block.vmin, block.vmax)
            spiked[i] = v[i] > block.vth
            v[i][spiked[i]] = 0
            spikes[i][:, step] = spiked[i]
            busy = (u[i] != 0) | (v[i] != 0) | spiked[i]
            active[i][:, step] = busy.sum(axis=1)
    return spikes, active


def check_against_dense(graph, counts):
    """Compare every spike and update of a run with `emulate`."""
    trace = run(graph, counts)
    lines = {i.name: graph.injected(i.name, counts[i.name]) for i in graph.inputs}
    spikes, active = emulate(graph, lines)
    for name in {block.population for block in graph.blocks}:
        found = trace.populations[name]
        n_active = np.zeros_like(found.updates_active)
        for block, wanted, busy in zip(graph.blocks, spikes, active, strict=True):
            if block.population == name:
                assert np.array_equal(found.spikes[:, :, block.neurons], wanted)
                n_active += busy
        assert np.array_equal(found.updates_active, n_active)
    return trace


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 4)),
    chip_steps=st.integers(1, 4),
)
def test_every_spike_equals_a_dense_emulation(seed, sizes, chip_steps):
    rng = np.random.default_rng(seed)
    graph = make_graph(rng, sizes, chip_steps=chip_steps)
    check_against_dense(graph, random_counts(rng, graph, n_samples=2, n_steps=6))


def test_the_compared_networks_spike(rng):
    graph = make_graph(rng)
    trace = check_against_dense(graph, random_counts(rng, graph))
    for name in ("h", "out"):
        rate = trace.populations[name].spikes.mean()
        assert 0.05 < rate < 0.95


def test_a_split_population_equals_a_dense_emulation(rng):
    graph = make_graph(rng, (2, 1100, 3))
    assert [b.n_compartments for b in graph.blocks] == [550, 550, 3]
    trace = check_against_dense(graph, random_counts(rng, graph, 1, 6))
    assert trace.populations["h"].spikes.shape[2] == 1100


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def line_graph(weight=0.5, *, bias=0.0, chip_steps=1):
    """Quantize one signed neuron on the host in front of one on the chip."""
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", 1, "input"),
            hybrid("r", 1, "Identity"),
            hybrid("out", 1, bias=bias),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(1)),
            Projection("r_to_out", "r", "out", np.full((1, 1), weight)),
        ),
        output="out",
    )
    return to_loihi(graph, chip_steps=chip_steps)


def test_spikes_by_hand():
    # A spike is a bit more than half a threshold, with its after-current, and arrives
    # a step late: two make one spike, of either order with a negative one between.
    graph = line_graph(0.52)
    counts = {"r": np.array([[[1], [1], [1], [-1], [1], [1], [2]]])}
    found = run(graph, counts).output_spikes[0, :, 0]
    assert found.tolist() == [0, 0, 1, 0, 0, 0, 1, 1]


def test_bias_alone_by_hand():
    # 0.3 of a threshold a step: above 1 after the fourth, and from zero again.
    counts = {"r": np.zeros((1, 8, 1), dtype=int)}
    found = run(line_graph(bias=0.3), counts).output_spikes[0, :, 0]
    assert found.tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0]


def test_trace_says_what_was_run(rng):
    graph = make_graph(rng, chip_steps=3)
    trace = run(graph, random_counts(rng, graph), target_sha256="ab", seed=7)
    assert (trace.backend, trace.target, trace.target_sha256, trace.seed) == (
        "nengo-loihi",
        "loihi1",
        "ab",
        7,
    )
    assert trace.graph_sha256 == digest(graph)
    # 8 steps of the input, 3 of the chip each, and two populations deep.
    assert (trace.n_samples, trace.n_input_steps, trace.n_steps) == (3, 8, 8 * 3 + 2)
    assert trace.output_spikes is trace.populations["out"].spikes
    # 4 * 3 weights onto the rate neurons and the diagonal of 3; 4 and 3 neurons.
    assert (trace.host_macs_per_step, trace.host_updates_per_step) == (15, 7)


def test_injected_spikes_are_traced_with_their_sign(rng):
    graph = make_graph(rng, chip_steps=3)
    counts = random_counts(rng, graph)
    injected = run(graph, counts).populations["r"]
    assert not injected.on_chip
    sums = injected.spikes[:, :24].reshape(3, 8, 3, 3).sum(axis=2)
    assert np.array_equal(sums, counts["r"])
    assert not injected.updates_active.any()
    assert not injected.updates_inactive.any()


def test_every_compartment_is_updated_in_every_step(rng):
    graph = make_graph(rng)
    trace = run(graph, random_counts(rng, graph))
    for name, n_neurons in (("h", 5), ("out", 2)):
        population = trace.populations[name]
        updates = population.updates_active + population.updates_inactive
        assert population.on_chip
        assert np.array_equal(updates, np.full((3, 8 * 3 + 2), n_neurons))


def test_a_silent_compartment_is_inactive():
    trace = run(line_graph(), {"r": np.array([[[0], [0], [1], [0]]])})
    # The spike of step 2 is there from step 3 on; nothing decays the voltage.
    assert trace.populations["out"].updates_active.tolist() == [[0, 0, 0, 1, 1]]
    assert trace.populations["out"].updates_inactive.tolist() == [[1, 1, 1, 0, 0]]


def test_samples_do_not_know_of_one_another(rng):
    graph = make_graph(rng)
    counts = random_counts(rng, graph, n_samples=4)["r"]
    together = run(graph, {"r": counts})
    order = [2, 0, 3, 1]
    shuffled = run(graph, {"r": counts[order]})
    alone = run(graph, {"r": counts[3:]})
    for name in ("h", "out", "r"):
        found = together.populations[name]
        for part in ("spikes", "updates_active", "updates_inactive"):
            wanted = getattr(found, part)
            assert np.array_equal(
                getattr(shuffled.populations[name], part), wanted[order]
            )
            assert np.array_equal(getattr(alone.populations[name], part), wanted[3:])


def test_the_graph_is_left_as_it_is(rng):
    graph = make_graph(rng)
    before = digest(graph)
    run(graph, random_counts(rng, graph))
    assert digest(graph) == before


def test_progress_is_told_after_every_sample(rng):
    graph, told = make_graph(rng), []
    run(graph, random_counts(rng, graph), progress=lambda *row: told.append(row))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_chip_follows_the_network_but_for_what_a_reset_loses():
    # 0.625 at omega 4 is 125 counts in 50 steps; each is 0.51 of a threshold. The
    # network keeps what is left over: floor(125 * 0.51) = 63. The chip spikes at every
    # second count, at 1.02, and resets to zero: 62.
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", 1, "input"),
            hybrid("r", 1, "Identity", omega=4.0),
            hybrid("out", 1, omega=4.0),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(1)),
            Projection("r_to_out", "r", "out", np.full((1, 1), 0.51)),
        ),
        output="out",
    )
    x = np.full((1, 50, 1), 0.625)
    counts = run_graph(graph, x)
    assert (counts["r"].sum(), counts["out"].sum()) == (125, 63)
    quantized = to_loihi(graph, chip_steps=4)
    host_counts = run_graph(quantized.host, x, record=["r"])
    assert run(quantized, host_counts).output_spikes.sum() == 62


def test_overflow_is_an_error_in_words():
    # The largest weight is 127 * 128; 129 of them together leave 21 bits, 2097152.
    graph = line_graph()
    most = {"r": np.array([[[0], [0], [0]], [[0], [129], [0]]])}
    assert run(graph, most).output_spikes[1].ravel().tolist() == [0, 0, 1, 0]
    message = (
        "Overflow in q0 at sample 1, step 2: too many spikes came at once; raise "
        "chip_steps, or lower omega of the layer before"
    )
    with pytest.raises(EmulateError, match=exactly(message)):
        run(graph, {"r": most["r"] + (most["r"] > 0)})


@pytest.mark.parametrize(
    "counts, message",
    [
        (
            {},
            f"{NEEDED}, got None",
        ),
        (
            {"r": np.zeros((3, 1), int)},
            f"{NEEDED}, got (3, 1)",
        ),
        (
            {"r": np.zeros((2, 3, 2), int)},
            f"{NEEDED}, got (2, 3, 2)",
        ),
        (
            {"r": np.zeros((2, 3, 1))},
            "injected population 'r' needs counts in whole numbers, got float64; run "
            "the host's part without rates=True",
        ),
    ],
)
def test_counts_that_do_not_fit(counts, message):
    with pytest.raises(ShapeError, match=exactly(message)):
        run(line_graph(), counts)


def test_negative_counts_need_lines_of_their_own(rng):
    graph = make_graph(rng, activation="Sigmoid")
    counts = random_counts(rng, graph)
    message = (
        "injected population 'r' has one line a neuron, for counts of at least 0, got "
        f"{counts['r'].min()}"
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        run(graph, counts)
    run(graph, {"r": np.abs(counts["r"])})


def test_injected_populations_have_one_length():
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", 1, "input"),
            hybrid("a", 1, "Identity"),
            hybrid("b", 1, "Identity"),
            hybrid("out", 1),
        ),
        projections=(
            Projection("a_to_out", "a", "out", np.eye(1)),
            Projection("b_to_out", "b", "out", np.eye(1)),
        ),
        output="out",
    )
    counts = {name: np.zeros((2, n, 1), int) for name, n in (("a", 3), ("b", 4))}
    message = "injected populations need counts of one length, got [(2, 3), (2, 4)]"
    with pytest.raises(ShapeError, match=exactly(message)):
        run(to_loihi(graph), counts)


def test_another_graphs_placement_is_refused(rng):
    graph = make_graph(rng)
    placement = place(graph, LOIHI1)
    short = dataclasses.replace(placement, blocks=placement.blocks[:1])
    message = "the placement has 1 blocks, the graph has 2; place this graph first"
    with pytest.raises(ShapeError, match=exactly(message)):
        hardware.run(graph, short, random_counts(rng, graph))


def exactly(message):
    return f"^{re.escape(message)}$"
