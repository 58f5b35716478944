"""A report as tables in a terminal."""

from rich import box
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nengo_hybrid.report.schema import check_report
from nengo_hybrid.report.wording import (
    RANGES,
    assumptions,
    beside_this_run,
    bits,
    cause_name,
    count,
    interval,
    latency_rows,
    part_of,
    percent,
    points,
    priced_energy,
    printable,
    spoken,
    step_name,
    term_count,
    term_price,
    total_energy,
    with_prefix,
    wrong_by,
)

BAR_COLUMNS = 20
# Letters of a target's name that are not wrapped; those of our profiles have fewer.
WHOLE_NAME = 20


def render_text(report):
    """
    Lay a report out as tables, readable at 100 columns.

    Parameters
    ----------
    report : dict
        Keys as in `nengo_hybrid.report.schema`.

    Returns
    -------
    rich.console.Group
        For ``rich.print`` or a `rich.console.Console`.

    Raises
    ------
    BundleError
        If a key is missing or a number is not finite.
    """
    report = check_report(report)
    beside = Table.grid(padding=(0, 4))
    beside.add_row(
        Group(_accuracy(report["accuracy"]), _latency(report["latency"])),
        _counts(report["counts"]),
    )
    parts = [
        _heading(report),
        beside,
        Text(""),
        render_waterfall(report["waterfall"]) if "waterfall" in report else None,
        _activity(report["activity"]),
        *_all_ranges(report),
        _resources(report["resources"]),
        _on_chip(report.get("on_chip")),
        _host(report.get("host")),
        _assumptions(report["energy"]),
        _energy(report["energy"], report["stamp"]),
        _compare(beside_this_run(report)),
        _sweep(report.get("sweep")),
    ]
    return Group(*(part for part in parts if part is not None))


def render_deployed(figures):
    """Lay out what a deployed network takes of its target, and what stays outside."""
    parts = [_resources(figures["resources"]), _host(figures["host"])]
    return Group(*parts, *_all_ranges(figures))


def render_run(figures):
    """Lay out what a run of a deployed network on a test set gave."""
    steps = figures.get("waterfall")
    parts = [
        _accuracy(figures["accuracy"]),
        None if steps is None else render_waterfall(steps),
        _activity(figures["activity"]),
        *_all_ranges({"test_ranges": figures.get("test_ranges")}),
    ]
    return Group(*(part for part in parts if part is not None))


def render_estimate(figures):
    """Lay out what an inference takes on a target, and elsewhere."""
    parts = [
        _counts(figures["counts"]),
        _latency(figures["latency"]),
        _assumptions(figures["energy"]),
        _energy(figures["energy"], figures["stamp"]),
        _compare(beside_this_run(figures)),
    ]
    return Group(*(part for part in parts if part is not None))


def _table(title, *columns):
    """
    Start a table; a column ending in ``>`` is set flush right.

    Without any name there is no line for them.
    """
    named = any(column.rstrip(">") for column in columns)
    table = Table(
        title=Text(title, style="bold"),
        box=box.SIMPLE_HEAD if named else None,
        title_justify="left",
        pad_edge=False,
        padding=(0, 2, 0, 0),
        show_header=named,
    )
    for column in columns:
        justify = "right" if column.endswith(">") else "left"
        table.add_column(column.rstrip(">"), justify=justify, overflow="fold")
    return table


def _add(table, *cells, style=None):
    """Add a row; words are taken as they are, never as markup."""
    cells = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
    table.add_row(*cells, style=style)


def _heading(report):
    seeds = report.get("seeds")
    seed = f"seed {report['seed']}" if not seeds else f"seeds {_listed(seeds)}"
    words = (
        f"{printable(report['recipe'])} on {printable(report['target'])}, "
        f"run by {printable(report['backend'])}, {seed}\n"
    )
    return Text.assemble(
        (words, "bold"), (f"{printable(report['stamp'])}\n", "bold yellow")
    )


def _listed(seeds):
    if isinstance(seeds, dict):
        return ", ".join(
            f"{printable(k)} {printable(seed)}" for k, seed in seeds.items()
        )
    return ", ".join(map(printable, seeds)) if isinstance(seeds, list) else str(seeds)


def _accuracy(accuracy):
    table = _table(f"Accuracy on {count(accuracy['n_test'])} test samples", "", ">")
    _add(table, "trained, as rates", percent(accuracy["rate"], 2))
    _add(table, "hybrid, in floats", percent(accuracy["hybrid"], 2))
    _add(table, "deployed, in integers", percent(accuracy["deployed"], 2), style="bold")
    _add(table, "", "")
    return table


def render_waterfall(waterfall):
    """
    Lay out what each step of a deployment costs, readable at 80 columns.

    Parameters
    ----------
    waterfall : dict
        As `nengo_hybrid.accuracy_steps.Waterfall.to_json` gives it.

    Returns
    -------
    rich.console.Group
    """
    rows = waterfall["rows"]
    title = f"Accuracy, step by step, on {count(rows[0]['n_test'])} test samples"
    steps = _table(title, "step", "accuracy>", "change, points>", "lost>", "gained>")
    for row in rows:
        _add(
            steps,
            step_name(row["step"]),
            percent(row["accuracy"], 2),
            points(row),
            count(row["n_lost"]),
            count(row["n_gained"]),
            style="bold" if row is rows[-1] else None,
        )
    changes = _table(
        "What a step changes, in spikes per input step",
        "step",
        "population",
        "rms>",
        "cause",
        "part>",
    )
    for row in waterfall["populations"]:
        first = (
            step_name(row["step"]),
            printable(row["name"]),
            f"{row['error']:.4f}",
        )
        for cause, part in row["causes"].items() or [(None, None)]:
            words = "" if cause is None else cause_name(cause)
            _add(changes, *first, words, percent(part, 2))
            first = ("", "", "")
    return Group(steps, changes)


def _activity(activity):
    table = _table(
        "Activity",
        "population",
        "bits, maximum>",
        "bits, entropy>",
        "significant bits>",
        "spikes per step>",
    )
    for name, row in activity.items():
        _add(
            table,
            printable(name),
            bits(row["bits_max"]),
            bits(row["bits_entropy"]),
            bits(row["significant_bits"]),
            count(row["spikes_per_step"]),
        )
    return table


def _all_ranges(figures):
    """Lay out how far the integers of each population go, where that is known."""
    return [
        _ranges(words, figures[key])
        for key, words in RANGES.items()
        if figures.get(key)
    ]


def _ranges(words, rows):
    table = _table(
        f"How far integers go {words}",
        "population",
        "payload>",
        "of its width>",
        "state, of its width>",
        "saturated>",
        "error, rms>",
    )
    for row in rows:
        _add(
            table,
            printable(row["name"]),
            count(row["payload"][0]),
            part_of(row["payload"]),
            part_of(row["state"]),
            percent(row["saturated"]),
            wrong_by(row["error"]),
        )
    return table


def _resources(resources):
    table = _table("Resources", "used", ">", "worst core", ">", "")
    totals = [
        (spoken(name), count(used))
        for name, used in resources.items()
        if name != "worst_core"
    ]
    worst = [
        (spoken(name), percent(fraction), _bar(fraction))
        for name, fraction in resources["worst_core"].items()
    ]
    n_rows = max(len(totals), len(worst))
    totals += [("", "")] * (n_rows - len(totals))
    worst += [("", "", "")] * (n_rows - len(worst))
    for left, right in zip(totals, worst, strict=True):
        _add(table, *left, *right)
    return table


def _bar(fraction):
    if fraction is None:
        return ""
    return ProgressBar(total=1.0, completed=fraction, width=BAR_COLUMNS)


def _on_chip(rows):
    if not rows:
        return None
    table = _table("On the chip", "name", "neurons>", "cores>", "chips>")
    for row in rows:
        numbers = [count(row[name]) for name in ("n_neurons", "n_cores", "n_chips")]
        _add(table, printable(row["name"]), *numbers)
    return table


def _host(rows):
    if rows is None:
        return None
    if not rows:
        return Text("On the host: nothing but input and output\n", style="bold")
    table = _table("On the host", "name", "neurons>", "why it is not on the chip")
    for row in rows:
        _add(
            table,
            printable(row.get("name")),
            count(row.get("n_neurons")),
            printable(row.get("reason")),
        )
    return table


def _counts(counts):
    table = _table("Counts per inference", "", ">")
    for name, value in counts.items():
        _add(table, spoken(name), count(value))
    return table


def _assumptions(energy):
    table = _table("What the energy rests on", "", "")
    for name, words in assumptions(energy):
        _add(table, name, words)
    _add(table, "", "")
    return table


def _energy(energy, stamp):
    table = _table(
        f"Energy per inference ({printable(stamp)})",
        "term",
        "count>",
        "price>",
        "energy>",
        "low to high>",
        "evidence",
    )
    for term in energy["terms"]:
        _add(
            table,
            spoken(term["name"]),
            term_count(term),
            term_price(term),
            with_prefix(term.get("energy_j"), "J", unknown="no price"),
            interval(term.get("low_j"), term.get("high_j"), "J"),
            printable(term.get("evidence")),
        )
    table.add_section()
    for words in ("dynamic", "static"):
        known = with_prefix(energy[f"{words}_j"], "J", unknown="withheld")
        _add(table, words, "", "", known)
    bounds = interval(energy["low_j"], energy["high_j"], "J")
    if energy["total_j"] is not None:
        _add(table, "total", "", "", total_energy(energy), bounds, style="bold")
        return table
    if energy.get("priced_j") is not None:
        _add(table, "what has a price", "", "", *priced_energy(energy))
    return Group(table, Text(f"total {total_energy(energy)}\n", style="bold"))


def _latency(latency):
    table = _table("Latency", "", ">")
    for name, words in latency_rows(latency):
        style = "bold" if name == "one inference" else None
        _add(table, name, words, style=style)
    return table


def _sweep(rows):
    if not rows:
        return None
    table = _table(
        "Accuracy against bits and operations (*: nothing beats it)",
        "network",
        "accuracy>",
        "bits, maximum>",
        "significant bits>",
        "synaptic ops>",
        "",
    )
    for row in rows:
        _add(
            table,
            printable(row["name"]),
            percent(row["accuracy"], 2),
            bits(row["bits_max"]),
            bits(row["significant_bits"]),
            count(row["synaptic_ops"]),
            "*" if row["on_front"] else "",
        )
    return table


def _compare(rows):
    if not rows:
        return None
    table = _table(
        "The same inference, here and elsewhere",
        "target",
        "energy>",
        "low to high>",
        "what is priced",
        "evidence",
    )
    # Names of profiles stay whole, and words wrap beside them: a column of a smallest
    # width instead is widened after the others are fitted, and pushes the last one out.
    longest = max(len(printable(row["target"])) for row in rows)
    table.columns[0].width = min(longest, WHOLE_NAME)
    for row in rows:
        _add(
            table,
            printable(row["target"]),
            with_prefix(row["energy_j"], "J", unknown="withheld"),
            interval(row.get("low_j"), row.get("high_j"), "J"),
            printable(row.get("basis")),
            printable(row["evidence"]),
        )
    return table
