"""The pictures of a report."""

import itertools

from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from nengo_hybrid.report.drawing import (
    FIRST,
    GRID,
    LABEL_LENGTH,
    MUTED,
    SECOND,
    WIDE,
    draw_whisker,
    shortened,
    start_figure,
    start_panels,
    start_rows,
    width_now,
    write_row,
)
from nengo_hybrid.report.wording import (
    percent,
    points,
    printable,
    spoken,
    step_name,
    with_prefix,
)

RASTER_NEURONS = 64
# So many take 200 kB.
MOST_SPIKES = 8000


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
    figure, all_axes = start_panels(max(len(panels), 1), 2.5)
    for axes, (title, lines) in zip(all_axes, panels.items(), strict=False):
        axes.set(title=title, xlabel="epoch")
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
    figure, axes = start_rows([spoken(term["name"]) for term in terms])
    right = max([_value(t.get("high_j") or t.get("energy_j")) for t in terms] or [0])
    axes.set_xlim(0, (1.45 if width_now() == WIDE else 1.05) * right or 1)
    for y, term in enumerate(terms):
        energy = term.get("energy_j")
        end = max(_value(energy), _value(term.get("high_j")))
        if energy is not None:
            axes.barh(y, energy, height=0.55, color=FIRST)
            draw_whisker(axes, y, term.get("low_j"), term.get("high_j"))
        words = "no price" if energy is None else with_prefix(energy, "J")
        write_row(axes, end, y, _with_evidence(words, term.get("evidence")))
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
    figure, axes = start_rows([printable(row["target"]) for row in rows])
    axes.set_xscale("log")
    known = [e for row in rows for e in _positive(row)]
    low, high = (min(known), max(known)) if known else (1e-6, 1e-3)
    # Room at the right for the words, on an axis of at least one decade.
    room = max(high / low, 10) ** (0.4 if width_now() == WIDE else 0.05)
    axes.set_xlim(low / 2, high * 2 * room)
    for y, row in enumerate(rows):
        energy = row["energy_j"]
        if not energy:
            words = "withheld" if energy is None else "0 J"
            write_row(axes, low, y, _with_evidence(words, row["evidence"]))
            continue
        colour = SECOND if row["target"] == target else FIRST
        axes.plot(energy, y, "o", color=colour, ms=7)
        draw_whisker(axes, y, row.get("low_j"), row.get("high_j"))
        end = max(_positive(row))
        words = _with_evidence(with_prefix(energy, "J"), row["evidence"])
        write_row(axes, end, y, words)
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
    figure, axes = start_rows([step_name(row["step"]) for row in rows])
    known = [row["accuracy"] for row in rows]
    least = [row["accuracy"] - (row["standard_error"] or 0) for row in rows]
    room = max(max(known) - min(least), 0.01)
    low = max(0, min(least) - 0.1 * room)
    axes.set_xlim(low, max(known) + (0.8 if width_now() == WIDE else 0.1) * room)
    start = low
    for y, row in enumerate(rows):
        end, error = row["accuracy"], row["standard_error"] or 0
        colour = MUTED if row["delta"] is None else SECOND if end < start else FIRST
        axes.barh(y, end - start, left=start, height=0.55, color=colour)
        if y + 1 < len(rows):
            axes.plot([end, end], [y, y + 1], color=GRID, lw=1)
        draw_whisker(axes, y, end - error, end + error)
        words = percent(end, 2)
        if row["delta"] is not None:
            words += f" ({points(row)})".replace("+-", "\N{PLUS-MINUS SIGN}")
        write_row(axes, max(start, end + error), y, words)
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
        ``times`` (in steps), ``neurons`` and ``n_neurons`` per population. The first
        64 neurons are drawn, and as many of the first steps as hold `MOST_SPIKES`.
    """
    heights = [min(r["n_neurons"], RASTER_NEURONS) + 8 for r in raster.values()]
    height = 0.5 + 0.035 * sum(heights)
    figure = start_figure(height)
    panels = figure.subplots(
        len(raster), 1, sharex=True, squeeze=False, height_ratios=heights
    )
    drawn = {name: _drawn_spikes(spikes) for name, spikes in raster.items()}
    times = sorted(time for spikes in drawn.values() for time, _ in spikes)
    end = times[MOST_SPIKES] if len(times) > MOST_SPIKES else None
    for axes, (name, spikes) in zip(panels[:, 0], drawn.items(), strict=True):
        shown = [s for s in spikes if end is None or s[0] < end]
        _plot_spikes(axes, name, shown, raster[name]["n_neurons"])
    more = "" if end is None else f", the first {end} of {times[-1] + 1}"
    panels[-1, 0].set_xlabel(f"time step{more}")
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
    figure, all_axes = start_panels(len(panels), 2.6)
    for axes, (key, label) in zip(all_axes, panels.items(), strict=True):
        axes.set(xlabel=label)
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
    all_axes[0].set_ylabel("accuracy, %")
    return figure


def histogram(values, label):
    """
    Plot how often which value was sent, on a log axis.

    Parameters
    ----------
    values : dict of str to int
        How often each was sent, by the value, an integer.
    label : str
        Of the values.
    """
    found = {int(value): n for value, n in values.items() if n}
    low, high, total = min(found), max(found), sum(found.values())
    shares = [100 * found.get(value, 0) / total for value in range(low, high + 1)]
    floor = min(share for share in shares if share) / 3
    figure = start_figure(1.7)
    axes = figure.add_subplot(xlabel=label, ylabel="%", yscale="log")
    edges = [value - 0.5 for value in range(low, high + 2)]
    # One path, however many values there are; each apart where it can be seen.
    line = {"lw": 1.5, "ec": FIRST} if len(shares) > 40 else {"lw": 0.4, "ec": GRID}
    heights = [max(share, floor) for share in shares]
    axes.stairs(heights, edges, baseline=floor, fill=True, fc=FIRST, **line)
    axes.set_ylim(floor, 200)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(visible=False, axis="x")
    return figure


def _drawn_spikes(spikes):
    """Return (time, neuron) of the spikes of the first neurons."""
    pairs = zip(spikes["times"], spikes["neurons"], strict=True)
    return [(time, neuron) for time, neuron in pairs if neuron < RASTER_NEURONS]


def _plot_spikes(axes, name, spikes, n_neurons):
    """Plot spikes as one line with gaps, which stays small as SVG."""
    x, y = [], []
    for time, neuron in spikes:
        x += [time, time, float("nan")]
        y += [neuron - 0.4, neuron + 0.4, float("nan")]
    axes.plot(x, y, color=FIRST, lw=1.1)
    n_drawn = min(n_neurons, RASTER_NEURONS)
    drawn = "" if n_drawn == n_neurons else f"first {n_drawn} of "
    name = shortened(printable(name), LABEL_LENGTH[width_now()])
    axes.set_title(f"{name}: {drawn}{n_neurons} neuron{'s' * (n_neurons != 1)}")
    axes.set_ylim(-1, n_drawn)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))


def _with_evidence(words, evidence):
    return words if evidence is None else f"{words}, {printable(evidence)}"


def _positive(row):
    """Return the energies of a row that a log axis can show."""
    energies = (row["energy_j"], row.get("low_j"), row.get("high_j"))
    return [energy for energy in energies if energy] if row["energy_j"] else []


def _value(number):
    return 0.0 if number is None else number
