"""The small commands: demo, doctor and report."""

import sys
import time

import click
from rich.console import Console
from rich.table import Table

from nengo_hybrid.cli.files import check_folder
from nengo_hybrid.cli.status import FAILED
from nengo_hybrid.cli.terminal import emulation_bar, quiet_imports


@click.command()
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


@click.command()
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


@click.command()
@click.argument("path")
@click.option("--html", default=None, help="Write the report as a page, too.")
def report(path, html):
    """Show a report.json as tables."""
    from nengo_hybrid.report import load_json, render_text, write_html

    content = load_json(path)
    if html is not None:
        write_html(content, html)
    Console().print(render_text(content))
