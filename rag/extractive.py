"""An answer with no language model: the sentences that answer the question, verbatim, each with its marker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag import cues
from rag.grounding import MARKER
from rag.records import Record
from rag.retrieval import Ranking
from rag.types import Citation, Claim, Passage, Verdict

# Figures with these values: tests/bench/results/answers.json. Neighbouring ones were tried by hand with the right
# paper given (all facts in 0.79 to 0.88 of the answers); that trial has no result file yet.
_MOST_SENTENCES = 4  # of one paper; a list that is broken over sentences may add to them
_MOST_IN_ALL = 6  # where several papers answer
_MOST_PAPERS = 4
_PAPER_MARGIN = 0.80  # of the best paper's score, for a further paper of an answer from several
_SENTENCE_MARGIN = 0.70  # of the best sentence's score, for a further sentence
_REPEATS = 0.82  # cosine above which a sentence says the same again

_COSINE_WEIGHT, _WORDS_WEIGHT = 0.7, 0.6
_NUMBER_BONUS, _NAME_BONUS, _FINDING_BONUS, _MOTIVATION_MALUS, _POINTER_MALUS = 0.20, 0.15, 0.15, 0.12, 0.25
_NEAREST = "This comes nearest:"
_MARKER_MALUS = 10.0  # a quote with a [3] of its own would cite what it does not
_LATE_BONUS = 0.10  # abstracts open with what is known and end with what was found


@dataclass(frozen=True, slots=True)
class Extract:
    """The text with its markers, what they cite, and a claim for every sentence."""

    text: str
    citations: tuple[Citation, ...]
    claims: tuple[Claim, ...]

    def opened_by(self, sentence: str) -> Extract:
        """The same behind a sentence of our own, which claims nothing of any paper."""
        opening = f"{sentence} {_NEAREST}\n\n"
        shifted = (
            replace(claim, start=claim.start + len(opening), end=claim.end + len(opening)) for claim in self.claims
        )
        own = Claim(0, len(opening.rstrip()), (), Verdict.NO_CLAIM)
        return Extract(opening + self.text, self.citations, (own, *shifted))


@dataclass(frozen=True, slots=True)
class _Chosen:
    passage: Passage
    spans: tuple[tuple[int, int], ...]


def extract(
    question: str, ranking: Ranking, *, terms: Callable[[str], Sequence[str]], idf: Callable[[str], float]
) -> Extract:
    """The sentences of the best papers that answer the question, in the papers' own order.

    Args:
        ranking: At least one passage.
        terms: The index terms of a text.
        idf: Inverse document frequency of an index term.
    """
    weights = {term: idf(term) for term in terms(question)}
    several = cues.asks_several(question)
    papers = _papers(ranking, several=several)
    limit = _MOST_SENTENCES if len(papers) == 1 else _MOST_IN_ALL // len(papers)
    chosen = []
    for passage in papers:
        record = ranking.records[passage.paper.id]
        scores = _scores(question, record, ranking, weights, terms)
        chosen.append(_Chosen(passage, _best_sentences(record, scores, limit)))
    return _written(chosen)


def _papers(ranking: Ranking, *, several: bool) -> Sequence[Passage]:
    """The best paper; where the question asks for several, all that come close to it."""
    best = ranking.passages[0]
    if not several:
        return [best]
    return [passage for passage in ranking.passages[:_MOST_PAPERS] if passage.score >= _PAPER_MARGIN * best.score]


def _scores(
    question: str, record: Record, ranking: Ranking, weights: dict[str, float], terms: Callable[[str], Sequence[str]]
) -> list[float]:
    """How well each sentence of a paper answers the question, higher is better."""
    cosines = record.sentence_vectors @ ranking.question_vector
    named = set(terms(record.paper.title))
    left = {term: weight for term, weight in weights.items() if term not in named} or weights
    total = sum(left.values()) or 1.0
    asks_number, asks_name, asks_pointer = (
        cues.asks_number(question),
        cues.asks_name(question),
        cues.asks_pointer(question),
    )
    scores = []
    for position, ((start, end), cosine) in enumerate(zip(record.sentences, cosines, strict=True)):
        sentence = record.paper.abstract[start:end]
        shared = sum(left.get(term, 0.0) for term in set(terms(sentence))) / total
        score = _COSINE_WEIGHT * float(cosine) + _WORDS_WEIGHT * shared
        score += _NUMBER_BONUS * (asks_number and cues.has_number(sentence))
        score += _NAME_BONUS * asks_name * min(2, cues.count_names(sentence)) / 2
        score += _LATE_BONUS * position / max(1, len(record.sentences) - 1)
        score += _FINDING_BONUS * cues.is_finding(sentence)
        score -= _MOTIVATION_MALUS * cues.is_motivation(sentence)
        score -= _MARKER_MALUS * bool(MARKER.search(sentence))
        score -= _POINTER_MALUS * (not asks_pointer and cues.is_pointer(sentence))
        scores.append(score)
    return scores


def _best_sentences(record: Record, scores: Sequence[float], limit: int) -> tuple[tuple[int, int], ...]:
    """The best sentences that come close to the best one and do not repeat another, in the paper's order."""
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    limit = min(limit, max(2, len(order) - 1))  # a short abstract is not given whole
    taken: list[int] = []
    for index in order:
        if len(taken) == limit or (taken and scores[index] < _SENTENCE_MARGIN * scores[order[0]]):
            break
        vector = record.sentence_vectors[index]
        if all(float(np.dot(vector, record.sentence_vectors[other])) < _REPEATS for other in taken):
            taken.append(index)
    whole_lists = {*taken, *_rest_of_lists(record, taken)}
    if len(whole_lists) > _MOST_IN_ALL or len(whole_lists) == len(scores) > limit:
        whole_lists = set(taken)
    return tuple(record.sentences[index] for index in sorted(whole_lists))


def _rest_of_lists(record: Record, taken: Sequence[int]) -> Iterator[int]:
    """The items around a chosen sentence of a list that goes on over sentences: "(1) ...", "(2) ..."."""

    def is_item(index: int) -> bool:
        start, end = record.sentences[index]
        return cues.is_list_item(record.paper.abstract[start:end])

    for index in taken:
        after = index + 1
        while after < len(record.sentences) and is_item(after):
            yield after
            after += 1
        while index > 0 and is_item(index):
            index -= 1  # noqa: PLW2901 (walks back to the sentence that opens the list)
            yield index


def _written(chosen: Sequence[_Chosen]) -> Extract:
    """One paper: its sentences as a paragraph. Several: a paragraph a paper, under its name."""
    text = ""
    citations, claims = [], []
    for number, (passage, spans) in enumerate(((each.passage, each.spans) for each in chosen), start=1):
        text += "\n\n" if text else ""
        if len(chosen) > 1:
            text += f"{passage.paper.label}:"
        for start, end in spans:
            quote = passage.paper.abstract[start:end]
            text += " " if text and not text.endswith("\n") else ""
            claims.append(Claim(len(text), len(text) + len(quote), (number,), Verdict.SUPPORTED, ("verbatim",)))
            text += f"{quote} [{number}]"
            citations.append(Citation(number, passage.paper, quote, start, end))
    return Extract(text, tuple(citations), tuple(claims))
