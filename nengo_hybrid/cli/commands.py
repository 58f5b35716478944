"""The small commands: demo and report."""

import time

import click
from rich.console import Console

from nengo_hybrid.cli.files import check_folder
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
@click.argument("path")
@click.option("--html", default=None, help="Write the report as a page, too.")
def report(path, html):
    """Show a report.json as tables."""
    from nengo_hybrid.report import load_json, render_text, write_html

    content = load_json(path)
    if html is not None:
        write_html(content, html)
    Console().print(render_text(content))
