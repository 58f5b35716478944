"""The command ``emulate``: a deployed network, or a network of a Python file."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console

from nengo_hybrid.cli.files import check_file, check_files, write_figures
from nengo_hybrid.cli.network import run_network
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    json_option,
    quiet_option,
    seed_option,
)
from nengo_hybrid.cli.terminal import sample_bars
from nengo_hybrid.exceptions import DataError

TITLES = ("emulate the chip", "run in floats")
# Samples at once, so that a bar moves and Ctrl-C is heard.
AT_ONCE = 256
# What only one of the two has.
OF_A_BUNDLE = ("samples", "batch_size")
OF_A_NETWORK = (
    *("seconds", "minibatch_size", "data", "on_overflow", "out", "counts_only"),
)


@click.command()
@click.argument("file", metavar="FILE", type=click.Path())
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=None,
    help="Bundle: how many of the test set; by default all.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=AT_ONCE,
    show_default=True,
    help="Bundle: samples at once, at most.",
)
@click.option(
    "--time", "seconds", type=float, default=None, help="Network: to run, in s."
)
@click.option(
    "--minibatch-size", type=int, default=None, help="Network: samples at once."
)
@seed_option(
    default=None,
    words="Bundle: of initial voltages, the training's by default. Network: of noise "
    "and processes, by default the network's plus 1.",
)
@click.option(
    "--data",
    default=None,
    type=click.Path(),
    help="Network: .npz; by node label, what nodes give.",
)
@click.option(
    "--on-overflow",
    type=click.Choice(["warn", "raise"]),
    default="warn",
    show_default=True,
    help="Network: when a register of the chip overflows.",
)
@click.option(
    "--out",
    default=None,
    type=click.Path(),
    help="Network: .npz to write what probes recorded to.",
)
@click.option(
    "--counts-only", is_flag=True, help="Network: of chip probes, only the sums."
)
@json_option
@quiet_option
def emulate(file, samples, batch_size, seed, json_path, quiet, **options):
    """
    Run a network as the chip would, bit for bit.

    FILE is a bundle that `nengo-hybrid deploy` wrote, whose test set is run and which
    gets the run; or FILE.py:NAME, a Nengo network, run as Loihi 1 would.

    \b
    nengo-hybrid emulate run/loihi1.zip
    nengo-hybrid emulate model.py:net --time 1 --out recorded.npz
    """
    common = {"seed": seed, "json_path": json_path, "quiet": quiet}
    if is_bundle(file) or not is_network(file):
        refuse_given(OF_A_NETWORK, "networks of Python files, not for bundles")
        run_bundle(file, samples=samples, batch_size=batch_size, **common)
        return
    refuse_given(OF_A_BUNDLE, "bundles, not for networks of Python files")
    if options["seconds"] is None:
        raise click.UsageError("Missing option '--time'.")
    run_network(file, **common, **options)


def is_network(file):
    """Tell whether a name is meant as that of a network of a Python file."""
    return ":" in file or file.endswith(".py")


def is_bundle(file):
    """Tell whether a name is that of a bundle, by its ending or how it begins."""
    path = Path(file)
    if path.suffix == ".zip" or path.is_dir():
        return True
    try:
        with open(path, "rb") as opened:
            return opened.read(2) == b"PK"
    except OSError:
        return False


def refuse_given(names, whose):
    """Refuse options that were given for something of another kind."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name)
        if parameter.name in names and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"Option '{parameter.opts[0]}' is for {whose}.")


def run_bundle(path, *, samples, batch_size, seed, json_path, quiet):
    """
    Run the test set of a deployed network, and add the run to its file.

    Raises
    ------
    DataError
        If there are fewer samples than are asked for.
    BundleError
        If it is no deployed network, or the run would not fit into its file.
    """
    from nengo_hybrid.bundle import check_room, load_deployed, save_deployed

    deployed = load_deployed(path)
    check_file("FILE", Path(path))
    check_files({"--json": json_path}, {"FILE": path})
    from nengo_hybrid import pipeline, results
    from nengo_hybrid.recipe_training import load_data

    test = load_data(deployed.about).test
    if samples is not None and samples > len(test):
        raise DataError(
            f"--samples needs at most the {len(test)} samples of the test set, got "
            f"{samples}"
        )
    test = test.head(samples)
    check_room(deployed, *test.x.shape[:2])
    try:
        with sample_bars(quiet, *TITLES) as (on_chip, in_floats):
            deployed = pipeline.run_test(
                deployed,
                test,
                seed=deployed.about["seed"] if seed is None else seed,
                at_once=batch_size,
                progress=on_chip,
                floats_progress=in_floats,
            )
    except KeyboardInterrupt:
        click.echo(f"nengo-hybrid: interrupted; {path} is as it was", err=True)
        raise
    save_deployed(deployed, path)
    figures = results.figures(deployed)
    write_figures(figures, json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        show_run(figures)
        click.echo(f"wrote {path}; next: nengo-hybrid estimate {shlex.quote(path)}")


def show_run(figures):
    """Print what a run gave."""
    from nengo_hybrid.report import render_run

    console = Console(markup=False, emoji=False, highlight=False)
    console.print(
        f"{figures['recipe'] or 'network'} on {figures['target']}, seed "
        f"{figures['seed']}; {figures['stamp']}\n"
    )
    console.print(render_run(figures))
