"""Which sentence of an answer rests on which passage: finding quotes, checking claims."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rag.chunking import sentence_spans
from rag.markers import BLANKS, MARKER
from rag.types import Verdict
from rag.words import STOP_WORDS, fold

_MARKERS_AFTER_STOP = re.compile(rf"([.!?…])([\"'”’)]*[{BLANKS}]*(?:\[\d{{1,3}}\][{BLANKS}]*)*\[\d{{1,3}}\])(?!\w)")
_NUMBER = re.compile(r"(?<![\d.,])(\d+(?:[.,]\d+)*)(?:\s?%)?")
_SPELLED_OUT = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_SPELLED = {word: str(number) for number, word in enumerate(_SPELLED_OUT)}
_FEWEST_WORDS = 2
# Of 3,500 pairs of a seed sentence and an abstract it is not from, 99 in 100 share less than 0.43 of the
# sentence's weighted words, and 95 in 100 less than 0.33.
_LEAST_SHARED, _MOST_SHARED = 0.4, 0.6


def read_claims(text: str) -> list[tuple[int, int, tuple[int, ...]]]:
    """Sentences of an answer as (start, end, numbers of the citations it carries), in order.

    Markers behind a full stop, or on a line of their own, belong to the sentence before them.
    """
    claims: list[tuple[int, int, tuple[int, ...]]] = []
    for line in re.finditer(r"[^\n]+", text):
        for start, end in sentence_spans(_MARKERS_AFTER_STOP.sub(_stop_last, line[0])):
            sentence = text[line.start() + start : line.start() + end]
            span = (line.start() + start, line.start() + end)
            numbers = tuple(dict.fromkeys(int(number) for number in MARKER.findall(sentence)))
            if claims and not re.search(r"\w", MARKER.sub("", sentence)):
                begin, _, earlier = claims.pop()
                claims.append((begin, span[1], tuple(dict.fromkeys(earlier + numbers))))
            else:
                claims.append((*span, numbers))
    return claims


def best_quote(sentence: str, abstract: str) -> tuple[int, int]:
    """Offsets of the sentence of a non-empty abstract that shares most with a sentence of an answer.

    Shared words count by kind (see `_weight`) and less the more sentences of the abstract have them; of two
    sentences that share the same, the one with fewer other words wins, then the earlier one.
    """
    spans = sentence_spans(abstract)
    candidates = [_words(abstract[start:end]) for start, end in spans]
    spread = Counter(word for words in candidates for word in words)
    wanted = _words(sentence)

    def worth(index: int) -> tuple[float, int]:
        words = candidates[index]
        shared = sum(max(wanted[word], words[word]) / spread[word] for word in wanted.keys() & words.keys())
        # The root keeps long sentences, which share some words with anything, from winning by length.
        return shared / (8 + len(words)) ** 0.5, -index

    return spans[max(range(len(spans)), key=worth)]


def check_claim(sentence: str, evidence: Sequence[tuple[int, str]]) -> tuple[Verdict, tuple[str, ...]]:
    """Whether the cited abstracts carry a sentence of an answer, and readable reasons where they do not.

    A first ledger, of two checks: every number of the sentence must occur in the evidence, and most of its
    words must. It finds made-up figures and wrong papers; a "not" that was dropped it does not see.

    Args:
        sentence: With or without its markers.
        evidence: The cited abstracts as (number of the citation, text).
    """
    claim = MARKER.sub(" ", sentence)
    numbers = dict(_numbers(claim))
    wanted = {word: weight for word, weight in _words(claim).items() if word not in numbers}
    if len(wanted) < _FEWEST_WORDS and not numbers:
        return Verdict.NO_CLAIM, ()
    if not evidence:
        return Verdict.UNSUPPORTED, ("it carries no citation",)
    cited = " or ".join(f"[{number}]" for number, _ in evidence)
    stated = {word for _, text in evidence for word in _words(text) | _spelled_numbers(text)}
    wrong = [written for number, written in numbers.items() if number not in stated]
    absent = wanted.keys() - stated
    shared = 1 - sum(wanted[word] for word in absent) / max(1, sum(wanted.values()))
    checks = [f"{written} is not in {cited}" for written in wrong]
    if shared < _MOST_SHARED:
        checks.append(f"{len(absent)} of its {len(wanted)} words are not in {cited}")
    if shared < _LEAST_SHARED or (wrong and len(wrong) == len(numbers)):
        return Verdict.UNSUPPORTED, tuple(checks)
    return (Verdict.PARTIAL if checks else Verdict.SUPPORTED), tuple(checks)


def _stop_last(found: re.Match[str]) -> str:
    """`. [1]` as `xxxx.`, as long as before: so the sentence ends behind its markers."""
    return "x" * len(found[2]) + found[1]


def _words(text: str) -> Counter[str]:
    """The words that say something, cut to their stems, each with its weight; numbers in their plain form."""
    words: Counter[str] = Counter({number: 3 for number, _ in _numbers(text)})
    for word in re.findall(r"[^\W\d_]\w+", text):
        folded = fold(word)
        if folded not in STOP_WORDS:
            # Names and acronyms tell sentences apart better than other words do.
            words[_stem(folded)] = max(words[_stem(folded)], 2 if word[1:] != word[1:].lower() else 1)
    return words


def _spelled_numbers(text: str) -> Counter[str]:
    """The numbers that a text writes as words, so that an answer may write them as figures."""
    return Counter(_SPELLED[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _SPELLED)


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    """Each number as (plain form, as written): `1,500.0 %` is 1500, and a decimal comma a decimal point."""
    for found in _NUMBER.finditer(text):
        number = found[1]
        in_thousands = re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number)
        number = number.replace(",", "" if in_thousands else ".")
        if number.count(".") == 1:
            number = number.rstrip("0").rstrip(".")
        yield number.lstrip("0") or "0", found[0]


def _stem(word: str) -> str:
    """A crude stem, the same for improve, improves, improved and improving."""
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
