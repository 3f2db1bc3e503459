"""Abstract -> sentences -> chunks of whole sentences, always as offsets into the abstract."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from rag.text.word_lists import read_words
from rag.types import Chunk

Span = tuple[int, int]

# An end: marks, then closing quotes and brackets, then a space before something that can open a sentence.
# A mark between two spaces is one whatever follows: old collections, all in lower case, have no other.
# Chinese and Japanese marks need no space. A row of marks is read once, from its beginning.
_END = re.compile(
    r"""(?:(?<![.!?…])[.!?…]++["'”’)\]]*(?=\s+["'“‘(\[]?[^\Wa-z_]|\s*$)
    | (?<=\s)[.!?](?=\s) | [。！？]+["'”’」』）]*)""",
    re.VERBOSE,
)
_WORD_BEFORE = re.compile(r"(?:^|[\s(\[\"'“])([^\s(\[\"'“]+)\s?$")
_WORD = re.compile(r"\S+")
# Bounds in characters, without which an abstract of a megabyte takes minutes.
_WORD_REACH = 64  # looked back over for the word before a full stop
_LONGEST_TOKEN = 16  # times the limit: looked at where a word is divided


def find_sentences(text: str) -> list[Span]:
    """Offsets of the sentences of a text, in order; whatever is not white space is in exactly one."""
    spans, start = [], 0
    for end in _ends(text):
        span = _trimmed(text, start, end)
        if span:
            spans.append(span)
        start = end
    rest = _trimmed(text, start, len(text))
    return [*spans, rest] if rest else spans


def cut_chunks(text: str, count_tokens: Callable[[str], int], limit: int) -> list[Span]:
    """Runs of whole sentences of at most `limit` tokens, as long as they fit and without overlap.

    A single sentence that alone is longer than the limit is the one thing that is divided, between words, and
    a word that alone is longer between characters: a model would read only its beginning, and say nothing.
    """
    whole = _trimmed(text, 0, len(text))
    # No tokenizer makes more of a text than its bytes, and a sign for its beginning: most need not be counted.
    if whole and (len(text.encode()) < limit or count_tokens(text[slice(*whole)]) <= limit):
        return [whole]
    spans: list[Span] = []
    for start, end in _fitting(text, count_tokens, limit):
        if spans and count_tokens(text[spans[-1][0] : end]) <= limit:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def make_chunks(paper_id: str, text: str, spans: Sequence[Span]) -> list[Chunk]:
    """The spans of an abstract as chunks that know their paper."""
    return [Chunk(paper_id, start, end, text[start:end]) for start, end in spans]


def _ends(text: str) -> Iterator[int]:
    for found in _END.finditer(text):
        before = _WORD_BEFORE.search(text, max(0, found.start() - _WORD_REACH), found.start())
        if found[0] == "." and before:
            word, word_start = before[1], before.start(1)
            opener = _opener(text[max(0, word_start - _WORD_REACH) : word_start].rstrip())
            heading = _is_heading(word, opener) and found.end() < len(text)
            if heading or _is_abbreviation(word) or _is_list_number(word, opener):
                continue
        yield found.end()


def _opener(before: str) -> str:
    """The mark that stands before a word, "" at the beginning of a text; that of an abbreviation is none."""
    abbreviated = _WORD_BEFORE.search(before[:-1]) if before.endswith(".") else None
    return "-" if abbreviated and _is_abbreviation(abbreviated[1]) else before[-1:]


def _is_abbreviation(word: str) -> bool:
    """`et al.`, `e.g.`, and initials such as the A of `A. Turing`."""
    is_initial = len(word) == 1 and word.isalpha() and word.isupper() and word != "I"
    return is_initial or word.lower() in read_words("abbreviations")


def _is_list_number(word: str, opener: str) -> bool:
    """The 2 of `...human data. 2. RLHF is ...`, which opens a sentence and does not end one."""
    return word.isdigit() and len(word) <= 2 and opener in ("", ".", ":", ";", "!", "?")


def _is_heading(word: str, opener: str) -> bool:
    """`Background.` in a structured abstract: one word between two sentences belongs to the second."""
    return word.isalpha() and word[0].isupper() and opener in ("", ".", "!", "?")


def _trimmed(text: str, start: int, end: int) -> Span | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else None


def _fitting(text: str, count_tokens: Callable[[str], int], limit: int) -> Iterator[Span]:
    """The sentences, each that is too long for the limit divided."""
    for sentence_start, end in find_sentences(text):
        start = sentence_start
        while (cut := _cut(text, start, end, count_tokens, limit)) < end:
            yield start, cut
            start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
        yield start, end


def _cut(text: str, start: int, end: int, count_tokens: Callable[[str], int], limit: int) -> int:
    """Where the longest beginning within the limit ends: after a word, or within the first one."""
    words = islice(_WORD.finditer(text, start, end), limit + 1)
    ends: Sequence[int] = [word.end() for word in words]
    if ends[-1] == end and count_tokens(text[start:end]) <= limit:
        return end
    fitting = bisect_right(ends, limit, key=lambda stop: count_tokens(text[start:stop]))
    if not fitting:
        ends = range(start + 1, min(ends[0], start + limit * _LONGEST_TOKEN))
        fitting = max(1, bisect_right(ends, limit, key=lambda stop: count_tokens(text[start:stop])))
    return ends[fitting - 1]
