"""The digest of values: the same for equal content alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nengo_hybrid.graphs import Population, Projection, SpikingGraph, digest


def make_graph(**changes):
    """Return a graph of an input and three neurons."""
    fields = {
        "dt": 1.0,
        "populations": (
            Population("x", 2, "input"),
            Population("h", 3, "RectifiedLinear", omega=2.0, bias=np.zeros(3)),
        ),
        "projections": (Projection("w", "x", "h", np.arange(6.0).reshape(3, 2)),),
        "output": "h",
    }
    return SpikingGraph(**{**fields, **changes})


def test_digest_of_equal_content_is_equal():
    assert digest(make_graph()) == digest(make_graph())
    assert len(digest(make_graph())) == 64


def test_digest_of_known_content():
    # Must never change: bundles carry it. sha256 of "sequence 2int 1str 'a'".
    known = "5f86dffce751aaec301bb3fc0144f5b00da43cf3e962c0def82ec2eaf6429386"
    assert digest((1, "a")) == known


@pytest.mark.parametrize(
    "changed",
    [
        make_graph(dt=0.5),
        make_graph(output="x"),
        make_graph(projections=()),
        make_graph(
            projections=(
                Projection("w", "x", "h", np.arange(6.0).reshape(3, 2), delay=1),
            )
        ),
        make_graph(
            projections=(Projection("w", "x", "h", np.arange(6).reshape(3, 2) + 1e-15),)
        ),
        make_graph(
            projections=(
                Projection("w", "x", "h", np.arange(6.0, dtype="f4").reshape(3, 2)),
            )
        ),
    ],
)
def test_digest_sees_every_field(changed):
    assert digest(changed) != digest(make_graph())


def test_digest_does_not_depend_on_the_layout_in_memory():
    array = np.arange(6.0).reshape(2, 3)
    assert digest(np.asfortranarray(array)) == digest(array)
    assert digest(np.arange(12.0).reshape(2, 6)[:, ::2]) == digest(
        np.array([[0.0, 2, 4], [6, 8, 10]])
    )
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_digest_does_not_depend_on_numpys_way_to_print_numbers():
    assert digest(np.float64(0.1)) == digest(0.1)
    assert digest(np.int64(3)) == digest(3)
    assert digest(np.bool_(True)) == digest(True)


@pytest.mark.parametrize(
    "one, other",
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}, "c": 2}),
        (((1,), 2), ((1, 2),)),
        (("a", "b"), ("a'b",)),
        ((1, 23), (12, 3)),
        (1, True),
        (1, "1"),
        (None, "None"),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(1), np.zeros((1, 1))),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
    ],
)
def test_digest_tells_apart_what_is_nested_otherwise(one, other):
    assert digest(one) != digest(other)


trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abk 12'", max_size=5),
    lambda inner: (
        st.tuples(inner, inner)
        | st.tuples(inner)
        | st.dictionaries(st.text("ab ky'", max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def typed(value):
    """Return a value in which 1 and True differ."""
    if isinstance(value, dict):
        return ("dict", {key: typed(item) for key, item in value.items()})
    if isinstance(value, tuple):
        return ("tuple", tuple(map(typed, value)))
    return (type(value).__name__, value)


@given(trees, trees)
def test_digests_are_equal_only_for_equal_trees(one, other):
    assert (digest(one) == digest(other)) == (typed(one) == typed(other))
