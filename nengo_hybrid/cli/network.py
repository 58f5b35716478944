"""A user's network, run as Loihi 1 would run it: a half of the command ``emulate``."""

import math
import sys
import time

import click
from rich.console import Console
from rich.table import Table

from nengo_hybrid.cli.files import check_files, write_figures
from nengo_hybrid.cli.options import STANDARD_OUTPUT
from nengo_hybrid.cli.status import INTERRUPTED
from nengo_hybrid.cli.terminal import (
    interrupt_noted,
    quiet_imports,
    run_bar,
    warnings_as_lines,
)
from nengo_hybrid.exceptions import BuildError, EmulateError, HybridError, LowerError

DT_S = 0.001
# Parts of a run take about this long, so that a bar moves and Ctrl-C is heard.
SHORT_S, LONG_S = 0.1, 0.4


def run_network(place, *, seconds, data, out, json_path, quiet, **options):
    """
    Run a network of a Python file, and write what it recorded.

    Parameters
    ----------
    place : str
        FILE.py:NAME.
    seconds : float
    data, out, json_path : str or None
    quiet : bool
    options
        Of `nengo_hybrid.LoihiSimulator`.
    """
    from nengo_hybrid import networkfile

    n_steps = check_run(seconds, options["minibatch_size"])
    path, name = networkfile.split_name(place)
    check_files({"--out": out, "--json": json_path}, {"FILE": path, "--data": data})
    arrays = {} if data is None else networkfile.read_arrays(data)
    with quiet_imports():
        import nengo_hybrid.simulator  # noqa: F401
    found = networkfile.load_network(path, name)
    feeds = networkfile.match_nodes(arrays, found, n_steps, options["minibatch_size"])
    with warnings_as_lines():
        started = time.monotonic()
        sim = open_simulator(found, path, n_steps, **options)
        built = time.monotonic()
        with sim, run_bar(quiet, n_steps) as on_steps:
            run_in_parts(sim, path, n_steps, feeds, on_steps)
    wall = {"build": built - started, "run": time.monotonic() - built}
    names = networkfile.probe_names(found)
    counts = count(sim, found, names, n_steps, wall, place)
    written = write_emulation(sim, names, counts, out, json_path)
    if sim.n_steps and not quiet and json_path != STANDARD_OUTPUT:
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
        reason = describe(error, path).removesuffix(".")
        raise LowerError(
            f"the network cannot be built for the chip: {reason}; `nengo-hybrid "
            "doctor` tells what would fit"
        ) from error
    return sim


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


def count(sim, network, names, n_steps, wall, place):
    """Sum up what a run did, as it goes to JSON."""
    from nengo_hybrid.names import plain_name, unique_names

    trace = sim.trace
    rows = trace.populations
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

    written = []
    if sim.n_steps and out is not None:
        arrays = {name: recorded(sim, probe) for probe, name in names.items()}
        write_arrays(out, {TIMES: sim.trange(), **arrays})
        written.append(out)
    if sim.n_steps and json_path is not None:
        write_figures(counts, json_path)
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
