"""The command ``bench``: a benchmark of the checkout, in a process of its own."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import click

from nengo_hybrid.cli.files import check_files
from nengo_hybrid.cli.status import FAILED
from nengo_hybrid.exceptions import HybridError
from nengo_hybrid.version import version

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    default=None,
    type=click.Path(),
    help="File to write the figures to.",
)
@click.option("--quick", is_flag=True, help="Small and rough.")
@click.option("--quiet", is_flag=True, help="No tables.")
def bench(name, json_path, quick, quiet):
    """
    Measure against named peers; only in a source checkout.

    NAME is emulate, train, estimate, mapping or doctor, or another program of the
    folder benchmarks, with such options as it has.

    \b
    nengo-hybrid bench emulate --json figures.json
    """
    script = find_benchmark(name)
    check_files({"--json": json_path}, {})
    options = [] if json_path is None else ["--json", json_path]
    options += ["--quick"] if quick else []
    # So that it measures this checkout, installed or not.
    paths = [str(BENCHMARKS.parent), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, str(script), *options]
    out = subprocess.DEVNULL if quiet else None
    done = subprocess.run(command, env=environment, stdout=out, check=False)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else FAILED)


def find_benchmark(name):
    """
    Find a benchmark of the checkout by its name.

    Raises
    ------
    HybridError
        If this is no checkout, or there is none of the name.
    """
    if not (BENCHMARKS.parent / "setup.py").is_file() or not BENCHMARKS.is_dir():
        raise HybridError(
            f"benchmarks come with the source of nengo-hybrid {version} only, and "
            f"'{BENCHMARKS.parent}' has none; get the source (its git repository), and "
            "run `pip install -e .` there"
        )
    known = {}
    for path in sorted(BENCHMARKS.glob("*.py")):
        parts = ast.parse(path.read_text(encoding="utf-8")).body
        if any(isinstance(p, ast.FunctionDef) and p.name == "main" for p in parts):
            known[path.stem] = path
    if name not in known:
        raise HybridError(
            f"benchmark {name!r} is unknown; needed one of {', '.join(known) or 'none'}"
        )
    return known[name]
