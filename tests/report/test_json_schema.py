"""The JSON Schema of reports takes what the check takes."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nengo_hybrid.exceptions import BundleError
from nengo_hybrid.report.json_schema import json_schema
from nengo_hybrid.report.schema import check_report

fastjsonschema = pytest.importorskip("fastjsonschema")

VALUES = [None, True, 0, 1, 0.5, "a", [], ["a"], [{}], {}, {"a": {"b": 1}}]


@pytest.fixture(scope="module")
def validate():
    return fastjsonschema.compile(json_schema())


def is_taken(check, content):
    """Tell whether a check lets some content through."""
    try:
        check(copy.deepcopy(content))
    except (BundleError, fastjsonschema.JsonSchemaException):
        return False
    return True


def paths(value, place=()):
    """Yield the place of every value in a tree."""
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        if isinstance(item, (dict, list)):
            yield from paths(item, (*place, key))
        else:
            yield (*place, key)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(data=st.data())
def test_a_schema_takes_the_reports_that_are_taken(validate, make_full, data):
    report = check_report(make_full())
    assert is_taken(validate, report)
    *way, key = data.draw(st.sampled_from(list(paths(report))))
    part = report
    for name in way:
        part = part[name]
    value = data.draw(st.sampled_from([*VALUES, "gone"]))
    if value == "gone":
        del part[key]
    else:
        part[key] = value
    # The check puts a schema where there is none; a file has to have it.
    taken = "schema" in report and is_taken(check_report, report)
    assert is_taken(validate, report) == taken, (way, key, value)
