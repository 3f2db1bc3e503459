"""The exact way to the nearest chunks: all vectors in one matrix, and one product with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.library.records import Vectors


class ExactScan:
    """Compares every chunk.

    Attributes:
        vectors: Unit vectors of all chunks: shape `(chunks, d)`.
    """

    def __init__(self, paper_ids: Sequence[str], vectors: Vectors) -> None:
        """As many ids as vectors: each chunk with the id of its paper."""
        self._paper_ids = paper_ids
        self.vectors = vectors

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The papers of the `limit` nearest chunks, as (paper id, cosine), best first, each paper once."""
        if not len(self.vectors):
            return []
        cosines = self.vectors @ vector
        best = np.argpartition(-cosines, limit)[:limit] if limit < len(cosines) else np.arange(len(cosines))
        found: dict[str, float] = {}
        for at in best[np.argsort(-cosines[best], kind="stable")]:
            found.setdefault(self._paper_ids[at], float(cosines[at]))
        return list(found.items())
