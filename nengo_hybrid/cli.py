"""
The command line: ``nengo-hybrid``.

Longer than other files, because nothing else may join a run, its files and its tables.
"""

import ast
import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from nengo_hybrid.exceptions import (
    BuildError,
    BundleError,
    DivergenceError,
    EmulateError,
    HybridError,
    LowerError,
)
from nengo_hybrid.version import version

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
# Parts of a run take about this long, so that a bar moves and Ctrl-C is heard.
SHORT_S, LONG_S = 0.1, 0.4
DT_S = 0.001
HIDDEN_WARNINGS = DeprecationWarning, PendingDeprecationWarning, ResourceWarning


class Commands(click.Group):
    """Report errors of the package as one line, and pick the exit status."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except HybridError as error:
            if context.params.get("debug"):
                raise
            click.echo(f"nengo-hybrid: {type(error).__name__}: {error}", err=True)
            failed = isinstance(error, (DivergenceError, EmulateError))
            sys.exit(FAILED if failed else WRONG_INPUT)


@contextlib.contextmanager
def quiet_imports():
    """Drop what TensorFlow writes to file 2 as it starts; no setting of it does."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def interrupt_as_status():
    """End with the status of an interrupt, where click would make it a failure."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@contextlib.contextmanager
def emulation_bar(quiet):
    """Give what draws the emulation's progress, or None if nothing is to be drawn."""
    if quiet:
        yield None
        return
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("emulate the chip", total=None, visible=False)

        def on_sample(n_done, n_samples):
            bar.update(task, completed=n_done, total=n_samples, visible=True)

        yield on_sample


@click.group(cls=Commands)
@click.version_option(version, prog_name="nengo-hybrid")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug):
    """Build, train, deploy and price hybrid-spiking networks for Loihi."""


@main.command()
@click.option(
    "--out",
    default="demo-out",
    show_default=True,
    help="Folder for report.json and report.html.",
)
@click.option("--recipe", default="digits", show_default=True, help="Name or file.")
@click.option("--target", default=None, help="Instead of the recipe's target.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**31 - 1))
@click.option("--quiet", is_flag=True, help="No progress bars, no table.")
def demo(out, recipe, target, seed, quiet):
    """Go the whole way on real digits: train, deploy, emulate, estimate."""
    from dataclasses import replace

    from nengo_hybrid.recipe import load_recipe, load_targets

    recipe = load_recipe(recipe)
    if target is not None:
        recipe = replace(recipe, deployment={**recipe.deployment, "target": target})
    load_targets(recipe)
    check_folder(out)
    # Only now, since it takes seconds: NengoLoihi imports TensorFlow if it is there.
    with quiet_imports():
        from nengo_hybrid import pipeline
    from nengo_hybrid.report import render_text

    started = time.monotonic()
    with emulation_bar(quiet) as on_sample:
        content = pipeline.run_recipe(
            recipe, seed=seed, progress=not quiet, on_sample=on_sample
        )
    paths = pipeline.write_report(content, out)
    if not quiet:
        Console().print(render_text(content))
        click.echo(
            f"{time.monotonic() - started:.0f} s; wrote {', '.join(map(str, paths))}"
        )


@main.command()
def doctor():
    """Tell which installed versions fit, and the pip line that mends the others."""
    from nengo_hybrid import compat
    from nengo_hybrid.versions import check_versions

    found, console = check_versions(), Console(markup=False)
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
    shims = Table("mended on import", "state", "until")
    for state in compat.states():
        shims.add_row(state.shim.name, state.state, state.shim.goes_when)
    console.print(shims)
    click.echo(found.combination)
    for command in found.mend:
        click.echo(command)
    if not found.runs:
        sys.exit(FAILED)


@main.command()
@click.argument("name", required=False)
def targets(name):
    """List the targets, or print one with the evidence of every number."""
    from nengo_hybrid.targets import load_target, target_names

    console = Console(markup=False)
    if name is None:
        table = Table("target", "kind", "date")
        for known in target_names():
            target = load_target(known)
            table.add_row(known, target.kind, target.date or "")
        console.print(table)
        return
    target = load_target(name)
    table = Table("number", "value", "low", "high", "unit", "evidence", "source")
    for section in ("limits", "formats", "costs", "times", "static"):
        for key, entry in getattr(target, section).items():
            cells = ["unpublished"] + [""] * 5
            if entry is not None:
                cells = [entry.value, entry.low, entry.high, entry.unit]
                cells += [entry.evidence, entry.source]
            table.add_row(f"{section}.{key}", *map(str, cells))
    console.print(table)
    for key, text in target.sources.items():
        console.print(f"{key}: {text}", style="dim")


@main.command()
@click.argument("path")
@click.option("--html", default=None, help="Write the report as a page, too.")
def report(path, html):
    """Show a report.json as tables."""
    from nengo_hybrid.report import load_json, render_text, write_html

    content = load_json(path)
    if html is not None:
        write_html(content, html)
    Console().print(render_text(content))


@main.command()
@click.argument("network", metavar="FILE.py:NAME")
@click.option("--time", "seconds", type=float, required=True, help="To run, in s.")
@click.option("--minibatch-size", type=int, default=None, help="Samples at once.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=None,
    help="Of noise and processes; by default the network's plus 1.",
)
@click.option("--data", default=None, help=".npz: by node label, what nodes give.")
@click.option(
    "--on-overflow",
    type=click.Choice(["warn", "raise"]),
    default="warn",
    show_default=True,
    help="When a register of the chip overflows.",
)
@click.option("--out", default=None, help=".npz to write what probes recorded to.")
@click.option("--json", "json_path", default=None, help="File to write the counts to.")
@click.option("--counts-only", is_flag=True, help="Of chip probes, only the sums.")
@click.option("--quiet", is_flag=True, help="No progress bar, no tables.")
def emulate(network, seconds, data, out, json_path, quiet, **options):
    """Run a Nengo network from a Python file as Loihi 1 would."""
    from nengo_hybrid import networkfile

    with interrupt_as_status():
        n_steps = check_run(seconds, options["minibatch_size"])
        path, name = networkfile.split_name(network)
        check_files({"--out": out, "--json": json_path}, {"FILE": path, "--data": data})
        arrays = {} if data is None else networkfile.read_arrays(data)
        with quiet_imports():
            import nengo_hybrid.simulator  # noqa: F401
        found = networkfile.load_network(path, name)
        feeds = networkfile.match_nodes(
            arrays, found, n_steps, options["minibatch_size"]
        )
        with warnings_as_lines():
            started = time.monotonic()
            sim = open_simulator(found, path, n_steps, **options)
            built = time.monotonic()
            with sim, run_bar(quiet, n_steps) as on_steps:
                run_in_parts(sim, path, n_steps, feeds, on_steps)
        wall = {"build": built - started, "run": time.monotonic() - built}
        names = networkfile.probe_names(found)
        counts = count(sim, found, names, n_steps, wall, network)
        written = write_emulation(sim, names, counts, out, json_path)
        if sim.n_steps and not quiet:
            show_counts(counts)
            if written:
                click.echo(f"wrote {', '.join(written)}")
        if sim.n_steps < n_steps:
            click.echo(
                f"nengo-hybrid: interrupted after {sim.n_steps} of {n_steps} steps",
                err=True,
            )
            sys.exit(INTERRUPTED)


def check_run(seconds, minibatch_size):
    """
    Check what the options of a run say; return its time steps.

    Raises
    ------
    BuildError
        If there is nothing to run, or no end.
    """
    n_steps = round(seconds / DT_S) if math.isfinite(seconds) else 0
    if n_steps < 1:
        raise BuildError(
            f"--time needs seconds, at least one time step of {DT_S} s, got {seconds:g}"
        )
    if minibatch_size is not None and minibatch_size < 1:
        raise BuildError(
            f"--minibatch-size needs at least 1 sample, got {minibatch_size}"
        )
    return n_steps


def check_files(results, sources):
    """
    See that files can be written, and that none is one that is read.

    Raises
    ------
    BundleError
        If a folder is missing or cannot be written, or one file has two uses.
    """
    used = {Path(file).resolve(): name for name, file in sources.items() if file}
    for option, file in results.items():
        if file is None:
            continue
        path = Path(file)
        if path.resolve() in used:
            raise BundleError(
                f"{option} and {used[path.resolve()]} are the same file, {file!r}; "
                "name another"
            )
        used[path.resolve()] = option
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
            reason = "Is a directory" if path.is_dir() else None
        except OSError as error:
            reason = error.strerror
        if reason:
            raise BundleError(
                f"{option} needs a file in a folder that can be written, got {file!r} "
                f"({reason})"
            )


def open_simulator(network, path, n_steps, **options):
    """
    Build a network of a user's file, and see that its run fits into memory.

    Raises
    ------
    HybridError
        If it cannot be built; with the line of the file, if it failed there.
    """
    from nengo_hybrid import LoihiSimulator
    from nengo_hybrid.networkfile import describe

    try:
        sim = LoihiSimulator(network, dt=DT_S, progress_bar=False, **options)
        # Of all steps; each part of the run is going to check its own.
        sim.check_memory(n_steps)
    except EmulateError as error:  # which is a failed run elsewhere; nothing ran yet
        raise LowerError(str(error)) from error
    except HybridError:
        raise
    except Exception as error:
        raise LowerError(
            f"the network cannot be built for the chip: {describe(error, path)}"
        ) from error
    return sim


@contextlib.contextmanager
def run_bar(quiet, n_steps):
    """Give what draws the progress of a run; on a terminal only."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    ) as bar:
        task = bar.add_task("emulate", total=n_steps)
        yield lambda steps: bar.advance(task, steps)


def run_in_parts(sim, path, n_steps, feeds, on_steps):
    """
    Run until all steps are done, or Ctrl-C asks for an end.

    Raises
    ------
    EmulateError
        If the run fails; with the line of the user's file, if it failed there.
    """
    from nengo_hybrid.networkfile import describe

    part, done = 10, 0
    try:
        with interrupt_noted() as interrupted:
            while done < n_steps and not interrupted.is_set():
                stop, started = min(done + part, n_steps), time.monotonic()
                some = {node: x[..., done:stop, :] for node, x in feeds.items()}
                sim.run_steps(stop - done, data=some, progress_bar=False)
                on_steps(stop - done)
                took, done = time.monotonic() - started, stop
                if took < SHORT_S:
                    part *= 2
                elif took > LONG_S:
                    part = max(1, part // 2)
    except KeyboardInterrupt:  # the second one; what was recorded stays readable
        pass
    except HybridError:
        raise
    except Exception as error:
        raise EmulateError(f"the run failed: {describe(error, path)}") from error


@contextlib.contextmanager
def interrupt_noted():
    """Give an event that Ctrl-C sets, so that steps end whole; a second one raises."""
    noted = threading.Event()

    def note(number, frame):
        if noted.is_set():
            raise KeyboardInterrupt
        noted.set()

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # ignored, or somebody else's
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def warnings_as_lines():
    """
    Write warnings at the end, a line each, the first of those that say the same.

    None are written if there is an error to tell instead.
    """
    told = {}

    def note(message, category, *args, **kwargs):
        if not issubclass(category, HIDDEN_WARNINGS):
            # Of how often a register overflowed, each part of a run counts its own.
            words = re.sub(r" \(\d+ times in all\)", "", str(message))
            words = " ".join(words.split())
            kind = re.sub(r"\b(neuron|of|sample|step) -?\d+", "", words)
            told.setdefault(kind, words)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        yield
    for words in told.values():
        click.echo(f"nengo-hybrid: warning: {words}", err=True)


def count(sim, network, names, n_steps, wall, place):
    """Sum up what a run did, as it goes to JSON."""
    from nengo_hybrid.names import plain_name, unique_names

    trace = sim.trace
    # NengoLoihi gives lines of the host the label None.
    plain = list(trace.populations)
    rows = dict(zip(plain, trace.populations.values(), strict=True))
    on_host = [
        o
        for o in [*network.all_ensembles, *network.all_nodes]
        if not sim.model.split.on_chip(o)
    ]
    sampled_s = trace.n_samples * sim.time
    return {
        "schema": 1,
        "stamp": "emulated, not measured",
        "network": place,
        "seed": sim.seed,
        "dt_s": sim.dt,
        "n_samples": trace.n_samples,
        "n_steps": sim.n_steps,
        "n_steps_wanted": n_steps,
        "graph_sha256": trace.graph_sha256,
        "chip": {k: count_of(p, sampled_s) for k, p in rows.items() if p.on_chip},
        "injected": {
            k: count_of(p, sampled_s) for k, p in rows.items() if not p.on_chip
        },
        "host": unique_names(map(plain_name, on_host)),
        "probes": {
            name: list(recorded(sim, probe).shape) for probe, name in names.items()
        },
        "wall_s": wall,
    }


def count_of(population, sampled_s):
    """Sum up what a population of a trace did."""
    n_neurons = population.spikes.shape[2]
    spikes = int(abs(population.spikes).sum())
    per_neuron = spikes / (n_neurons * sampled_s) if n_neurons * sampled_s else 0.0
    counts = {
        "n_neurons": n_neurons,
        "spikes": spikes,
        "rate_hz": per_neuron,
        "synaptic_ops": int(population.synaptic_ops.sum()),
    }
    if population.on_chip:
        counts["neuron_updates_active"] = int(population.updates_active.sum())
        counts["neuron_updates_inactive"] = int(population.updates_inactive.sum())
    return counts


def recorded(sim, probe):
    """Return what a probe recorded, as far as the chip came."""
    values = sim.data[probe]
    n_rows = len(sim.trange(probe.sample_every))
    return values[..., :n_rows, :] if values.ndim > 1 else values


def write_emulation(sim, names, counts, out, json_path):
    """Write what was recorded, if anything was; return the names of the files."""
    from nengo_hybrid.networkfile import TIMES, write_arrays
    from nengo_hybrid.report.files import replace_file

    written = []
    if sim.n_steps and out is not None:
        arrays = {name: recorded(sim, probe) for probe, name in names.items()}
        write_arrays(out, {TIMES: sim.trange(), **arrays})
        written.append(out)
    if sim.n_steps and json_path is not None:
        replace_file(json_path, json.dumps(counts, indent=2) + "\n")
        written.append(json_path)
    return written


def show_counts(counts):
    """Print what a run did as tables."""
    console = Console(markup=False, emoji=False, highlight=False)
    seconds, n = counts["n_steps"] * counts["dt_s"], counts["n_samples"]
    console.print(
        f"{counts['network']}: {counts['n_steps']} steps ({seconds:g} s), "
        f"{n} sample{'s' if n > 1 else ''}, seed {counts['seed']}; {counts['stamp']}"
    )
    table = Table()
    table.add_column("population", overflow="fold")
    for column in ("neurons", "spikes", "Hz", "synaptic ops", "active", "inactive"):
        table.add_column(column, justify="right", no_wrap=True)
    injected = {f"(host) {k}": row for k, row in counts["injected"].items()}
    for name, row in {**counts["chip"], **injected}.items():
        whole = [row["n_neurons"], row["spikes"], row["synaptic_ops"]]
        updates = [row.get(f"neuron_updates_{kind}") for kind in ("active", "inactive")]
        neurons, spikes, ops = (f"{x:,}" for x in whole)
        ends = ["" if x is None else f"{x:,}" for x in updates]
        table.add_row(name, neurons, spikes, f"{row['rate_hz']:.1f}", ops, *ends)
    console.print(table)
    console.print("Hz: spikes a second of each neuron; active, inactive: its updates")
    console.print(f"on the host: {', '.join(counts['host']) or 'nothing'}")
    if counts["probes"]:
        probes = Table("probe", "shape")
        for name, shape in counts["probes"].items():
            probes.add_row(name, " x ".join(map(str, shape)))
        console.print(probes)
    wall = counts["wall_s"]
    click.echo(f"built in {wall['build']:.1f} s, ran in {wall['run']:.1f} s")


@main.command()
@click.argument("name", metavar="NAME")
@click.option("--json", "json_path", default=None, help="File to write figures to.")
@click.option("--quick", is_flag=True, help="Small and rough.")
def bench(name, json_path, quick):
    """Measure against named peers; only in a source checkout."""
    script = find_benchmark(name)
    check_files({"--json": json_path}, {})
    options = [] if json_path is None else ["--json", json_path]
    options += ["--quick"] if quick else []
    # So that it measures this checkout, installed or not.
    paths = [str(BENCHMARKS.parent), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, str(script), *options]
    with interrupt_as_status():
        done = subprocess.run(command, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode if done.returncode > 0 else FAILED)


def find_benchmark(name):
    """
    Find a benchmark of the checkout by its name.

    Raises
    ------
    HybridError
        If this is no checkout, or there is none of the name.
    """
    if not (BENCHMARKS.parent / "setup.py").is_file() or not BENCHMARKS.is_dir():
        raise HybridError(
            f"benchmarks come with the source of nengo-hybrid {version} only, and "
            f"'{BENCHMARKS.parent}' has none; get the source (its git repository), and "
            "run `pip install -e .` there"
        )
    known = {}
    for path in sorted(BENCHMARKS.glob("*.py")):
        parts = ast.parse(path.read_text(encoding="utf-8")).body
        if any(isinstance(p, ast.FunctionDef) and p.name == "main" for p in parts):
            known[path.stem] = path
    if name not in known:
        raise HybridError(
            f"benchmark {name!r} is unknown; needed one of {', '.join(known) or 'none'}"
        )
    return known[name]


def check_folder(folder):
    """
    Make a folder for results, and see that it can be written, before work starts.

    Raises
    ------
    BundleError
        If it cannot be made or written.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BundleError(
            f"results need a folder that can be written, got {str(folder)!r} "
            f"({error.strerror}); name another with --out"
        ) from error
