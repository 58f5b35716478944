"""Results as text, JSON and HTML; computes nothing."""

from nengo_hybrid.report.html import write_html
from nengo_hybrid.report.json_file import load_json, to_json, write_json
from nengo_hybrid.report.text import (
    render_deployed,
    render_estimate,
    render_run,
    render_text,
    render_waterfall,
)

__all__ = [
    "load_json",
    "render_deployed",
    "render_estimate",
    "render_run",
    "render_text",
    "render_waterfall",
    "to_json",
    "write_html",
    "write_json",
]
