"""
Make the pictures of the README and of the pages from a report.

    python docs/make_figures.py demo-out/report.json
"""

import sys
from pathlib import Path

from nengo_hybrid.report import load_json
from nengo_hybrid.report.drawing import draw
from nengo_hybrid.report.figures import spike_raster, waterfall

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
    """Write the raster of one digit on the emulated chip, and the waterfall."""
    report = load_json(report_path)
    raster = {name: report["raster"][name] for name in ("lmu.hidden", "output")}
    rows = report["waterfall"]["rows"]
    folder.mkdir(exist_ok=True)
    for file, words, plot, data in (
        ("digit", "spikes of one digit", spike_raster, {"raster": raster}),
        ("waterfall", "accuracy step by step", waterfall, {"rows": rows}),
    ):
        svg = draw(f"{words} on the emulated chip", plot, **data)
        for variable, colour in COLOURS.items():
            svg = svg.replace(variable, colour)
        start = svg.index(">") + 1
        path = folder / f"{file}.svg"
        path.write_text(svg[:start] + BACKGROUND + svg[start:])


if __name__ == "__main__":
    main(sys.argv[1])
