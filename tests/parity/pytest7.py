"""A pytest plugin: ``pytest.warns(None)`` as pytest 7 had it, to record warnings."""

import contextlib
import warnings

import pytest

warns_in_pytest_8 = pytest.warns


@contextlib.contextmanager
def record_warnings():
    """Yield the list that receives every warning raised in the block."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        yield record


def warns(expected_warning=Warning, *args, **kwargs):
    """Take None for the expected warning too."""
    if expected_warning is None:
        return record_warnings()
    return warns_in_pytest_8(expected_warning, *args, **kwargs)


pytest.warns = warns
