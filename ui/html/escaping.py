"""Makes text that others wrote inert: it stays text in HTML, in attributes and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from rag import visible

Span = tuple[int, int]

_SPECIAL = re.compile(r"[^\w ,;]|_")
_VOID = {"input"}  # has no end


def inert(text: str) -> str:
    """Escapes everything but letters, digits, spaces, commas and semicolons as numeric entities.

    Markdown gives no meaning to a character written as an entity (CommonMark 0.31, section 2.5), so neither
    tags nor links, images, LaTeX or addresses can arise from the result, wherever it is put.
    """
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", visible(text))


def shortened(text: str, most: int) -> str:
    """The text, or as many of its first characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def papers(count: int) -> str:
    """A number of papers in words, e.g. "1 paper"."""
    return f"{count:,} paper" if count == 1 else f"{count:,} papers"


def element(tag: str, content: str, css: str = "", **attributes: str) -> str:
    """An element around `content`, which is markup already; attribute values are made inert here.

    An underscore in an attribute's name stands for a hyphen.
    """
    given = {"class": css, **attributes}
    listed = "".join(f' {name.replace("_", "-")}="{inert_value(value)}"' for name, value in given.items() if value)
    return f"<{tag}{listed}>" if tag in _VOID else f"<{tag}{listed}>{content}</{tag}>"


def inert_value(value: str) -> str:
    """An attribute's value; the characters of our own ids and class names stay readable."""
    return value if re.fullmatch(r"[A-Za-z0-9 #-]*", value) else inert(value)


def highlighted(text: str, spans: Iterable[Span], *, suspect: Iterable[Span] = ()) -> str:
    """The text with each span (start, end) in a <mark>; overlapping spans become one.

    Args:
        suspect: Spans marked in another way, also where they lie within the others.
    """
    plain, others = list(_merged(spans, len(text))), list(_merged(suspect, len(text)))
    ends = sorted({0, len(text), *(place for span in (*plain, *others) for place in span)})
    pieces = []
    for start, end in pairwise(ends):
        css = ["fn-cited"] * _within(start, plain) + ["fn-suspect"] * _within(start, others)
        piece = inert(text[start:end])
        pieces.append(element("mark", piece, " ".join(css)) if css else piece)
    return "".join(pieces)


def _within(place: int, spans: Iterable[Span]) -> bool:
    return any(start <= place < end for start, end in spans)


def _merged(spans: Iterable[Span], length: int) -> Iterator[Span]:
    current: Span | None = None
    for start, end in sorted((max(0, start), min(length, end)) for start, end in spans):
        if start >= end:
            continue
        if current and start <= current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current:
            yield current
        current = (start, end)
    if current:
        yield current
