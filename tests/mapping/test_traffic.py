"""What routes carry: by hand for each kind of traffic, and what is refused."""

import re

import numpy as np
import pytest

from nengo_hybrid import emulate
from nengo_hybrid.exceptions import PlacementError
from nengo_hybrid.mapping import place, to_blocks
from nengo_hybrid.mapping.traffic import between_blocks, messages_per_route

# The graph: r of the host to h, then h (3 neurons, block 0) to out (block 1).


@pytest.mark.parametrize(
    "traffic, messages",
    [
        (None, [0, 3]),
        ({"h": 2.5}, [0, 7.5]),
        ({"h": [1, 0, 4], "unused": 9}, [0, 5]),
        ({"h": [0.5, 0, 0, 100]}, [0, 0.5]),
    ],
)
def test_messages_by_hand(graph, loihi1, traffic, messages):
    found = messages_per_route(to_blocks(graph), loihi1, traffic)
    assert found.tolist() == messages


def test_messages_of_a_run(graph, loihi1):
    trace = emulate.run(
        graph,
        place(graph, loihi1),
        {"r": np.full((2, 5, 2), 3)},
        target_sha256=loihi1.sha256,
    )
    sent = trace.populations["h"].spikes.sum()
    assert sent > 0
    found = messages_per_route(to_blocks(graph), loihi1, trace)
    assert found.tolist() == [0, sent]
    assert found.dtype == np.int64


def test_both_directions_add_up_and_the_own_block_does_not_count(blocks):
    graph = blocks(3, [(0, 1, 2), (1, 0, 5), (2, 2, 7), (None, 2, 9), (1, 2, 0)])
    messages = np.array([2, 5, 7, 9, 0])
    between = between_blocks(graph, messages).toarray()
    assert between.tolist() == [[0, 7, 0], [7, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "traffic, message",
    [
        (
            {"out": 1.0},
            "the traffic has no spikes of population 'h'; it has out; give those of "
            "this graph",
        ),
        (
            {"h": [1, 2]},
            "the traffic of population 'h' has shape (2,); needed one number, or one "
            "for each of its 3 neurons",
        ),
        (
            {"h": [1, -2, 0]},
            "the traffic of population 'h' needs finite numbers of at least 0",
        ),
        (
            {"h": np.nan},
            "the traffic of population 'h' needs finite numbers of at least 0",
        ),
        (
            {"h": "often"},
            "the traffic of population 'h' needs finite numbers of at least 0",
        ),
    ],
)
def test_traffic_that_is_refused(graph, loihi1, traffic, message):
    with pytest.raises(PlacementError, match=f"^{re.escape(message)}$"):
        place(graph, loihi1, traffic=traffic)
