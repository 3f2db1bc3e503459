"""Text files of abstracts: `Abstract:` lines, a title line before each abstract, blank lines or none between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rag.corpus.clean import clean_text, is_boilerplate

# A hyphen within a word is none: "Abstract-to-Executable Trajectory Translation" is a title.
_ABSTRACT_MARK = re.compile(r"abstract(?:\s*[:.—–]|\s*-(?!\w))\s*", re.IGNORECASE)
_GLUED_BUTTON = re.compile(r"Subscribe(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Entry:
    """An abstract as found: `line` is the 1-based line of its text; `title` is "" where there is none."""

    title: str
    abstract: str
    line: int


@dataclass(frozen=True, slots=True)
class StrayTitle:
    """A line that reads like a title, but no abstract follows it."""

    text: str
    line: int


def read_text(lines: Iterable[str]) -> Iterator[Entry | StrayTitle]:
    """Reads the three shapes, mixed or not, in one pass and without keeping the file."""
    title: StrayTitle | None = None
    after_furniture = False
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line:
            continue
        if is_boilerplate(line):
            after_furniture = True
            continue
        if after_furniture:
            line = line[glued.end() :] if (glued := _GLUED_BUTTON.match(line)) else line
            after_furniture = False
        marked = _ABSTRACT_MARK.match(line)
        if marked or _reads_like_an_abstract(line):
            abstract = clean_text(line[marked.end() :] if marked else line)
            if abstract:  # else a heading over it
                yield Entry(clean_text(title.text) if title else "", abstract, number)
                title = None
        else:
            if title:
                yield title
            title = StrayTitle(line, number)
    if title:
        yield title


def _reads_like_an_abstract(line: str) -> bool:
    """Titles run to some 25 words and end without a full stop (if often in "?"); abstracts are prose."""
    words = len(line.split())
    return words >= 40 or (words >= 12 and line.endswith((".", '."', ".)")))
