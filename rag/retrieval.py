"""Question -> ranked papers: dense and lexical candidates, scored exactly, fused, one passage a paper."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.embedding import EmbeddingModel
from rag.index import Library
from rag.late import TokenVectors, max_similarities, token_weights, weighted_mean
from rag.records import Record, Vectors
from rag.spelling import mended, slips
from rag.types import Filter, Passage

# Signals of a passage and their weights in its score, with the sizes below: the ablations in
# tests/bench/results/{questions,scifact,cranfield}.json.
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


def retrieve(library: Library, model: EmbeddingModel, query: Query, *, k: int, where: Filter | None = None) -> Ranking:
    """The k papers that answer the query best."""
    meant = _meant(library, model, query.question)
    query = replace(query, question=mended(query.question, meant))
    asked = _embedded(model, query, library.lexical.word_idf)
    hits = library.lexical.search(
        query.question,
        library.size if where else _LEXICAL_PAPERS,
        weights={query.context: _CONTEXT_WEIGHT} if query.context else None,
    )
    bm25 = {hit.paper_id: hit.bm25 for hit in hits}
    candidates = _candidates(library, asked.vector, list(bm25), where)
    records = {record.paper.id: record for record in library.fetch(candidates)}
    passages = [_passage(record, asked.vector, bm25.get(paper_id, 0.0)) for paper_id, record in records.items()]
    passages = sorted(passages, key=_best_first)[: max(k, _LATE_PAPERS)]
    best = [records[passage.paper.id] for passage in passages]
    plain = [record.vectors @ asked.plain for record in best]
    cosines = [of_paper[: len(record.chunks)].max() for of_paper, record in zip(plain, best, strict=True)]
    passages = _with_signal(passages, "cosine", cosines)
    late = max_similarities(asked.tokens, np.sqrt(asked.weights), [record.token_signs for record in best])
    passages = _with_signal(passages, "late", late)
    passages = _with_signal(passages, "neighbours", _of_neighbours(best, [passage.score for passage in passages]))
    passages = sorted(passages, key=_best_first)[:k]
    kept = {passage.paper.id: records[passage.paper.id] for passage in passages}
    evidence = max((float(of_paper.max()) for of_paper in plain), default=0.0)
    return Ranking(tuple(passages), kept, asked.question_vector, query, meant, evidence)


def fused(signals: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """The score of a passage: the weighted sum of the signals that it has."""
    return sum(weight * signals[name] for name, weight in weights.items() if name in signals)


def similar(library: Library, paper_id: str, *, k: int) -> list[Passage]:
    """The papers nearest to a paper, by its chunks."""
    found = library.fetch([paper_id])
    if not found:
        return []
    vector = found[0].chunk_vectors.mean(axis=0)
    vector /= np.linalg.norm(vector)
    near = [key for key, _ in library.nearest(vector, 2 * k + 4) if key != paper_id]
    passages = (_passage(record, vector, 0.0) for record in library.fetch(near))
    return sorted(passages, key=_best_first)[:k]


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
    plain, tokens = model.embed_with_tokens(texts, [0] * len(texts))
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


def _best_first(passage: Passage) -> tuple[float, str]:
    return -passage.score, passage.paper.id


def _with_signal(passages: Sequence[Passage], name: str, values: Iterable[float]) -> list[Passage]:
    """The passages with one more signal, scored anew."""
    added = [{**passage.signals, name: float(value)} for passage, value in zip(passages, values, strict=True)]
    return [
        replace(passage, score=fused(signals), signals=signals)
        for passage, signals in zip(passages, added, strict=True)
    ]


def _of_neighbours(records: Sequence[Record], scores: Sequence[float]) -> Vectors:
    """For each paper the mean score of those most like it: papers alike answer the same questions (Diaz 2005).

    Returns:
        Shape `(len(records),)`; 0 for a paper that is alone.
    """
    if len(records) < 2:
        return np.zeros(len(records), dtype=np.float32)
    vectors = np.stack([_unit(record.chunk_vectors.mean(axis=0)) for record in records])
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1.0)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :_NEIGHBOURS]
    nearest = nearest[:, : len(records) - 1]
    weights = np.maximum(np.take_along_axis(alike, nearest, axis=1), 1e-6)
    mean: Vectors = (np.asarray(scores)[nearest] * weights).sum(axis=1) / weights.sum(axis=1)
    return mean


def _candidates(library: Library, vector: Vectors, lexical: Sequence[str], where: Filter | None) -> list[str]:
    """Ids of the papers worth scoring: those that either index finds, within the filter."""
    if where is None or where == Filter():
        dense = [paper_id for paper_id, _ in library.nearest(vector, _DENSE_CHUNKS)]
        return list(dict.fromkeys((*dense, *lexical)))
    admitted = {paper.id for paper in where.among(library.catalogue().values())}
    if len(admitted) <= _ALL_ADMITTED:
        return sorted(admitted)
    dense = [paper_id for paper_id, _ in library.nearest(vector, 20 * _DENSE_CHUNKS) if paper_id in admitted]
    within = [paper_id for paper_id in lexical if paper_id in admitted][:_LEXICAL_PAPERS]
    return list(dict.fromkeys((*dense[:_DENSE_CHUNKS], *within)))


def _passage(record: Record, vector: Vectors, bm25: float) -> Passage:
    """The paper with its fused score, shown by its best chunk."""
    by_chunk = record.chunk_vectors @ vector
    by_sentence = np.sort(record.sentence_vectors @ vector)[::-1]
    best = int(by_chunk.argmax())
    signals = {
        "chunk": float(by_chunk[best]),
        "opening": float(by_chunk[0]),
        "sentences": float(by_sentence[:_BEST_SENTENCES].mean()),
        "sentence": float(by_sentence[0]),
        "bm25": bm25,
    }
    start, end = record.chunks[best]
    return Passage(record.paper, fused(signals), start, end, signals)
