"""HTML from templates, which lie beside the modules that fill them; whatever is put into one becomes inert text."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from rag import bibtex, instructions
from ui.html.escaping import escape, highlight, shorten
from ui.html.paper_parts import count_papers, describe_filter, list_details, shorten_heading


def fill(name: str, **values: object) -> str:
    """Fills a template of this package.

    Args:
        name: Its place, e.g. "papers/table.html".
    """
    return _TEMPLATES.get_template(name).render(values)


def _read(name: str) -> str:
    """A template without the white space between its lines: it would show, or end a block of Markdown."""
    return "".join(map(str.strip, files("ui").joinpath(name).read_text("utf-8").splitlines()))


def _escape(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape(str(value)))  # noqa: S704


_TEMPLATES = Environment(loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, finalize=_escape)
_TEMPLATES.globals |= {
    function.__name__: function
    for function in (
        bibtex,
        count_papers,
        describe_filter,
        highlight,
        instructions,
        list_details,
        shorten,
        shorten_heading,
    )
}
