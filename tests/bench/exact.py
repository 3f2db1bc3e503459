"""The exact scan of the vectors as the model gave them, which the search of a library is held to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.langchain.vectorstore import open_vectorstore
from rag.library.dense_search import ExactScan
from rag.library.library import Library
from rag.models.embedding import EmbeddingModel, Vectors

_PAGE = 5_000


def stored_vectors(library: Library, model: EmbeddingModel) -> tuple[list[str], Vectors]:
    """The ids of all chunks in Chroma, and their unit vectors as the model gave them: shape `(chunks, d)`."""
    store = open_vectorstore(library.settings, model)
    ids: list[str] = []
    pages: list[Vectors] = []
    while (page := store.get(limit=_PAGE, offset=len(ids), include=["embeddings"]))["ids"]:
        ids += page["ids"]
        pages.append(np.asarray(page["embeddings"], dtype=np.float32))
    return ids, np.concatenate(pages)


def scan_of(library: Library, model: EmbeddingModel) -> ExactScan:
    """Compares the vectors that Chroma holds."""
    ids, vectors = stored_vectors(library, model)
    return ExactScan([key.rsplit(":", 1)[0] for key in ids], vectors)


def recall(found: Sequence[tuple[str, float]], exact: Sequence[tuple[str, float]], k: int = 10) -> float:
    """The share of the exact k nearest papers that were found; equals of the last of them count as well.

    The cosines are the exact ones: a library's own may be of vectors that it keeps a little coarser.
    """
    if not exact:
        return 1.0
    cosines, least = dict(exact), exact[:k][-1][1] - 1e-6
    within = [key for key, _ in found[:k] if cosines.get(key, -1.0) >= least]
    return len(within) / len(exact[:k])
