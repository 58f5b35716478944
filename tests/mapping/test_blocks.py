"""A graph block by block: needs by hand, and the same placement either way."""

from nengo_hybrid.graphs import BlockNeeds, digest
from nengo_hybrid.mapping import place, to_blocks, utilization
from nengo_hybrid.placement import Utilization


def test_needs_by_hand(graph):
    # As in test_utilization_by_hand.
    h, out = to_blocks(graph).blocks
    assert [h.neurons.tolist(), out.neurons.tolist()] == [[0, 1, 2], [0, 1]]
    assert (h.compartments, h.input_axons, h.output_axons) == (3, 4, 3)
    assert h.synapse_bits == 4 * 64
    assert (out.compartments, out.input_axons, out.output_axons) == (2, 3, 0)
    assert out.synapse_bits == 3 * 64


def test_blocks_are_placed_as_their_graph_is(graph, loihi1):
    blocks = to_blocks(graph)
    assert digest(place(blocks, loihi1)) == digest(place(graph, loihi1))
    assert to_blocks(blocks) is blocks


def test_utilization_of_needs(loihi1):
    block = BlockNeeds("b", "p", range(5), 5, 6, 7, 8)
    assert utilization(block, loihi1) == Utilization(
        (5, 1024), (6, 4096), (7, 4096), (8, 1048576)
    )
