"""Writes papers into a library and tells every open view of it; for ingestion, one at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rag.library.chroma import chroma_errors
from rag.library.derived import read_heads
from rag.library.library import Library
from rag.library.records import (
    EmbeddedPaper,
    Metadata,
    chunk_id,
    chunk_metadata,
    head_metadata,
    pages,
    pages_within,
    paper_id_of_head,
)
from rag.library.stamp import stamp_metadata
from rag.text.sentences import make_chunks

_PAGE = 1_000  # papers or chunks changed at once
_MOST_BYTES = 20_000_000  # a server takes 40 MB at once, unless it is told otherwise


class LibraryWriter:
    """Changes a library in Chroma; a kill between any two calls to Chroma leaves every paper whole."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._settings = library.settings
        self._collection = library.collection

    def write(self, papers: Sequence[EmbeddedPaper], *, surplus: Sequence[str] = ()) -> None:
        """Adds or replaces papers, all chunks of a paper in one transaction.

        Args:
            surplus: Ids of chunks that replaced papers no longer have; removed last, so that a kill loses nothing.
        """
        for page in _writable(papers, self._library.client.get_max_batch_size()):
            self._upsert(page)
        self._delete(surplus)

    def _upsert(self, papers: Sequence[EmbeddedPaper]) -> None:
        ids: list[str] = []
        documents: list[str] = []
        metadatas: list[Any] = []
        for each in papers:
            for number, chunk in enumerate(make_chunks(each.paper.id, each.paper.abstract, each.chunks)):
                ids.append(chunk_id(each.paper.id, number))
                documents.append(chunk.text)
                metadatas.append(self._metadata(each, number))
        vectors = np.concatenate([each.chunk_vectors for each in papers])
        with chroma_errors(self._settings):
            self._collection.upsert(ids=ids, embeddings=vectors, documents=documents, metadatas=metadatas)

    def rewrite_places(self, papers: Sequence[EmbeddedPaper]) -> None:
        """Replaces what the chunks say about their paper; nothing is embedded."""
        metadatas = {
            chunk_id(each.paper.id, number): self._metadata(each, number)
            for each in papers
            for number in range(len(each.chunks))
        }
        with chroma_errors(self._settings):
            for page in pages(metadatas, _PAGE):
                self._collection.update(ids=page, metadatas=[metadatas[key] for key in page])

    def remove_orphans(self) -> None:
        """Removes chunks that no paper has: a sync was killed after it replaced a paper by a shorter one."""
        with chroma_errors(self._settings):
            # These first: what another machine writes from now on is not among them.
            there = self._collection.get(include=[])["ids"]
        suspects = sorted({key.rpartition(":")[0] for key in there if paper_id_of_head(key) is None})
        owned = set(filter(paper_id_of_head, there))
        for page in pages(suspects, _PAGE):
            for each in read_heads(self._settings, self._collection, page):
                owned.update(chunk_id(each.paper.id, number) for number in range(len(each.chunks)))
        self._delete([key for key in there if key not in owned])

    def remove(self, paper_ids: Sequence[str]) -> None:
        """Removes papers with all their chunks."""
        with chroma_errors(self._settings):
            for page in pages(paper_ids, _PAGE):
                these: dict[str, Any] = {"paper_id": {"$in": page}}
                self._collection.delete(where=these)

    def restamp(self, *, syncing: bool, roots: Iterable[str] | None = None) -> None:
        """Tells every open view, also of other processes, that there is a newer generation."""
        before, now = self._library.stamp, self._library.newest_stamp()
        # The stamp of another sync in between: that one's changes may carry a number that others have seen already.
        lineage = now.lineage if syncing or now.generation == before.generation else uuid.uuid4().hex
        stamp = replace(
            before,
            generation=uuid.uuid4().hex,
            syncing=syncing,
            roots=before.roots if roots is None else tuple(roots),
            revision=max(before.revision, now.revision) + syncing,
            lineage=lineage,
        )
        with chroma_errors(self._settings):
            dimension = int((self._collection.metadata or {}).get("dimension", 0))
            self._collection.modify(metadata=stamp_metadata(stamp, dimension))
        self._library.renew(stamp)

    def _delete(self, chunk_ids: Sequence[str]) -> None:
        with chroma_errors(self._settings):
            for page in pages(chunk_ids, _PAGE):
                self._collection.delete(ids=page)

    def _metadata(self, paper: EmbeddedPaper, number: int) -> Metadata:
        head = head_metadata(paper, self._library.stamp.revision) if number == 0 else {}
        return chunk_metadata(paper, number) | head


def _writable(papers: Sequence[EmbeddedPaper], most_chunks: int) -> Iterator[list[EmbeddedPaper]]:
    """Papers together as long as they have no more chunks, and no more bytes, than Chroma takes at once."""
    return pages_within(papers, (lambda each: len(each.chunks), most_chunks), (_bytes_of, _MOST_BYTES))


def _bytes_of(paper: EmbeddedPaper) -> int:
    """About what a paper takes on its way to a server: its vectors in base64, in full and small, and its text twice."""
    binary = paper.chunk_vectors.nbytes + paper.vectors.size + len(paper.packed_tokens)
    return binary * 4 // 3 + 2 * len(paper.paper.abstract.encode())
