"""The command ``schema``: what a recipe or a report may hold, for editors."""

from importlib import resources

import click

KINDS = ("recipe", "report")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
def schema(kind):
    """
    Print the JSON Schema of a recipe or of a report.

    \b
    nengo-hybrid schema recipe > recipe.schema.json
    """
    file = resources.files("nengo_hybrid") / "schemas" / f"{kind}.schema.json"
    click.echo(file.read_text(encoding="utf-8"), nl=False)
