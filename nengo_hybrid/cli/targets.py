"""The command ``targets``: chips and processors, with the evidence of each number."""

import textwrap
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from nengo_hybrid.cli.files import check_files, write_figures
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    complete_target,
    json_option,
    quiet_option,
)

SECTIONS = ("limits", "formats", "costs", "times", "static")
WIDTH = 80


@click.command()
@click.argument("name", required=False, shell_complete=complete_target)
@json_option
@quiet_option
def targets(name, json_path, quiet):
    """
    List the targets, or print the NAME of one, or check the file of a profile.

    \b
    nengo-hybrid targets loihi1
    nengo-hybrid targets mine.json --quiet
    """
    from nengo_hybrid.targets import load_target, target_names

    names = target_names() if name is None else [name]
    found = [load_target(each) for each in names]
    check_files({"--json": json_path}, {"NAME": name})
    write_figures([asdict(target) for target in found], json_path)
    if quiet or json_path == STANDARD_OUTPUT:
        return
    if name is not None:
        show_target(*found)
        return
    table = Table("target", "kind", "date")
    for target in found:
        table.add_row(target.name, target.kind, target.date or "")
    Console(markup=False).print(table)


def show_target(target):
    """Print every number of a target, and its sources, in 80 columns."""
    kind = f"{target.name}: {target.kind}"
    chip = f", prices of {target.chip}" if target.chip != target.name else ""
    host = f", host {target.host}" if target.host else ""
    click.echo(f"{kind}{chip}, {target.date or 'no date'}{host}")
    for section in SECTIONS:
        entries = getattr(target, section)
        if entries:
            click.echo(f"\n{section}")
        for key, entry in entries.items():
            show_number(key, entry)
    click.echo("\nsources")
    for key, text in target.sources.items():
        show_wrapped(f"{key}: {text}", "  ", "    ")


def show_number(key, entry):
    """Print a number with its band and evidence, and below it where it is from."""
    if entry is None:
        click.echo(f"  {key:26}unpublished")
        return
    value, low, high = (in_words(x) for x in (entry.value, entry.low, entry.high))
    band = "" if low == high else f" ({low} to {high})"
    show_wrapped(
        f"{key:26}{value}{band} {entry.unit}; {entry.evidence}", "  ", " " * 28
    )
    show_wrapped(entry.source, "      ", "      ")


def in_words(number):
    """Write a number, or a choice of numbers."""
    if isinstance(number, tuple):
        return ", ".join(map(str, number))
    return str(number)


def show_wrapped(text, first, rest):
    """Print a text in as many lines as it needs."""
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    )
    click.echo("\n".join(lines))
