"""The command ``estimate``: what an inference of a run costs, here and elsewhere."""

import shlex
from pathlib import Path

import click
from rich.console import Console

from nengo_hybrid.cli.files import check_file, check_files, write_figures
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    complete_target,
    json_option,
    quiet_option,
)


@click.command()
@click.argument("bundle", type=click.Path())
@click.option(
    "--target",
    "targets",
    multiple=True,
    shell_complete=complete_target,
    help="To compare with; may be given several times. By default the recipe's.",
)
@json_option
@quiet_option
def estimate(bundle, targets, json_path, quiet):
    """
    Price the run of a deployed network, and the same network elsewhere.

    BUNDLE is what `nengo-hybrid emulate` added a run to; it gets the estimate.

    \b
    nengo-hybrid estimate run/loihi1.zip
    nengo-hybrid estimate run/loihi1.zip --target cortex-m4 --target jetson-tx1
    """
    from nengo_hybrid.bundle import load_deployed, save_deployed
    from nengo_hybrid.targets import load_target

    others = [load_target(name) for name in targets]
    deployed = load_deployed(bundle, needed=("run",))
    check_file("BUNDLE", Path(bundle))
    check_files({"--json": json_path}, {"BUNDLE": bundle})
    from nengo_hybrid import pipeline, results

    if not targets:
        others = pipeline.recipe_comparisons(deployed)
    deployed = pipeline.estimate_run(deployed, others)
    save_deployed(deployed, bundle)
    figures = results.figures(deployed)
    write_figures(figures, json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        show_estimate(figures)
        click.echo(f"wrote {bundle}; next: nengo-hybrid report {shlex.quote(bundle)}")


def show_estimate(figures):
    """Print what an inference costs."""
    from nengo_hybrid.report import render_estimate

    console = Console(markup=False, emoji=False, highlight=False)
    console.print(f"{figures['recipe'] or 'network'} on {figures['target']}\n")
    console.print(render_estimate(figures))
