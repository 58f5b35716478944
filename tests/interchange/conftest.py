"""Where other people's networks are, if they are."""

import os
import pathlib

import pytest


@pytest.fixture
def reference():
    """Return the folder of other people's files, beside that of the data sets."""
    folder = os.environ.get("NENGO_HYBRID_DATA")
    found = pathlib.Path(folder or ".").parent / "reference" / "data"
    if not folder or not found.is_dir():
        pytest.skip("no folder reference/data beside the one NENGO_HYBRID_DATA names")
    return found
