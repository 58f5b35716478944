"""The command ``train``: the network of a recipe, with checkpoints."""

import shlex

import click
from rich.console import Console
from rich.table import Table

from nengo_hybrid.cli.files import check_files, check_folder, write_figures
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    complete_recipe,
    json_option,
    quiet_option,
    seed_option,
)
from nengo_hybrid.cli.terminal import import_training, sample_bars


@click.command()
@click.argument("recipe", shell_complete=complete_recipe)
@click.option(
    "--out",
    required=True,
    type=click.Path(),
    help="Folder for checkpoints and bundle.zip.",
)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint.")
@seed_option()
@json_option
@quiet_option
def train(recipe, out, resume, seed, json_path, quiet):
    """
    Train the network of a RECIPE (a name or file), and keep it as a bundle.

    \b
    nengo-hybrid train digits --out run --seed 1
    nengo-hybrid train deploy/recipes/psmnist-loop.json --out run --resume
    """
    from nengo_hybrid.recipe import load_recipe

    recipe = load_recipe(recipe)
    check_folder(out)
    check_files({"--json": json_path}, {})
    import_training()
    from nengo_hybrid.recipe_training import train_into

    try:
        with sample_bars(quiet, "run the test set") as (on_sample,):
            bundle = train_into(
                recipe,
                out,
                seed=seed,
                resume=resume,
                progress=not quiet,
                on_sample=on_sample,
            )
    except KeyboardInterrupt as error:
        if str(error):  # it says where the checkpoint is, if one was written
            click.echo(f"nengo-hybrid: {error}", err=True)
        raise
    write_figures(bundle.about, json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        show_figures(bundle.about)
        click.echo(
            f"wrote {out}/bundle.zip; next: nengo-hybrid deploy {shlex.quote(out)}"
        )


def show_figures(about):
    """Print accuracy and activity of a trained network."""
    console = Console(markup=False, emoji=False, highlight=False)
    scores, wall = about["accuracy"], about["wall_s"]
    console.print(
        f"{about['recipe']['name']}, seed {about['seed']}: "
        f"{100 * scores['test']:.2f} % of {scores['n_test']:,} test samples "
        f"({100 * scores['rate']:.2f} % as rates), {100 * scores['validation']:.2f} % "
        f"in validation; {about['n_trained']:,} trained values; "
        f"trained in {wall['train']:.0f} s"
    )
    if about["overall"] is None:
        console.print("nothing is quantized: every neuron sends its rate")
        return
    table = Table("population", "bits_max", "significant", "spikes a step")
    rows = {**about["activity"], "all neurons": about["overall"]}
    for name, bits in rows.items():
        keys = ("bits_max", "significant_bits", "spikes_per_step")
        table.add_row(name, *(f"{bits[key]:.2f}" for key in keys))
    console.print(table)
