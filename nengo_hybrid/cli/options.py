"""Options that several commands have, and what a shell may complete them to."""

import click
from click.shell_completion import CompletionItem

STANDARD_OUTPUT = "-"
SEED = click.IntRange(0, 2**31 - 1)

quiet_option = click.option(
    "--quiet", is_flag=True, help="No progress bars, no tables."
)
json_option = click.option(
    "--json",
    "json_path",
    metavar="FILE",
    default=None,
    help="File to write the figures to; - for standard output.",
)


def seed_option(default=0, words=None):
    """Return the option ``--seed``."""
    return click.option(
        "--seed",
        default=default,
        show_default=default is not None,
        type=SEED,
        help=words,
    )


def complete_target(context, parameter, begun):
    """List the targets whose names begin so."""
    from nengo_hybrid.targets import target_names

    return [CompletionItem(name) for name in target_names() if name.startswith(begun)]


def complete_recipe(context, parameter, begun):
    """List the recipes of the package whose names begin so; and files."""
    from nengo_hybrid.recipe import recipe_names

    known = [CompletionItem(n) for n in recipe_names() if n.startswith(begun)]
    return [*known, CompletionItem(begun, type="file")]
