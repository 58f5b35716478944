"""The small commands: demo and report."""

import time
from pathlib import Path

import click
from rich.console import Console

from nengo_hybrid.cli.emulate import is_bundle
from nengo_hybrid.cli.files import check_files, check_folder, write_text
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    complete_recipe,
    complete_target,
    json_option,
    quiet_option,
    seed_option,
)
from nengo_hybrid.cli.terminal import import_training, sample_bars


def default_recipe(target):
    """Name the demo's recipe: graded spikes may count finer, and are as many."""
    from nengo_hybrid.pipeline import is_graded
    from nengo_hybrid.recipe import check_chip
    from nengo_hybrid.targets import load_target

    if target is None:
        return "digits"
    chip = load_target(target)
    check_chip(chip)
    return "digits-graded" if is_graded(chip) else "digits"


@click.command()
@click.option(
    "--out",
    default="demo-out",
    show_default=True,
    type=click.Path(),
    help="Folder for all that the steps keep, and the report.",
)
@click.option(
    "--recipe",
    default=None,
    shell_complete=complete_recipe,
    help="Name or file; by default digits, or digits-graded for graded spikes.",
)
@click.option(
    "--target",
    default=None,
    shell_complete=complete_target,
    help="Instead of the recipe's target.",
)
@seed_option()
@json_option
@quiet_option
def demo(out, recipe, target, seed, json_path, quiet):
    """
    Go the whole way on real digits: train, deploy, emulate, estimate, report.

    The folder is then as these commands leave it, and they go on from it.

    \b
    nengo-hybrid demo --target loihi2 --out results
    nengo-hybrid estimate results/loihi2.zip --target cortex-m4
    """
    from dataclasses import replace

    from nengo_hybrid.bundle import TRAINED_NAME, deployed_path
    from nengo_hybrid.recipe import CHIP_STEPS, load_recipe, load_targets

    recipe = load_recipe(recipe or default_recipe(target))
    if target is not None:
        deployment = recipe.deployment or {"chip_steps": CHIP_STEPS}
        recipe = replace(recipe, deployment={**deployment, "target": target})
    chip, _ = load_targets(recipe)
    check_folder(out)
    deployed = deployed_path(TRAINED_NAME, chip).name
    made = TRAINED_NAME, deployed, "report.json", "report.html"
    ours = {f"the demo's {name}": Path(out, name) for name in made}
    check_files({"--json": json_path}, ours)
    # Only now, since it takes seconds.
    import_training()
    from nengo_hybrid import pipeline
    from nengo_hybrid.report import render_text, to_json

    started = time.monotonic()
    with sample_bars(quiet, "emulate the chip") as (on_sample,):
        content = pipeline.run_recipe(
            recipe, out, seed=seed, progress=not quiet, on_sample=on_sample
        )
    pipeline.write_report(content, out)
    write_text(to_json(content), json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        Console().print(render_text(content))
        *others, last = made
        click.echo(
            f"{time.monotonic() - started:.0f} s; wrote {', '.join(others)} and {last} "
            f"into {out}"
        )


@click.command()
@click.argument("file", type=click.Path())
@click.option(
    "--html", default=None, type=click.Path(), help="Page to write the report to."
)
@json_option
@quiet_option
def report(file, html, json_path, quiet):
    """
    Show all that is known of a deployed network as tables, or as a page.

    FILE is what `nengo-hybrid estimate` added an estimate to, or a report.json.

    \b
    nengo-hybrid report run/loihi1.zip --html page.html --json report.json
    nengo-hybrid report run/report.json
    """
    from nengo_hybrid.report import render_text, to_json, write_html

    content = load_report(file)
    check_files({"--html": html, "--json": json_path}, {"FILE": file})
    if html is not None:
        write_html(content, html)
    write_text(to_json(content), json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        Console().print(render_text(content))


def load_report(file):
    """Return the report that a file has or is."""
    if not is_bundle(file):
        from nengo_hybrid.report import load_json

        return load_json(file)
    from nengo_hybrid import pipeline
    from nengo_hybrid.bundle import load_deployed

    return pipeline.make_report(load_deployed(file, needed=("run", "estimate")))
