"""How a graph is laid out for the kernel, and that what is laid out is delivered."""

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.emulate.layout import START, STOP, TARGET
from nengo_hybrid.emulate.program import compile_graph
from nengo_hybrid.emulate.vectors import LANES
from nengo_hybrid.emulate.ways import AT_ONCE, SHIFT, WIDTH
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graphs import (
    AxonGroup,
    Block,
    Learning,
    Population,
    Probe,
    QuantizedGraph,
    SpikeInput,
    SpikingGraph,
    SynapseGroup,
)


def make_graph(rows, *, n=4, axons=None, atoms=None, row_of_axon=None, bases=None):
    """
    Return lines onto the compartments of one block, whose currents are probed.

    Parameters
    ----------
    rows : list of (weights, indices)
        Each of shape (n_targets,) or (n_atoms, n_targets).
    axons, atoms : list, optional
        Of each line; by default line i has axon i.
    row_of_axon, bases : list, optional
        By default axon i has row i, from compartment 0 on.
    """
    rows = [[np.array(x, np.int32, ndmin=2) for x in row] for row in rows]
    row_of_axon = range(len(rows)) if row_of_axon is None else row_of_axon
    axons = np.array(range(len(row_of_axon)) if axons is None else axons)
    synapses = SynapseGroup(
        name="s",
        weights=tuple(weights for weights, _ in rows),
        indices=tuple(indices for _, indices in rows),
        row_of_axon=np.array(row_of_axon),
        base_of_axon=np.array([0] * len(row_of_axon) if bases is None else bases),
        memory_bits=0,
        weight_exponent=0,
    )
    atoms = np.zeros_like(axons) if atoms is None else np.array(atoms)
    whole = {"decay_u": 4095, "decay_v": 4096, "vth": 2**20, "bias": 0}
    block = Block(
        name="b",
        population="b",
        neurons=np.arange(n),
        **{name: np.full(n, value, np.int32) for name, value in whole.items()},
        refract_delay=np.ones(n, np.int32),
        vmin=-(2**23),
        vmax=2**23 - 1,
        synapses=(synapses,),
        axons=(),
    )
    out = AxonGroup(0, 0, axons, atoms, n_slots=len(axons))
    host = SpikingGraph(1.0, (Population("x", len(axons), "input"),), (), "")
    return QuantizedGraph(
        target="loihi1",
        host=host,
        host_reasons={},
        chip_steps=1,
        latency_steps=0,
        inputs=(SpikeInput("x", "x", len(axons), (out,)),),
        blocks=(block,),
        output="b",
        errors={},
        probes=(Probe("current", "current", ((0, np.arange(n)),)),),
    )


def currents(graph):
    """Return what a spike on each line alone leaves in every compartment."""
    n_lines = graph.n_lines
    lines = np.zeros((n_lines, 2, n_lines), np.int16)
    lines[:, 0] = np.eye(n_lines)
    (found,) = Emulator(graph, n_lines).run(lines).probes
    assert not found[:, 0].any()
    return found[:, 1].tolist()


# Rows onto the same targets, rows, and scattered synapses; see `kinds`.
UNIFORM, RUNS, SCATTERED = (0, 255), (0, 1), (1, 4)


def kinds(program):
    """Return how wide packs of each projection are, and how many it has at once."""
    return [tuple(way) for way in program.projections[:, [WIDTH, AT_ONCE]].tolist()]


def test_uniform_runs_and_scattered_by_hand():
    both = [5, 6, 7, 8], [0, 1, 2, 3]
    uniform = make_graph([both, both])
    runs = make_graph([([5, 6], [0, 1]), ([7, 8, 9], [1, 2, 3])])
    scattered = make_graph([([5, 6], [1, 3]), ([7, 8, 9], [1, 2, 3])])
    programs = [compile_graph(graph) for graph in (uniform, runs, scattered)]
    assert [kinds(p) for p in programs] == [[UNIFORM], [RUNS], [SCATTERED]]
    assert [p.segments[:, START].tolist() for p in programs] == [[0, 4], [0, 2], [0, 4]]
    assert [p.segments[:, STOP].tolist() for p in programs] == [[4, 8], [2, 5], [4, 8]]
    assert [p.segments[:, TARGET].tolist() for p in programs] == [
        [0, 0],
        [0, 1],
        [1, 1],
    ]
    # Scattered synapses have a distance each, and fill up to four.
    assert [p.packed.tolist() for p in programs[:2]] == [[], []]
    # Compartments 1 and 3, which have the same sources, stand beside each other.
    assert programs[2].slots.tolist() == [0, 1, 3, 2]
    assert programs[2].packed.tolist() == [5, 6, 0, 0, 7, 9, 8, 0]
    assert programs[2].distances.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert currents(uniform) == [[5, 6, 7, 8], [5, 6, 7, 8]]
    assert currents(runs) == [[5, 6, 0, 0], [0, 7, 8, 9]]
    assert currents(scattered) == [[0, 5, 0, 6], [0, 7, 8, 9]]


def test_runs_of_one_length_and_other_targets_are_not_uniform():
    graph = make_graph([([5, 6], [0, 1]), ([5, 6], [2, 3])])
    assert kinds(compile_graph(graph)) == [RUNS]
    assert currents(graph) == [[5, 6, 0, 0], [0, 0, 5, 6]]


def test_targets_in_falling_order_are_scattered():
    graph = make_graph([([5, 6], [1, 0])])
    assert kinds(compile_graph(graph)) == [SCATTERED]
    assert currents(graph) == [[6, 5, 0, 0]]


def test_a_line_without_an_axon_sends_nothing():
    row = [5, 6, 7, 8], [0, 1, 2, 3]
    graph = make_graph([row, row], axons=[1, -1, 0])
    program = compile_graph(graph)
    assert kinds(program) == [RUNS]
    assert program.segments[:, START].tolist() == [4, 0, 0]
    assert program.segments[:, STOP].tolist() == [8, 0, 4]
    assert currents(graph) == [[5, 6, 7, 8], [0, 0, 0, 0], [5, 6, 7, 8]]


def test_shared_rows_are_shifted_and_cut_out_by_their_base():
    graph = make_graph([([5, 6], [0, 1])], row_of_axon=[0, 0, 0], bases=[0, 2, -1])
    program = compile_graph(graph)
    assert kinds(program) == [RUNS]
    assert program.segments[:, START].tolist() == [0, 0, 0]
    assert program.segments[:, STOP].tolist() == [2, 2, 0]
    assert program.segments[:, TARGET].tolist() == [0, 2, 0]
    assert currents(graph) == [[5, 6, 0, 0], [0, 0, 5, 6], [0, 0, 0, 0]]


def test_atoms_pick_among_the_weights_of_an_axon():
    weights, indices = [[5, 6], [7, 8], [9, 10]], 3 * [[1, 2]]
    graph = make_graph([(weights, indices)], axons=[0, 0], atoms=[2, 1])
    program = compile_graph(graph)
    assert program.segments[:, START].tolist() == [4, 2]
    assert kinds(program) == [UNIFORM]
    assert currents(graph) == [[0, 9, 10, 0], [0, 7, 8, 0]]


def test_an_empty_row_sends_nothing():
    graph = make_graph([([], []), ([5], [3])])
    assert currents(graph) == [[0, 0, 0, 0], [0, 0, 0, 5]]


def test_of_weights_for_one_target_the_last_wins():
    # As in NengoLoihi, where NumPy adds once per index.
    graph = make_graph([([5, 6, 7], [0, 2, 0]), ([1, 2, 4], [3, 3, 3])])
    assert compile_graph(graph).weights.tolist() == [0, 6, 7, 0, 0, 4]
    assert currents(graph) == [[7, 0, 6, 0], [0, 0, 0, 4]]


def test_repeated_targets_leave_the_graph_as_it_is():
    graph = make_graph([([5, 6, 7], [0, 2, 0])])
    before = graph.sha256
    compile_graph(graph)
    assert dataclasses.replace(graph).sha256 == before


def test_synapses_that_reach_outside_their_block_are_refused():
    graph = make_graph([([5, 6], [0, 1])], row_of_axon=[0, 0], bases=[0, 3])
    with pytest.raises(EmulateError) as caught:
        compile_graph(graph)
    assert str(caught.value) == (
        "synapses 's' of block 'b' reach compartments 0 to 4; the block has 4, counted "
        "from 0; 'x' sends spikes through them"
    )
    with pytest.raises(EmulateError, match="^synapses 's' of block 'b' reach comp"):
        Emulator(graph)


def test_synapses_outside_their_block_that_nobody_uses_are_no_matter():
    graph = make_graph([([5], [0]), ([5], [9])], axons=[0, -1])
    assert currents(graph) == [[5, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    "weight, dtype",
    [
        (127, np.int8),
        (128, np.int16),
        (-128, np.int8),
        (-129, np.int16),
        (32767, np.int16),
        (32768, np.int32),
        (-32768, np.int16),
        (-32769, np.int32),
    ],
)
def test_weights_are_stored_in_as_few_bits_as_they_fit(weight, dtype):
    graph = make_graph([([1, weight], [0, 1])])
    assert compile_graph(graph).weights.dtype == dtype
    assert currents(graph) == [[1, weight, 0, 0]]


@pytest.mark.parametrize("weight, dtype", [(127, np.int8), (-32769, np.int32)])
def test_scattered_weights_are_stored_in_as_few_bits_as_they_fit(weight, dtype):
    graph = make_graph([([1, weight], [3, 1])])
    assert compile_graph(graph).packed.dtype == dtype
    assert currents(graph) == [[0, weight, 0, 1]]


def test_scattered_weights_have_no_lowest_bits_that_none_has():
    program = compile_graph(make_graph([([96, -160], [3, 1])]))
    assert program.packed.tolist() == [-5, 3, 0, 0]
    assert program.projections[:, SHIFT].tolist() == [5]


def test_lowest_bits_that_no_weight_has_are_not_stored():
    graph = make_graph([([96, -160], [0, 1]), ([64, 0], [0, 1])])
    program = compile_graph(graph)
    assert program.weights.tolist() == [3, -5, 2, 0]
    assert program.projections[:, SHIFT].tolist() == [5]
    assert kinds(program) == [UNIFORM]
    assert currents(graph) == [[96, -160, 0, 0], [64, 0, 0, 0]]


@pytest.mark.parametrize("n", [3, 4, 254, 255, 256, 257, 510, 511, 1000])
def test_as_many_rows_as_there_are_make_one_sum(n):
    # Of 8 bits, 16 hold 255 numbers; what is beyond goes into other sums.
    graph = make_graph(n * [([254, -256], [0, 1])])
    lines = np.zeros((1, 2, n), np.int16)
    lines[0, 0] = 1
    (found,) = Emulator(graph).run(lines).probes
    assert found[0, 1].tolist() == [n * 254, -n * 256, 0, 0]


@pytest.mark.parametrize("indices", [[0, 1], [1, 0]])
def test_lines_send_several_spikes_beside_those_that_send_one(indices):
    graph = make_graph([([k, 100], indices) for k in range(6)])
    lines = np.zeros((1, 2, 6), np.int16)
    lines[0, 0] = [1, 0, 3, 1, 1, 2]
    (found,) = Emulator(graph).run(lines).probes
    wanted = {indices[0]: 0 + 3 * 2 + 3 + 4 + 2 * 5, indices[1]: 8 * 100}
    assert found[0, 1].tolist() == [wanted[0], wanted[1], 0, 0]


def two_blocks(graph, other):
    """Put the block of another graph beside that of one; its lines reach both."""
    (lines,), (second,) = graph.inputs, other.blocks
    there = dataclasses.replace(other.inputs[0].axons[0], target_block=1)
    lines = dataclasses.replace(lines, axons=(*lines.axons, there))
    n = len(graph.blocks[0].neurons)
    second = dataclasses.replace(second, name="c", neurons=second.neurons + n)
    parts = (0, np.arange(n)), (1, np.arange(len(second.neurons)))
    return dataclasses.replace(
        graph,
        inputs=(lines,),
        blocks=(*graph.blocks, second),
        probes=(Probe("current", "current", parts),),
    )


def test_scattered_rows_into_several_blocks_are_one():
    here = make_graph([([5, 6], [3, 1]), ([], []), ([7], [2])])
    there = make_graph([([8], [1]), ([9], [0]), ([1, 2], [2, 0])], n=3)
    graph = two_blocks(here, there)
    program = compile_graph(graph)
    assert kinds(program) == [SCATTERED]
    # From slots 1, 16 and 3 on: the second block starts at 16. In the first, 1 and 3
    # have the same sources.
    assert program.slots.tolist() == [0, 1, 3, 2, 16, 17, 18]
    assert program.segments[:3].tolist() == [[0, 4, 1], [4, 8, 16], [8, 12, 3]]
    assert currents(graph) == [
        [0, 6, 0, 5, 0, 8, 0],
        [0, 0, 0, 0, 9, 0, 0],
        [0, 0, 7, 0, 2, 0, 1],
    ]


def test_scattered_rows_stay_apart_where_that_shares_more():
    # Two rows in one block and two in the other, in all four pairs.
    rows = [([1] * 8, [7, 6, 5, 4, 3, 2, 1, 0]), ([2] * 8, [7, 6, 5, 4, 3, 2, 1, 0])]
    here = make_graph(rows, n=8, axons=[0, 0, 1, 1])
    there = make_graph(rows, n=8, axons=[0, 1, 0, 1])
    graph = two_blocks(here, there)
    program = compile_graph(graph)
    assert kinds(program) == [(LANES, 1), (LANES, 1)]
    assert len(program.distances) == 4
    assert currents(graph) == [8 * [a] + 8 * [b] for a in (1, 2) for b in (1, 2)]


def test_scattered_rows_may_be_far_apart():
    n = 2**16
    here = make_graph([([5, 6], [2, 0])], n=n)
    graph = two_blocks(here, make_graph([([7, 8], [2, 0])], n=3))
    assert compile_graph(graph).distances.dtype == np.uint32
    (found,) = np.array(currents(graph))
    assert np.flatnonzero(found).tolist() == [0, 2, n, n + 2]
    assert found[[0, 2, n, n + 2]].tolist() == [6, 5, 8, 7]


def convolution(n_channels=16, n_pixels=3):
    """Let line i reach all channels of pixels i and i + 1; channels come first."""
    pixels = np.arange(n_channels) * n_pixels
    weights = np.arange(1, 2 * n_channels + 1)
    indices = np.concatenate([pixels, pixels + 1])
    return make_graph(
        [(weights, indices)],
        n=n_channels * n_pixels,
        row_of_axon=[0] * (n_pixels - 1),
        bases=list(range(n_pixels - 1)),
    )


def test_channels_of_a_pixel_are_one_pack():
    graph = convolution()
    program = compile_graph(graph)
    assert program.slots[:4].tolist() == [0, 16, 32, 1]
    assert kinds(program) == [(LANES, 1)]
    # Both lines share two packs, from the first pixel on, or from the second.
    assert program.segments[:2].tolist() == [[0, 2, 0], [0, 2, 1]]
    assert program.packed.tolist() == list(range(1, 33))
    assert program.distances.tolist() == [0, 1]
    first = np.zeros((16, 3), int)
    first[:, 0], first[:, 1] = np.arange(1, 17), np.arange(17, 33)
    second = np.roll(first, 1, axis=1)
    assert currents(graph) == [first.ravel().tolist(), second.ravel().tolist()]


def packs(*sizes):
    """Let each line reach all channels of so many pixels; none reaches the last."""
    pixels = np.arange(16 * (max(sizes) + 1)).reshape(16, -1)
    rows = [(np.ones(16 * n, int), pixels[:, :n].ravel()) for n in sizes]
    return make_graph(rows, n=pixels.size)


def test_packs_of_sources_that_have_more_or_fewer_fill_up_to_four():
    graph = packs(3, 5)
    program = compile_graph(graph)
    assert kinds(program) == [(LANES, 4)]
    assert program.segments[:2].tolist() == [[0, 4, 0], [4, 12, 0]]
    assert program.distances.tolist() == [0, 1, 2, 3, *range(5), 5, 6, 7]
    wanted = np.repeat([1, 0, 1, 0], [3 * 16, 16, 5 * 16, 3 * 16])
    assert program.packed.tolist() == wanted.tolist()
    found = np.array(currents(graph)).reshape(2, 16, 6)
    assert np.all(found == [[[1, 1, 1, 0, 0, 0]], [[1, 1, 1, 1, 1, 0]]])


@pytest.mark.parametrize(
    "sizes, at_once",
    [
        # As many everywhere, which is foreseen.
        ([3, 3], 1),
        ([5], 1),
        # 8 in place of 3, which is more than 2.5 times as many; 12 in place of 5.
        ([1, 2], 1),
        ([1, 2, 2], 4),
        # Lines that reach nothing do not count.
        ([3, 0, 3], 1),
        ([0, 2, 3], 4),
    ],
)
def test_packs_fill_up_where_zeros_cost_less_than_to_guess_wrong(sizes, at_once):
    assert kinds(compile_graph(packs(*sizes))) == [(LANES, at_once)]


def draw_rows(rng, kind, n, n_lines):
    """Draw rows of weights that lie as one kind does."""
    where = np.arange(n)
    if kind == "packs":
        rng.shuffle(where)
    for _ in range(n_lines):
        size = rng.integers(0, n + 1)
        if kind == "uniform":
            indices = where
        elif kind == "runs":
            indices = rng.integers(0, n - size + 1) + np.arange(size)
        elif kind == "packs":
            # Whole groups of 20 that all lines have in common.
            groups = np.array_split(where, -(-n // 20))
            some = [g for g in groups if rng.random() < 0.3]
            indices = np.concatenate([where[:0], *some])
        else:
            indices = rng.permutation(n)[:size]
        yield rng.integers(-200, 200, len(indices)), indices


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["uniform", "runs", "packs", "scattered"]),
    n=st.sampled_from([1, 15, 16, 31, 33, 65, 200, 256, 257, 600]),
    n_lines=st.integers(1, 80),
    scale=st.sampled_from([1, 16, 1000]),
)
def test_what_arrives_is_the_sum_of_rows(seed, kind, n, n_lines, scale):
    rng = np.random.default_rng(seed)
    rows = [(scale * w, i) for w, i in draw_rows(rng, kind, n, n_lines)]
    counts, wanted = rng.integers(0, 4, n_lines), np.zeros((2, n), int)
    for count, *both in zip(counts, rows, rows[::-1], strict=True):
        for sums, (weights, indices) in zip(wanted, both, strict=True):
            sums[indices] += count * weights
    lines = np.zeros((1, 2, n_lines), np.int16)
    lines[0, 0] = counts
    graph = two_blocks(make_graph(rows, n=n), make_graph(rows[::-1], n=n))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="population 'b'")
        (found,) = Emulator(graph, on_overflow="warn").run(lines).probes
    # Of an input 21 bits and the sign are left.
    wanted = (wanted.ravel() + 2**21) % 2**22 - 2**21
    np.testing.assert_array_equal(found[0, 1], wanted)


def test_sums_of_narrow_weights_are_wide():
    # Five lines at once, so that more than one loop of the kernel takes part.
    graph = make_graph(5 * [([32767, -32768], [0, 1])])
    lines = np.zeros((1, 2, 5), np.int16)
    lines[0, 0] = 1
    (found,) = Emulator(graph).run(lines).probes
    assert found[0, 1].tolist() == [5 * 32767, -5 * 32768, 0, 0]


def test_weights_that_learn_are_stored_in_32_bits():
    graph = make_graph([([1, 2, 3, 4], [0, 1, 2, 3])])
    synapses = dataclasses.replace(
        graph.blocks[0].synapses[0], learning=Learning(1, 0, 0, 0, 10, 1.0, 1, 1, 1.0)
    )
    block = dataclasses.replace(graph.blocks[0], synapses=(synapses,))
    graph = dataclasses.replace(graph, blocks=(block,))
    assert compile_graph(graph).weights.dtype == np.int32


def test_an_axon_may_reach_65535_compartments_apart():
    n = 2**16 + 1
    graph = make_graph([([5, 6], [1, n - 1])], n=n)
    (found,) = np.array(currents(graph))
    assert np.flatnonzero(found).tolist() == [1, n - 1]
    graph = make_graph([([5, 6], [0, n - 1])], n=n)
    with pytest.raises(EmulateError) as caught:
        compile_graph(graph)
    assert str(caught.value) == (
        "an axon reaches compartments 65,536 apart in one block; at most 65,535 can be "
        "emulated"
    )
