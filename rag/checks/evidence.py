"""The papers that a sentence of an answer cites, taken apart so that it can be laid beside them; pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rag.checks.slots import Sentence, joined, without_prefix
from rag.text.prompt_injection import statements
from rag.text.words import fold
from rag.types import Paper

FIT_BONUS = 0.5  # of a sentence's fit, beside how alike the words around a place are: tests/bench/results/ledger.json
_LONGEST_NAME = 4  # words
_ACRONYM = re.compile(r"\b[A-Z]{2,6}s?\b")


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
                found |= {joined("".join(words[first : first + length])) for length in range(1, _LONGEST_NAME + 1)}
                found.add(joined(without_prefix(word)))
        return frozenset(found)

    @cached_property
    def initials(self) -> tuple[str, ...]:
        """The first letters of the words of each sentence."""
        return tuple(each for sentence in self.sentences for each in sentence.initials)

    @cached_property
    def acronyms(self) -> frozenset[str]:
        """The acronyms, in lower case and without a plural's s."""
        return frozenset(fold(found[0].rstrip("s")) for found in _ACRONYM.finditer(self.text))

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


@lru_cache(maxsize=64)
def _sentences(paper: Paper) -> tuple[Sentence, ...]:
    """Title and sentences of a paper; kept, for one paper is read for many sentences of an answer."""
    abstract = (Sentence(paper.abstract[start:end]) for start, end in statements(paper.abstract))
    return (Sentence(paper.title), *abstract) if paper.title else tuple(abstract)
