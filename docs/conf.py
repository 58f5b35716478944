"""Sphinx settings; ``make docs`` builds the pages into docs/_build/html."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

from nengo_hybrid.version import version

TYPES = """
Bundle Checkup Dataset Deployed EnergyReport Estimate Evaluation GradedGraph GradedTrace
HopCost LatencyReport LavaInput OpCounts Outline Placement QuantizedGraph Rates Recipe
Smoothing SpikingGraph Split Target Trace Trained Waterfall
"""

project = "nengo-hybrid"
author = "the nengo-hybrid developers"
copyright = f"2026, {author}"
release = version
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
]
html_theme = "furo"
# Browsers show MathML by themselves, without a script that is fetched from elsewhere.
html_math_renderer = "mathml"
html_title = f"nengo-hybrid {version}"
html_static_path = ["_static"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# What is in single backticks is a link where it names something that is documented.
default_role = "autolink"
nitpicky = True
autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# The other words that say what a parameter is are no links.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {name: name for name in TYPES.split()}

# Whose pages would have to be fetched to be linked.
OTHERS = ("nengo", "nengo_dl", "nengo_loihi", "rich")


def find_elsewhere(app, env, node, contnode):
    """Link what is documented under another name than it is called by here."""
    target = node["reftarget"]
    owner = target.replace(":", ".").partition(".")[0]
    if owner in ("numpy", "python"):  # numpydoc's links of plain types
        return nodes.Text(contnode.astext().rpartition(":")[2])
    if owner in OTHERS:
        return contnode
    domain, last = env.get_domain("py"), target.rpartition(".")[2]
    found = [name for name in domain.objects if name.rpartition(".")[2] == last]
    if node["refdomain"] != "py" or len(found) != 1:
        # A docstring may name what has no page; pages link with roles, and may not.
        return contnode if node.get("reftype") == "obj" else None
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", found[0], node, contnode
    )


def write_math(translator, node):
    """Write a formula as MathML."""
    if isinstance(node, nodes.math_block):
        formula = tex2mathml(node.astext(), as_block=True)
        formula = f'<div style="overflow-x: auto">{formula}</div>'  # on a phone
    else:
        formula = tex2mathml(node.astext())
    translator.body.append(formula)
    raise nodes.SkipNode


def setup(app):
    """Connect what this file adds to Sphinx."""
    app.connect("missing-reference", find_elsewhere)
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
