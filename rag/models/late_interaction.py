"""Late interaction: for each word of the question the best-matching word of an abstract, by the model's token vectors.

This is ColBERT's MaxSim (Khattab and Zaharia 2020) with the vectors that the embedding model makes anyway on its way
to a text's own vector, so it costs no second model and no second pass. Of an abstract only the words that carry meaning
are kept, and of their vectors only the sign of every part, a bit each: with the question's vectors in full the order
of papers is nearly that of full vectors; bytes a paper: tests/bench/results/speed.json.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rag.text.words import is_stop_word

Vectors = NDArray[np.float32]
Bits = NDArray[np.uint8]

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The tokens of a text that carry meaning.

    Attributes:
        words: The word that each token is, or is a piece of.
        vectors: As the model made them: shape `(len(words), d)`, float32.
    """

    words: tuple[str, ...]
    vectors: Vectors


def token_vectors(text: str, offsets: Sequence[tuple[int, int]], vectors: Vectors, *, start: int = 0) -> TokenVectors:
    """Keeps the tokens of words that carry meaning.

    Args:
        offsets: Of every token in the text, in its order; empty spans are special tokens.
        vectors: As the model made them: shape `(len(offsets), d)`.
        start: Tokens before this offset are left out.
    """
    kept: list[tuple[int, str]] = []
    words = _WORD.finditer(text)
    word, carries_meaning = next(words, None), None
    for row, (first, last) in enumerate(offsets):
        if not last > first >= start:
            continue
        while word and word.end() <= first:
            word, carries_meaning = next(words, None), None
        if not word or word.start() > first:
            continue
        if carries_meaning is None:
            carries_meaning = not is_stop_word(word[0])
        if carries_meaning:
            kept.append((row, word[0]))
    return TokenVectors(tuple(word for _, word in kept), vectors[[row for row, _ in kept]])


def token_weights(question: TokenVectors, idf: Callable[[str], float]) -> Vectors:
    """How rare the word of each token of the question is: its inverse document frequency."""
    return np.array([idf(word) for word in question.words], dtype=np.float32)


def weighted_mean(question: TokenVectors, weights: Vectors) -> Vectors:
    """The direction of the question in which its rare words count most: shape `(d,)`, of length 1, or 0 without any.

    A text's own vector is the plain mean of its tokens, in which "what", "are" and "there" count as much as the rest.
    """
    mean: Vectors = weights @ question.vectors
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def max_similarities(question: TokenVectors, weights: Vectors, abstracts: Sequence[Bits]) -> Vectors:
    """Weighted mean, over the question's tokens, of the cosine of each abstract's best-matching token.

    Args:
        abstracts: Of every abstract its tokens' signs, as `unpack_signs` gives them: shape `(tokens, d)`.

    Returns:
        Shape `(len(abstracts),)`; 0 for an abstract without tokens.
    """
    similarities = np.zeros(len(abstracts), dtype=np.float32)
    filled = [number for number, bits in enumerate(abstracts) if len(bits)]
    if not filled or not weights.any():
        return similarities
    lengths = [len(abstracts[number]) for number in filled]
    asked = question.vectors / np.maximum(np.linalg.norm(question.vectors, axis=1, keepdims=True), 1e-9)
    bits = np.concatenate([abstracts[number] for number in filled]).astype(np.float32)
    # Signs are 2 x bit - 1, and a vector of d signs has length sqrt(d).
    cosines = (2 * (bits @ asked.T) - asked.sum(axis=1)) / math.sqrt(asked.shape[1])
    best = np.maximum.reduceat(cosines, np.cumsum([0, *lengths[:-1]]), axis=0)
    similarities[filled] = best @ weights / weights.sum()
    return similarities


def pack_signs(vectors: Vectors) -> bytes:
    """The signs of the vectors' parts, an eighth of a byte each."""
    return np.packbits(vectors > 0, axis=1).tobytes()


def unpack_signs(signs: bytes, dimension: int) -> Bits:
    """1 where a part was positive, else 0: shape `(tokens, dimension)`."""
    packed = np.frombuffer(signs, dtype=np.uint8)
    return np.unpackbits(packed.reshape(-1, -(-dimension // 8)), axis=1, count=dimension)
