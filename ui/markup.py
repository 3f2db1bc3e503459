"""Makes text that others wrote inert: it stays text in HTML, in attributes and in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rag import visible

_PLAIN = frozenset(" ,;")


def inert(text: str) -> str:
    """Escapes everything but letters, digits, spaces, commas and semicolons as numeric entities.

    Markdown gives no meaning to a character written as an entity (CommonMark 0.31, section 2.5), so neither
    tags nor links, images, LaTeX or addresses can arise from the result, wherever it is put.
    """
    return "".join(
        character if character.isalnum() or character in _PLAIN else f"&#{ord(character)};"
        for character in visible(text)
    )


def element(tag: str, content: str, css: str = "", **attributes: str) -> str:
    """An element around `content`, which is markup already; attribute values are made inert here."""
    given = {"class": css, **attributes}
    listed = "".join(f' {name}="{inert_value(value)}"' for name, value in given.items() if value)
    return f"<{tag}{listed}>{content}</{tag}>"


def inert_value(value: str) -> str:
    """An attribute's value; the characters of our own ids and class names stay readable."""
    return value if re.fullmatch(r"[A-Za-z0-9 #-]*", value) else inert(value)


def highlighted(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with each span (start, end) in a <mark>; overlapping spans become one."""
    pieces, position = [], 0
    for start, end in _merged(spans, len(text)):
        pieces += [inert(text[position:start]), element("mark", inert(text[start:end]))]
        position = end
    return "".join(pieces) + inert(text[position:])


def _merged(spans: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    current: tuple[int, int] | None = None
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
