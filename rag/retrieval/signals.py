"""The signals that score a paper: cosines, BM25, late interaction and neighbours; and their fusion into one score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from rag.library.candidates import Candidates, Values
from rag.library.paper_rows import Papers
from rag.library.records import Vectors
from rag.models.embedding import EmbeddingModel
from rag.models.late_interaction import TokenVectors, max_similarities, token_weights, weighted_mean

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
CONTEXT_WEIGHT = 0.6  # of what a follow-up refers to, beside the follow-up itself
_NEIGHBOURS = 10
_BEST_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """A query for the signals that go by meaning.

    Attributes:
        question_vector: Of the question without its context, as the model gives it.
        vector: What is searched with: rare words weigh more.
        plain: The same with all words alike: what others search with.
        tokens: Of the question, or of question and context.
        weights: Of each token the inverse document frequency of its word. Late interaction takes its root, which lies
            between that and all alike.
    """

    question_vector: Vectors
    vector: Vectors
    plain: Vectors
    tokens: TokenVectors
    weights: Vectors


def embed_query(model: EmbeddingModel, question: str, context: str, idf: Callable[[str], float]) -> EmbeddedQuery:
    """Embeds a query; its vector is half its text's own, half the mean of its words by how rare they are."""
    texts = [question, f"{context} {question}"] if context else [question]
    plain, tokens = model.embed_with_tokens(texts)
    weights = [token_weights(of_text, idf) for of_text in tokens]
    vectors = [
        to_unit(vector + weighted_mean(of_text, weight))
        for vector, of_text, weight in zip(plain, tokens, weights, strict=True)
    ]
    return EmbeddedQuery(plain[0], _mix(vectors), _mix(list(plain)), tokens[-1], weights[-1])


def _mix(vectors: Sequence[Vectors]) -> Vectors:
    """Mixes the vectors of the question, and of the question with its context where there is one."""
    return to_unit((1 - CONTEXT_WEIGHT) * vectors[0] + CONTEXT_WEIGHT * vectors[-1])


def to_unit(vector: Vectors) -> Vectors:
    """Scales a vector to length 1; one of zeros stays."""
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def fuse_signals(signals: Mapping[str, Signal], weights: Mapping[str, float] = WEIGHTS) -> Signal:
    """The score of a passage, or of several: the weighted sum of the signals that there are."""
    return sum(weight * signals[name] for name, weight in weights.items() if name in signals)  # type: ignore[return-value]


def compute_cheap(found: Candidates, vector: Vectors, bm25: Mapping[str, float]) -> dict[str, Values]:
    """Computes the signals that cost little: shape `(papers,)` each."""
    by_chunk, by_sentence = found.chunks.vectors @ vector, found.sentences.vectors @ vector
    return {
        "chunk": found.chunks.greatest(by_chunk),
        "opening": by_chunk[found.chunks.starts].astype(np.float64),
        "sentences": found.sentences.mean_of_greatest(by_sentence, _BEST_SENTENCES),
        "sentence": found.sentences.greatest(by_sentence),
        "bm25": np.array([bm25.get(key, 0.0) for key in found.paper_ids]),
    }


def compute_late(papers: Papers, found: Candidates, asked: EmbeddedQuery) -> Values:
    """Computes the signal of late interaction: shape `(papers,)`."""
    signs = papers.signs(found.paper_ids)
    return max_similarities(asked.tokens, np.sqrt(asked.weights), signs).astype(np.float64)


def compute_neighbours(vectors: Vectors, scores: Values) -> Values:
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
