"""Hops and crossings by hand, and the laws that they keep."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.estimate import count_ops
from nengo_hybrid.mapping import hop_cost, place
from nengo_hybrid.mapping.cost import HopCost, tile_distance
from nengo_hybrid.placement import Placement
from nengo_hybrid.trace import PopulationTrace, Trace


def move(placement, chips, cores):
    """Put the blocks elsewhere."""
    blocks = [
        dataclasses.replace(block, chip=int(chip), core=int(core))
        for block, chip, core in zip(placement.blocks, chips, cores, strict=True)
    ]
    return Placement(placement.target, tuple(blocks), placement.routes)


def run_of(spikes):
    """Trace one sample in which neurons of population p spike."""
    none = np.zeros(spikes.shape[:2], dtype=int)
    population = PopulationTrace(True, spikes, none, none, np.ones(spikes.shape[2]))
    injected = PopulationTrace(False, spikes[..., :1], none, none, np.ones(1))
    return Trace(
        backend="emulator",
        target="loihi1",
        target_sha256="",
        graph_sha256="",
        seed=0,
        n_samples=spikes.shape[0],
        n_steps=spikes.shape[1],
        n_input_steps=spikes.shape[1],
        output="p",
        populations={"p": population, "x": injected},
    )


def test_cost_by_hand(blocks, loihi1):
    # Tiles have 4 cores, rows 8 tiles. Core 0 is at column 0 and row 0, core 8 at
    # column 2, core 37 at column 1 and row 1; block 3 is on another chip.
    ways = [(0, 1, 5), (1, 2, 7), (2, 2, 9), (0, 3, 11), (3, 1, 1), (None, 1, 13)]
    placement = move(place(blocks(4, ways), loihi1), [0, 0, 0, 1], [0, 8, 37, 0])
    found = hop_cost(placement, loihi1)
    east_west, north_south = 5 * 2 + 7 * 1, 7 * 1
    energy = pytest.approx(east_west * 3e-12 + north_south * 4e-12, rel=1e-12)
    assert found == HopCost(11 + 1, east_west, north_south, energy)


def test_a_target_without_prices_still_has_hops(blocks, small):
    target = small(4, 1, 2)
    free = dataclasses.replace(target, costs={**target.costs, "hop_east_west": None})
    placement = move(place(blocks(2, [(0, 1, 5)]), free), [0, 0], [0, 3])
    assert hop_cost(placement, free) == HopCost(0, 5, 5, None)
    assert tile_distance(free)[0].tolist() == [0, 1, 1, 2]
    assert tile_distance(target)[0] == pytest.approx([0, 3e-12, 4e-12, 7e-12])


@st.composite
def placements(draw, blocks, target):
    """Draw blocks on any cores of two chips, ways between them, and a run."""
    n = draw(st.integers(1, 8))
    end = st.integers(0, n - 1)
    ways = st.tuples(st.none() | end, end, st.integers(0, 3))
    graph = blocks(n, draw(st.lists(ways, max_size=12)))
    chips = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    cores = draw(st.lists(st.integers(0, 127), min_size=n, max_size=n))
    spikes = draw(st.lists(st.integers(0, 1), min_size=6 * n, max_size=6 * n))
    spikes = np.array(spikes).reshape(2, 3, n)
    return move(place(graph, target), chips, cores), run_of(spikes)


@given(data=st.data())
def test_cost_of_a_run_is_what_is_counted(data, blocks, loihi1):
    placement, trace = data.draw(placements(blocks, loihi1))
    counts = count_ops(placement, trace, loihi1)
    cost = hop_cost(placement, loihi1, traffic=trace)
    assert cost.crossings == counts.chip_crossings
    assert cost.hops_east_west == counts.spike_hops_east_west
    assert cost.hops_north_south == counts.spike_hops_north_south
    assert {type(cost.crossings), type(cost.hops_east_west)} == {int}


@given(data=st.data(), vertical=st.booleans())
def test_a_mirrored_mesh_costs_the_same(data, vertical, blocks, loihi1):
    placement, trace = data.draw(placements(blocks, loihi1))
    tile, slot = np.divmod([b.core for b in placement.blocks], 4)
    row, column = np.divmod(tile, 8)
    row, column = (3 - row, column) if vertical else (row, 7 - column)
    chips = [b.chip for b in placement.blocks]
    mirrored = move(placement, chips, (row * 8 + column) * 4 + slot)
    one, other = (hop_cost(p, loihi1, traffic=trace) for p in (placement, mirrored))
    assert one == other
