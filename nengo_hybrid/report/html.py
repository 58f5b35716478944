"""A report as one HTML file that needs nothing else: no network, no script."""

from functools import partial

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from nengo_hybrid.report.files import replace_file
from nengo_hybrid.report.schema import check_report
from nengo_hybrid.report.wording import (
    beside_this_run,
    bits,
    cause_name,
    count,
    interval,
    latency_rows,
    percent,
    points,
    printable,
    spoken,
    step_name,
    total_energy,
    with_prefix,
)

FILTERS = {
    "bits": bits,
    "count": count,
    "percent": percent,
    "points": points,
    "spoken": spoken,
    "step_name": step_name,
    "cause_name": cause_name,
    "joules": partial(with_prefix, unit="J"),
    "seconds": partial(with_prefix, unit="s"),
    "joules_between": lambda row: interval(row.get("low_j"), row.get("high_j"), "J"),
    "total_energy": total_energy,
}


def write_html(report, path):
    """
    Write a report as one self-contained HTML page, for light and dark screens.

    Parameters
    ----------
    report : dict
        Keys as in `nengo_hybrid.report.schema`. Drawn where they are there:
        ``history`` (training), ``waterfall`` (accuracy by step), ``confusion`` (true
        digit by answer), ``raster`` (spikes of one sample), ``sweep`` (accuracy against
        bits and operations of several networks), ``host``.
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
            figures=_figures(report),
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
    return value if isinstance(value, Markup) else printable(value)


def _figures(report):
    """Draw what there is data for."""
    # Here, so that only who wants a page waits for matplotlib.
    from nengo_hybrid.report import figures

    plots = {
        "training": (figures.training_curve, {"history": report.get("history")}),
        "waterfall": (
            figures.waterfall,
            {"rows": (report.get("waterfall") or {}).get("rows")},
        ),
        "energy": (figures.energy_terms, {"terms": report["energy"]["terms"]}),
        "comparison": (
            figures.comparison,
            {
                "rows": _cheapest_first(beside_this_run(report)),
                "target": report["target"],
            },
        ),
        "raster": (figures.spike_raster, {"raster": report.get("raster")}),
        "sweep": (figures.pareto, {"rows": report.get("sweep")}),
    }
    return {
        # SVG of our own making; matplotlib has escaped the labels in it.
        name: Markup(figures.draw(name, plot, **data))
        for name, (plot, data) in plots.items()
        if all(data.values())
    }


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
