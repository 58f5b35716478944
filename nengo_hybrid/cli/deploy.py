"""The command ``deploy``: from a trained network to what a chip runs."""

import shlex
from pathlib import Path

import click
from rich.console import Console

from nengo_hybrid.cli.files import check_files, write_figures
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    complete_target,
    json_option,
    quiet_option,
    seed_option,
)
from nengo_hybrid.cli.terminal import quiet_imports
from nengo_hybrid.exceptions import BundleError


@click.command()
@click.argument("run", type=click.Path())
@click.option(
    "--target",
    default=None,
    shell_complete=complete_target,
    help="Chip, or the file of its profile; by default the recipe's.",
)
@click.option(
    "--out",
    default=None,
    type=click.Path(),
    help="File to write; by default TARGET.zip beside what was trained.",
)
@click.option(
    "--chip-steps",
    default=None,
    type=click.IntRange(1),
    help="Time steps of Loihi 1 for a step of the network; by default the recipe's.",
)
@seed_option(words="Of the search for a placement.")
@json_option
@quiet_option
def deploy(run, target, out, chip_steps, seed, json_path, quiet):
    """
    Turn a trained network into a chip's integers, and place them.

    RUN is the folder of a training, or a bundle.

    \b
    nengo-hybrid deploy run --target loihi1
    nengo-hybrid deploy examples/psmnist/psmnist-loop.zip --target loihi2
    """
    from nengo_hybrid.bundle import deployed_path, load_bundle, save_deployed
    from nengo_hybrid.recipe import check_chip
    from nengo_hybrid.targets import load_target

    path = trained_file(run)
    bundle = load_bundle(path)
    chip = load_target(target or recipe_target(bundle, path))
    check_chip(chip)
    out = out or str(deployed_path(path, chip))
    check_files({"--out": out, "--json": json_path}, {"RUN": path})
    from nengo_hybrid import pipeline, results

    if pipeline.is_graded(chip):
        if chip_steps is not None:
            raise click.UsageError(
                f"Option '--chip-steps' is for Loihi 1, not for target {chip.name}."
            )
    else:
        with quiet_imports():
            import nengo_hybrid.lower  # noqa: F401
    deployed = pipeline.deploy_bundle(bundle, chip, chip_steps=chip_steps, seed=seed)
    save_deployed(deployed, out)
    figures = results.figures(deployed)
    write_figures(figures, json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        show_deployed(figures)
        click.echo(f"wrote {out}; next: nengo-hybrid emulate {shlex.quote(out)}")


def trained_file(run):
    """Return the bundle of a training, named by its folder or itself."""
    from nengo_hybrid.bundle import TRAINED_NAME

    path = Path(run)
    return path / TRAINED_NAME if path.is_dir() else path


def recipe_target(bundle, path):
    """
    Return the target that a bundle's recipe is for.

    Raises
    ------
    BundleError
        If it is for none.
    """
    deployment = (bundle.about.get("recipe") or {}).get("deployment")
    if not deployment:
        raise BundleError(
            f"the recipe of {path} has no target; name one, such as --target loihi2"
        )
    return deployment["target"]


def show_deployed(figures):
    """Print what a deployed network takes of its target, and what it leaves out."""
    from nengo_hybrid.report import render_deployed

    console = Console(markup=False, emoji=False, highlight=False)
    n = figures["chip_steps"]
    console.print(
        f"{figures['recipe'] or 'network'} on {figures['target']}: {n} time "
        f"step{'' if n == 1 else 's'} of the chip a step of the network\n"
    )
    console.print(render_deployed(figures))
