"""Makes text that others wrote inert: it stays text in HTML, in attributes and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby, pairwise

from rag import visible

Span = tuple[int, int]

_PLAIN = re.compile(r"[A-Za-z0-9 #-]*")
_SPECIAL = re.compile(r"[^\w ,;]|_")


def escape(text: str) -> str:
    """Escapes everything but letters, digits, spaces, commas and semicolons as numeric entities.

    Markdown gives no meaning to a character written as an entity (CommonMark 0.31, section 2.5), so neither
    tags nor links, images, LaTeX or addresses can arise from the result, wherever it is put.
    """
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", visible(text))


def shorten(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis: `most` characters at most."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def element(tag: str, content: str, css: str = "", **attributes: str) -> str:
    """An element around `content`, which is markup already; attribute values are escaped here.

    An underscore in an attribute's name stands for a hyphen; an attribute without a value is left out.
    """
    given = {"class": css, **attributes}
    listed = "".join(f' {name.replace("_", "-")}="{_escape_value(value)}"' for name, value in given.items() if value)
    return f"<{tag}{listed}>{content}</{tag}>"


def _escape_value(value: str) -> str:
    """The characters of our own ids and class names stay readable."""
    return value if _PLAIN.fullmatch(value) else escape(value)


def button(label: str, css: str = "", **attributes: str) -> str:
    """A button that the page's script listens to; `label` is markup already."""
    return element("button", label, css, type="button", **attributes)


def draw_error(error: object) -> str:
    """What went wrong, in the words of the error."""
    return element("p", escape(str(error)), "fn-error")


def highlight(text: str, spans: Iterable[Span], *, suspect: Iterable[Span] = ()) -> str:
    """The text with each span (start, end) in a <mark>; overlapping spans become one.

    Args:
        suspect: Spans that are marked in another way, also within the others.
    """
    marked = {"fn-cited": tuple(spans), "fn-suspect": tuple(suspect)}
    places = {min(max(0, place), len(text)) for spans in marked.values() for span in spans for place in span}

    def css_of(piece: Span) -> str:
        found = (css for css, spans in marked.items() if any(start <= piece[0] < end for start, end in spans))
        return " ".join(found)

    written = ""
    for css, run in groupby(pairwise(sorted({0, len(text), *places})), css_of):
        pieces = list(run)
        shown = escape(text[pieces[0][0] : pieces[-1][1]])
        written += element("mark", shown, css) if css else shown
    return written
