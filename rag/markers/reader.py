"""The markers that a model writes into its answer: read from a stream, mapped to passages, or left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rag.markers.citation_forms import (
    BEGUN,
    CLAUSE_ENDS,
    CLAUSE_MAY_END,
    IS_BARE,
    IS_RAISED,
    MARKER,
    OPENER,
    WRITTEN,
    read_ranges,
)
from rag.markers.reference_list import ReferenceList
from rag.text.figures import ONES
from rag.text.words import visible

_ENDS_IN_MARKER = re.compile(rf"{MARKER.pattern}\Z")
# The end of a word in a script that sets words apart with blanks: all but Thai to Khmer, and Chinese and Japanese.
_ENDS_IN_OPEN, _CLOSES = re.compile(r"[\[\d]\Z"), re.compile(r"[\d\]]")
_ENDS_IN_SIGN = re.compile(r"[.,;!?%)\]\"”’»\u3040-\u9fff]\Z")
_ENDS_IN_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_IS_ALNUM, _GOES_ON, _BEGINS_INDEX = re.compile("[A-Za-z0-9]"), re.compile(r"\w|[({]"), re.compile(r"\[\s*\d")
_ENDS_IN_WORD = re.compile(r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]\Z")
BLANKS = " \t\u00a0\u202f"
_GAP = r"\s{0,3}"
# The target of a markdown link right behind a marker, (http://...) or (<...> "title"); and its beginning.
_TARGET = re.compile(
    rf"\({_GAP}(?:<[^<>\n]*>|[^\s()<]*(?:\([^\s()]*\)[^\s()]*){{0,5}})"
    rf"(?:\s{{1,3}}(?:\"[^\"\n]*\"|'[^'\n]*'))?{_GAP}\)"
)
_TARGET_BEGUN = re.compile(
    rf"\({_GAP}(?:<[^<>\n]*>?|[^\s()<]*(?:\([^\s()]*\)[^\s()]*){{0,4}}(?:\([^\s()]*(?:\)[^\s()]*)?)?)"
    rf"(?:\s{{1,3}}(?:\"[^\"\n]*\"?|'[^'\n]*'?))?{_GAP}\Z"
)
_LONGEST_WAIT_CHARS = 2_000
_MOST_SPELLED = 12  # "twelve (12)"
_CLAUSE_ENDS = ".,;:!?)\n"
# Behind these, (1) is the number of something else: "Eq. (1)", "three (3)", "(1) and (2)".
_NUMBERED = re.compile(
    r"""(?:^|\W)(?:eqs?|equations?|formulas?|figs?|figures?|tables?|tab|sections?|sec|chapters?|appendix|step|stage|phase
        |case|item|condition|constraint|lemma|theorem|property|proposition|definition|corollary
        |gleichung|abbildung|abb|tabelle|abschnitt|and|or|to|und|oder|et|ou|y|o|e)\.?\Z""",
    re.IGNORECASE | re.VERBOSE,
)
# What a raised number is a note to, not a power: the end of a clause, or a word that is no unit.
_ANNOTATED = re.compile(r"[.,;:!?)\]\"”’»%]\Z|[^\W\d_]{4}\Z")
_LINE_KEPT_CHARS = 2_000
_LINE_END_CHARS = 80


class MarkerReader:
    """Turns the markers of a streamed answer into [n], numbered in the order of first citation.

    What is no marker passes as it is: [MASK], [see 4], arr[0], the interval [0, 1], the year [2019], and bare
    numbers that count or name something: "(1) first", "Eq. (2)". At the end of a clause, (1) is a marker. A link on
    a marker loses its target: where a citation leads is not for the model to say. A list of references behind
    the answer and characters that show nothing are left out.

    Attributes:
        order: The passages cited, in the order of first citation: [n] stands for passage `order[n - 1]`.
        removed: Markers that name no passage and were left out, as written.
    """

    def __init__(self, passage_count: int) -> None:
        self.order: list[int] = []
        self.removed: list[str] = []
        self._passage_count = passage_count
        self._list = ReferenceList()
        self._before = ""  # the last character that came, on which hangs whether the next one is visible
        self._waiting = ""
        self._line = ""  # what was given back of the current line: what the next marker stands behind
        self._in_fence = False
        self._cites_bare = False
        self._skips_blanks = False  # behind a marker that was left out at the start of a line

    @property
    def dropped(self) -> str:
        """The list of references that was left out, as written; empty where there was none."""
        return self._list.dropped

    def feed(self, piece: str) -> str:
        """The text that is certain now; what may yet become a marker or a list waits for the next piece."""
        seen = visible(self._before + piece)[len(visible(self._before)) :].replace("\r", "")
        self._before = piece[-1:] or self._before
        return "".join(self._read(self._waiting + self._list.feed(seen), final=False))

    def finish(self) -> str:
        """The text that was waiting, when nothing more comes."""
        return "".join(self._read(self._waiting + self._list.finish(), final=True))

    def _read(self, text: str, *, final: bool) -> Iterator[str]:
        self._waiting = ""
        while text:
            if self._skips_blanks and not (text := text.lstrip(BLANKS)):
                return
            self._skips_blanks = False
            opener = OPENER.search(text)
            start = opener.start() if opener else len(text)
            written = WRITTEN.match(text, start)
            # Blanks go with the marker behind them: where it is removed, they are, too.
            ahead = text[:start].rstrip(BLANKS)
            if not final and _is_undecided(text, start, written):
                self._waiting = text[len(ahead) :]
                yield self._given(ahead)
                return
            if written is None:
                yield self._given(text[: start + 1])
                text = text[start + 1 :]
                continue
            yield self._given(ahead)
            given, text = self._resolve(text[len(ahead) : start], written[0], text[written.end() :])
            yield self._given(given)

    def _resolve(self, blanks: str, written: str, rest: str) -> tuple[str, str]:
        """What to give back for a marker with the blanks before it, and the text to go on with."""
        if self._is_text(blanks, written, rest):
            return blanks + written[0], written[1:] + rest  # there may be a marker within it: ^[1]
        target = _TARGET.match(rest) if _may_be_link(written) else None
        rest = rest[target.end() :] if target else rest
        at_line_start = not self._line.strip(BLANKS + "*->#")
        cited = self._cited(written)
        self._cites_bare = self._cites_bare or (bool(cited) and IS_BARE.fullmatch(written) is not None)
        if not cited:
            if at_line_start:
                self._skips_blanks = True
                return blanks, rest
            if _ENDS_IN_OPEN.search(self._end) and _CLOSES.match(rest):
                return " ", rest  # [[9]1] without its [9] would be [1]
            return "", rest if rest[:1] in BLANKS + _CLAUSE_ENDS else blanks + rest
        if at_line_start and rest.startswith(":"):
            rest = " " + rest  # `[1]: http://...` links every [1] of the text
        elif _IS_ALNUM.match(rest):  # 【1】 mostly stands without blanks around it
            rest = " " + rest
        glued = not blanks and _ENDS_IN_WORD.search(self._end)
        return (" " if glued else blanks) + "".join(f"[{self._number(n)}]" for n in cited), rest

    def _is_text(self, blanks: str, written: str, rest: str) -> bool:
        """Whether what looks like a marker is an interval, [0, 1], an index, arr[0], a power or an item's number."""
        spans = read_ranges(written)
        if len(spans) > 1 and any(first == 0 for _, first, _ in spans):
            return True
        is_valid = any(first <= self._passage_count and last > 0 for _, first, last in spans)
        if IS_BARE.fullmatch(written):
            spelled = any(self._line.lower().rstrip(BLANKS).endswith(word) for word in _spelled(spans))
            return spelled or not self._is_bare_marker(blanks, rest, is_valid=is_valid)
        if IS_RAISED.fullmatch(written):
            is_power = not _ANNOTATED.search(self._end.rstrip(BLANKS)) or _GOES_ON.match(rest)
            return "[" not in written and bool(self._in_code() or is_power)
        return self._is_index(blanks, written, rest, is_valid=is_valid)

    def _is_bare_marker(self, blanks: str, rest: str, *, is_valid: bool) -> bool:
        """Whether (1) cites: it ends a clause, names a passage, and is not the number of something."""
        apart = bool(blanks) or _ENDS_IN_SIGN.search(self._end)
        begins_line = not self._line.strip(BLANKS + "*->#")
        if not apart or begins_line or self._in_code() or not CLAUSE_ENDS.match(rest):
            return False
        # Whoever has cited like this before means a citation, also where there is no such passage.
        return (is_valid or self._cites_bare) and not _NUMBERED.search(self._end.rstrip(BLANKS)[-30:])

    def _is_index(self, blanks: str, written: str, rest: str, *, is_valid: bool) -> bool:
        """Whether it stands behind a name as in arr[0]."""
        word = _ENDS_IN_IDENTIFIER.search(self._end)
        if blanks or word is None or not _BEGINS_INDEX.match(written):
            return False
        target = _TARGET.match(rest)
        if self._in_code():
            return not (target and "/" in target[0])
        if rest.startswith("("):
            return False  # as text it might be a link
        ends_clause = rest[:1] in _CLAUSE_ENDS + "["
        if len(word[0]) <= 3 or "_" in word[0] or written == "[0]":
            return not (is_valid and ends_clause)
        return not is_valid and not ends_clause

    @property
    def _end(self) -> str:
        """As much of the line as tells what a marker stands behind; in a long line, a search for its end is slow."""
        return self._line[-_LINE_END_CHARS:]

    def _in_code(self) -> bool:
        return self._in_fence or self._line.count("`") % 2 == 1

    def _cited(self, written: str) -> list[int]:
        """The passages a marker names; what in it names none is noted in `removed`."""
        cited: list[int] = []
        wrong: list[str] = []
        for part, first, last in read_ranges(written):
            cited += range(max(first, 1), min(last, self._passage_count) + 1)
            if first < 1 or last > self._passage_count:
                wrong.append(f"[{part}]")
        self.removed += wrong if cited else [written]
        return list(dict.fromkeys(cited))

    def _number(self, passage: int) -> int:
        if passage not in self.order:
            self.order.append(passage)
        return self.order.index(passage) + 1

    def _given(self, text: str) -> str:
        if text.startswith("(") and _ENDS_IN_MARKER.search(self._end):
            text = " " + text  # `[1](` may turn out to be a link
        *ended, open_line = (self._line + text).split("\n")
        for line in ended:
            self._in_fence ^= line.lstrip().startswith("```")
        self._line = open_line[-_LINE_KEPT_CHARS:]
        return text


def _spelled(spans: Sequence[tuple[str, int, int]]) -> Iterator[str]:
    """The numbers as words: "three (3)" cites nothing."""
    return (f" {ONES[first]}" for _, first, _ in spans if first <= _MOST_SPELLED)


def _may_be_link(written: str) -> bool:
    """Whether a target behind the marker, [1](http://...), would make it a link."""
    return written[-1] in "]】］"


def _is_undecided(text: str, start: int, written: re.Match[str] | None) -> bool:
    """Whether more text could change what stands at `start`: a marker, the beginning of one, or neither."""
    if start == len(text) or BEGUN.match(text, start):
        return True
    if written is None:
        return False
    end = written.end()
    if IS_BARE.fullmatch(written[0]):
        return CLAUSE_MAY_END.match(text, end) is not None
    if _may_be_link(written[0]):
        if target := _TARGET.match(text, end):
            end = target.end()
        elif len(text) - end < _LONGEST_WAIT_CHARS and _TARGET_BEGUN.match(text, end):
            return True
    return end == len(text)
