"""Reads text files of abstracts: `Abstract:` lines, or a title line before each abstract; blank lines do not count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rag.corpus.clean import clean_text, is_boilerplate
from rag.corpus.details import Entry, Stray
from rag.text.sentences import find_sentences

# A hyphen within a word is none: "Abstract-to-Executable Trajectory Translation" is a title.
_ABSTRACT_MARK = re.compile(r"abstract(?:\s*[:.—–]|\s*-(?!\w))\s*", re.IGNORECASE)
_GLUED_BUTTON = re.compile(r"Subscribe(?=[A-Z])")


class _Line(NamedTuple):
    text: str
    number: int


def read_text(lines: Iterable[str]) -> Iterator[Entry | Stray]:
    """Reads the three shapes, mixed or not, in one pass and without keeping the file."""
    title: _Line | None = None
    sentence: _Line | None = None  # a line that is a short abstract, or a title with a full stop: the next tells
    for number, line in _without_furniture(lines):
        marked = _ABSTRACT_MARK.match(line)
        if marked and marked.end() == len(line):  # a heading over the abstract
            continue
        if sentence and not title and (marked or _is_prose(line)):
            title, sentence = sentence, None
        elif sentence:
            yield _entry(title, sentence.text, sentence.number)
            title = sentence = None
        if marked or _is_prose(line):
            yield _entry(title, line[marked.end() :] if marked else line, number)
            title = None
        elif _is_a_sentence(line):
            sentence = _Line(line, number)
        else:
            if title:
                yield _stray(title)
            title = _Line(line, number)
    if sentence:
        yield _entry(title, sentence.text, sentence.number)
    elif title:
        yield _stray(title)


def _without_furniture(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The lines of the papers with their numbers: no blanks, no boilerplate, no button glued to what follows it."""
    after_furniture = False
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if is_boilerplate(line):
            after_furniture = True
        elif line:
            glued = _GLUED_BUTTON.match(line) if after_furniture else None
            yield number, line[glued.end() :] if glued else line
            after_furniture = False


def _entry(title: _Line | None, abstract: str, line: int) -> Entry:
    return Entry(clean_text(title.text) if title else "", clean_text(abstract), line)


def _stray(title: _Line) -> Stray:
    return Stray(title.number, f"no abstract follows {title.text[:60]!r}")


def _is_prose(line: str) -> bool:
    """Whether a line is longer than any title, or has several sentences."""
    return len(line.split()) >= 40 or (_is_a_sentence(line) and len(find_sentences(line)) > 1)


def _is_a_sentence(line: str) -> bool:
    """Whether a line reads like a sentence, as short abstracts and few titles do."""
    return len(line.split()) >= 12 and line.endswith((".", '."', ".)"))
