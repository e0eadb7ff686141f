"""Formulas as MathML, made when the site is built: they need no script and no other server."""

import html

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def mathml(formula: str, **settings: str) -> str:
    """The formula; \\big( and its like grow, which browsers do only where they may stretch."""
    return convert(formula, **settings).replace("<mo minsize", '<mo stretchy="true" minsize')


def inline(translator: nodes.NodeVisitor, node: nodes.math) -> None:
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def displayed(translator: nodes.NodeVisitor, node: nodes.math_block) -> None:
    label = f' id="{html.escape(node["ids"][0])}"' if node["ids"] else ""
    formula = mathml(node.astext(), display="block")
    translator.body.append(f'<div class="math"{label} tabindex="0">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (inline, None), (displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
