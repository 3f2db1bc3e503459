"""Which way a sentence points: what it negates, and whether things go up or down, by its words; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from rag.text.word_lists import read_table, read_words


class Direction(NamedTuple):
    """A word that points one of two ways along a scale; `sign` is 1 or -1."""

    scale: str
    sign: int


def negates(word: str) -> bool:
    """Whether a word negates what follows it."""
    lower = word.lower().replace("’", "'")
    return lower in read_words("negators") or lower.endswith("n't")


def denies(word: str) -> bool:
    """Whether a word negates, or says in another way that something is not, hardly or no longer so."""
    return negates(word) or _denying().fullmatch(word.lower()) is not None


def directions(text: str) -> Iterator[tuple[int, Direction]]:
    """The words of a text that point one of two ways, as (start, which way); a word may do so on several scales."""
    for direction, pattern in _pointing().items():
        for found in pattern.finditer(text):
            yield found.start(), direction


@cache
def _denying() -> re.Pattern[str]:
    return re.compile("|".join(sorted(read_words("denying_words"))))


@cache
def _pointing() -> dict[Direction, re.Pattern[str]]:
    """The words that point each way, as one pattern of whole words."""
    ways = ((key.split(), "|".join(words)) for key, words in read_table("opposites").items())
    return {
        Direction(scale, 1 if sign == "+" else -1): re.compile(rf"\b(?:{words})(?!\w)", re.IGNORECASE)
        for (scale, sign), words in ways
    }
