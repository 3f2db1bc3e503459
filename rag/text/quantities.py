"""Quantities by their wording: what a question wants counted or measured, and whether a sentence states it; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rag.text.figures import spell_numbers
from rag.text.word_lists import read_patterns
from rag.text.words import is_stop_word, split_words

Terms = Callable[[str], Sequence[str]]

REACH = 5  # words from a number to what it counts, "40 professional-level Capture the Flag tasks": results/honesty.json
_REACH_BACK = 1  # "tasks (160266"

_NUMBER_WORD = (
    rf"(?:a|an|{spell_numbers(1, 12)}|fifteen|twenty|thirty|forty|fifty"
    r"|dozens?|hundreds?|thousands?|millions?|billions?|single|pair|half|twice|double|triple|few|several)"
)
_NUMBER = re.compile(rf"[~$]?\d[\d.,/]*(?:[-–]\d[\d.,]*)?(?:[kmbx%]|st|nd|rd|th|hz)?\+?|{_NUMBER_WORD}", re.IGNORECASE)
_NOT_COUNTED = re.compile(r"an?", re.IGNORECASE)
_TOKEN = re.compile(r"[$~]?\d[\d.,/]*(?:[-–]\d[\d.,]*)?[a-zA-Z%]*\+?|\w+(?:[-'’]\w+)*")
_DIGITS = re.compile(r"(?<![\w-])[~$]?\d|\b(?:half|twice|double|triple)\b", re.IGNORECASE)

_HOW_MANY = re.compile(
    r"\b(?:how many|number of)\s+(?:(?:different\s+)?(?:kinds|types|sorts)\s+of\s+)?((?:[\w-]+\s*){1,4})", re.IGNORECASE
)
_FACTOR = re.compile(r"^(?:times|percent|more|fewer|other|such)\b", re.IGNORECASE)
_MEASURES = (
    r"(?:rates?|accurac(?:y|ies)|scores?|sizes?|ranks?|ratios?|temperatures?|lengths?|dimensions?|thresholds?"
    r"|frequenc(?:y|ies)|agreement|ratings?|errors?|perplexity|latency|throughput|resolution|budget"
    r"|correlation|ages?|distance|height|speed|duration|epsilon|sigma|lambda)"
)
# Stated by a number and its unit, "82Hz", "28M": a sentence need not name them.
_TOLD_BY_UNITS = frozenset(
    "rate rates accuracy accuracies score scores size sizes ratio length lengths frequency frequencies error errors"
    " latency resolution age ages distance height speed duration dimension dimensions".split()
)
_MEASURED = re.compile(
    rf"\b(?:what|which|what[’']?s)\s+(?:(?:is|was|are|were)\s+)?(?:the\s+)?((?:[\w-]+\s+){{0,3}}?{_MEASURES})(?![\w-])",
    re.IGNORECASE,
)
# Words that say which of the values is asked, which a sentence that states it need not repeat.
_WHICH_VALUE = frozenset(
    "overall average mean median total best top final main exact highest lowest maximum new".split()
)


class AskedQuantity(NamedTuple):
    """A quantity that a question asks for: what to call it, and whether a sentence states it."""

    phrase: str
    is_stated: Callable[[str], object]  # true or not


def find_asked_quantities(question: str, terms: Terms) -> Iterator[AskedQuantity]:
    """The quantities that a question asks for: counts, measures, and those that have a kind of their own.

    Args:
        terms: The index terms of a text.
    """
    if things := find_counted(question):
        yield AskedQuantity(f"how many {things}", lambda sentence: has_count(sentence, things, terms))
    if measure := find_measure(question):
        yield AskedQuantity(f"the {measure}", lambda sentence: states_measure(sentence, measure, terms))
    kinds = read_patterns("quantities", number=_NUMBER_WORD)
    for key, asked in kinds.items():
        phrase, _, role = key.rpartition(" ")
        if role == "asked" and asked.search(question):
            yield AskedQuantity(phrase, kinds[f"{phrase} stated"].search)


def find_counted(question: str) -> str:
    """What the question wants counted: "GPU hours" of "how many GPU hours did it take"; "" where nothing."""
    asked = _HOW_MANY.search(question)
    if not asked or _FACTOR.match(asked[1]):
        return ""
    phrase: list[str] = []
    for word in split_words(asked[1]):
        if is_stop_word(word) or word.lower() == "vs" or not any(map(str.isalpha, word)):
            break
        phrase.append(word)
    plural = next((place for place in range(len(phrase), 0, -1) if phrase[place - 1].endswith("s")), len(phrase))
    return " ".join(phrase[:plural])


def has_count(sentence: str, things: str, terms: Terms) -> bool:
    """Whether the sentence has a number with the last word of what is counted."""
    head = set(terms(things.rsplit(maxsplit=1)[-1]))
    tokens = _TOKEN.findall(sentence)
    numbers = [
        place for place, token in enumerate(tokens) if _NUMBER.fullmatch(token) and not _NOT_COUNTED.fullmatch(token)
    ]
    return any(
        head & set(terms(token)) and any(-_REACH_BACK <= place - number <= REACH for number in numbers)
        for place, token in enumerate(tokens)
    )


def find_measure(question: str) -> str:
    """The measure that is asked for: "learning rate" of "what learning rate do they use"; "" where none."""
    asked = _MEASURED.search(question)
    if not asked:
        return ""
    kept = [word for word in split_words(asked[1]) if word.lower() not in _WHICH_VALUE]
    return "" if any(is_stop_word(word) for word in kept) else " ".join(kept)


def states_measure(sentence: str, measure: str, terms: Terms) -> bool:
    """Whether the sentence has a number and the words of the measure, or a number alone where its unit tells."""
    told = measure.lower() in _TOLD_BY_UNITS or set(terms(measure)) <= set(terms(sentence))
    return told and bool(_DIGITS.search(sentence))


def states(question: str, sentence: str, terms: Terms) -> bool:
    """Whether the sentence states a quantity that the question asks for."""
    return any(asked.is_stated(sentence) for asked in find_asked_quantities(question, terms))
