"""The command line: ``nengo-hybrid``."""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nengo_hybrid.exceptions import (
    BundleError,
    DivergenceError,
    EmulateError,
    HybridError,
)
from nengo_hybrid.version import version

FAILED, WRONG_INPUT = 1, 2


class Commands(click.Group):
    """Report errors of the package as one line, and pick the exit status."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except HybridError as error:
            if context.params.get("debug"):
                raise
            click.echo(f"nengo-hybrid: {type(error).__name__}: {error}", err=True)
            failed = isinstance(error, (DivergenceError, EmulateError))
            sys.exit(FAILED if failed else WRONG_INPUT)


@contextlib.contextmanager
def quiet_imports():
    """Drop what TensorFlow writes to file 2 as it starts; no setting of it does."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def emulation_bar(quiet):
    """Give what draws the emulation's progress, or None if nothing is to be drawn."""
    if quiet:
        yield None
        return
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("emulate the chip", total=None, visible=False)

        def on_sample(n_done, n_samples):
            bar.update(task, completed=n_done, total=n_samples, visible=True)

        yield on_sample


@click.group(cls=Commands)
@click.version_option(version, prog_name="nengo-hybrid")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """Build, train, deploy and price hybrid-spiking networks for Loihi."""


@main.command()
@click.option(
    "--out",
    default="demo-out",
    show_default=True,
    help="Folder for report.json and report.html.",
)
@click.option("--recipe", default="digits", show_default=True, help="Name or file.")
@click.option("--target", default=None, help="Instead of the recipe's target.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--quiet", is_flag=True, help="No progress bars, no table.")
def demo(out, recipe, target, seed, quiet):
    """Go the whole way on real digits: train, deploy, emulate, estimate."""
    from dataclasses import replace

    from nengo_hybrid.recipe import load_recipe, load_targets

    recipe = load_recipe(recipe)
    if target is not None:
        recipe = replace(recipe, deployment={**recipe.deployment, "target": target})
    load_targets(recipe)
    check_folder(out)
    # Only now, since it takes seconds: NengoLoihi imports TensorFlow if it is there.
    with quiet_imports():
        from nengo_hybrid import pipeline
    from nengo_hybrid.report import render_text

    started = time.monotonic()
    with emulation_bar(quiet) as on_sample:
        content = pipeline.run_recipe(
            recipe, seed=seed, progress=not quiet, on_sample=on_sample
        )
    paths = pipeline.write_report(content, out)
    if not quiet:
        Console().print(render_text(content))
        click.echo(
            f"{time.monotonic() - started:.0f} s; wrote {', '.join(map(str, paths))}"
        )


@main.command()
def doctor():
    """Tell which installed versions fit, and the pip line that mends the others."""
    from nengo_hybrid import compat
    from nengo_hybrid.versions import check_versions

    found, console = check_versions(), Console(markup=False)
    table = Table("package", "installed", "works", "state", "needed for")
    for row in found.rows:
        style = None if row.state == "ok" else "bold red"
        cells = (
            row.package,
            row.installed or "-",
            row.works,
            row.state,
            row.needed_for,
        )
        table.add_row(*cells, style=style)
    console.print(table)
    shims = Table("mended on import", "state", "until")
    for state in compat.states():
        shims.add_row(state.shim.name, state.state, state.shim.goes_when)
    console.print(shims)
    click.echo(found.combination)
    for command in found.mend:
        click.echo(command)
    if not found.runs:
        sys.exit(FAILED)


@main.command()
@click.argument("name", required=False)
def targets(name):
    """List the targets, or print one with the evidence of every number."""
    from nengo_hybrid.targets import load_target, target_names

    console = Console(markup=False)
    if name is None:
        table = Table("target", "kind", "date")
        for known in target_names():
            target = load_target(known)
            table.add_row(known, target.kind, target.date or "")
        console.print(table)
        return
    target = load_target(name)
    table = Table("number", "value", "low", "high", "unit", "evidence", "source")
    for section in ("limits", "formats", "costs", "times", "static"):
        for key, entry in getattr(target, section).items():
            cells = ["unpublished"] + [""] * 5
            if entry is not None:
                cells = [entry.value, entry.low, entry.high, entry.unit]
                cells += [entry.evidence, entry.source]
            table.add_row(f"{section}.{key}", *map(str, cells))
    console.print(table)
    for key, text in target.sources.items():
        console.print(f"{key}: {text}", style="dim")


@main.command()
@click.argument("path")
@click.option("--html", default=None, help="Write the report as a page, too.")
def report(path, html):
    """Show a report.json as tables."""
    from nengo_hybrid.report import load_json, render_text, write_html

    content = load_json(path)
    if html is not None:
        write_html(content, html)
    Console().print(render_text(content))


def check_folder(folder):
    """
    Make a folder for results, and see that it can be written, before work starts.

    Raises
    ------
    BundleError
        If it cannot be made or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BundleError(
            f"results need a folder that can be written, got {str(folder)!r} "
            f"({error.strerror}); name another with --out"
        ) from error
