"""The exact way to the nearest chunks: all vectors in one matrix, and a product with it; what an index is held to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.embedding import EmbeddingModel, Vectors
from rag.index import Library

_PAGE = 5_000


class ExactScan:
    """Finds what `Library.nearest` finds, by looking at every vector.

    Attributes:
        vectors: Unit vectors of all chunks, as the model gave them: shape `(chunks, d)`.
    """

    def __init__(self, papers: Sequence[str], vectors: Vectors) -> None:
        self._papers = papers
        self.vectors = vectors

    @classmethod
    def of(cls, library: Library, model: EmbeddingModel) -> ExactScan:
        """Of the vectors that Chroma holds."""
        store = library.vectorstore(model)
        papers: list[str] = []
        pages: list[Vectors] = []
        while True:
            page = store.get(limit=_PAGE, offset=len(papers), include=["embeddings"])
            if not page["ids"]:
                return cls(papers, np.concatenate(pages))
            papers += [key.rsplit(":", 1)[0] for key in page["ids"]]
            pages.append(np.asarray(page["embeddings"], dtype=np.float32))

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The papers of the `limit` nearest chunks, as (paper id, cosine), best first, each paper once."""
        cosines = self.vectors @ vector
        best = np.argpartition(-cosines, limit)[:limit] if limit < len(cosines) else np.arange(len(cosines))
        found: dict[str, float] = {}
        for at in best[np.argsort(-cosines[best], kind="stable")]:
            found.setdefault(self._papers[at], float(cosines[at]))
        return list(found.items())


def recall(found: Sequence[tuple[str, float]], exact: Sequence[tuple[str, float]], k: int = 10) -> float:
    """The share of the exact k nearest papers that were found; equals of the last of them count as well."""
    if not exact:
        return 1.0
    least = exact[:k][-1][1] - 1e-6
    within = [cosine for _, cosine in found[:k] if cosine >= least]
    return len(within) / len(exact[:k])
