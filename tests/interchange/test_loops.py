"""Which projections of a loop are late."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.exceptions import InterchangeError
from nengo_hybrid.interchange.loops import late_projections


@pytest.mark.parametrize(
    "edges, late",
    [
        ([("x", "a"), ("a", "b")], set()),
        ([("x", "a"), ("a", "a")], {1}),
        ([("x", "a"), ("a", "b"), ("b", "a")], {2}),
        # Two layers that excite each other, and one that skips ahead: not in a loop.
        ([("x", "a"), ("a", "b"), ("x", "b"), ("b", "c"), ("c", "b")], {4}),
        # As far from the input as one another.
        ([("x", "a"), ("x", "b"), ("a", "b"), ("b", "a")], {2, 3}),
    ],
)
def test_those_that_lead_back_are_late(edges, late):
    listed = [(pre, post, 0) for pre, post in edges]
    assert late_projections(listed, "x", set("abc")) == late


def test_a_delay_that_is_said_is_enough():
    listed = [("x", "a", 0), ("a", "b", 0), ("b", "a", 3)]
    assert late_projections(listed, "x", set("ab")) == set()


def test_a_loop_needs_neurons():
    listed = [("x", "a", 0), ("a", "b", 0), ("b", "a", 0)]
    words = (
        "nodes 'a', 'b' feed one another with no neurons between; a loop needs "
        "neurons, or a delay"
    )
    with pytest.raises(InterchangeError, match=f"^{re.escape(words)}$"):
        late_projections(listed, "x", set())


names = st.sampled_from("abcde")


@given(st.lists(st.tuples(names, names, st.integers(0, 2)), unique_by=lambda e: e[:2]))
def test_no_loop_is_left(edges):
    edges = [("x", "a", 0), *edges]
    late = late_projections(edges, "x", set("abcde"))
    prompt = {
        (pre, post)
        for i, (pre, post, delay) in enumerate(edges)
        if delay == 0 and i not in late
    }
    while prompt:
        ends = {post for _, post in prompt} - {pre for pre, _ in prompt}
        assert ends, prompt
        prompt = {(pre, post) for pre, post in prompt if post not in ends}
