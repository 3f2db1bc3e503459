"""Ranks papers for a question: candidates of both searches, scored exactly, fused, one passage a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag.library.candidates import Values
from rag.library.library import Library
from rag.library.paper_rows import Papers
from rag.library.records import EmbeddedPaper, Vectors
from rag.models.embedding import EmbeddingModel
from rag.retrieval.candidate_search import find_candidates
from rag.retrieval.signals import (
    WEIGHTS,
    EmbeddedQuery,
    compute_cheap,
    compute_late,
    compute_neighbours,
    embed_query,
    fuse_signals,
)
from rag.retrieval.spelling import find_misspelt, mend
from rag.types import Filter, Passage

_LATE_PAPERS = 200  # the best by the signals that cost little, which the others then rank along


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        question: The question as asked.
        context: What it refers to in the conversation, "" if it stands alone.
    """

    question: str
    context: str = ""

    @property
    def standalone(self) -> str:
        """Question and context as one text."""
        return f"{self.question} ({self.context})" if self.context else self.question


@dataclass(frozen=True, slots=True)
class Ranking:
    """The papers found, best first, with what an answer is made from.

    Attributes:
        records: The stored paper of every passage, by paper id.
        question_vector: Unit vector of the question without its context, as the model gives it: shape `(d,)`.
        query: As it was searched, misspelt words mended.
        slips: These words, each with the one that was searched instead.
        evidence: Greatest cosine of any chunk or sentence with what was asked; 0 where nothing was found.
    """

    passages: tuple[Passage, ...]
    records: Mapping[str, EmbeddedPaper]
    question_vector: Vectors
    query: Query
    slips: Mapping[str, str]
    evidence: float

    def best(self, k: int) -> Ranking:
        """The k best papers alone."""
        passages = self.passages[:k]
        return replace(self, passages=passages, records={p.paper.id: self.records[p.paper.id] for p in passages})


def retrieve(
    library: Library,
    model: EmbeddingModel,
    query: Query,
    *,
    k: int,
    where: Filter | None = None,
    weights: Mapping[str, float] = WEIGHTS,
) -> Ranking:
    """Finds the k papers that answer the query best.

    Args:
        weights: Of the signals; one that is left out is not computed where it costs much.
    """
    slips = find_misspelt(library, model, query.question)
    query = replace(query, question=mend(query.question, slips))
    asked = embed_query(model, query.question, query.context, library.lexical.word_idf)
    keys, bm25 = find_candidates(library, query.question, query.context, asked.vector, where or Filter())
    passages, records, evidence = library.reader.read(
        lambda papers: _rank(papers, keys, bm25, asked, weights=weights, k=k)
    )
    return Ranking(passages, records, asked.question_vector, query, slips, evidence)


def _rank(
    papers: Papers,
    keys: Sequence[str],
    bm25: Mapping[str, float],
    asked: EmbeddedQuery,
    *,
    weights: Mapping[str, float],
    k: int,
) -> tuple[tuple[Passage, ...], Mapping[str, EmbeddedPaper], float]:
    """The passages, their records, and the greatest cosine of any chunk or sentence among the best."""
    found = papers.candidates(keys)
    if not found.paper_ids:
        return (), {}, 0.0
    signals = compute_cheap(found, asked.vector, bm25)
    order = order_by_score(found.paper_ids, fuse_signals(signals, weights))[: max(k, _LATE_PAPERS)]
    found, signals = found.taken(order), take(signals, order)
    cosines = found.chunks.vectors @ asked.plain
    evidence = max(float(cosines.max()), float((found.sentences.vectors @ asked.plain).max()))
    signals["cosine"] = found.chunks.greatest(cosines)
    if "late" in weights:
        signals["late"] = compute_late(papers, found, asked)
    signals["neighbours"] = compute_neighbours(found.chunks.means(), fuse_signals(signals, weights))
    order = order_by_score(found.paper_ids, fuse_signals(signals, weights))[:k]
    records = papers.read_embedded([found.paper_ids[row] for row in order])
    passages = make_passages(records, asked.vector, take(signals, order), weights)
    return passages, {record.paper.id: record for record in records}, evidence


def order_by_score(paper_ids: Sequence[str], scores: Values) -> list[int]:
    """The papers' places from the best score down, ties by id."""
    return sorted(range(len(paper_ids)), key=lambda row: (-scores[row], paper_ids[row]))


def take(signals: Mapping[str, Values], order: Sequence[int]) -> dict[str, Values]:
    """Takes the values of some papers, in this order."""
    return {name: values[list(order)] for name, values in signals.items()}


def make_passages(
    records: Sequence[EmbeddedPaper],
    vector: Vectors,
    signals: Mapping[str, Values],
    weights: Mapping[str, float] = WEIGHTS,
) -> tuple[Passage, ...]:
    """Shows each paper by its best chunk; the signals are in the order of the records."""
    passages = []
    for row, record in enumerate(records):
        own = {name: float(values[row]) for name, values in signals.items()}
        start, end = record.chunks[int((record.chunk_vectors @ vector).argmax())]
        passages.append(Passage(record.paper, fuse_signals(own, weights), start, end, own))
    return tuple(passages)
