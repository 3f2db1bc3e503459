"""An answer with no language model: the sentences that answer the question, verbatim, each with its marker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from rag.answering.gate import share_of_papers
from rag.answering.unstated import unstated
from rag.library.library import Library
from rag.library.records import EmbeddedPaper, Vectors
from rag.markers.citation_forms import MARKER
from rag.retrieval.ranking import Ranking
from rag.text import cues
from rag.text.names import count_names
from rag.text.prompt_injection import instructions
from rag.text.quantities import states
from rag.types import Answer, Check, CheckKind, Citation, Claim, Outcome, Passage, Verdict

# Figures with these values: tests/bench/results/questions.json; with neighbouring ones of those that a list of papers,
# a question of several parts or a follow-up needs: honesty.json. The others were tried by hand, without a result file.
_MOST_SENTENCES = 4  # of one paper; a list that is broken over sentences may add to them
_NEAREST_SENTENCES = 2  # of an answer that lacks what was asked
_MOST_IN_ALL = 6  # over all papers, and with the whole of a list
_MOST_PAPERS = 4
_PAPER_MARGIN = 0.65  # of the best paper's score, for a further paper of an answer from several
_SENTENCE_MARGIN = 0.60  # of the best sentence's score, for a further sentence
_REPEATS = 0.82  # cosine above which a sentence says the same again

_COSINE_WEIGHT, _WORDS_WEIGHT = 0.7, 0.6
_CONTEXT_WEIGHT = 0.3  # of the words of what a follow-up refers to, beside its own, which weigh 1
_NUMBER_BONUS, _NAME_BONUS, _FINDING_BONUS, _MOTIVATION_MALUS, _POINTER_MALUS = 0.20, 0.15, 0.15, 0.12, 0.25
_STATED_BONUS = 0.15  # beside the number's: it is the quantity that is asked for
_REASON_BONUS = 0.15
_IDEA_BONUS = 0.2  # a list of papers says what each is about
_MARKER_MALUS = 10.0  # a quote with a [3] of its own would cite what it does not
_INSTRUCTION_MALUS = 10.0  # a paper states nothing in what it says to an assistant
_LATE_BONUS = 0.10  # abstracts open with what is known and end with what was found
NEAREST = "This comes nearest:"
_VERBATIM = (Check(CheckKind.VERBATIM, True),)


@dataclass(frozen=True, slots=True)
class Extract:
    """The text with its markers, what they cite, and a claim for every sentence."""

    text: str
    citations: tuple[Citation, ...]
    claims: tuple[Claim, ...]

    def opened_by(self, sentence: str) -> Extract:
        """The same behind a sentence of our own, which claims nothing of any paper."""
        opening = f"{sentence} {NEAREST}\n\n"
        shifted = (
            replace(claim, start=claim.start + len(opening), end=claim.end + len(opening)) for claim in self.claims
        )
        own = Claim(0, len(opening.rstrip()), (), Verdict.NO_CLAIM)
        return Extract(opening + self.text, self.citations, (own, *shifted))


def quote_papers(draft: Answer, ranking: Ranking, library: Library) -> Answer:
    """The sentences of the papers that answer the question, behind a sentence on what they do not state."""
    lexical, query = library.lexical, ranking.query
    read = partial(extract, query.question, ranking, terms=lexical.terms, idf=lexical.idf, context=query.context)
    found = read()
    papers = list({citation.number: citation.paper for citation in found.citations}.values())
    lacks = unstated(query.question, papers, terms=lexical.terms, share=partial(share_of_papers, library))
    if lacks.phrases and len(cues.split_question(query.question)) == 1:  # no other part is answered: less says as much
        found = read(most=_NEAREST_SENTENCES)
    if lacks.phrases:
        found = found.opened_by(lacks.sentence(len(papers)))
    return replace(
        draft,
        text=found.text,
        outcome=Outcome.PARTIAL if lacks.phrases else Outcome.ANSWERED,
        missing=lacks.phrases,
        citations=found.citations,
        claims=found.claims,
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    passage: Passage
    spans: tuple[tuple[int, int], ...]


def extract(
    question: str,
    ranking: Ranking,
    *,
    terms: Callable[[str], Sequence[str]],
    idf: Callable[[str], float],
    context: str = "",
    most: int = _MOST_SENTENCES,
) -> Extract:
    """The sentences of the best papers that answer the question, in the papers' own order.

    Args:
        ranking: At least one passage.
        terms: The index terms of a text.
        idf: Inverse document frequency of an index term.
        context: What the question refers to in the conversation.
        most: Sentences of the one paper of an answer.
    """
    several = cues.asks_several(question)
    reader = Reader(ranking.question_vector, terms, idf, context, several)
    papers = _papers(ranking, several=several)
    limit = most if len(papers) == 1 else _MOST_IN_ALL // len(papers)
    longest = _MOST_IN_ALL if len(papers) == 1 else limit
    chosen = []
    for passage in papers:
        record = ranking.records[passage.paper.id]
        scores = reader.scores(question, record)
        asked = [reader.scores(part, record) for part in cues.split_question(question)[:_MOST_IN_ALL]]
        chosen.append(_Chosen(passage, _best_sentences(record, scores, asked, limit, longest)))
    return _written(chosen)


def _papers(ranking: Ranking, *, several: bool) -> Sequence[Passage]:
    """The best paper; where the question asks for several, those before the greatest drop of the score."""
    passages = ranking.passages[: _MOST_PAPERS + 1]
    if not several or len(passages) < 2:
        return passages[:1]
    scores = [*(passage.score for passage in passages), 0.0]
    drops = {count: scores[count - 1] - scores[count] for count in range(2, min(_MOST_PAPERS, len(passages)) + 1)}
    count = max(drops, key=lambda count: (drops[count], count))
    return [passage for passage in passages[:count] if passage.score >= _PAPER_MARGIN * passages[0].score]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads abstracts in the light of a question.

    Attributes:
        vector: Unit vector of the question.
        terms, idf, context: As for `extract`.
        several: Whether the question asks for several papers.
    """

    vector: Vectors
    terms: Callable[[str], Sequence[str]]
    idf: Callable[[str], float]
    context: str = ""
    several: bool = False

    def scores(self, question: str, record: EmbeddedPaper) -> list[float]:
        """How well each sentence of a paper answers the question, higher is better."""
        cosines = record.sentence_vectors @ self.vector
        left = self._weights(question, record)
        total = sum(left.values()) or 1.0
        asks_number, asks_name, asks_pointer, asks_reason = (
            cues.has_cue(question, f"asks_{what}") for what in ("number", "name", "pointer", "reason")
        )
        scores = []
        for position, ((start, end), cosine) in enumerate(zip(record.sentences, cosines, strict=True)):
            sentence = record.paper.abstract[start:end]
            shared = sum(left.get(term, 0.0) for term in set(self.terms(sentence))) / total
            score = _COSINE_WEIGHT * float(cosine) + _WORDS_WEIGHT * shared
            score += _NUMBER_BONUS * asks_number * cues.has_number(sentence)
            score += _STATED_BONUS * states(question, sentence, self.terms)
            score += _REASON_BONUS * (asks_reason and cues.has_cue(sentence, "reason"))
            score += _NAME_BONUS * asks_name * min(2, count_names(sentence)) / 2
            score += _LATE_BONUS * position / max(1, len(record.sentences) - 1)
            score += _FINDING_BONUS * cues.has_cue(sentence, "finding")
            score += _IDEA_BONUS * self.several * cues.has_cue(sentence, "idea")
            score -= _MOTIVATION_MALUS * cues.has_cue(sentence, "motivation")
            score -= _MARKER_MALUS * bool(MARKER.search(sentence))
            score -= _INSTRUCTION_MALUS * bool(instructions(sentence))
            score -= _POINTER_MALUS * (not asks_pointer and cues.has_cue(sentence, "pointer"))
            scores.append(score)
        return scores

    def _weights(self, question: str, record: EmbeddedPaper) -> dict[str, float]:
        """What the question's terms weigh: those of the paper's title, which all its sentences are about, nothing."""
        weights = {term: _CONTEXT_WEIGHT * self.idf(term) for term in self.terms(self.context)}
        weights |= {term: self.idf(term) for term in self.terms(cues.remove_extent(question))}
        named = set(self.terms(record.paper.title))
        return {term: weight for term, weight in weights.items() if term not in named} or weights


def _best_sentences(
    record: EmbeddedPaper, scores: Sequence[float], asked: Sequence[Sequence[float]], limit: int, longest: int
) -> tuple[tuple[int, int], ...]:
    """The best sentences for every part of the question, then those that come close to the best one.

    None repeats another; all are in the paper's order. A list that is broken over sentences may exceed the limit, but
    not `longest`.
    """
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    limit = min(limit, max(2, len(order) - 1))  # a short abstract is not given whole
    first = [max(range(len(part)), key=lambda index: part[index]) for part in asked] if len(asked) > 1 else []
    taken: list[int] = []
    for index in dict.fromkeys((*first, *order)):
        if len(taken) == limit:
            break
        enough = len(taken) >= len(asked)
        if index not in first and enough and scores[index] < _SENTENCE_MARGIN * scores[order[0]]:
            break
        vector = record.sentence_vectors[index]
        if all(float(np.dot(vector, record.sentence_vectors[other])) < _REPEATS for other in taken):
            taken.append(index)
    whole_lists = {*taken, *_rest_of_lists(record, taken), *_referred_to(record, taken, limit)}
    if len(whole_lists) > longest or len(whole_lists) == len(scores) > limit:
        whole_lists = set(taken)
    return tuple(record.sentences[index] for index in sorted(whole_lists))


def _referred_to(record: EmbeddedPaper, taken: Sequence[int], limit: int) -> Iterator[int]:
    """The sentences that chosen ones point back at, "These include ...", while there is room for more."""
    room = limit - len(taken)
    for index in taken:
        start, end = record.sentences[index]
        if room > 0 and index and index - 1 not in taken and cues.points_back(record.paper.abstract[start:end]):
            room -= 1
            yield index - 1


def _rest_of_lists(record: EmbeddedPaper, taken: Sequence[int]) -> Iterator[int]:
    """The items around a chosen sentence of a list that goes on over sentences: "(1) ...", "(2) ..."."""

    def is_item(index: int) -> bool:
        start, end = record.sentences[index]
        return cues.has_cue(record.paper.abstract[start:end], "list_item")

    for index in taken:
        after = index + 1
        while after < len(record.sentences) and is_item(after):
            yield after
            after += 1
        while index > 0 and is_item(index):
            index -= 1  # noqa: PLW2901 (walks back to the sentence that opens the list)
            yield index


def _needs_name(passage: Passage, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether what is quoted first does not say of what it speaks: "It outperforms ..."."""
    start, end = spans[0]
    opening = passage.paper.abstract[start:end]
    return start > 0 and (cues.has_cue(opening, "of_the_paper") or cues.points_back(opening))


def _written(chosen: Sequence[_Chosen]) -> Extract:
    """A paragraph a paper; under its name where there are several, or the sentences do not say of what they speak."""
    text = ""
    citations, claims = [], []
    for number, (passage, spans) in enumerate(((each.passage, each.spans) for each in chosen), start=1):
        text += "\n\n" if text else ""
        if len(chosen) > 1 or _needs_name(passage, spans):
            label = " ".join(MARKER.sub("", passage.paper.label).split())  # a [1] of its own would cite
            text += f"{label}:"
        for start, end in spans:
            quote = passage.paper.abstract[start:end]
            text += " " if text and not text.endswith("\n") else ""
            claims.append(Claim(len(text), len(text) + len(quote), (number,), Verdict.SUPPORTED, _VERBATIM))
            text += f"{quote} [{number}]"
            citations.append(Citation(number, passage.paper, quote, start, end))
    return Extract(text, tuple(citations), tuple(claims))
