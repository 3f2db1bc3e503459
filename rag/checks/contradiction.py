"""Where a sentence of an answer says the contrary of its source: turned round, exchanged, negated; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rag.checks.evidence import FIT_BONUS, Sentence, Source, compare_surroundings
from rag.text.word_lists import read_table, read_words
from rag.text.words import is_stop_word
from rag.types import Check, CheckKind

_ALIGNED = 2  # sentences of the evidence that are compared, those that fit best
_DIRECTION_ALIKE, _DIRECTION_MARGIN = 0.25, 0.1
_EXCHANGED_MARGIN = 0.2
_NEGATION_ALIKE = 0.5
_SCOPE = 3  # words that mean something, behind a negator, that it negates
_SCOPE_WORDS = 8  # and words at all
_COMPARING = re.compile(r"(?:out|under)perform\w*|surpass\w*|exceed\w*|beat(?:s|ing|en)?|outshin\w*|over|above|below")
_BREAK = re.compile(r"[,;:.!?()–—]")
_BEING = frozenset("is are was were be been being get gets".split())


class Direction(NamedTuple):
    """A word that points one of two ways along a scale; `sign` is 1 or -1."""

    scale: str
    sign: int


@dataclass(frozen=True, slots=True)
class _Pointer:
    """A word that points one of two ways, in its place; a passive, "is surpassed by", with its sides turned round."""

    way: Direction
    written: str
    around: Mapping[tuple[str, str], float]
    compares: bool


def check_direction(claim: Sentence, sources: Sequence[Source]) -> Check | None:
    """Whether more is less in the source, better worse, or whether the sides of a comparison are exchanged."""
    ours = list(_pointers(claim))
    if not ours:
        return None
    theirs = [(source, there) for source in sources[:_ALIGNED] for there in _pointers(source.sentence)]
    wrong = [reason for pointer in ours if (reason := _turned(pointer, theirs))]
    return Check(CheckKind.DIRECTION, not wrong, "; ".join(dict.fromkeys(wrong)))


def check_negation(claim: Sentence, sources: Sequence[Source]) -> Check | None:
    """Whether the sentence negates what its source does not, or leaves out a negation of it."""
    aligned = sources[:_ALIGNED]
    negated, denied = _negated(claim), _denied(claim)
    theirs = [(source, _negated(source.sentence), _denied(source.sentence)) for source in aligned]
    wrong = {}
    for place, stemmed in enumerate(claim.stems):
        if is_stop_word(claim.tokens[place][0]):
            continue
        around = claim.around(place)
        found = [
            (compare_surroundings(around, source.sentence.around(there)), source.fit, -rank, there)
            for rank, (source, _, _) in enumerate(theirs)
            for there in source.sentence.places(stemmed)
        ]
        if not found:
            continue
        near, _, rank, there = max(found)
        source, their_negated, their_denied = theirs[-rank]
        if near < _NEGATION_ALIKE:
            continue
        if place in negated and there not in their_denied:
            wrong[negated[place]] = f"[{source.number}] has no “{negated[place]}” there"
        elif there in their_negated and place not in denied:
            wrong[their_negated[there]] = f"[{source.number}] has a “{their_negated[there]}” there"
    if not wrong and not negated:
        return None
    return Check(CheckKind.NEGATION, not wrong, "; ".join(wrong.values()))


def _turned(ours: _Pointer, theirs: Sequence[tuple[Source, _Pointer]]) -> str:
    """What is wrong with a word that points one of two ways; "" where nothing is."""
    same, other, best = -1.0, -1.0, None
    straight, exchanged, sides = 0.0, 0.0, ""
    for source, there in theirs:
        if there.way.scale != ours.way.scale:
            continue
        near = compare_surroundings(ours.around, there.around)
        score = near + FIT_BONUS * source.fit
        if there.way.sign == ours.way.sign:
            same = max(same, score)
            straight = max(straight, near)
            turned = compare_surroundings(_turned_round(ours.around), there.around)
            if ours.compares and turned > exchanged:
                exchanged, sides = turned, f"[{source.number}] has the sides of “{there.written}” exchanged"
        elif near >= _DIRECTION_ALIKE and score > other:
            other, best = score, f"[{source.number}] says “{there.written}”, not “{ours.written}”"
    if best and other > same + _DIRECTION_MARGIN:
        return best
    return sides if exchanged > straight + _EXCHANGED_MARGIN else ""


def _pointers(sentence: Sentence) -> Iterator[_Pointer]:
    for start, way in find_directions(sentence.text):
        place = next((place for place, token in enumerate(sentence.tokens) if token.start() == start), None)
        if place is None:
            continue
        around = sentence.around(place)
        words = [token[0].lower() for token in sentence.tokens]
        if "by" in words[place + 1 : place + 2] and _BEING & set(words[max(0, place - 3) : place]):
            around = _turned_round(around)
        compares = bool(_COMPARING.fullmatch(words[place])) or "than" in words[place + 1 : place + 6]
        yield _Pointer(way, sentence.tokens[place][0], around, compares)


def _turned_round(around: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    turned = {"before": "after", "after": "before"}
    return {(turned[side], stem): weight for (side, stem), weight in around.items()}


def _negated(sentence: Sentence) -> dict[int, str]:
    """The places of words that are negated, with the word that does so."""
    return {
        behind: token[0]
        for place, token in enumerate(sentence.tokens)
        if negates(token[0])
        for behind in _scope(sentence, place)
    }


def _scope(sentence: Sentence, place: int) -> tuple[int, ...]:
    """The places of the words that mean something behind a word, up to the next pause."""
    scope: list[int] = []
    end = sentence.tokens[place].end()
    for behind in range(place + 1, min(place + 1 + _SCOPE_WORDS, len(sentence.tokens))):
        token = sentence.tokens[behind]
        if len(scope) == _SCOPE or _BREAK.search(sentence.text, end, token.start()):
            break
        if not is_stop_word(token[0]):
            scope.append(behind)
        end = token.end()
    return tuple(scope)


def _denied(sentence: Sentence) -> set[int]:
    """The places of words that are negated, or denied in another way: "avoids retraining", "training-free"."""
    places = set()
    for place, token in enumerate(sentence.tokens):
        if denies(token[0]):
            places |= {place - 1, place, *_scope(sentence, place)}
    return places


def negates(word: str) -> bool:
    """Whether a word negates what follows it."""
    lower = word.lower().replace("’", "'")
    return lower in read_words("negators") or lower.endswith("n't")


def denies(word: str) -> bool:
    """Whether a word negates, or says in another way that something is not, hardly or no longer so."""
    return negates(word) or _denying().fullmatch(word.lower()) is not None


def find_directions(text: str) -> Iterator[tuple[int, Direction]]:
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
