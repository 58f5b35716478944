"""
Make the README's picture from a report.

    python docs/make_figures.py demo-out/report.json
"""

import sys
from pathlib import Path

from nengo_hybrid.report import load_json
from nengo_hybrid.report.figures import draw, spike_raster

# A page gives the report's pictures their colours; a file has to bring its own.
COLOURS = {
    "var(--ink)": "#1f2430",
    "var(--muted)": "#5b6270",
    "var(--grid)": "#dfe3ea",
    "var(--series-1)": "#3566b8",
    "var(--series-2)": "#c2603a",
}
BACKGROUND = '<rect width="100%" height="100%" fill="#ffffff"/>'


def main(report_path, folder=Path(__file__).parent / "_static"):
    """Write the raster of one digit on the emulated chip."""
    raster = load_json(report_path)["raster"]
    raster = {name: raster[name] for name in ("lmu.hidden", "output")}
    svg = draw("spikes of one digit on the emulated chip", spike_raster, raster=raster)
    for variable, colour in COLOURS.items():
        svg = svg.replace(variable, colour)
    start = svg.index(">") + 1
    folder.mkdir(exist_ok=True)
    (folder / "digit.svg").write_text(svg[:start] + BACKGROUND + svg[start:])


if __name__ == "__main__":
    main(sys.argv[1])
