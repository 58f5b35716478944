"""Our emulator against NengoLoihi's: every spike and every update, bit for bit."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import emulate, hardware
from nengo_hybrid.emulate.layout import START, STOP, TARGET
from nengo_hybrid.emulate.program import KEEP_U, N_PARAMETERS, VTH, compile_graph
from nengo_hybrid.emulate.vectors import LANES
from nengo_hybrid.exceptions import EmulateError, ShapeError
from nengo_hybrid.graphs import AxonGroup, Population, Projection, SpikingGraph
from nengo_hybrid.lower import to_loihi
from nengo_hybrid.mapping import place
from nengo_hybrid.targets import load_target

LOIHI1 = load_target("loihi1")


def spiking(name, n, activation="RectifiedLinear", *, omega=1.0, bias=0.0):
    bias, zeros = np.broadcast_to(np.asarray(bias, dtype=float), n), np.zeros(n)
    return Population(
        name, n, activation, omega=omega, bias=bias, initial_voltage=zeros
    )


def random_graph(rng, sizes=(3, 5, 2), *, chip_steps=2, signed=True):
    """Quantize r -> h -> out, a way past h, and a loop in h; r is injected."""
    n_in, n_hidden, n_out = sizes
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", n_in, "input"),
            spiking("r", n_in, "Identity" if signed else "RectifiedLinear", omega=3.0),
            spiking("h", n_hidden, bias=rng.uniform(-0.1, 0.3, n_hidden)),
            spiking("out", n_out, omega=2.0),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(n_in)),
            Projection("r_to_h", "r", "h", rng.normal(size=(n_hidden, n_in))),
            Projection("r_to_out", "r", "out", 0.5 * rng.normal(size=(n_out, n_in))),
            Projection("h_to_out", "h", "out", rng.normal(size=(n_out, n_hidden))),
        ),
        output="out",
    )
    return with_loop(to_loihi(graph, chip_steps=chip_steps))


def with_loop(graph):
    """Send the first block's spikes back to it, over the axons that r uses."""
    first = graph.blocks[0]
    axons = np.arange(first.n_compartments) % first.synapses[0].n_axons
    loop = AxonGroup(0, 0, axons, np.zeros_like(axons), n_slots=len(axons))
    first = dataclasses.replace(first, axons=(*first.axons, loop))
    return dataclasses.replace(graph, blocks=(first, *graph.blocks[1:]))


def random_counts(rng, graph, n_samples=3, n_steps=8):
    lines = graph.inputs[0]
    n_neurons = graph.host.population("r").n_neurons
    low = -3 if lines.n_lines == 2 * n_neurons else 0
    return {"r": rng.integers(low, 4, (n_samples, n_steps, n_neurons))}


def both(graph, counts):
    placement = place(graph, LOIHI1)
    ours = emulate.run(graph, placement, counts)
    return ours, hardware.run(graph, placement, counts)


def assert_same_run(ours, theirs):
    assert ours.backend == "emulator" and theirs.backend == "nengo-loihi"
    for field in dataclasses.fields(ours):
        if field.name not in ("backend", "populations"):
            assert getattr(ours, field.name) == getattr(theirs, field.name)
    assert list(ours.populations) == list(theirs.populations)
    for name, population in ours.populations.items():
        other = theirs.populations[name]
        assert population.on_chip == other.on_chip
        for what in ("spikes", "updates_active", "updates_inactive"):
            found, wanted = getattr(population, what), getattr(other, what)
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted, err_msg=f"{name} {what}")


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 4)),
    chip_steps=st.integers(1, 4),
    signed=st.booleans(),
)
def test_random_networks_run_bit_for_bit(seed, sizes, chip_steps, signed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, sizes, chip_steps=chip_steps, signed=signed)
    assert_same_run(*both(graph, random_counts(rng, graph, n_samples=2)))


def test_the_compared_networks_spike():
    rng = np.random.default_rng(0)
    graph = random_graph(rng)
    ours, _ = both(graph, random_counts(rng, graph))
    for name in ("h", "out"):
        assert 0.05 < ours.populations[name].spikes.mean() < 0.95


def test_split_populations_run_bit_for_bit():
    rng = np.random.default_rng(1)
    graph = random_graph(rng, (2, 1100, 3))
    assert [b.n_compartments for b in graph.blocks] == [550, 550, 3]
    assert_same_run(*both(graph, random_counts(rng, graph, n_samples=1)))


def test_leaks_refractory_periods_and_limits_run_bit_for_bit():
    rng = np.random.default_rng(2)
    graph = random_graph(rng, (3, 20, 4))
    n = {block.name: block.n_compartments for block in graph.blocks}
    blocks = tuple(
        dataclasses.replace(
            block,
            decay_u=rng.integers(0, 4096, n[block.name]).astype(np.int32),
            decay_v=rng.integers(0, 4096, n[block.name]).astype(np.int32),
            refract_delay=rng.integers(1, 5, n[block.name]).astype(np.int32),
            vmin=-(2**14) + 1,
            vmax=2**21 - 1,
        )
        for block in graph.blocks
    )
    graph = dataclasses.replace(graph, blocks=blocks)
    ours, theirs = both(graph, random_counts(rng, graph, n_steps=40))
    assert_same_run(ours, theirs)
    assert ours.output_spikes.any()


def test_a_sample_alone_is_the_sample_in_a_batch():
    rng = np.random.default_rng(3)
    graph = random_graph(rng)
    placement, counts = place(graph, LOIHI1), random_counts(rng, graph, n_samples=7)
    whole = emulate.run(graph, placement, counts)
    for i in range(7):
        alone = emulate.run(graph, placement, {"r": counts["r"][i : i + 1]})
        for name, population in alone.populations.items():
            in_batch = whole.populations[name]
            np.testing.assert_array_equal(population.spikes[0], in_batch.spikes[i])
            np.testing.assert_array_equal(
                population.updates_active[0], in_batch.updates_active[i]
            )


def test_a_program_by_hand():
    # Two lines (a sign each) onto one compartment: two segments of one weight.
    graph = SpikingGraph(
        dt=1.0,
        populations=(
            Population("x", 1, "input"),
            spiking("r", 1, "Identity"),
            spiking("out", 1, bias=0.25),
        ),
        projections=(
            Projection("x_to_r", "x", "r", np.eye(1)),
            Projection("r_to_out", "r", "out", np.full((1, 1), 0.5)),
        ),
        output="out",
    )
    program = compile_graph(to_loihi(graph, chip_steps=1))
    # Behind the lines the compartment and 15 empty slots, as many as vectors take.
    assert program.first_source.tolist() == [0, 2, 18]
    assert program.slots.tolist() == [0]
    assert program.first_projection.tolist() == [0, 1, 1]
    # A row; both weights are multiples of 2**7; 255 of -128 are the most in 16 bits.
    assert program.projections.tolist() == [[0, 0, 7, 255, 0]]
    assert program.segments[:, START].tolist() == [0, 1]
    assert program.segments[:, STOP].tolist() == [1, 2]
    assert program.segments[:, TARGET].tolist() == [0, 0]
    assert program.weights.tolist() == [127, -127]
    assert program.weights.dtype == np.int8
    # Slots 0 to 15, of block 0, have no leak.
    assert program.stretches.tolist() == [[0, 16, 0, 0]]
    parameters = program.parameters.reshape(N_PARAMETERS, LANES)
    assert (parameters[VTH] == 32640).all()  # 0.5 is 255 of 256 steps of 64
    # A decay of 4094, and the offset of 1.
    assert (parameters[KEEP_U].view(np.float32) == 1 / 4096).all()


def test_axons_that_share_weights_share_a_run():
    rng = np.random.default_rng(4)
    graph = random_graph(rng, (2, 3, 1))
    block = graph.blocks[0]
    group = block.synapses[0]
    shared = dataclasses.replace(group, row_of_axon=np.zeros(group.n_axons, dtype=int))
    blocks = (
        dataclasses.replace(block, synapses=(shared, *block.synapses[1:])),
        *graph.blocks[1:],
    )
    graph = dataclasses.replace(graph, blocks=blocks)
    program = compile_graph(graph)
    assert program.segments[:, START][0] == program.segments[:, START][1]
    assert_same_run(*both(graph, random_counts(rng, graph)))


def test_progress_is_told_as_parts_are_done():
    rng = np.random.default_rng(5)
    graph, told = random_graph(rng), []
    emulate.run(
        graph,
        place(graph, LOIHI1),
        random_counts(rng, graph, n_samples=40),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(16, 40), (32, 40), (40, 40)]


def test_parts_are_at_most_as_large_as_is_asked_for():
    rng = np.random.default_rng(5)
    graph, told = random_graph(rng), []
    counts = random_counts(rng, graph, n_samples=12)
    whole = emulate.run(graph, place(graph, LOIHI1), counts)
    parts = emulate.run(
        graph,
        place(graph, LOIHI1),
        counts,
        at_once=5,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(5, 12), (10, 12), (12, 12)]
    np.testing.assert_array_equal(whole.output_spikes, parts.output_spikes)


def overflowing():
    graph = random_graph(np.random.default_rng(6), (1, 2, 1), chip_steps=1)
    counts = {"r": np.zeros((2, 3, 1), dtype=int)}
    counts["r"][1, 1, 0] = 1000
    return graph, place(graph, LOIHI1), counts


def test_overflow_names_what_and_where():
    graph, placement, counts = overflowing()
    with pytest.raises(EmulateError) as caught:
        emulate.run(graph, placement, counts)
    assert str(caught.value) == (
        "population 'h', neuron 0 has an input of -16256000 at sample 1, step 2: more "
        "than the 21 bits and sign of its register. Lower the rates, or the weights, "
        "of what feeds it"
    )
    with pytest.raises(EmulateError, match=r"^Overflow in q0 at sample 1, step 2: "):
        hardware.run(graph, placement, counts)


@pytest.mark.parametrize("on_overflow", ["raise", "warn"])
def test_an_overflow_is_told_of_the_sample_in_the_whole_batch(on_overflow):
    # Forty samples run in parts of sixteen.
    graph, placement, _ = overflowing()
    counts = {"r": np.zeros((40, 3, 1), dtype=int)}
    counts["r"][37, 1, 0] = 1000
    if on_overflow == "raise":
        with pytest.raises(EmulateError, match=" at sample 37, step 2: "):
            emulate.run(graph, placement, counts)
    else:
        with pytest.warns(UserWarning, match=" at sample 37, step 2: "):
            emulate.run(graph, placement, counts, on_overflow="warn")


def test_another_graphs_placement_is_refused():
    rng = np.random.default_rng(7)
    graph, other = random_graph(rng), random_graph(rng, (2, 1100, 3))
    with pytest.raises(ShapeError) as caught:
        emulate.run(graph, place(other, LOIHI1), random_counts(rng, graph))
    assert str(caught.value) == (
        "the placement has 3 blocks, the graph has 2; place this graph first"
    )
