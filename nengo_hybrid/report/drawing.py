"""Pictures as SVG that takes its colours from the page, wide and narrow."""

import html
import io
import re
import warnings

import matplotlib
from matplotlib.figure import Figure

from nengo_hybrid.report.wording import printable

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
    "font.sans-serif": ["DejaVu Sans"],
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

# Inches. Letters have one size, so a phone needs a picture that was drawn narrow:
# panels one below the other, and the words of a row above it.
WIDE, NARROW, SMALL = 9.0, 4.1, 3.0
ROW_HEIGHT = {WIDE: 0.34, NARROW: 0.46}
LABEL_LENGTH = {WIDE: 30, NARROW: 22}
WORDS_LENGTH = 40


def draw(words, plot, *, width=WIDE, **kwargs):
    """
    Draw one picture as an inline SVG.

    Parameters
    ----------
    words : str
        What it shows, for who does not see it. With the width this keeps the ids of
        the pictures on one page apart.
    plot : callable
        Takes ``kwargs`` and returns a `matplotlib.figure.Figure`.
    width : float
        In inches: `WIDE`, `NARROW` or `SMALL`.

    Returns
    -------
    str
        An ``<svg>`` element, the same for the same data.
    """
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    style = {"svg.hashsalt": f"{words} {width}", "figure.figsize": (width, 1)}
    with matplotlib.rc_context({**STYLE, **style}):
        figure = plot(**kwargs)
        with warnings.catch_warnings():
            # The reader's fonts draw the labels, not the ones matplotlib has.
            warnings.filterwarnings("ignore", message=r"Glyph \d+")
            figure.savefig(buffer, format="svg", metadata=no_metadata)
    return _for_page(buffer.getvalue(), words)


def width_now():
    """Return the width that `draw` asks for, in inches."""
    return matplotlib.rcParams["figure.figsize"][0]


def start_figure(height):
    """Start a figure of the width asked for."""
    return Figure(figsize=(width_now(), height), layout="constrained")


def start_panels(n_panels, height):
    """Start a figure of some panels, side by side if it is wide; return their axes."""
    rows, columns = (1, n_panels) if width_now() == WIDE else (n_panels, 1)
    figure = start_figure(height * rows)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _for_page(svg, words):
    """Cut an SVG file down to its element, sized and coloured by the page."""
    svg = svg[svg.index("<svg") :]
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    # Groups are named figure_1, axes_1, ... in every picture alike.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'(?<= d=")[^"]*', _briefly, svg)
    svg = re.sub(r'(?<= [xy]=")[^"]*', _rounded, svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*"', "", svg)
    label = html.escape(printable(words))
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _briefly(path):
    """Write the lines of a path to a tenth of a point, those along an axis as H, V."""
    at = (None, None)

    def shorter(found):
        nonlocal at
        command, x, y = found.groups()
        before, at = at, (x, y)
        if command == "L" and before[0] == x:
            return f"V{y}"
        return f"H{x}" if command == "L" and before[1] == y else f"{command}{x} {y}"

    words = _rounded(path)
    # Where something else than lines goes on, the place is not known.
    is_plain = not set(words) & set("CQ")
    return re.sub(r"([ML]) (\S+) (\S+) \n", shorter, words) if is_plain else words


def _rounded(found):
    return re.sub(r"-?\d+\.\d+", lambda n: f"{float(n[0]):.1f}", found[0])


def start_rows(labels):
    """Start a picture of horizontal rows, the first at the top."""
    is_wide = width_now() == WIDE
    figure = start_figure(0.45 + ROW_HEIGHT[width_now()] * max(len(labels), 1))
    axes = figure.add_subplot()
    short = [shortened(label, LABEL_LENGTH[width_now()]) for label in labels]
    axes.set_yticks(range(len(labels)), labels=short if is_wide else [])
    axes.set_ylim(len(labels) - 0.4, -0.6 if is_wide else -0.9)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not is_wide:
        for y, label in enumerate(short):
            _above(axes, y, label, x=0, ha="left")
    return figure, axes


def shortened(words, n_letters):
    """Cut words that a picture has no room for."""
    return words if len(words) <= n_letters else f"{words[: n_letters - 1]}\u2026"


def _above(axes, y, words, *, x, ha):
    """Write above a row, at the left (x = 0) or right (x = 1) end of the axes."""
    place = {"xycoords": axes.get_yaxis_transform(), "ha": ha, "va": "bottom"}
    axes.annotate(words, (x, y - 0.32), **place)


def draw_whisker(axes, y, low, high):
    """Draw the bounds of a row, if they are known and apart."""
    if low is not None and high is not None and low < high:
        axes.plot([low, high], [y, y], color=INK, lw=1.2, marker="|", ms=7)


def write_row(axes, x, y, words):
    """Write the words of a row: after its end at x, or above it in a narrow picture."""
    words = shortened(words, WORDS_LENGTH)
    if width_now() == WIDE:
        beside = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(words, (x, y), **beside)
    else:
        _above(axes, y, words, x=1, ha="right")
