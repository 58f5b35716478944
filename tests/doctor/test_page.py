"""What docs/doctor.md shows is what its commands print."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_shows_what_its_commands_print():
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs/make_doctor.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    page = make.PAGE.read_text(encoding="utf-8")
    assert len(make.SHOWN.findall(page)) == 3
    assert make.renewed(page) == page
