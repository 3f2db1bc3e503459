"""Question -> ranked papers: dense and lexical candidates, scored exactly, fused, one passage a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from rag.library.candidates import Candidates, Values
from rag.library.lexical_index import LexicalHit
from rag.library.library import Library
from rag.library.paper_rows import Papers
from rag.library.records import Record, Vectors
from rag.models.embedding import EmbeddingModel
from rag.models.late_interaction import TokenVectors, max_similarities, token_weights, weighted_mean
from rag.retrieval.spelling import mended, slips
from rag.types import Filter, Passage

Signal = TypeVar("Signal", float, Values)

# Signals of a passage and their weights in its score: the ablations in
# tests/bench/results/{questions,scifact,cranfield}.json. The sizes that filters go by are in scale.json and DECISIONS.
WEIGHTS: Mapping[str, float] = {
    "chunk": 0.6,
    "opening": 0.3,  # the first chunk: what the whole is about
    "sentence": 0.2,
    "sentences": 0.3,
    "bm25": 0.010,  # raw, which weighs itself: high when rare words match, low when all is paraphrase
    "late": 1.6,
    "neighbours": 0.45,
}
_LATE_PAPERS = 200  # the best by the signals that cost little, which the others then rank along
_NEIGHBOURS = 10
_BEST_SENTENCES = 3
_DENSE_CHUNKS = 150
_LEXICAL_PAPERS = 100
_CONTEXT_WEIGHT = 0.6  # of what a follow-up refers to, beside the follow-up itself
_SPELLING_PAPERS = 20  # in which the word is looked for that a misspelt one stands for
_ALL_ADMITTED = 500  # a filter that admits no more papers than this needs no candidates: all are scored
_SPARE = 1.2  # times as many are asked for as would do if a filter admitted papers at random
_FURTHER = 10  # times as many once more, before the chunks of all that it admits are compared
# So many that are near and admitted are enough; they are the nearest of all that are. Of 100,000 papers 98 of a hundred
# of the best ten are then those of the whole comparison (by hand, three filters).
_ENOUGH = 40
_ENOUGH_HITS = 5  # papers that have words of the question: those of the best BM25 that are admitted
_OF_ADMITTED = 0.5  # more chunks than half the papers admitted: Chroma takes longer than to compare all of these


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
    records: Mapping[str, Record]
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
    """The k papers that answer the query best.

    Args:
        weights: Of the signals; one that is left out is not computed where it costs much.
    """
    meant = _meant(library, model, query.question)
    query = replace(query, question=mended(query.question, meant))
    asked = _embedded(model, query, library.lexical.word_idf)
    keys, bm25 = _candidates(library, query, asked.vector, where or Filter())
    ranked = library.read(lambda papers: _ranked(papers, keys, bm25, asked, weights=weights, k=k))
    return Ranking(*ranked[:2], asked.question_vector, query, meant, ranked[2])


def _ranked(
    papers: Papers,
    keys: Sequence[str],
    bm25: Mapping[str, float],
    asked: _Embedded,
    *,
    weights: Mapping[str, float],
    k: int,
) -> tuple[tuple[Passage, ...], Mapping[str, Record], float]:
    """The passages, their records, and the greatest cosine of any chunk or sentence among the best."""
    found = papers.candidates(keys)
    if not found.paper_ids:
        return (), {}, 0.0
    signals = _signals(found, asked.vector, bm25)
    order = _best_first(found.paper_ids, fused(signals, weights))[: max(k, _LATE_PAPERS)]
    found, signals = found.taken(order), _taken(signals, order)
    cosines = found.chunks.vectors @ asked.plain
    evidence = max(float(cosines.max()), float((found.sentences.vectors @ asked.plain).max()))
    signals["cosine"] = found.chunks.greatest(cosines)
    if "late" in weights:
        signals["late"] = _late(papers, found, asked)
    signals["neighbours"] = _of_neighbours(found.chunks.means(), fused(signals, weights))
    order = _best_first(found.paper_ids, fused(signals, weights))[:k]
    paper_ids, signals = [found.paper_ids[row] for row in order], _taken(signals, order)
    records = papers.records(paper_ids)
    passages = _passages(records, asked.vector, signals, weights)
    return passages, {record.paper.id: record for record in records}, evidence


def _late(papers: Papers, found: Candidates, asked: _Embedded) -> Values:
    signs = papers.signs(found.paper_ids)
    return max_similarities(asked.tokens, np.sqrt(asked.weights), signs).astype(np.float64)


def fused(signals: Mapping[str, Signal], weights: Mapping[str, float] = WEIGHTS) -> Signal:
    """The score of a passage, or of several: the weighted sum of the signals that there are."""
    return sum(weight * signals[name] for name, weight in weights.items() if name in signals)  # type: ignore[return-value]


def similar(library: Library, paper_id: str, *, k: int) -> list[Passage]:
    """The papers nearest to a paper, by its chunks."""
    found = library.fetch([paper_id])
    if not found:
        return []
    vector = _unit(found[0].chunk_vectors.mean(axis=0))
    near = [key for key, _ in library.nearest(vector, 2 * k + 4) if key != paper_id]
    return list(library.read(lambda papers: _nearest(papers, near, vector, k)))


def _nearest(papers: Papers, paper_ids: Sequence[str], vector: Vectors, k: int) -> tuple[Passage, ...]:
    """The k best of the papers by the signals that cost little."""
    found = papers.candidates(paper_ids)
    if not found.paper_ids:
        return ()
    signals = _signals(found, vector, {})
    order = _best_first(found.paper_ids, fused(signals))[:k]
    records = papers.records([found.paper_ids[row] for row in order])
    return _passages(records, vector, _taken(signals, order), WEIGHTS)


@dataclass(frozen=True, slots=True)
class _Embedded:
    """A query for the signals that go by meaning.

    Attributes:
        question_vector: Of the question without its context, as the model gives it.
        vector: What is searched with: rare words weigh more.
        plain: The same with all words alike: what others search with.
        tokens: Of the question, or of question and context, each with its weight, which is the inverse document
            frequency of its word; late interaction takes the root of it, between that and all alike.
    """

    question_vector: Vectors
    vector: Vectors
    plain: Vectors
    tokens: TokenVectors
    weights: Vectors


def _embedded(model: EmbeddingModel, query: Query, idf: Callable[[str], float]) -> _Embedded:
    """Embeds the query; its vector is half its text's own, half the mean of its words by how rare they are."""
    texts = [query.question, f"{query.context} {query.question}"] if query.context else [query.question]
    plain, tokens = model.embed_with_tokens(texts)
    weights = [token_weights(of_text, idf) for of_text in tokens]
    vectors = [
        _unit(vector + weighted_mean(of_text, weight))
        for vector, of_text, weight in zip(plain, tokens, weights, strict=True)
    ]
    return _Embedded(plain[0], _mixed(vectors), _mixed(list(plain)), tokens[-1], weights[-1])


def _mixed(vectors: Sequence[Vectors]) -> Vectors:
    """Of the question, and of the question with its context where there is one."""
    return _unit((1 - _CONTEXT_WEIGHT) * vectors[0] + _CONTEXT_WEIGHT * vectors[-1])


def _unit(vector: Vectors) -> Vectors:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _meant(library: Library, model: EmbeddingModel, question: str) -> Mapping[str, str]:
    """The misspelt words of a question, each with the library's word for it."""
    lexical = library.lexical

    def is_known(word: str) -> bool:
        # One that the model reads in one piece is a word of the language, if none of these papers.
        return any(map(lexical.frequency, lexical.terms_of(word))) or model.count_tokens(word) == 1

    def similar_texts(word: str) -> Iterator[str]:
        found = (record.paper for record in library.fetch(lexical.spelt_nearly(word, _SPELLING_PAPERS)))
        return (f"{paper.title} {paper.abstract}" for paper in found)

    return slips(question, is_known, similar_texts)


def _best_first(paper_ids: Sequence[str], scores: Values) -> list[int]:
    """The papers' places from the best score down, ties by id."""
    return sorted(range(len(paper_ids)), key=lambda row: (-scores[row], paper_ids[row]))


def _taken(signals: Mapping[str, Values], order: Sequence[int]) -> dict[str, Values]:
    return {name: values[list(order)] for name, values in signals.items()}


def _of_neighbours(vectors: Vectors, scores: Values) -> Values:
    """For each paper the mean score of those most like it: papers alike answer the same questions (Diaz 2005).

    Args:
        vectors: Of the papers, of any length: shape `(papers, d)`.

    Returns:
        Shape `(papers,)`; 0 for a paper that is alone.
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors))
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :_NEIGHBOURS]
    nearest = nearest[:, : len(vectors) - 1]
    weights = np.maximum(np.take_along_axis(alike, nearest, axis=1), 1e-6)
    mean: Values = (scores[nearest] * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def _candidates(
    library: Library, query: Query, vector: Vectors, where: Filter
) -> tuple[list[str], Mapping[str, float]]:
    """Ids of the papers worth scoring, those that either index finds within the filter, and BM25 scores by id."""
    find = partial(
        library.lexical.search,
        query.question,
        weights={query.context: _CONTEXT_WEIGHT} if query.context else None,
    )
    if where == Filter():
        dense = [paper_id for paper_id, _ in library.nearest(vector, _DENSE_CHUNKS)]
        hits = find(_LEXICAL_PAPERS)
    elif not (count := library.count(where)):
        return [], {}
    elif count <= _ALL_ADMITTED:
        dense = library.read(lambda papers: papers.ids(where))
        hits = find(count, among=dense)
    else:
        dense, hits = _asked_for_more(library, find, vector, where, count)
    return list(dict.fromkeys((*dense, *(hit.paper_id for hit in hits)))), {hit.paper_id: hit.bm25 for hit in hits}


def _asked_for_more(
    library: Library, find: Callable[..., list[LexicalHit]], vector: Vectors, where: Filter, count: int
) -> tuple[list[str], list[LexicalHit]]:
    """What is near, and what has words of the question, among the `count` papers that the filter admits.

    Both indexes are asked for more than is wanted, and what is not admitted is left out; where that leaves too little,
    once more, or for all that is admitted.
    """
    more = _SPARE * library.size / count
    hits, dense = find(most := round(more * _LEXICAL_PAPERS)), list[str]()
    for times in (1, _FURTHER):  # again, where the filter leaves out just what is near
        asked_for = round(times * more * _DENSE_CHUNKS)
        if len(dense) < _ENOUGH and asked_for <= count * _OF_ADMITTED:
            near = [paper_id for paper_id, _ in library.nearest(vector, asked_for)]
            found = {*near, *(hit.paper_id for hit in hits)}
            admitted = library.read(partial(Papers.admitted, paper_ids=found, where=where))
            dense = [paper_id for paper_id in near if paper_id in admitted][:_DENSE_CHUNKS]
    if are_all := len(dense) < _ENOUGH:
        dense, admitted = library.read(lambda papers: _nearest_within(papers, vector, where))
    within = [hit for hit in hits if hit.paper_id in admitted]
    if len(within) < _ENOUGH_HITS and len(hits) == most:  # it leaves out just what has these words most
        if are_all:
            return dense, find(_LEXICAL_PAPERS, among=list(admitted))
        hits = find(_FURTHER * most)
        admitted = library.read(partial(Papers.admitted, paper_ids=[hit.paper_id for hit in hits], where=where))
        within = [hit for hit in hits if hit.paper_id in admitted]
    return dense, within[:_LEXICAL_PAPERS]


def _nearest_within(papers: Papers, vector: Vectors, where: Filter) -> tuple[list[str], set[str]]:
    """The nearest of all papers that the filter admits, each compared, and all that it admits."""
    admitted: list[str] = []
    cosines: list[Values] = []
    for paper_ids, chunks in papers.chunk_vectors(where):
        admitted += paper_ids
        cosines.append(chunks.greatest(chunks.vectors @ vector))
    nearest = np.argsort(-np.concatenate(cosines), kind="stable")[:_DENSE_CHUNKS] if cosines else ()
    return [admitted[row] for row in nearest], set(admitted)


def _signals(found: Candidates, vector: Vectors, bm25: Mapping[str, float]) -> dict[str, Values]:
    """The signals that cost little, each a value a paper."""
    by_chunk, by_sentence = found.chunks.vectors @ vector, found.sentences.vectors @ vector
    return {
        "chunk": found.chunks.greatest(by_chunk),
        "opening": by_chunk[found.chunks.starts].astype(np.float64),
        "sentences": found.sentences.mean_of_greatest(by_sentence, _BEST_SENTENCES),
        "sentence": found.sentences.greatest(by_sentence),
        "bm25": np.array([bm25.get(key, 0.0) for key in found.paper_ids]),
    }


def _passages(
    records: Sequence[Record], vector: Vectors, signals: Mapping[str, Values], weights: Mapping[str, float]
) -> tuple[Passage, ...]:
    """The papers, each shown by its best chunk; the signals are in the order of the records."""
    passages = []
    for row, record in enumerate(records):
        own = {name: float(values[row]) for name, values in signals.items()}
        start, end = record.chunks[int((record.chunk_vectors @ vector).argmax())]
        passages.append(Passage(record.paper, fused(own, weights), start, end, own))
    return tuple(passages)
