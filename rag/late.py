"""Late interaction: for each word of the question the best-matching word of an abstract, by the model's token vectors.

This is ColBERT's MaxSim (Khattab and Zaharia 2020) with the vectors that the embedding model makes anyway on its way
to a text's own vector, so it costs no second model and no second pass; only the words that carry meaning are kept, in
few dimensions and bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rag.words import STOP_WORDS, fold

Vectors = NDArray[np.float32]

DIMENSIONS = 96  # with some 150 kept tokens, 15 kB an abstract, 20 kB as text; tests/bench/results/retrieval.json
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The tokens of a text that carry meaning.

    Attributes:
        words: The word that each token is, or is a piece of.
        vectors: Unit vectors: shape `(len(words), DIMENSIONS)`, float32.
    """

    words: tuple[str, ...]
    vectors: Vectors


def token_vectors(text: str, offsets: Sequence[tuple[int, int]], vectors: Vectors, *, start: int = 0) -> TokenVectors:
    """Keeps the tokens of words that carry meaning, in fewer dimensions.

    Args:
        offsets: Of every token in the text; empty spans are special tokens.
        vectors: As the model made them: shape `(len(offsets), d)`.
        start: Tokens before this offset are left out.
    """
    word_at = {place: found[0] for found in _WORD.finditer(text) for place in range(*found.span())}
    kept = [
        (row, word_at[first])
        for row, (first, last) in enumerate(offsets)
        if last > first >= start and first in word_at and fold(word_at[first]) not in STOP_WORDS
    ]
    chosen = vectors[[row for row, _ in kept]] @ _projection(vectors.shape[1])
    return TokenVectors(tuple(word for _, word in kept), _unit(chosen))


def max_similarity(question: TokenVectors, weights: NDArray[np.float32], abstract: Vectors) -> float:
    """Weighted mean, over the question's tokens, of the cosine of the abstract's best-matching token."""
    if not len(abstract) or not len(weights) or not weights.sum():
        return 0.0
    return float((question.vectors @ abstract.T).max(axis=1) @ weights / weights.sum())


def token_weights(question: TokenVectors, idf: Callable[[str], float]) -> NDArray[np.float32]:
    """How much each token of the question counts: the inverse document frequency of its word."""
    return np.array([idf(word) for word in question.words], dtype=np.float32)


@cache
def _projection(dimension: int) -> Vectors:
    """Random orthonormal directions, the same everywhere: angles survive (Johnson, Lindenstrauss) without training."""
    if dimension <= DIMENSIONS:
        return np.eye(dimension, dtype=np.float32)
    drawn = np.random.default_rng(0).normal(size=(dimension, DIMENSIONS))
    return np.linalg.qr(drawn)[0].astype(np.float32)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit.astype(np.float32, copy=False)
