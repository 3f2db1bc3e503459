"""The list of references that many models append to an answer, left out of a stream."""

from __future__ import annotations

import re
from enum import Enum, auto

from rag.markers.citation_forms import SQUARE, SUPERSCRIPTS, read_ranges
from rag.markers.stream_patterns import LazyPattern, chars, maybe, sequence, words
from rag.text.word_lists import read_lines, read_words

_STRONG = chars("[*_]", 0, 3)
_LINE_START = chars(r"[ \t]", 0, 3)
_BULLET = maybe(sequence(chars("[-*•–—]"), chars(r"[ \t]", 1, 3)))
_TITLED = sequence(chars(r"[ \t>#*_-]", 0, 10), words(*read_lines("reference_headings")), chars(r"[ \t*_]", 0, 6))
_HEADING = sequence(_TITLED, chars("[:：]", 0, 1), chars(r"[ \t*_]", 0, 6))
_ENTRY = sequence(_LINE_START, _BULLET, _STRONG, SQUARE, _STRONG)
_HEADED_ENTRY = sequence(_TITLED, chars("[:：]"), chars(r"[ \t*_]", 0, 6), SQUARE)  # Sources: [1], [2]
_ITEM = sequence(
    chars(r"[ \t]", 0, 8), _STRONG,
    sequence(chars("[-*•–—]"), chars(r"[ \t]"))
    | sequence(chars("[(]", 0, 1), chars(r"\d", 1, 3), chars(r"[.):\]]"))
    | SQUARE | chars(f"[{SUPERSCRIPTS}]"),
)  # fmt: skip
_CONTINUED = sequence(chars(r"[ \t]", 2, 8), chars(r"[^\s]"))
_LISTED = _ITEM | _CONTINUED


_BLANK = re.compile(r"[ \t]{0,200}(?:\n|\Z)|[ \t]{0,3}(?:[-*_][ \t]?){3,40}(?:\n|\Z)")  # nothing, or a rule
_BLANK_BEGUN = re.compile(r"[ \t]{0,200}\Z|[ \t]{0,3}(?:[-*_][ \t]?){0,40}\Z")
_IS_HEADING = re.compile(rf"{_HEADING.whole}(?:\n|\Z)", re.IGNORECASE)
_HEADS_ENTRY = re.compile(_HEADED_ENTRY.whole, re.IGNORECASE)
_IS_ENTRY = re.compile(_ENTRY.whole, re.IGNORECASE)
_MAY_BEGIN_LIST = LazyPattern((_HEADING | _HEADED_ENTRY | _ENTRY).begun, re.IGNORECASE)
_IS_LISTED, _LISTED_BEGUN = LazyPattern(_LISTED.whole, re.IGNORECASE), LazyPattern(_LISTED.begun, re.IGNORECASE)
_NUMBERED = re.compile(SQUARE.whole, re.IGNORECASE)
_LONGEST_MARKER_CHARS = 80
_FEWEST_ENTRIES = 2  # without a heading: a single one may be a sentence
# Without a heading, only titles in capitals are left out: what has another word in lower case may be a sentence.
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_ENDS_IN_STOP = re.compile(r"[.。][\s*_\"'”’»)\]]*\Z")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ADDRESS = re.compile(r"[<\s]*(?:https?:|www\.)", re.IGNORECASE)
_LONGEST_TITLE_CHARS = 400


class _Kind(Enum):
    BLANK, HEADING, HEADED, DEFINITION, ENTRY, LISTED, TEXT = (auto() for _ in range(7))


class _Mode(Enum):
    """What the lines before this one make of it."""

    TEXT = auto()
    HEADED = auto()  # a heading is held back: the next line tells
    LIST = auto()
    ENTRIES = auto()  # [1] A title, without a heading: held back, for a sentence may follow


class ReferenceList:
    """Passes the text of a stream but for a list of references: a heading with items, or items at the text's end.

    Only behind other text, which is an answer without it. Lines that may belong to one wait; where they do not, they
    are given back as they were.

    Attributes:
        dropped: What was left out, as written.
    """

    def __init__(self) -> None:
        self.dropped = ""
        self._mode = _Mode.TEXT
        self._line = ""  # the beginning of a line that is not understood yet
        self._rest: _Kind | None = None  # what the rest of the line is that is understood
        self._held = ""
        self._entries = 0
        self._said = False
        self._cited: set[int] = set()
        self._unread = ""  # text that was passed and not yet looked through for what it cites

    def feed(self, piece: str) -> str:
        """The text that belongs to no such list for certain."""
        return "".join(self._take(part) for part in _LINE.findall(piece))

    def finish(self) -> str:
        """The text that was held back and belongs to none, when nothing more comes."""
        passed = self._place(self._kind(final=True) or _Kind.TEXT) if self._line else ""
        if self._mode is _Mode.HEADED or (self._mode is _Mode.ENTRIES and self._entries >= _FEWEST_ENTRIES):
            self._drop()
        held, self._held = self._held, ""
        return passed + ("" if self._mode is _Mode.LIST else held)

    def _take(self, part: str) -> str:
        """A part of a line, up to its end."""
        if self._rest is None:
            self._line += part
            kind = self._kind(final=False)
            return "" if kind is None else self._place(kind)
        text = part.removesuffix("\n")
        kind = self._rest
        if part.endswith("\n"):
            self._rest = None
        if kind is _Kind.TEXT:
            self._held = part[len(text) :]  # the line's end waits: a list may follow, which takes it along
            return self._passed(text)
        self._held += part
        if self._mode is _Mode.LIST:
            self._drop()
        return ""

    def _place(self, kind: _Kind) -> str:
        """Does with the line that is understood what its kind and the lines before it ask for."""
        line, self._line = self._line, ""
        ended = line.endswith("\n")
        if kind is _Kind.BLANK:
            self._held += line
            return ""
        if self._mode is _Mode.TEXT or not self._goes_on(kind):
            passed = self._released()
            self._mode = self._begun(kind)
            self._entries = 0
        else:
            passed = ""
            self._mode = _Mode.ENTRIES if self._mode is _Mode.ENTRIES else _Mode.LIST
        if self._mode is _Mode.TEXT:
            self._rest = None if ended else _Kind.TEXT
            text = line.removesuffix("\n")
            # Where the list may still come, what waits before it goes with it.
            passed += self._passed(self._held + text)
            self._held = line[len(text) :]
            return passed
        self._rest = None if ended else kind
        self._held += line
        self._entries += 1
        if self._mode is _Mode.LIST:
            self._drop()
        return passed

    def _goes_on(self, kind: _Kind) -> bool:
        """Whether a line of this kind belongs to what is being held back or dropped."""
        if self._mode is _Mode.ENTRIES:
            return kind in (_Kind.ENTRY, _Kind.DEFINITION)
        return kind in (_Kind.LISTED, _Kind.ENTRY, _Kind.DEFINITION, _Kind.HEADED)

    def _begun(self, kind: _Kind) -> _Mode:
        """What a line of this kind begins behind ordinary text."""
        begins = {_Kind.HEADING: _Mode.HEADED, _Kind.HEADED: _Mode.LIST, _Kind.DEFINITION: _Mode.LIST,
                  _Kind.ENTRY: _Mode.ENTRIES}  # fmt: skip
        return begins.get(kind, _Mode.TEXT) if self._said else _Mode.TEXT

    def _released(self) -> str:
        """What was held back and is text after all; behind a list that was dropped, an empty line."""
        if self._mode is _Mode.LIST:
            self._held = "\n\n"
        if self._mode in (_Mode.HEADED, _Mode.ENTRIES):
            held, self._held = self._held, ""
            return self._passed(held)
        return ""

    def _drop(self) -> None:
        self.dropped += self._held
        self._held = ""
        self._mode = _Mode.LIST

    def _passed(self, text: str) -> str:
        self._said = self._said or bool(text.strip())
        self._unread += text
        return text

    def _kind(self, *, final: bool) -> _Kind | None:
        """The kind of the line as far as it is there; None where more of it is needed."""
        line, is_open = self._line, not (final or self._line.endswith("\n"))
        if (_BLANK_BEGUN if is_open else _BLANK).match(line):
            return None if is_open else _Kind.BLANK
        return self._kind_behind_text(line, is_open=is_open) if self._said else _Kind.TEXT

    def _kind_behind_text(self, line: str, *, is_open: bool) -> _Kind | None:
        in_list = self._mode in (_Mode.HEADED, _Mode.LIST)
        if is_open and (_MAY_BEGIN_LIST.match(line) or (in_list and _LISTED_BEGUN.match(line))):
            return None
        if not is_open and _IS_HEADING.match(line):
            return _Kind.HEADING
        if in_list and _IS_LISTED.match(line):
            return _Kind.LISTED
        if _HEADS_ENTRY.match(line):
            return _Kind.HEADED
        entry = _IS_ENTRY.match(line)
        kind = self._kind_of_entry(line, entry.end(), is_open=is_open) if entry else _Kind.TEXT
        return kind or (None if is_open else _Kind.TEXT)

    def _kind_of_entry(self, line: str, end: int, *, is_open: bool) -> _Kind | None:
        """Whether a line that begins with a marker is an entry of a list: "[1] A Title", but not "[1] says that"."""
        marker = _NUMBERED.search(line)
        cited = self._cited_so_far()
        known = marker is not None and all(
            set(range(first, last + 1)) <= cited for _, first, last in read_ranges(marker[0])
        )
        rest = line[end:].strip(" \t*_\"'“„«")
        is_definition = rest.startswith(":")
        if not rest or (is_definition and "^" in line[:end]):
            return _Kind.DEFINITION if rest else None
        if not known or not (is_definition or rest[0].isalnum()):
            return _Kind.TEXT
        kind = _Kind.DEFINITION if is_definition else _Kind.ENTRY
        if is_definition and _ADDRESS.match(rest, 1):
            return kind
        if _may_be_title(rest, is_open=is_open):
            return None if is_open else kind
        return _Kind.TEXT

    def _cited_so_far(self) -> set[int]:
        for marker in _NUMBERED.finditer(self._unread):
            for _, first, last in read_ranges(marker[0]):
                self._cited |= set(range(first, last + 1))
        self._unread = self._unread[-_LONGEST_MARKER_CHARS:]  # its end may be the beginning of a marker
        return self._cited


def _may_be_title(text: str, *, is_open: bool) -> bool:
    """Whether every word is capitalised as in a title; of an open line, the last word may go on."""
    words = list(_WORD.finditer(text))
    whole = [word[0] for word in words if not (is_open and word.end() == len(text))]
    small = read_words("title_words")
    if len(text) > _LONGEST_TITLE_CHARS or any(word.islower() and word not in small for word in whole):
        return False
    return is_open or (any(word[0].isupper() for word in whole) and not _ENDS_IN_STOP.search(text))
