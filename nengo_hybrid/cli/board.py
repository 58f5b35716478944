"""The command ``board``: a network of a Python file on a real Loihi 1."""

import shutil
from functools import partial

import click
from rich.console import Console
from rich.table import Table

from nengo_hybrid.cli.files import check_files, write_figures
from nengo_hybrid.cli.network import DT_S, check_run
from nengo_hybrid.cli.options import (
    STANDARD_OUTPUT,
    json_option,
    quiet_option,
    seed_option,
)
from nengo_hybrid.exceptions import BuildError, DataError


@click.command()
@click.argument("network", metavar="FILE.py:NAME")
@click.option("--time", "seconds", type=float, required=True, help="To run, in s.")
@click.option(
    "--python",
    required=True,
    type=click.Path(),
    help="The one that has NengoLoihi and NxSDK.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(),
    help=".npz to write what probes recorded to.",
)
@click.option(
    "--compare", type=click.Path(), help="What `emulate` wrote with --out, of the same."
)
@seed_option(
    default=None, words="Of noise and processes, by default the network's plus 1."
)
@json_option
@quiet_option
def board(network, seconds, python, out, compare, seed, json_path, quiet):
    """
    Run a Nengo network on a board of Loihi 1, in the Python that has NxSDK.

    It runs through NengoLoihi there. Nobody has tried this on a board.

    \b
    nengo-hybrid board model.py:net --time 1 --python /opt/nxsdk/bin/python \\
        --out board.npz --compare emulated.npz
    """
    from nengo_hybrid import networkfile
    from nengo_hybrid.board import NEEDED, run_on_board

    n_steps = check_run(seconds, None)
    path, name = networkfile.split_name(network)
    check_files(
        {"--out": out, "--json": json_path}, {"FILE": path, "--compare": compare}
    )
    if shutil.which(python) is None:
        raise BuildError(f"--python {python!r} is no program that runs; {NEEDED}")
    emulated = None if compare is None else networkfile.read_arrays(compare)
    names = networkfile.probe_names(networkfile.load_network(path, name))
    if emulated is not None:
        check_compared(compare, emulated, names.values(), n_steps)
    task = {"network": network, "seed": seed, "dt_s": DT_S, "n_steps": n_steps}
    run = {"file": str(path), "name": name, "probes": [*names.values()], "out": out}
    tell = (lambda line: None) if quiet else partial(click.echo, err=True)
    found = run_on_board(shutil.which(python), task | run, on_line=tell)
    probes = compared(networkfile.read_arrays(out), emulated, names)
    figures = {"schema": 1, **task, **found, "compare": compare, "probes": probes}
    write_figures(figures, json_path)
    if not quiet and json_path != STANDARD_OUTPUT:
        show(figures)
        click.echo(f"wrote {', '.join(filter(None, [out, json_path]))}")


def check_compared(file, emulated, names, n_steps):
    """
    See that an emulation is one of the same probes and steps.

    Raises
    ------
    DataError
        If it is another.
    """
    numbers = [name for name, array in emulated.items() if array.dtype.kind in "biuf"]
    missing = [name for name in names if name not in numbers]
    n_there = emulated["t"].size if "t" in emulated else 0
    if missing or n_there != n_steps:
        has = f"no probe {missing[0]!r}" if missing else f"{n_there} time steps"
        raise DataError(
            f"--compare needs what `nengo-hybrid emulate` recorded of this network in "
            f"{n_steps} time steps; {file!r} has {has}"
        )


def compared(arrays, emulated, names):
    """Return the shape of each probe, and how it agrees with an emulation, if any."""
    from nengo_hybrid.board import agreement

    found = {}
    for probe, name in names.items():
        found[name] = {"shape": list(arrays[name].shape)}
        if emulated is not None:
            every = (probe.sample_every or DT_S) / DT_S
            found[name] |= agreement(arrays[name], emulated[name], every)
    return found


def show(figures):
    """Print what ran where, and what the probes recorded."""
    console = Console(markup=False, emoji=False, highlight=False)
    versions = ", ".join(f"{k} {v}" for k, v in figures["versions"].items())
    console.print(
        f"{figures['network']}: {figures['n_steps']} steps, from the backend that "
        f"calls itself {figures['backend']}\n{versions}"
    )
    table = Table("probe", "shape")
    if figures["compare"] is not None:
        table.add_column("beside the emulation")
    for name, row in figures["probes"].items():
        words = [agreement_words(row)] if "equal" in row else []
        table.add_row(name, " x ".join(map(str, row["shape"])), *words)
    console.print(table)


def agreement_words(row):
    """Say whether a probe agrees, by how much it does not, and from which step."""
    if row["equal"]:
        return "equal"
    if row["first_step"] is None:
        return "of another shape"
    largest, first_step = row["largest_difference"], row["first_step"]
    return f"differs from step {first_step}, by up to {largest:.4g}"
