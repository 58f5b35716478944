"""The command ``doctor``: which versions fit, and whether a network fits a chip."""

import sys
from dataclasses import asdict

import click
from rich import box
from rich.console import Console
from rich.table import Table

from nengo_hybrid.cli.files import check_files, write_figures
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    complete_target,
    json_option,
    quiet_option,
)
from nengo_hybrid.cli.status import FAILED
from nengo_hybrid.cli.terminal import quiet_imports
from nengo_hybrid.exceptions import BuildError, HybridError, LowerError

SCHEMA = 1
COLUMNS = {
    "compartments": "neur",
    "input_axons": "in",
    "output_axons": "out",
    "synapse_bits": "mem",
}
# How places are called where there is little room.
PLACES = {"host to chip": "host > chip", "chip to host": "chip > host"}
KEY = (
    "neur, in, out, mem: compartments, input axons, output axons and synapse memory "
    "of the fullest core, in % of what it has; of what has no core, what it adds there."
)


@click.command()
@click.argument("network", metavar="[FILE.py:NAME]", required=False)
@click.option(
    "--target",
    default=None,
    shell_complete=complete_target,
    help="Chip; loihi1 by default.",
)
@json_option
@quiet_option
def doctor(network, target, json_path, quiet):
    """
    Tell whether a network fits the chip; without one, which versions fit.

    The status is 1 if it does not fit, or if nothing runs with these versions.

    \b
    nengo-hybrid doctor
    nengo-hybrid doctor model.py:net --json needs.json
    """
    if network is None:
        if target is not None:
            raise BuildError(
                "--target is for a network; name one, such as model.py:net"
            )
        check_installed(json_path, quiet)
        return
    check_network(network, target or "loihi1", json_path, quiet)


def check_installed(json_path, quiet):
    """Check the installed versions; end with status 1 if nothing runs with them."""
    from nengo_hybrid import compat
    from nengo_hybrid.versions import check_versions

    check_files({"--json": json_path}, {})
    found, shims = check_versions(), compat.states()
    shown = not quiet and json_path != STANDARD_OUTPUT
    if shown:
        show_versions(found, shims)
    mended = {shim.shim.name: shim.state for shim in shims}
    write_figures({"schema": SCHEMA, **asdict(found), "mended": mended}, json_path)
    if shown and json_path is not None:
        click.echo(f"wrote {json_path}")
    if not found.runs:
        sys.exit(FAILED)


def show_versions(found, shims):
    """Print what is installed, what is mended in it, and what would mend the rest."""
    console = Console(markup=False)
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
    mended = Table("mended on import", "state", "until")
    for state in shims:
        mended.add_row(state.shim.name, state.state, state.shim.goes_when)
    console.print(mended)
    for words in (found.combination, *found.mend):
        click.echo(words)


def check_network(place, target, json_path, quiet):
    """Check a network of a user's file; end with status 1 if it does not fit."""
    from nengo_hybrid import networkfile

    path, name = networkfile.split_name(place)
    check_files({"--json": json_path}, {"FILE": path})
    with quiet_imports():
        from nengo_hybrid.doctor.checks import check, load_chip
    target = load_chip(target)
    network = networkfile.load_network(path, name)
    try:
        found = check(network, target)
    except HybridError:
        raise
    except Exception as error:
        raise LowerError(
            f"the network cannot be read: {networkfile.describe(error, path)}"
        ) from error
    shown = not quiet and json_path != STANDARD_OUTPUT
    if shown:
        show_checkup(place, found)
    content = {"schema": SCHEMA, "network": place, "fits": found.fits}
    write_figures(content | asdict(found), json_path)
    if shown and json_path is not None:
        click.echo(f"wrote {json_path}")
    if not found.fits:
        sys.exit(FAILED)


def show_checkup(place, found):
    """Print what was found as a table, then all that is wrong, then what would fit."""
    console = Console(markup=False, emoji=False, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("object", overflow="fold", ratio=5)
    table.add_column("place", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=7)
    for column in ("cores", *COLUMNS.values()):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found.rows:
        wrong = row.place == "refused" or (row.n_blocks and exceeds(row.used))
        table.add_row(*cells(row), style="bold red" if wrong else None)
    console.print(f"{place} on {found.target}")
    console.print(table)
    console.print(KEY)
    cores, chips = counted(found.n_cores, "core"), counted(found.n_chips, "chip")
    verdict = "It fits" if found.fits else "It does not fit"
    console.print(f"\n{verdict}: {cores} of {chips}.")
    for sentence in found.refusals:
        console.print(f"- cannot be built: {sentence}")
    for breach in found.breaches:
        console.print(f"- {breach_words(breach)}")
    show_fixes(console, found)


def show_fixes(console, found):
    """Print the changes with which a network fits, as far as they were found."""
    if found.fix is not None:
        cores = counted(found.fix.n_cores, "core")
        console.print(f"\nThe smallest change that fits, counted anew ({cores}):")
        for change in found.fix.changes:
            console.print(f"- {change.words}")
    elif not found.fits:
        console.print("\nNo change that was tried makes it fit.")
    for fix in found.other_fixes:
        console.print(f"\nOr ({counted(fix.n_cores, 'core')}):")
        for change in fix.changes:
            console.print(f"- {change.words}")


def cells(row):
    """Return the cells of a row; refusals and their remedies come below the table."""
    reason = "see below" if row.place == "refused" else row.reason
    shares = [""] * len(COLUMNS)
    if row.used is not None:
        fractions = row.used.fractions()
        shares = [share(fractions[name]) for name in COLUMNS]
    cores = str(row.n_blocks) if row.n_blocks else ""
    return row.name, PLACES.get(row.place, row.place), reason, cores, *shares


def share(fraction):
    """
    Write a share as a percentage; one over 100 % never looks like one that fits.

    Examples
    --------
    >>> share(0.5), share(0.0004), share(0), share(1.001)
    ('50', '<1', '0', '101')
    """
    percent = 100 * fraction
    if 0 < percent < 1:
        return "<1"
    return str(int(percent) if percent <= 100 else -int(-percent // 1))


def exceeds(used):
    """Tell whether a limit is exceeded."""
    return any(fraction > 1 for fraction in used.fractions().values())


def breach_words(breach):
    """Say what a limit lacks, and of how many blocks."""
    if breach.n_blocks == 1:
        return breach.words
    n, name = breach.n_blocks, breach.name
    return f"{breach.words}; it is the worst of {n} such blocks of {name!r}"


def counted(n, word):
    """
    Write how many there are.

    Examples
    --------
    >>> counted(1, "core"), counted(3, "core")
    ('1 core', '3 cores')
    """
    return f"{n} {word}" + ("" if n == 1 else "s")
