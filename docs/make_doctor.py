"""
Run the commands that docs/doctor.md shows, and put what they print into it.

    python docs/make_doctor.py
"""

import os
import re
from pathlib import Path

from click.testing import CliRunner

from nengo_hybrid.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "doctor.md"
SHOWN = re.compile(r"```console\n\$ nengo-hybrid (.*?)\n(.*?)```", flags=re.DOTALL)


def printed(arguments):
    """Return what a command prints in 80 columns, without blanks at ends of lines."""
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        done = CliRunner().invoke(main, arguments.split(), env={"COLUMNS": "80"})
    finally:
        os.chdir(before)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def renewed(text):
    """Return a page with what its commands print now."""
    return SHOWN.sub(
        lambda found: f"```console\n$ nengo-hybrid {found[1]}\n{printed(found[1])}```",
        text,
    )


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
