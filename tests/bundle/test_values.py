"""Values as JSON and arrays: back they are the same, and nothing else is made."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nengo_hybrid.bundle.values import put_together, take_apart
from nengo_hybrid.graphs import digest


@dataclass(frozen=True)
class Part:
    name: str
    size: float | None
    values: np.ndarray
    is_whole: bool = False


ARRAYS = hnp.arrays(
    st.sampled_from(["?", "<i1", "<i4", "<i8", "<u2", "<f4", "<f8"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
PARTS = st.builds(
    Part, st.text(), st.none() | st.floats() | st.integers(), ARRAYS, st.booleans()
)
VALUES = st.recursive(
    PLAIN | ARRAYS | PARTS,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=12,
)


def through_json(value):
    plain, arrays = take_apart(value)
    return put_together(json.loads(json.dumps(plain)), arrays, [Part])


@settings(deadline=None, max_examples=100, derandomize=True)
@given(VALUES)
def test_what_comes_back_is_the_same(value):
    found = through_json(value)
    assert digest(found) == digest(value)
    assert type(found) is type(value)


def test_arrays_of_a_type_lie_behind_one_another():
    value = {"a": np.array([[1, 2]], np.int8), "b": np.array(3.0), "c": np.int8([4])}
    plain, arrays = take_apart(value)
    assert plain["dict"]["c"] == {"array": ["i1", 2, [1]]}
    assert {k: v.tolist() for k, v in arrays.items()} == {"i1": [1, 2, 4], "f8": [3.0]}


def test_an_array_can_be_written():
    # Compiled code tells arrays that cannot be written apart.
    assert through_json(np.arange(3)).flags.writeable


def part(**changes):
    plain, arrays = take_apart(Part("a", 1.0, np.arange(2)))
    return {"type": "Part", "fields": {**plain["fields"], **changes}}, arrays


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"name": 3}, "Part.name is of type int"),
        ({"size": True}, "Part.size is of type bool"),
        ({"size": "1"}, "Part.size is of type str"),
        ({"values": [1]}, "Part.values is of type list"),
        ({"is_whole": 1}, "Part.is_whole is of type int"),
        (
            {"more": 1},
            "Part has an unknown field 'more', as if it were of another version",
        ),
        ({"name": {"type": "object", "fields": {}}}, "unknown type 'object'"),
        ({"name": {"odd": 1}}, "a value of keys odd"),
        ({"values": {"array": ["i8", 1, [2]]}}, "beyond the 2 values"),
        ({"values": {"array": ["i8", -1, [1]]}}, "beyond the 2 values"),
        ({"values": {"array": ["i8", 0, [-1, -2]]}}, "beyond the 2 values"),
        ({"values": {"array": ["i8", 0, [2**62, 2**62]]}}, "beyond the 2 values"),
    ],
)
def test_what_is_not_of_its_type_is_refused(changes, words):
    plain, arrays = part(**changes)
    with pytest.raises(ValueError, match=words):
        put_together(plain, arrays, [Part])


def test_an_array_of_another_type_is_refused():
    plain, arrays = part()
    arrays["i8"] = arrays["i8"].astype(float)
    with pytest.raises(ValueError, match="^the array i8 is of type float64$"):
        put_together(plain, arrays, [Part])


def test_a_missing_field_is_refused_unless_it_has_a_default():
    plain, arrays = part()
    del plain["fields"]["is_whole"]
    assert put_together(plain, arrays, [Part]).is_whole is False
    del plain["fields"]["name"]
    message = "^Part lacks the field 'name', as if it were of another version$"
    with pytest.raises(ValueError, match=message):
        put_together(plain, arrays, [Part])


def test_other_objects_are_not_written():
    with pytest.raises(TypeError, match="^a bundle holds no object$"):
        take_apart({"a": object()})
