"""A sentence of an answer and the papers it cites, taken apart so that they can be laid side by side; pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rag.text.figures import Figure, find_figures
from rag.text.names import ACRONYM, find_names, join_name, remove_prefix
from rag.text.prompt_injection import find_statements
from rag.text.words import TOKEN, fold, is_stop_word, stem
from rag.types import Paper

FIT_BONUS = 0.5  # of a sentence's fit, beside how alike the words around a place are: tests/bench/results/ledger.json
_LONGEST_NAME = 4  # words
_PART = re.compile(r"\d+|\D+")  # of a word: its digits, and what stands between them
_REACH = 6  # words to either side of a slot that tell what it is about
_STOP_WEIGHT = 0.25


@dataclass(frozen=True, slots=True)
class Slot:
    """A name or a figure in its place.

    Attributes:
        written: As the text has it.
        around: Weights of the words around it, by (side, stem).
        figure: Its value and unit; None for a name.
    """

    written: str
    around: Mapping[tuple[str, str], float]
    figure: Figure | None = None

    def is_as(self, other: Slot) -> bool:
        """Whether both say the same; of names one may be part of the other, `DNA` of `mtDNA`."""
        if self.figure and other.figure:
            return self.figure.is_as(other.figure)
        here, there = join_name(self.written), join_name(other.written)
        return here in there or there in here

    def may_stand_for(self, other: Slot) -> bool:
        """Whether one could have been put in the other's place: figures have a common unit, or none."""
        return not (self.figure and other.figure) or self.figure.unit == other.figure.unit


@dataclass(frozen=True)
class Sentence:
    """A sentence taken apart."""

    text: str

    @cached_property
    def tokens(self) -> list[re.Match[str]]:
        """Its words, the parts of hyphenated ones apart."""
        return list(TOKEN.finditer(self.text))

    @cached_property
    def _starts(self) -> list[int]:
        return [token.start() for token in self.tokens]

    @cached_property
    def stems(self) -> list[str]:
        """The stem of each token."""
        return [stem(fold(token[0])) for token in self.tokens]

    @cached_property
    def content(self) -> frozenset[str]:
        """Stems of the words that say something, figures apart."""
        spans = [(figure.start, figure.end) for figure in self.figures]
        return frozenset(
            stemmed for token, stemmed in zip(self.tokens, self.stems, strict=True)
            if not is_stop_word(token[0]) and not any(start <= token.start() < end for start, end in spans)
        )  # fmt: skip

    @cached_property
    def figures(self) -> list[Figure]:
        """Its figures, those inside of names left out."""
        return find_figures(self.text)

    @cached_property
    def figure_slots(self) -> list[Slot]:
        """Its figures with what stands around them."""
        return [Slot(figure.written, self._around(figure.start, figure.end), figure) for figure in self.figures]

    @cached_property
    def name_slots(self) -> list[Slot]:
        """Its names with what stands around them."""
        taken = [(figure.start, figure.end) for figure in self.figures]
        return [
            Slot(name, self._around(start, start + len(name))) for start, name in find_names(self.text)
            if not any(first <= start < end for first, end in taken)
        ]  # fmt: skip

    @cached_property
    def initials(self) -> tuple[str, str]:
        """The first letters of its words, of all and of those that carry meaning; of digits all."""
        every = meant = ""
        for token in self.tokens:
            parts = _PART.findall(fold(token[0]))
            first = "".join(part if part.isdigit() else part[0] for part in parts)
            every += first
            meant += "" if is_stop_word(token[0]) else first
        return every, meant

    def places(self, stemmed: str) -> list[int]:
        """Where a stem occurs, counted in tokens."""
        return [place for place, each in enumerate(self.stems) if each == stemmed]

    def around(self, place: int) -> Mapping[tuple[str, str], float]:
        """The words around a token."""
        return self._around(self.tokens[place].start(), self.tokens[place].end())

    def _around(self, start: int, end: int) -> dict[tuple[str, str], float]:
        first = bisect_left(self._starts, start)
        behind = bisect_left(self._starts, end)
        sides = (("before", range(first - 1, max(-1, first - 1 - _REACH), -1)),
                 ("after", range(behind, min(len(self.tokens), behind + _REACH))))  # fmt: skip
        around: dict[tuple[str, str], float] = {}
        for side, places in sides:
            for distance, place in enumerate(places, start=1):
                base = _STOP_WEIGHT if is_stop_word(self.tokens[place][0]) else 1.0
                feature = (side, self.stems[place])
                around[feature] = max(around.get(feature, 0.0), base / distance**0.5)
        return around


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence of a cited paper.

    Attributes:
        number: Of the citation.
        fit: The share of the claim's words that it has, rare ones weighing more; 0 to 1.
    """

    number: int
    sentence: Sentence
    fit: float


class Evidence:
    """Cited papers by the numbers of their citations; the title of a paper counts as a sentence of it."""

    def __init__(self, papers: Sequence[tuple[int, Paper]]) -> None:
        self.papers = papers
        self._by_paper = [_sentences(paper) for _, paper in papers]

    @property
    def cited(self) -> str:
        """The citations in words: "[1] or [2]"."""
        return " or ".join(f"[{number}]" for number, _ in self.papers)

    @cached_property
    def sentences(self) -> list[Sentence]:
        """All sentences of all papers."""
        return [sentence for each in self._by_paper for sentence in each]

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all words."""
        return frozenset(each for sentence in self.sentences for each in sentence.stems)

    @cached_property
    def text(self) -> str:
        """All sentences, a line each."""
        return "\n".join(sentence.text for sentence in self.sentences)

    @cached_property
    def runs(self) -> frozenset[str]:
        """One to four words that follow one another, joined: names, however their parts are joined."""
        found = set()
        for sentence in self.sentences:
            words = [token[0] for token in sentence.tokens]
            for first, word in enumerate(words):
                found |= {join_name("".join(words[first : first + length])) for length in range(1, _LONGEST_NAME + 1)}
                found.add(join_name(remove_prefix(word)))
        return frozenset(found)

    @cached_property
    def initials(self) -> tuple[str, ...]:
        """The first letters of the words of each sentence."""
        return tuple(each for sentence in self.sentences for each in sentence.initials)

    @cached_property
    def acronyms(self) -> frozenset[str]:
        """The acronyms, in lower case and without a plural's s."""
        return frozenset(fold(found[0].rstrip("s")) for found in ACRONYM.finditer(self.text))

    def sources(self, claim: Sentence) -> list[Source]:
        """Every sentence with its fit to the claim, best first."""
        spread = Counter(each for sentence in self.sentences for each in sentence.content)
        weights = {each: (1 + spread[each]) ** -0.5 for each in claim.content}
        total = sum(weights.values()) or 1.0
        found = [
            Source(number, sentence, sum(weights[each] for each in claim.content & sentence.content) / total)
            for (number, _), sentences in zip(self.papers, self._by_paper, strict=True)
            for sentence in sentences
        ]
        return sorted(found, key=lambda source: -source.fit)


def compare_surroundings(one: Mapping[tuple[str, str], float], other: Mapping[tuple[str, str], float]) -> float:
    """The share, by weight, of what stands around one slot that stands around the other too; 0 to 1."""
    total = sum(one.values())
    return sum(min(weight, other.get(feature, 0.0)) for feature, weight in one.items()) / total if total else 0.0


@lru_cache(maxsize=64)
def _sentences(paper: Paper) -> tuple[Sentence, ...]:
    """Title and sentences of a paper; kept, for one paper is read for many sentences of an answer."""
    abstract = (Sentence(paper.abstract[start:end]) for start, end in find_statements(paper.abstract))
    return (Sentence(paper.title), *abstract) if paper.title else tuple(abstract)
