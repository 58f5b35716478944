"""The pictures of a report, as SVG that takes its colours from the page."""

import io
import itertools
import re
import warnings

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from nengo_hybrid.report.wording import (
    percent,
    points,
    printable,
    spoken,
    step_name,
    with_prefix,
)

# matplotlib draws with colours nobody else uses, and each is then replaced by a
# variable of the style sheet: one picture serves light and dark pages.
COLOURS = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--grid)",
    "#040404": "var(--series-1)",
    "#050505": "var(--series-2)",
}
INK, MUTED, GRID, FIRST, SECOND = COLOURS

STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "text.color": INK,
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "path.simplify": False,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
}

WIDTH = 9.0
ROW_HEIGHT = 0.34
LABEL_LENGTH = 30
RASTER_NEURONS = 64


def draw(name, plot, **kwargs):
    """
    Draw one picture as an inline SVG.

    Parameters
    ----------
    name : str
        Short name; keeps the ids of the pictures on one page apart.
    plot : callable
        Takes nothing and returns a `matplotlib.figure.Figure`.

    Returns
    -------
    str
        An ``<svg>`` element, the same for the same data.
    """
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = plot(**kwargs)
        with warnings.catch_warnings():
            # The reader's fonts draw the labels, not the ones matplotlib has.
            warnings.filterwarnings("ignore", message=r"Glyph \d+")
            figure.savefig(buffer, format="svg", metadata=no_metadata)
    return _for_page(buffer.getvalue(), name)


def _for_page(svg, name):
    """Cut an SVG file down to its element, sized and coloured by the page."""
    svg = svg[svg.index("<svg") :]
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    # Groups are named figure_1, axes_1, ... in every picture alike.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{name}"', 1)


def training_curve(history):
    """
    Plot accuracy, loss and ``omega`` over the epochs.

    Parameters
    ----------
    history : dict of str to list
        ``epoch`` and any of ``accuracy``, ``val_accuracy``, ``loss``,
        ``val_loss``, ``omega`` and ``omega.<ensemble>``; None where an epoch has
        no value.
    """
    omegas = {key: key for key in history if key.partition(".")[0] == "omega"}
    panels = {
        "accuracy": {"accuracy": "training", "val_accuracy": "validation"},
        "loss": {"loss": "training", "val_loss": "validation"},
        "omega, from rates to spikes": omegas,
    }
    panels = {t: lines for t, lines in panels.items() if any(map(history.get, lines))}
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    for i, (title, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), i + 1, title=title, xlabel="epoch")
        _plot_history(axes, history, lines)
        if lines is omegas:
            axes.set_yscale("log", base=2)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
    return figure


def _plot_history(axes, history, lines):
    colours = itertools.cycle((FIRST, SECOND, MUTED))
    for (key, label), colour in zip(lines.items(), colours, strict=False):
        values = history.get(key)
        if not values:
            continue
        values = [float("nan") if value is None else value for value in values]
        epochs = history.get("epoch") or range(1, len(values) + 1)
        marker = "o" if len(values) < 30 else None
        label = printable(label)
        axes.plot(epochs, values, color=colour, label=label, marker=marker, ms=3)
    if len(lines) > 1:
        axes.legend()
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def energy_terms(terms):
    """
    Plot one bar per term of the energy, with its bounds as a whisker.

    Parameters
    ----------
    terms : list of dict
        ``name``, ``energy_j``, ``low_j``, ``high_j``, ``evidence``; a term
        without an energy is written as unpriced.
    """
    figure, axes = _rows([spoken(term["name"]) for term in terms])
    right = max([_value(t.get("high_j") or t.get("energy_j")) for t in terms] or [0])
    axes.set_xlim(0, 1.45 * right or 1)
    for y, term in enumerate(terms):
        energy = term.get("energy_j")
        end = max(_value(energy), _value(term.get("high_j")))
        if energy is not None:
            axes.barh(y, energy, height=0.55, color=FIRST)
            _whisker(axes, y, term.get("low_j"), term.get("high_j"))
        words = "no price" if energy is None else with_prefix(energy, "J")
        _write(axes, end, y, _with_evidence(words, term.get("evidence")))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: with_prefix(x, "J")))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def comparison(rows, target):
    """
    Plot the energy of an inference on several targets on a log axis.

    Parameters
    ----------
    rows : list of dict
        ``target``, ``energy_j``, ``evidence`` and, where known, ``low_j`` and
        ``high_j``; a row without an energy is written as withheld.
    target : str
        The target of this report, drawn in the other colour.
    """
    figure, axes = _rows([printable(row["target"]) for row in rows])
    axes.set_xscale("log")
    known = [e for row in rows for e in _positive(row)]
    low, high = (min(known), max(known)) if known else (1e-6, 1e-3)
    # Room at the right for the words, on an axis of at least one decade.
    axes.set_xlim(low / 2, high * 2 * max(high / low, 10) ** 0.4)
    for y, row in enumerate(rows):
        energy = row["energy_j"]
        if not energy:
            words = "withheld" if energy is None else "0 J"
            _write(axes, low, y, _with_evidence(words, row["evidence"]))
            continue
        colour = SECOND if row["target"] == target else FIRST
        axes.plot(energy, y, "o", color=colour, ms=7)
        _whisker(axes, y, row.get("low_j"), row.get("high_j"))
        end = max(_positive(row))
        words = _with_evidence(with_prefix(energy, "J"), row["evidence"])
        _write(axes, end, y, words)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: with_prefix(x, "J")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return figure


def waterfall(rows):
    """
    Plot the accuracy after each step as a bar from the accuracy before it.

    Parameters
    ----------
    rows : list of dict
        ``step``, ``accuracy``, and the change to the row before: ``delta`` and
        ``standard_error``, drawn as a whisker; None in the first row.
    """
    figure, axes = _rows([step_name(row["step"]) for row in rows])
    known = [row["accuracy"] for row in rows]
    least = [row["accuracy"] - (row["standard_error"] or 0) for row in rows]
    room = max(max(known) - min(least), 0.01)
    low = max(0, min(least) - 0.1 * room)
    axes.set_xlim(low, max(known) + 0.8 * room)
    start = low
    for y, row in enumerate(rows):
        end, error = row["accuracy"], row["standard_error"] or 0
        colour = MUTED if row["delta"] is None else SECOND if end < start else FIRST
        axes.barh(y, end - start, left=start, height=0.55, color=colour)
        if y + 1 < len(rows):
            axes.plot([end, end], [y, y + 1], color=GRID, lw=1)
        _whisker(axes, y, end - error, end + error)
        words = percent(end, 2)
        if row["delta"] is not None:
            words += f" ({points(row)})".replace("+-", "\N{PLUS-MINUS SIGN}")
        _write(axes, max(start, end + error), y, words)
        start = end
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: percent(x, 1)))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def spike_raster(raster):
    """
    Plot the spikes of one sample, one panel per population.

    Parameters
    ----------
    raster : dict of str to dict
        ``times`` (in steps), ``neurons`` and ``n_neurons`` per population. The
        first 64 neurons are drawn.
    """
    heights = [min(r["n_neurons"], RASTER_NEURONS) + 8 for r in raster.values()]
    height = 0.5 + 0.035 * sum(heights)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(
        len(raster), 1, sharex=True, squeeze=False, height_ratios=heights
    )
    for axes, (name, spikes) in zip(panels[:, 0], raster.items(), strict=True):
        _plot_spikes(axes, name, spikes)
    panels[-1, 0].set_xlabel("time step")
    return figure


def pareto(rows):
    """
    Plot the accuracy of networks against what they cost; larger, those on the front.

    Parameters
    ----------
    rows : list of dict
        ``accuracy``, ``bits_max``, ``significant_bits``, ``synaptic_ops`` (None where
        unknown) and ``on_front``.
    """
    panels = {
        "bits_max": "bits of activity, maximum",
        "significant_bits": "significant bits a step",
        "synaptic_ops": "synaptic operations",
    }
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    for i, (key, label) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), i + 1, xlabel=label)
        for is_best, colour, size in ((False, MUTED, 3), (True, FIRST, 5)):
            found = [
                (row[key], 100 * row["accuracy"])
                for row in rows
                if row[key] is not None and bool(row["on_front"]) is is_best
            ]
            if found:
                axes.plot(*zip(*found, strict=True), "o", color=colour, ms=size)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if key == "synaptic_ops":
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda x, _: with_prefix(x, ""))
            )
    figure.axes[0].set_ylabel("accuracy, %")
    return figure


def _plot_spikes(axes, name, spikes):
    """Plot spikes as one line with gaps, which stays small as SVG."""
    n_drawn = min(spikes["n_neurons"], RASTER_NEURONS)
    x, y = [], []
    for time, neuron in zip(spikes["times"], spikes["neurons"], strict=True):
        if neuron < n_drawn:
            x += [time, time, float("nan")]
            y += [neuron - 0.4, neuron + 0.4, float("nan")]
    axes.plot(x, y, color=FIRST, lw=1.1)
    drawn = "" if n_drawn == spikes["n_neurons"] else f"first {n_drawn} of "
    axes.set_title(f"{printable(name)}: {drawn}{spikes['n_neurons']} neurons")
    axes.set_ylim(-1, n_drawn)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))


def _rows(labels):
    """Start a picture of horizontal rows, the first at the top."""
    height = 0.45 + ROW_HEIGHT * max(len(labels), 1)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    short = [
        label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 1]}\u2026"
        for label in labels
    ]
    axes.set_yticks(range(len(labels)), labels=short)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure, axes


def _whisker(axes, y, low, high):
    if low is not None and high is not None and low < high:
        axes.plot([low, high], [y, y], color=INK, lw=1.2, marker="|", ms=7)


def _write(axes, x, y, words):
    axes.annotate(words, (x, y), xytext=(9, 0), textcoords="offset points", va="center")


def _with_evidence(words, evidence):
    return words if evidence is None else f"{words}, {printable(evidence)}"


def _positive(row):
    """Return the energies of a row that a log axis can show."""
    energies = (row["energy_j"], row.get("low_j"), row.get("high_j"))
    return [energy for energy in energies if energy] if row["energy_j"] else []


def _value(number):
    return 0.0 if number is None else number
