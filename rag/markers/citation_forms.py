"""How models write a citation, as patterns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.markers.stream_patterns import LazyPattern, chars, many, maybe, sequence, words

# A marker of ours in a text that has been read: [n], but not arr[1]. Names in code are in ASCII; what stands in front
# of a marker in running Chinese or Japanese is no name. What papers write in brackets is wider: `rag.llm.prompts`.
MARKER = re.compile(r"(?<![A-Za-z0-9_])\[(\d{1,3})\]")

SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_BRACKETS = r"\[\]【】［］"
_GAP = chars(r"\s", 0, 3)
_OPEN, _CLOSE = chars(r"[\[【［]"), chars(r"[\]】］]")
_ROUND_OPEN, _ROUND_CLOSE = chars(r"[(（]"), chars(r"[)）]")
_QUOTE = chars("[\"'“”]", 0, 1)
_NAMES = ("passage", "source", "reference", "ref", "document", "doc", "paper", "abstract", "citation", "cite")
# passage 1, sources 1 and 2, ref. 1, citation:1, doc #1, passage number="1"
_NAME = sequence(
    words(*_NAMES, *(f"{name}s" for name in _NAMES)), chars(r"\.", 0, 1), _GAP,
    maybe(words("number", "no", "id", "index") + chars(r"\.", 0, 1) + _GAP),
    chars("[:#=]", 0, 1), _GAP, _QUOTE,
)  # fmt: skip
_NUMBER = chars(r"\d", 1, 3) + _QUOTE
_BETWEEN = _GAP + (chars("[,;&–—、，-]") | words("and", "und", "et", "to", "bis")) + _GAP
_NUMBERS = sequence(maybe(_NAME), _NUMBER, many(sequence(_BETWEEN, maybe(_NAME), _NUMBER), 20))
_P = words("p")  # [P1, P2]; but in [1, p3] it is a page
_NUMBERS_OF_P = sequence(_P, _NUMBER, many(sequence(_BETWEEN, maybe(_P), _NUMBER), 20))
# Where in the passage: [1, p. 3], [1, Table 2], [1†L3-L5]; 【4:0†source】 is how OpenAI's assistants write.
_PLACES = words("page", "§", "sec", "table", "tab.", "fig", "line", "sentence", "chapter")
_PAGE = sequence(chars("p", 1, 2), chars(r"[.\s\d]"))
_PLACE = sequence(_GAP, chars("[,:]"), _GAP, _PLACES | _PAGE, chars(rf"[^{_BRACKETS}()（）\n]", 0, 40))
_DAGGER = sequence(maybe(chars(":") + chars(r"\d", 1, 3)), chars("†"), chars(rf"[^{_BRACKETS}\n]", 0, 60))
_INNER = sequence(_GAP, chars(r"\^", 0, 1), _GAP, _NUMBERS_OF_P | _NUMBERS, maybe(_DAGGER | _PLACE), _GAP)

SQUARE = sequence(_OPEN, _INNER, _CLOSE)
_DOUBLE = sequence(_OPEN, SQUARE, _CLOSE)
_LEAD = maybe(words("see", "cf.", "cf", "e.g.", "e.g.,", "see also", "from", "siehe", "vgl.", "voir") + _GAP)
_IN_ROUND = sequence(_ROUND_OPEN, _GAP, _LEAD, SQUARE | _DOUBLE, _GAP, _ROUND_CLOSE)
_NAMED = sequence(_ROUND_OPEN, _GAP, _LEAD, _NAME, _NUMBERS, maybe(_PLACE), _GAP, _ROUND_CLOSE)
_TAGS = words("passage", "source", "document", "citation", "cite", "reference", "ref")
_LEFT, _RIGHT = chars(r"[\[【［\s]", 0, 3), chars(r"[\]】］\s]", 0, 3)
_SUP = sequence(words("<sup>"), _LEFT, _NUMBERS, _RIGHT, words("</sup>"))
_TAGGED = sequence(chars("<"), _TAGS, chars(">"), _LEFT, _NUMBERS, _RIGHT, words("</"), _TAGS, chars(">"))
# <passage number="1"> and the </passage> behind what it quotes
_TAG = sequence(words("<", "</"), _TAGS, chars(r"[^<>\d\n]", 0, 20), maybe(_NUMBERS), chars("[\\s\"'/]", 0, 4),
            chars(">"))  # fmt: skip
_CARET = chars(r"\^") + (sequence(chars(r"[\[{(]"), _NUMBERS, chars(r"[\]})]")) | chars(r"\d", 1, 2))
_RAISED = sequence(chars(f"[{SUPERSCRIPTS}]", 1, 2), many(sequence(chars("[,˒]"), chars(f"[{SUPERSCRIPTS}]", 1, 2)), 8))
_BARE = sequence(_ROUND_OPEN, _GAP, _NUMBERS, maybe(_PLACE), _GAP, _ROUND_CLOSE)
_FURTHER = many(chars(r"[ \t]", 0, 2) + _BARE, 8) + chars(r"[ \t]", 0, 3)

# Certainly a citation; and what may as well be a power or an item's number, which only its surroundings tell.
_CERTAIN = _IN_ROUND | _NAMED | _DOUBLE | SQUARE | _TAGGED | _TAG
_WRITTEN = _CERTAIN | _SUP | _CARET | _RAISED | _BARE

OPENER = re.compile(rf"[(（\[【［<^{SUPERSCRIPTS}]")
WRITTEN = LazyPattern(_WRITTEN.whole, re.IGNORECASE)
BEGUN = LazyPattern(_WRITTEN.begun, re.IGNORECASE)
IS_BARE = re.compile(_BARE.whole, re.IGNORECASE)
IS_RAISED = re.compile((_SUP | _CARET | _RAISED).whole, re.IGNORECASE)
# What a bare (1) may stand before: further ones, and the end of a clause.
CLAUSE_ENDS = LazyPattern(rf"{_FURTHER.whole}(?:[.,;!?。，；！？]|\n|\Z)")
CLAUSE_MAY_END = LazyPattern(_FURTHER.begun)
_PLACE_OF = re.compile(rf"†.*|{_PLACE.whole}", re.IGNORECASE | re.DOTALL)
_CHAPTER_AND_VERSE, _DIGITS = re.compile(r"\d:\d"), re.compile(r"\d+")
_TO, _NO_RANGE = re.compile(r"\b(?:to|bis)\b", re.IGNORECASE), re.compile(r"[^\d–—-]+")
_RANGE = re.compile(r"\d+(?:\s*[–—-]\s*\d+)*")
_TO_DIGITS = str.maketrans(SUPERSCRIPTS, "0123456789")


def find_markers(text: str) -> Iterator[re.Match[str]]:
    """The markers [n] of an answer, in order; group 1 of each is its number."""
    return MARKER.finditer(text)


def read_ranges(written: str) -> list[tuple[str, int, int]]:
    """The numbers of a marker as (as written, first, last); none where it is not known what they count."""
    if (number := written[1:-1]).isdecimal() and written[-1] in "])】］）":
        return [(number, int(number), int(number))]
    if _CHAPTER_AND_VERSE.search(written):
        return []
    plain = _PLACE_OF.sub("", written.translate(_TO_DIGITS))
    plain = _TO.sub("-", plain)
    plain = _NO_RANGE.sub(" ", plain)
    found = []
    for part in _RANGE.findall(plain):
        ends = [int(number) for number in _DIGITS.findall(part)]
        found.append((part, min(ends), max(ends)))
    return found
