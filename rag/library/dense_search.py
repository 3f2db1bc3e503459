"""Dense search: the papers whose chunks lie nearest to a vector, each compared or found by Chroma's graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rag.library.chroma import ReadOnlyCollection, chroma_errors, damaged
from rag.library.paper_reader import PaperReader
from rag.library.paper_rows import Papers
from rag.library.records import Vectors
from rag.settings import Settings
from rag.types import Filter

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

# Papers of a library all of whose chunks are compared, in memory: tests/bench/results/dense.json.
# A search of Chroma's graph takes longer, and makes a small graph anew at every start, not always the same.
_COMPARED = 10_000


class DenseSearch:
    """Searches one generation of a library; safe to share between threads."""

    def __init__(self, settings: Settings, collection: Collection, reader: PaperReader) -> None:
        self._settings = settings
        self._collection = collection
        self._reader = reader

    def find_nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The papers of the `limit` chunks nearest to a vector, as (paper id, cosine), best first, each paper once."""
        if self._size <= _COMPARED or isinstance(self._collection, ReadOnlyCollection):
            return self._scan.find_nearest(vector, limit)
        return self._ask_chroma(vector, limit)

    @cached_property
    def _size(self) -> int:
        return self._reader.count()

    @cached_property
    def _scan(self) -> ExactScan:
        return self._reader.read(_scan_of)

    def _ask_chroma(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        keys, distances = self._query(vector, limit)
        if len(keys) < limit:  # as many as there are, or vectors are gone: Chroma leaves them out in silence
            with chroma_errors(self._settings):
                count = self._collection.count()
            keys, distances = self._query(vector, limit)  # after the count, for another process may be adding
            if 2 * len(keys) < min(limit, count):
                raise damaged(self._settings, "most of its vectors are gone")
        best: dict[str, float] = {}
        for key, distance in zip(keys, distances, strict=True):
            best.setdefault(key.rsplit(":", 1)[0], 1.0 - distance)
        return list(best.items())

    def _query(self, vector: Vectors, limit: int) -> tuple[list[str], list[float]]:
        """Ids of chunks and their cosine distances, nearest first."""
        with chroma_errors(self._settings):
            found = self._collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=limit, include=["distances"]
            )
        distances = [float(distance) for distance in (found["distances"] or [[]])[0]]
        if not all(map(math.isfinite, distances)):
            raise damaged(self._settings, "some of its vectors are no numbers")
        return found["ids"][0], distances


class ExactScan:
    """Compares every chunk: all vectors in one matrix, and one product with it.

    Attributes:
        vectors: Unit vectors of all chunks: shape `(chunks, d)`.
    """

    def __init__(self, paper_ids: Sequence[str], vectors: Vectors) -> None:
        """As many ids as vectors: each chunk with the id of its paper."""
        self._paper_ids = paper_ids
        self.vectors = vectors

    def find_nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """As `DenseSearch.find_nearest`."""
        if not len(self.vectors):
            return []
        cosines = self.vectors @ vector
        best = np.argpartition(-cosines, limit)[:limit] if limit < len(cosines) else np.arange(len(cosines))
        found: dict[str, float] = {}
        for at in best[np.argsort(-cosines[best], kind="stable")]:
            found.setdefault(self._paper_ids[at], float(cosines[at]))
        return list(found.items())


def _scan_of(papers: Papers) -> ExactScan:
    owners: list[str] = []
    vectors: list[Vectors] = []
    for paper_ids, runs in papers.chunk_vectors(Filter()):
        owners += np.repeat(paper_ids, runs.counts).tolist()
        vectors.append(runs.vectors)
    return ExactScan(owners, np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32))
