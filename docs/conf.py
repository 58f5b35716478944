"""Sphinx settings; ``make docs`` builds the pages into docs/_build/html."""

from nengo_hybrid.version import version

project = "nengo-hybrid"
author = "the nengo-hybrid developers"
copyright = f"2026, {author}"
release = version
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
]
myst_enable_extensions = ["dollarmath"]
numpydoc_show_class_members = False
html_static_path = ["_static"]
exclude_patterns = ["_build"]
