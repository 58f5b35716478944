"""A report as one HTML file that needs nothing else: no network, no script."""

import re
from functools import partial

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from nengo_hybrid.report.chip_map import chip_map
from nengo_hybrid.report.files import replace_file
from nengo_hybrid.report.schema import check_report
from nengo_hybrid.report.wording import (
    RANGES,
    assumptions,
    beside_this_run,
    bits,
    cause_name,
    count,
    evidence_words,
    fullest_limit,
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
    used_of,
    value_range,
    with_prefix,
    wrong_by,
)

# Populations of which a page draws what they send.
MOST_HISTOGRAMS = 12

BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|[a-zA-Z]?[Js]\b)")

# What a picture shows, for who does not see it; each has a table beside it.
PICTURES = {
    "training": "Lines: accuracy, loss and omega, epoch by epoch",
    "waterfall": "Bars: accuracy after each step, as in the table below",
    "energy": "Bars: energy by term, as in the table below",
    "comparison": "Points: energy of an inference by target, as in the table below",
    "raster": "Marks: spikes of one sample by population, neuron and time step",
    "sweep": "Points: accuracy against what it costs, as in the table below",
}
HISTOGRAMS = {
    "sent": ("How often which count is sent in a step", "count in a step"),
    "payload_bits": ("How often a payload on the chip has so many bits", "bits"),
}

FILTERS = {
    "assumptions": assumptions,
    "bits": bits,
    "count": count,
    "term_count": term_count,
    "term_price": term_price,
    "evidence_words": evidence_words,
    "fullest_limit": fullest_limit,
    "part_of": part_of,
    "percent": percent,
    "points": points,
    "priced_energy": priced_energy,
    "spoken": spoken,
    "step_name": step_name,
    "cause_name": cause_name,
    "joules": partial(with_prefix, unit="J"),
    "seconds": partial(with_prefix, unit="s"),
    "joules_between": lambda row: interval(row.get("low_j"), row.get("high_j"), "J"),
    "total_energy": total_energy,
    "used_of": used_of,
    "wrong_by": wrong_by,
}


def write_html(report, path):
    """
    Write a report as one self-contained HTML page, for light and dark screens.

    Parameters
    ----------
    report : dict
        Keys as in `nengo_hybrid.report.schema`. Drawn where they are there:
        ``history`` (training), ``waterfall`` (accuracy by step), ``confusion`` (true
        class by answer), ``sweep`` (accuracy against bits and operations of several
        networks), ``cores`` and ``mesh`` (the chip map), ``on_chip`` and ``host``
        (what runs where), ``calibration_ranges`` and ``test_ranges`` (how far integers
        go), ``sent`` and ``payload_bits`` (histograms by population), ``raster``
        (spikes of one sample).
    path : str or path-like
        File in a folder that exists. An older file is replaced in one step.

    Returns
    -------
    pathlib.Path
        Where the file is.

    Raises
    ------
    BundleError
        If a key is missing, a number is not finite, or the file cannot be
        written. Nothing is written then.
    """
    report = check_report(report)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            comparison=_cheapest_first(beside_this_run(report)),
            latency=latency_rows(report["latency"]),
            map=chip_map(report),
            ranges={words: report.get(key) for key, words in RANGES.items()},
            figures=_figures(report),
            histograms=_histograms(report),
            confusion=_confusion(report.get("confusion")),
            digests={k: v for k, v in report.items() if k.endswith("_sha256")},
        )
    )
    return replace_file(path, page)


def _environment():
    environment = Environment(
        loader=PackageLoader("nengo_hybrid.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(FILTERS)
    return environment


def _finalize(value):
    """Write a value as one line, in which no number parts from its unit."""
    if isinstance(value, Markup):
        return value
    return BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", printable(value))


def _figures(report):
    """Draw what there is data for, for a screen and for a phone."""
    # Here, so that only who wants a page waits for matplotlib.
    from nengo_hybrid.report import drawing, figures

    steps = (report.get("waterfall") or {}).get("rows") or []
    # A term that did not come up has no bar; the table has it.
    terms = [t for t in report["energy"]["terms"] if t.get("energy_j") != 0]
    rows = _cheapest_first(beside_this_run(report))
    plots = {
        "training": (figures.training_curve, {"history": report.get("history")}),
        "waterfall": (figures.waterfall, {"rows": steps}),
        "energy": (figures.energy_terms, {"terms": terms}),
        "comparison": (figures.comparison, {"rows": rows, "target": report["target"]}),
        "raster": (figures.spike_raster, {"raster": report.get("raster")}),
        "sweep": (figures.pareto, {"rows": report.get("sweep")}),
    }
    widths = {"wide": drawing.WIDE, "narrow": drawing.NARROW}
    return {
        # SVG of our own making; matplotlib has escaped the labels in it.
        name: {
            width: Markup(drawing.draw(PICTURES[name], plot, width=inches, **data))
            for width, inches in widths.items()
        }
        for name, (plot, data) in plots.items()
        if all(data.values())
    }


def _histograms(report):
    """Draw what populations send: (caption, picture by name, number left out)."""
    from nengo_hybrid.report import drawing, figures

    found = []
    for key, (caption, label) in HISTOGRAMS.items():
        sent = {name: values for name, values in report.get(key, {}).items() if values}
        drawn = {}
        for name in list(sent)[:MOST_HISTOGRAMS]:
            words = f"{caption}: {name}, {value_range(sent[name])}"
            data = {"values": sent[name], "label": label, "width": drawing.SMALL}
            drawn[name] = Markup(drawing.draw(words, figures.histogram, **data))
        if drawn:
            found.append((caption, drawn, len(sent) - len(drawn)))
    return found


def _cheapest_first(rows):
    unknown = float("inf")
    return sorted(
        rows, key=lambda row: unknown if row["energy_j"] is None else row["energy_j"]
    )


def _confusion(matrix):
    """Pair each count with its share of the row's samples, for the shading."""
    rows = []
    for row in matrix or []:
        n_samples = sum(row) or 1
        rows.append([(cell, cell / n_samples) for cell in row])
    return rows
