"""How a graph is laid out for the kernel, and that what is laid out is delivered."""

import dataclasses

import numpy as np
import pytest

from nengo_hybrid.emulate import Emulator
from nengo_hybrid.emulate.program import (
    RUNS,
    SCATTERED,
    START,
    STOP,
    TARGET,
    UNIFORM,
    compile_graph,
)
from nengo_hybrid.exceptions import EmulateError
from nengo_hybrid.graph import (
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


def test_uniform_runs_and_scattered_by_hand():
    both = [5, 6, 7, 8], [0, 1, 2, 3]
    uniform = make_graph([both, both])
    runs = make_graph([([5, 6], [0, 1]), ([7, 8, 9], [1, 2, 3])])
    scattered = make_graph([([5, 6], [1, 3]), ([7, 8, 9], [1, 2, 3])])
    programs = [compile_graph(graph) for graph in (uniform, runs, scattered)]
    assert [p.kind.tolist() for p in programs] == [[UNIFORM], [RUNS], [SCATTERED]]
    assert [p.segments[:, START].tolist() for p in programs] == [[0, 4], [0, 2], [0, 2]]
    assert [p.segments[:, STOP].tolist() for p in programs] == [[4, 8], [2, 5], [2, 5]]
    assert [p.segments[:, TARGET].tolist() for p in programs] == [
        [0, 0],
        [0, 1],
        [1, 1],
    ]
    assert [p.indices.tolist() for p in programs] == [[], [], [0, 2, 0, 1, 2]]
    assert currents(uniform) == [[5, 6, 7, 8], [5, 6, 7, 8]]
    assert currents(runs) == [[5, 6, 0, 0], [0, 7, 8, 9]]
    assert currents(scattered) == [[0, 5, 0, 6], [0, 7, 8, 9]]


def test_runs_of_one_length_and_other_targets_are_not_uniform():
    graph = make_graph([([5, 6], [0, 1]), ([5, 6], [2, 3])])
    assert compile_graph(graph).kind.tolist() == [RUNS]
    assert currents(graph) == [[5, 6, 0, 0], [0, 0, 5, 6]]


def test_targets_in_falling_order_are_scattered():
    graph = make_graph([([5, 6], [1, 0])])
    assert compile_graph(graph).kind.tolist() == [SCATTERED]
    assert currents(graph) == [[6, 5, 0, 0]]


def test_a_line_without_an_axon_sends_nothing():
    row = [5, 6, 7, 8], [0, 1, 2, 3]
    graph = make_graph([row, row], axons=[1, -1, 0])
    program = compile_graph(graph)
    assert program.kind.tolist() == [RUNS]
    assert program.segments[:, START].tolist() == [4, 0, 0]
    assert program.segments[:, STOP].tolist() == [8, 0, 4]
    assert currents(graph) == [[5, 6, 7, 8], [0, 0, 0, 0], [5, 6, 7, 8]]


def test_shared_rows_are_shifted_and_cut_out_by_their_base():
    graph = make_graph([([5, 6], [0, 1])], row_of_axon=[0, 0, 0], bases=[0, 2, -1])
    program = compile_graph(graph)
    assert program.kind.tolist() == [RUNS]
    assert program.segments[:, START].tolist() == [0, 0, 0]
    assert program.segments[:, STOP].tolist() == [2, 2, 0]
    assert program.segments[:, TARGET].tolist() == [0, 2, 0]
    assert currents(graph) == [[5, 6, 0, 0], [0, 0, 5, 6], [0, 0, 0, 0]]


def test_atoms_pick_among_the_weights_of_an_axon():
    weights, indices = [[5, 6], [7, 8], [9, 10]], 3 * [[1, 2]]
    graph = make_graph([(weights, indices)], axons=[0, 0], atoms=[2, 1])
    program = compile_graph(graph)
    assert program.segments[:, START].tolist() == [4, 2]
    assert program.kind.tolist() == [UNIFORM]
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
        (32767, np.int16),
        (32768, np.int32),
        (-32768, np.int16),
        (-32769, np.int32),
    ],
)
def test_weights_are_stored_in_16_bits_if_they_fit(weight, dtype):
    graph = make_graph([([1, weight], [0, 1])])
    assert compile_graph(graph).weights.dtype == dtype
    assert currents(graph) == [[1, weight, 0, 0]]


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
