"""Placing blocks on cores: utilization and routes by hand, and every breach."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid import emulate
from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.graphs import Population, Projection, SpikingGraph, digest
from nengo_hybrid.lower import to_loihi
from nengo_hybrid.mapping import hop_cost, place, to_blocks
from nengo_hybrid.placement import Utilization


def test_every_block_has_a_core_of_its_own_in_order(graph, loihi1):
    placement = place(graph, loihi1)
    assert placement.target == "loihi1"
    found = [(b.name, b.population, b.chip, b.core) for b in placement.blocks]
    assert found == [("h", "h", 0, 0), ("out", "out", 0, 1)]
    assert [b.neurons.tolist() for b in placement.blocks] == [[0, 1, 2], [0, 1]]
    assert (placement.n_chips, placement.n_cores) == (1, 2)


def test_a_full_chip_is_followed_by_another(graph, loihi1, with_limits):
    placement = place(graph, with_limits(loihi1, cores_per_chip=1))
    assert [(b.chip, b.core) for b in placement.blocks] == [(0, 0), (1, 0)]
    assert (placement.n_chips, placement.n_cores) == (2, 2)


def test_utilization_by_hand(graph, loihi1):
    # h: 3 compartments behind 4 lines (a sign each), 3 axons out. A line's 3 weights
    # of 8 bits and 10 bits of header fill one word of 64 bits. out: 3 axons in, each
    # 2 weights and so a word.
    h, out = (block.utilization for block in place(graph, loihi1).blocks)
    assert h == Utilization((3, 1024), (4, 4096), (3, 4096), (4 * 64, 1048576))
    assert out == Utilization((2, 1024), (3, 4096), (0, 4096), (3 * 64, 1048576))


def test_synapse_bits_of_a_long_row_by_hand(loihi1, make_graph):
    # 100 weights in parts of at most 64: 64 * 8 + 10 and 36 * 8 + 10 bits, which are
    # 9 and 5 words of 64 bits, four times. out has 100 rows of one word.
    placement = place(make_graph(100), loihi1)
    bits = [block.utilization.synapse_bits[0] for block in placement.blocks]
    assert bits == [4 * (9 + 5) * 64, 100 * 64]
    assert placement.worst_core() == {
        "compartments": 100 / 1024,
        "input_axons": 100 / 4096,
        "output_axons": 100 / 4096,
        "synapse_bits": 100 * 64 / 1048576,
    }


def test_routes_by_hand(graph, loihi1):
    injected, inner = place(graph, loihi1).routes
    assert (injected.population, injected.source, injected.target) == ("r", None, 0)
    assert injected.neurons.tolist() == [0, 1]
    assert injected.messages.tolist() == [1, 1]
    assert injected.synapses.tolist() == [3, 3]
    assert (inner.population, inner.source, inner.target) == ("h", 0, 1)
    assert inner.neurons.tolist() == [0, 1, 2]
    assert inner.messages.tolist() == [1, 1, 1]
    assert inner.synapses.tolist() == [2, 2, 2]


def test_one_line_a_neuron_costs_half_the_synapses(loihi1, make_graph):
    # A sigmoid is never negative.
    block = place(make_graph(activation="Sigmoid"), loihi1).blocks[0]
    assert block.utilization.input_axons == (2, 4096)
    assert block.utilization.synapse_bits == (2 * 64, 1048576)


def test_routes_of_a_split_population(loihi1, make_graph):
    # 1500 neurons on two cores of 750: from the host a message and 750 synapses to
    # each, and from each a message and 2 synapses to the output.
    placement = place(make_graph(1500), loihi1)
    assert [b.neurons[[0, -1]].tolist() for b in placement.blocks[:2]] == [
        [0, 749],
        [750, 1499],
    ]
    found = [(r.population, r.source, r.target) for r in placement.routes]
    assert found == [("r", None, 0), ("r", None, 1), ("h", 0, 2), ("h", 1, 2)]
    assert [set(r.synapses.tolist()) for r in placement.routes] == [
        {750},
        {750},
        {2},
        {2},
    ]
    assert all(set(r.messages.tolist()) == {1} for r in placement.routes)
    assert placement.routes[3].neurons.tolist() == list(range(750, 1500))


def test_neurons_without_an_axon_send_nothing(graph, loihi1):
    block = graph.blocks[0]
    axons = dataclasses.replace(block.axons[0], axon_of_neuron=np.array([0, -1, 2]))
    block = dataclasses.replace(block, axons=(axons,))
    graph = dataclasses.replace(graph, blocks=(block, graph.blocks[1]))
    inner = place(graph, loihi1).routes[1]
    assert inner.messages.tolist() == [1, 0, 1]
    assert inner.synapses.tolist() == [2, 0, 2]


def test_placing_twice_gives_the_same(loihi1, make_graph):
    one, other = (place(make_graph(), loihi1) for _ in range(2))
    assert digest(one) == digest(other)
    assert digest(one) != digest(place(make_graph(4), loihi1))


def test_every_breach_is_named(graph, loihi1, with_limits):
    target = with_limits(
        loihi1,
        compartments_per_core=2,
        input_axons_per_core=3,
        output_axons_per_core=2,
        synapse_memory_per_core=191,
    )
    message = (
        "block 'h' needs 3 compartments on one core, which has 2; "
        "block 'h' needs 4 input axons on one core, which has 3; "
        "block 'h' needs 3 output axons on one core, which has 2; "
        "block 'h' needs 256 synapse bits on one core, which has 191; "
        "block 'out' needs 192 synapse bits on one core, which has 191; "
        "limits of target 'loihi1'. Try smaller ensembles or fewer inputs per core."
    )
    with pytest.raises(PlacementError, match=f"^{re.escape(message)}$"):
        place(graph, target)


def test_a_limit_may_be_used_up(graph, loihi1, with_limits):
    target = with_limits(
        loihi1,
        compartments_per_core=3,
        input_axons_per_core=4,
        output_axons_per_core=3,
        synapse_memory_per_core=256,
    )
    assert set(place(graph, target).worst_core().values()) == {1.0}


def test_more_inputs_than_a_core_has_axons(loihi1, hybrid):
    # NengoLoihi splits by compartments; every part still has all 5,000 axons.
    n = 5000
    graph = SpikingGraph(
        dt=1.0,
        populations=(Population("x", 1, "input"), hybrid("r", n), hybrid("out", 2)),
        projections=(
            Projection("x_to_r", "x", "r", np.ones((n, 1))),
            Projection("r_to_out", "r", "out", np.ones((2, n))),
        ),
        output="out",
    )
    message = (
        "block 'out[0:1]' needs 5000 input axons on one core, which has 4096; "
        "block 'out[1:2]' needs 5000 input axons on one core, which has 4096; "
        "limits of target 'loihi1'. Try smaller ensembles or fewer inputs per core."
    )
    with pytest.raises(PlacementError, match=f"^{re.escape(message)}$"):
        place(to_loihi(graph), loihi1)


@pytest.mark.parametrize("name", ["cores_per_chip", "synapse_memory_per_core"])
def test_a_limit_that_nobody_published(graph, loihi1, name, with_limits):
    message = (
        f"target 'loihi1' has null for limits.{name}; a network cannot be placed "
        "without it"
    )
    with pytest.raises(PlacementError, match=f"^{re.escape(message)}$"):
        place(graph, with_limits(loihi1, **{name: None}))


def test_a_ring_of_tiles_by_hand(blocks, small):
    # Tiles of one core in two rows of three: 0 1 2 / 3 4 5. In order, ring messages
    # take 1 + 1 + (2 + a row) + 1 + 1 + (2 + a row) hops; around the mesh, a hop each.
    target = small(6, 1, 3)
    graph = blocks(6, [(i, (i + 1) % 6, 10) for i in range(6)])
    placement = place(graph, target)
    cost = hop_cost(placement, target)
    assert (cost.hops_east_west, cost.hops_north_south) == (4 * 10, 2 * 10)
    around = [0, 1, 2, 5, 4, 3]
    steps = np.diff([around.index(b.core) for b in placement.blocks]) % 6
    assert set(steps.tolist()) in ({1}, {5})


def test_what_talks_shares_a_chip_and_a_tile(blocks, small):
    # Two chips of two tiles of two cores; 0 and 7, 1 and 6, ... talk.
    graph = blocks(8, [(i, 7 - i, 1) for i in range(8)])
    placement = place(graph, small(4, 2, 2))
    pairs = [(placement.blocks[i], placement.blocks[7 - i]) for i in range(4)]
    assert all((a.chip, a.core // 2) == (b.chip, b.core // 2) for a, b in pairs)
    assert placement.n_chips == 2


def test_measured_traffic_moves_what_spikes(blocks, small):
    # Block 0 talks to 1 and 3; only neuron 0 spikes, and its way to 3 is the busy one.
    graph = blocks(4, [(0, 1, 1), (0, 3, 5), (1, 2, 9)])
    target = small(2, 1, 2)
    silent = place(graph, target, traffic={"p": [1, 0, 0, 0]})
    assert silent.blocks[0].chip == silent.blocks[3].chip
    equal = place(graph, target)
    assert equal.blocks[1].chip == equal.blocks[2].chip
    assert place(graph, target, traffic={"p": 0}) == place_in_order(graph, target)


def place_in_order(graph, target):
    """Place blocks that have no reason to move."""
    return dataclasses.replace(
        place(dataclasses.replace(graph, routes=()), target), routes=graph.routes
    )


@st.composite
def cases(draw, blocks, small):
    """Draw a graph of blocks, a mesh that it needs up to three chips of, and rates."""
    per_chip = draw(st.integers(3, 9))
    n = draw(st.integers(1, 3 * per_chip))
    end = st.integers(0, n - 1)
    ways = st.tuples(st.none() | end, end, st.integers(0, 3))
    graph = blocks(n, draw(st.lists(ways, max_size=40)))
    target = small(per_chip, draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    rates = st.lists(st.floats(0, 100), min_size=n, max_size=n)
    traffic = draw(st.none() | rates.map(lambda r: {"p": r}))
    return graph, target, traffic


@settings(max_examples=50)
@given(data=st.data(), seed=st.integers(0, 3))
def test_laws_of_a_placement(data, seed, blocks, small):
    graph, target, traffic = data.draw(cases(blocks, small))
    placement = place(graph, target, traffic=traffic, seed=seed)
    per_chip, per_tile = (target.limit(f"cores_per_{x}") for x in ("chip", "tile"))
    at = [(b.chip, b.core) for b in placement.blocks]
    assert [b.name for b in placement.blocks] == [b.name for b in graph.blocks]
    assert len(set(at)) == len(at)
    assert all(0 <= core < per_chip for _, core in at)
    assert {chip for chip, _ in at} == set(range(-(-len(at) // per_chip)))
    for chip in range(placement.n_chips):
        cores = [core for c, core in at if c == chip]
        tiles = {core // per_tile for core in cores}
        assert len(tiles) == -(-len(cores) // per_tile)
    again = place(graph, target, traffic=traffic, seed=seed)
    assert [(b.chip, b.core) for b in again.blocks] == at
    cost, start = (
        hop_cost(p, target, traffic=traffic)
        for p in (placement, place_in_order(graph, target))
    )
    margin = 1 + 1e-9
    assert cost.crossings <= start.crossings * margin
    if cost.crossings > start.crossings / margin:
        assert cost.energy_j <= start.energy_j * margin


def test_cores_do_not_change_spikes(make_graph, loihi1, with_limits):
    graph = make_graph(1500)  # on two cores, and the output on a third
    target = with_limits(loihi1, cores_per_tile=1)
    counts = {"r": np.random.default_rng(0).integers(-3, 4, (2, 8, 2))}
    placements = [place_in_order_of(graph, target), place(graph, target)]
    assert len({tuple(b.core for b in p.blocks) for p in placements}) == 2
    one, other = (
        emulate.run(graph, p, counts, target_sha256=target.sha256) for p in placements
    )
    assert digest(one) == digest(other)
    assert one.populations["h"].spikes.any()


def place_in_order_of(graph, target):
    return place_in_order(to_blocks(graph), target)


@pytest.mark.parametrize(
    "n_chips, message",
    [
        (
            None,
            "9 blocks need a core each, on 5 chips of 2 cores; the board has 4 (no "
            "board has as many); limits of target 'loihi1'.",
        ),
        (
            3,
            "9 blocks need a core each, on 5 chips of 2 cores; the board has 3 (no "
            "board has as many); limits of target 'loihi1'.",
        ),
    ],
)
def test_a_board_that_does_not_suffice(blocks, small, n_chips, message):
    target = small(2, 1, 2, chips_per_board=(1, 4))
    with pytest.raises(PlacementError, match=f"^{re.escape(message)}$"):
        place(blocks(9, []), target, n_chips=n_chips)


def test_a_larger_board_is_named_with_all_other_breaches(graph, loihi1, with_limits):
    target = with_limits(loihi1, cores_per_chip=1, compartments_per_core=2)
    message = (
        "block 'h' needs 3 compartments on one core, which has 2; "
        "2 blocks need a core each, on 2 chips of 1 cores; the board has 1 (take a "
        "board of 2); limits of target 'loihi1'. Try smaller ensembles or fewer inputs "
        "per core."
    )
    with pytest.raises(PlacementError, match=f"^{re.escape(message)}$"):
        place(graph, target, n_chips=1)


def test_a_target_of_unknown_boards_has_no_limit(blocks, small):
    target = small(2, 1, 2, chips_per_board=None)
    assert place(blocks(9, []), target).n_chips == 5


def test_blocks_on_one_core_add_up(graph, loihi1):
    placement = place(graph, loihi1)
    first, second = placement.blocks
    assert list(placement.cores()) == [(0, 0), (0, 1)]
    shared = dataclasses.replace(
        placement, blocks=(first, dataclasses.replace(second, core=0))
    )
    assert shared.cores() == {
        (0, 0): Utilization((5, 1024), (7, 4096), (3, 4096), (7 * 64, 1048576))
    }
    assert shared.worst_core()["input_axons"] == 7 / 4096
