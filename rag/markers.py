"""The markers that a model writes into its answer: read from a stream, mapped to passages, or left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A marker in the text a MarkerReader gives back: [n], never glued to a word, so that arr[1] is none.
MARKER = re.compile(r"(?<!\w)\[(\d{1,3})\]")

BLANKS = " \t\u00a0\u202f"
_GAP = r"\s{0,3}"
_OPEN, _CLOSE, _NOTE = r"[\[【［]", r"[\]】］]", r"(?:†[^\[\]【】［］\n]{0,60})?"
_NUMBERS = rf"\d{{1,3}}(?:{_GAP}(?:[,;&–—-]|and){_GAP}\d{{1,3}}){{0,20}}{_GAP}"
_NUMBERS_BEGUN = r"\d[\d\s,;&–—and-]{0,80}"
_NAME = rf"(?:passages?|sources?){_GAP}"
_NAME_BEGUN = "|".join(word[:n] for word in ("passages", "sources") for n in range(len(word), 0, -1))
_SQUARE = rf"{_OPEN}{_GAP}\^?{_GAP}(?:{_NAME})?{_NUMBERS}{_NOTE}{_CLOSE}"
# What models write for a citation: [1] [1, 2] [1-3] [^1] [passage 1] 【1†source】 [[1]] ([1]) (passage 1)
_WRITTEN = re.compile(
    rf"{_SQUARE}|{_OPEN}{_SQUARE}{_CLOSE}|\({_GAP}{_SQUARE}{_GAP}\)|\({_GAP}{_NAME}{_NUMBERS}\)",
    re.IGNORECASE,
)
# The beginning of one where the text ends. Looser than the above: it only makes text wait.
_BEGUN = re.compile(
    rf"(?:\({_GAP})?(?:{_OPEN}{{1,2}}{_GAP}\^?{_GAP}(?:(?:{_NAME_BEGUN}){_GAP})?"
    rf"(?:{_NUMBERS_BEGUN}{_NOTE}(?:{_CLOSE}{_GAP})?)?)?\Z"
    rf"|\({_GAP}(?:{_NAME_BEGUN}){_GAP}(?:{_NUMBERS_BEGUN})?\Z",
    re.IGNORECASE,
)
# The target of a markdown link right behind a marker, (http://...) or (<...> "title"); and its beginning.
_TARGET = re.compile(
    rf"\({_GAP}(?:<[^<>\n]*>|[^\s()<]*(?:\([^\s()]*\)[^\s()]*){{0,5}})"
    rf"(?:\s{{1,3}}(?:\"[^\"\n]*\"|'[^'\n]*'))?{_GAP}\)"
)
_TARGET_BEGUN = re.compile(
    rf"\({_GAP}(?:<[^<>\n]*>?|[^\s()<]*(?:\([^\s()]*\)?[^\s()]*){{0,5}})"
    rf"(?:\s{{1,3}}(?:\"[^\"\n]*\"?|'[^'\n]*'?))?{_GAP}\Z"
)
_LONGEST_WAIT_CHARS = 2_000
_CLAUSE_ENDS = ".,;:!?)\n"


class MarkerReader:
    """Turns the markers of a streamed answer into [n], numbered in the order of first citation.

    What is no marker passes as it is: [MASK], [see 4], arr[0], the interval [0, 1], the year [2019]. So do
    bare parenthesised numbers, (1), which in prose mostly count points or name equations. A link on a marker
    loses its target: where a citation leads is not for the model to say.

    Attributes:
        order: The passages cited, in the order of first citation: [n] stands for passage `order[n - 1]`.
        removed: Markers that name no passage and were left out, as written.
    """

    def __init__(self, passage_count: int) -> None:
        self.order: list[int] = []
        self.removed: list[str] = []
        self._passage_count = passage_count
        self._waiting = ""
        self._line = ""  # what was given back of the current line: what the next marker stands behind

    def feed(self, piece: str) -> str:
        """The text that is certain now; what may yet become a marker waits for the next piece."""
        return "".join(self._read(self._waiting + piece, final=False))

    def finish(self) -> str:
        """The text that was waiting, when nothing more comes."""
        return "".join(self._read(self._waiting, final=True))

    def _read(self, text: str, *, final: bool) -> Iterator[str]:
        self._waiting = ""
        while text:
            opener = re.search(r"[(\[【［]", text)
            start = opener.start() if opener else len(text)
            written = _WRITTEN.match(text, start)
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
            return blanks + written, rest
        target = _TARGET.match(rest)
        rest = rest[target.end() :] if target else rest
        at_line_start = not self._line.strip(BLANKS + "*->#")
        cited = self._cited(written)
        if not cited:
            if at_line_start:
                return blanks, rest.lstrip(BLANKS)
            return "", rest if rest[:1] in BLANKS + _CLAUSE_ENDS else blanks + rest
        if rest.startswith("(") or (at_line_start and rest.startswith(":")):
            rest = " " + rest  # `[1](` may turn out to be a link, and `[1]: http://...` links every [1] of the text
        elif re.match("[A-Za-z0-9]", rest):  # 【1】 mostly stands without blanks around it
            rest = " " + rest
        glued = not blanks and re.search(r"\w\Z", self._line)
        return (" " if glued else blanks) + "".join(f"[{self._number(n)}]" for n in cited), rest

    def _is_text(self, blanks: str, written: str, rest: str) -> bool:
        """Whether what looks like a marker is an interval, [0, 1], or an index, arr[0]."""
        numbers = [int(number) for number in re.findall(r"\d+", written.partition("†")[0])]
        if len(numbers) > 1 and 0 in numbers:
            return True
        word = re.search(r"[A-Za-z_]\w*\Z", self._line, re.ASCII)
        if blanks or word is None or not re.match(r"\[\s*\d", written):
            return False
        is_valid = any(0 < number <= self._passage_count for number in numbers)
        ends_clause = rest[:1] in _CLAUSE_ENDS + "["
        looks_like_code = len(word[0]) <= 3 or "_" in word[0] or numbers == [0]
        if looks_like_code:
            return not (is_valid and (ends_clause or rest.startswith("(")))
        return not is_valid and not ends_clause

    def _cited(self, written: str) -> list[int]:
        """The passages a marker names; what in it names none is noted in `removed`."""
        cited: list[int] = []
        wrong: list[str] = []
        for part in re.findall(r"\d+(?:\s*[–—-]\s*\d+)*", written.partition("†")[0]):
            ends = [int(number) for number in re.findall(r"\d+", part)]
            first, last = min(ends), max(ends)
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
        self._line = (self._line + text).rpartition("\n")[2][-80:]
        return text


def _is_undecided(text: str, start: int, written: re.Match[str] | None) -> bool:
    """Whether more text could change what stands at `start`: a marker, the beginning of one, or neither."""
    if start == len(text):
        return True
    if written is None:
        return _BEGUN.match(text, start) is not None
    end = written.end()
    if target := _TARGET.match(text, end):
        end = target.end()
    elif len(text) - end < _LONGEST_WAIT_CHARS and _TARGET_BEGUN.match(text, end):
        return True
    return end == len(text)
