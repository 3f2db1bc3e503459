"""The library: papers as chunks in Chroma, and what is derived from them, kept in step by a generation stamp."""

from __future__ import annotations

import logging
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rag.errors import LibraryMismatch
from rag.library.chroma import chroma_errors, connect, damaged, disconnect, place
from rag.library.collection import find_collection
from rag.library.derived import open_lexical, open_store, page_of_heads, replaced_store
from rag.library.paper_rows import Papers, StoreDamaged
from rag.library.paper_store import PaperStore
from rag.library.records import Metadata, Record, Said, Vectors, chunk_id, chunk_metadata, head_metadata, head_of
from rag.library.stamp import SCHEMA, Stamp, read_stamp, stamp_metadata
from rag.library.vector_search import ExactScan
from rag.paging import pages, pages_within
from rag.settings import Settings
from rag.text.sentences import make_chunks
from rag.text.words import fold
from rag.types import Filter, Paper

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

    from rag.library.lexical_index import LexicalIndex

_PAGE = 1_000  # papers read or written at once
_MOST_BYTES = 20_000_000  # a server takes 40 MB at once, unless it is told otherwise
# Papers of a library all of whose chunks are compared, in memory: tests/bench/results/dense.json.
# A search of Chroma's graph takes longer, and makes a small graph anew at every start, not always the same.
_COMPARED = 10_000
_Seen = TypeVar("_Seen")

log = logging.getLogger(__name__)


class Library:
    """One view of the library, as of one generation; several can be open at once."""

    def __init__(self, settings: Settings, client: Client, collection: Collection, stamp: Stamp) -> None:
        self.settings = settings
        self._client = client
        self._collection = collection
        self.stamp = stamp
        self._lock = threading.RLock()
        self._store: PaperStore | None = None
        self._lexical: LexicalIndex | None = None
        self._scan: ExactScan | None = None
        self._catalogue: Mapping[str, Paper] | None = None
        self._folded: Mapping[str, str] | None = None
        # Not closed at once when a newer view replaces this one: another thread may be in the middle of a search.
        self.close = weakref.finalize(self, disconnect, client)

    @classmethod
    def open(cls, settings: Settings) -> Library | None:
        """The library of the settings, or None where nothing was ingested yet.

        Raises:
            LibraryMismatch: It was made with another embedding model.
            LibraryError: It cannot be opened.
        """
        with chroma_errors(settings):
            if settings.chroma_url is None and not (settings.home / "chroma" / "chroma.sqlite3").exists():
                return None
        client = connect(settings)
        try:
            collection = find_collection(settings, client)
            if collection is None:
                disconnect(client)
                return None
            stamp = read_stamp(settings, collection)
            if stamp.schema != SCHEMA:
                raise LibraryMismatch(
                    f"The library in {place(settings)} was made by an earlier version of Footnote; run `footnote ingest"
                    " --rebuild`, which embeds its papers again from what is stored there."
                )
            if stamp.model != settings.embedding_model:
                raise _mismatch(settings, stamp.model)
            return cls(settings, client, collection, stamp)
        except BaseException:
            disconnect(client)
            raise

    @classmethod
    def create(cls, settings: Settings, dimension: int, *, collection: str | None = None) -> Library:
        """A new, empty library for the vectors of the model that the settings name."""
        client = connect(settings)
        stamp = Stamp(SCHEMA, settings.embedding_model, uuid.uuid4().hex, syncing=True, roots=())
        with chroma_errors(settings):
            made = client.get_or_create_collection(
                collection or settings.collection,
                embedding_function=None,
                # Chroma looks at 100 chunks of its graph for the 150 that are asked for, and then misses some.
                # What is not in the graph yet it reads again at every write and every start: 2,000, and not more.
                configuration={
                    "hnsw": {"space": "cosine", "ef_search": 400, "sync_threshold": 2_000, "batch_size": 1_000}
                },
                metadata=stamp_metadata(stamp, dimension),
            )
        return cls(settings, client, made, stamp)

    @property
    def size(self) -> int:
        """Papers in the library."""
        return self.lexical.size

    @property
    def lexical(self) -> LexicalIndex:
        """The lexical index of the papers in the store."""
        with self._lock:
            if self._lexical is None:
                self._lexical = self.read(partial(open_lexical, self.settings))
            return self._lexical

    def read(self, look: Callable[[Papers], _Seen]) -> _Seen:
        """What a look at the paper store shows, which is brought in step first, and made again where it is damaged."""
        store = self._opened_store()
        try:
            with store.reading() as papers:
                return look(papers)
        except StoreDamaged as error:
            log.info("The papers in %s cannot be read (%s); they are read from Chroma again.", store.path, error)
        with self._lock:
            if self._store is store:
                self._store = replaced_store(self.settings, store, self._renewed)
        with self._opened_store().reading() as papers:
            return look(papers)

    def count(self, where: Filter | None = None) -> int:
        """How many papers there are, or a filter admits."""
        return self.read(lambda papers: papers.count(where))

    def catalogue(self) -> Mapping[str, Paper]:
        """Every paper by id, in the order of the sources and lines."""
        if (made := self._catalogue) is None:
            made = self._catalogue = self.read(lambda papers: {paper.id: paper for paper in papers.papers()})
        return made

    def folded(self) -> Mapping[str, str]:
        """Title and abstract of every paper by id, without capitals and accents; made at the first call."""
        if (made := self._folded) is None:
            papers = self.catalogue()
            made = self._folded = {key: fold(f"{paper.label} {paper.abstract}") for key, paper in papers.items()}
        return made

    def fetch(self, paper_ids: Sequence[str]) -> list[Record]:
        """The papers of these ids that are in the library, in their order."""
        return self.read(lambda papers: papers.records(paper_ids)) if paper_ids else []

    def said(self, paper_ids: Sequence[str]) -> list[Said]:
        """As `fetch`, without the vectors."""
        return self.read(lambda papers: papers.said(paper_ids)) if paper_ids else []

    def all_said(self) -> Iterator[Said]:
        """As `records`, without the vectors."""
        for page in pages(self.read(lambda papers: papers.ids()), _PAGE):
            yield from self.said(page)

    def records(self) -> Iterator[Record]:
        """Every paper, in the order of sources and lines, read a page at a time."""
        for page in pages(self.read(lambda papers: papers.ids()), _PAGE):
            yield from self.fetch(page)

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The papers of the chunks nearest to a vector, as (paper id, cosine), best first, each paper once.

        Every chunk of a library that is not large is compared; in a large one Chroma's graph leads to them.
        """
        if self.size <= _COMPARED:
            if (scan := self._scan) is None:
                scan = self._scan = self.read(_scan_of)
            return scan.nearest(vector, limit)
        keys, distances = self._query(vector, limit)
        if len(keys) < limit:  # as many as there are, or vectors are gone: Chroma leaves them out in silence
            with chroma_errors(self.settings):
                count = self._collection.count()
            keys, distances = self._query(vector, limit)  # after the count, for another process may be adding
            if 2 * len(keys) < min(limit, count):
                raise damaged(self.settings, "most of its vectors are gone")
        best: dict[str, float] = {}
        for key, distance in zip(keys, distances, strict=True):
            best.setdefault(key.rsplit(":", 1)[0], 1.0 - distance)
        return list(best.items())

    def _query(self, vector: Vectors, limit: int) -> tuple[list[str], list[float]]:
        """Chunks and their cosine distances, nearest first."""
        with chroma_errors(self.settings):
            found = self._collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=limit, include=["distances"]
            )
        return found["ids"][0], [float(distance) for distance in (found["distances"] or [[]])[0]]

    def write(self, records: Sequence[Record], vectors: Vectors, *, surplus: Sequence[str] = ()) -> None:
        """Adds or replaces papers, all records of a paper in one transaction.

        Args:
            vectors: The unit vectors of all chunks of all these papers, in order, as the model gave them.
            surplus: Ids of chunks that replaced papers no longer have; removed last, so that a kill loses nothing.
        """
        first = 0
        for page in _writable(records, self._client.get_max_batch_size()):
            after = first + sum(len(record.chunks) for record in page)
            self._upsert(page, vectors[first:after])
            first = after
        if surplus:
            with chroma_errors(self.settings):
                self._collection.delete(ids=list(surplus))

    def _upsert(self, records: Sequence[Record], vectors: Vectors) -> None:
        ids: list[str] = []
        documents: list[str] = []
        metadatas: list[Any] = []
        for record in records:
            for number, chunk in enumerate(make_chunks(record.paper.id, record.paper.abstract, record.chunks)):
                ids.append(chunk_id(record.paper.id, number))
                documents.append(chunk.text)
                metadatas.append(self._metadata(record, number))
        with chroma_errors(self.settings):
            self._collection.upsert(ids=ids, embeddings=vectors, documents=documents, metadatas=metadatas)

    def rewrite_places(self, records: Sequence[Record]) -> None:
        """Replaces what the records say about their paper; nothing is embedded."""
        said = {
            chunk_id(record.paper.id, number): self._metadata(record, number)
            for record in records
            for number in range(len(record.chunks))
        }
        with chroma_errors(self.settings):
            for page in pages(said, _PAGE):
                self._collection.update(ids=page, metadatas=[said[key] for key in page])

    def sweep(self) -> None:
        """Removes chunks that no paper has: a sync was killed after it replaced a paper by a shorter one."""
        with chroma_errors(self.settings):
            # These first: what another machine writes from now on is not among them.
            there = self._collection.get(include=[])["ids"]
        suspects = sorted({key.rpartition(":")[0] for key in there if head_of(key) is None})
        owned = set(filter(head_of, there))
        for page in pages(suspects, _PAGE):
            for head in page_of_heads(self.settings, self._collection, page):
                owned.update(chunk_id(head.said.paper.id, number) for number in range(len(head.said.chunks)))
        orphans = [key for key in there if key not in owned]
        with chroma_errors(self.settings):
            for page in pages(orphans, _PAGE):
                self._collection.delete(ids=page)

    def remove(self, paper_ids: Sequence[str]) -> None:
        """Removes papers with all their chunks."""
        with chroma_errors(self.settings):
            for page in pages(paper_ids, _PAGE):
                these: dict[str, Any] = {"paper_id": {"$in": page}}
                self._collection.delete(where=these)

    def restamp(self, *, syncing: bool, roots: Iterable[str] | None = None) -> None:
        """Tells every open view, also of other processes, that there is a newer generation."""
        now = self.newest_stamp()
        # The stamp of another sync in between: that one's changes may carry a number that others have seen already.
        lineage = now.lineage if syncing or now.generation == self.stamp.generation else uuid.uuid4().hex
        self.stamp = replace(
            self.stamp,
            generation=uuid.uuid4().hex,
            syncing=syncing,
            roots=self.stamp.roots if roots is None else tuple(roots),
            revision=max(self.stamp.revision, now.revision) + syncing,
            lineage=lineage,
        )
        with chroma_errors(self.settings):
            dimension = int((self._collection.metadata or {}).get("dimension", 0))
            self._collection.modify(metadata=stamp_metadata(self.stamp, dimension))
        with self._lock:
            self._store = self._lexical = self._scan = self._catalogue = self._folded = None

    def newest_stamp(self) -> Stamp:
        """The stamp as it is now, whoever changed it."""
        return read_stamp(self.settings, self._renewed())

    def disagreements(self) -> Mapping[str, set[str]]:
        """Ids of papers that Chroma has and what is derived from it has not, or the other way round, by where.

        Empty where all agree, as they do after every completed sync.
        """
        with chroma_errors(self.settings):
            there = set(filter(None, map(head_of, self._collection.get(include=[])["ids"])))
        stored = set(self.read(lambda papers: papers.ids()))
        found = {"paper store": there ^ stored, "lexical index": there ^ self.lexical.paper_ids()}
        return {name: ids for name, ids in found.items() if ids}

    def _opened_store(self) -> PaperStore:
        with self._lock:
            if self._store is None:
                self._store = open_store(self.settings, self._renewed)
            return self._store

    def _renewed(self) -> Collection:
        """The collection as it is now; another process may have made it anew, with another model.

        Raises:
            LibraryMismatch: It did.
        """
        name = self._collection.name
        with chroma_errors(self.settings):
            # The end of another's rebuild, which may have been killed there, is a moment without a collection.
            collection = find_collection(self.settings, self._client) if name == self.settings.collection else None
            collection = collection or self._client.get_collection(name, embedding_function=None)
        if (model := read_stamp(self.settings, collection).model) != self.stamp.model:
            raise _mismatch(self.settings, model)
        return collection

    def _metadata(self, record: Record, number: int) -> Metadata:
        head = head_metadata(record, self.stamp.revision) if number == 0 else {}
        return chunk_metadata(record, number) | head


def _scan_of(papers: Papers) -> ExactScan:
    owners: list[str] = []
    vectors: list[Vectors] = []
    for paper_ids, runs in papers.chunk_vectors(Filter()):
        owners += np.repeat(paper_ids, runs.counts).tolist()
        vectors.append(runs.vectors)
    return ExactScan(owners, np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32))


def _writable(records: Sequence[Record], most_chunks: int) -> Iterator[list[Record]]:
    """Papers together as long as they have no more chunks, and no more bytes, than Chroma takes at once."""
    return pages_within(records, (lambda record: len(record.chunks), most_chunks), (_bytes_of, _MOST_BYTES))


def _bytes_of(record: Record) -> int:
    """About what a paper takes on its way to a server: its vectors in base64, in full and small, and its text twice."""
    binary = record.chunk_vectors.nbytes + record.vectors.size + len(record.packed_tokens)
    return binary * 4 // 3 + 2 * len(record.paper.abstract.encode())


def _mismatch(settings: Settings, made_with: str) -> LibraryMismatch:
    return LibraryMismatch(
        f"The library in {place(settings)} was made with the embedding model {made_with}, but the settings name"
        f" {settings.embedding_model}; run `footnote ingest --rebuild` to embed it again, or set"
        f" RAG_EMBEDDING_MODEL={made_with}."
    )
