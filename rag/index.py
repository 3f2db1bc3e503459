"""The library: papers as chunks in Chroma, a lexical index derived from it, kept in step by a generation stamp."""

from __future__ import annotations

import json
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rag.chroma import chroma_errors, connect, damaged, disconnect, place
from rag.chunking import chunks
from rag.errors import LibraryDamaged, LibraryMismatch
from rag.records import Metadata, Record, Vectors, chunk_id, chunk_metadata, head_metadata, read_record
from rag.settings import Settings
from rag.types import Paper
from rag.words import fold

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection
    from langchain_chroma import Chroma
    from langchain_core.embeddings import Embeddings

    from rag.lexical import LexicalIndex

_SCHEMA = 2  # how papers are written; 1 had other token vectors, and papers are embedded again from it
_PAGE = 1_000  # heads read at once: some 30 MB
_CHECK_EVERY_S = 1.0  # how old the view of an open chat may be before it looks for a newer one


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the library says about itself.

    Attributes:
        generation: Another one after every sync that changed something.
        syncing: A sync is at work, or was killed; what it had written is there.
        roots: The files and folders that were ingested by path.
    """

    schema: int
    model: str
    generation: str
    syncing: bool
    roots: tuple[str, ...]


class Library:
    """One view of the library, as of one generation; several can be open at once."""

    def __init__(self, settings: Settings, client: Client, collection: Collection, stamp: Stamp) -> None:
        self._settings = settings
        self._client = client
        self._collection = collection
        self.stamp = stamp
        self._lock = threading.Lock()
        self._lexical: LexicalIndex | None = None
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
            collection = _collection(settings, client)
            if collection is None:
                disconnect(client)
                return None
            stamp = read_stamp(settings, collection)
            if stamp.schema != _SCHEMA:
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
        stamp = Stamp(_SCHEMA, settings.embedding_model, uuid.uuid4().hex, syncing=True, roots=())
        with chroma_errors(settings):
            made = client.get_or_create_collection(
                collection or settings.collection,
                embedding_function=None,
                # Chroma looks at 100 chunks of its graph for the 150 that are asked for, and then misses some.
                configuration={
                    "hnsw": {"space": "cosine", "ef_search": 400, "sync_threshold": 10_000, "batch_size": 1_000}
                },
                metadata=_stamp_metadata(stamp, dimension),
            )
        return cls(settings, client, made, stamp)

    @property
    def size(self) -> int:
        """Papers in the library."""
        return self.lexical.size

    @property
    def lexical(self) -> LexicalIndex:
        """The lexical index of this generation, made from Chroma where it is missing."""
        with self._lock:
            if self._lexical is None:
                self._lexical = self._open_lexical()
            return self._lexical

    def catalogue(self) -> Mapping[str, Paper]:
        """Every paper by id, in the order of the sources and lines."""
        with self._lock:
            if self._catalogue is None:
                found = sorted(
                    (record.paper for record in self.records()), key=lambda paper: (paper.source, paper.line)
                )
                self._catalogue = {paper.id: paper for paper in found}
            return self._catalogue

    def folded(self) -> Mapping[str, str]:
        """Title and abstract of every paper by id, without capitals and accents; made at the first call."""
        papers = self.catalogue()
        with self._lock:
            if self._folded is None:
                self._folded = {key: fold(f"{paper.label} {paper.abstract}") for key, paper in papers.items()}
            return self._folded

    def fetch(self, paper_ids: Sequence[str]) -> list[Record]:
        """The papers of these ids that are in the library, in no particular order."""
        if not paper_ids:
            return []
        with chroma_errors(self._settings):
            found = self._collection.get(ids=[chunk_id(key, 0) for key in paper_ids], include=["metadatas"])
        return [self._record(metadata) for metadata in found["metadatas"] or []]

    def records(self) -> Iterator[Record]:
        """Every paper, a page at a time."""
        for metadata in self._heads():
            yield self._record(metadata)

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The papers of the chunks nearest to a vector, as (paper id, cosine), best first, each paper once."""
        with chroma_errors(self._settings):
            found = self._collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=limit, include=["distances"]
            )
            keys = found["ids"][0]
            if len(keys) < limit and 2 * len(keys) < min(limit, self._collection.count()):
                raise damaged(self._settings, "most of its vectors are gone")  # Chroma leaves them out in silence
        best: dict[str, float] = {}
        for key, distance in zip(keys, (found["distances"] or [[]])[0], strict=True):
            best.setdefault(key.rsplit(":", 1)[0], 1.0 - float(distance))
        return list(best.items())

    def vectorstore(self, embedding: Embeddings) -> Chroma:
        """The chunks as LangChain's vector store, for those who build on it."""
        from langchain_chroma import Chroma

        client = connect(self._settings)  # its own: it may outlive this view
        with chroma_errors(self._settings):
            store = Chroma(client=client, collection_name=self._collection.name, embedding_function=embedding)
        weakref.finalize(store, disconnect, client)
        return store

    def write(self, records: Sequence[Record], vectors: Vectors, *, surplus: Sequence[str] = ()) -> None:
        """Adds or replaces papers, all records of a paper in one transaction.

        Args:
            vectors: The unit vectors of all chunks of all these papers, in order, as the model gave them.
            surplus: Ids of chunks that replaced papers no longer have; removed last, so that a kill loses nothing.
        """
        ids: list[str] = []
        documents: list[str] = []
        metadatas: list[Any] = []
        for record in records:
            for number, chunk in enumerate(chunks(record.paper.id, record.paper.abstract, record.chunks)):
                ids.append(chunk_id(record.paper.id, number))
                documents.append(chunk.text)
                metadatas.append(_metadata(record, number))
        with chroma_errors(self._settings):
            self._collection.upsert(ids=ids, embeddings=vectors, documents=documents, metadatas=metadatas)
            if surplus:
                self._collection.delete(ids=list(surplus))

    def rewrite_places(self, records: Sequence[Record]) -> None:
        """Replaces what the records say about their paper; nothing is embedded."""
        said = {
            chunk_id(record.paper.id, number): _metadata(record, number)
            for record in records
            for number in range(len(record.chunks))
        }
        ids = list(said)
        with chroma_errors(self._settings):
            for first in range(0, len(ids), _PAGE):
                page = ids[first : first + _PAGE]
                self._collection.update(ids=page, metadatas=[said[key] for key in page])

    def sweep(self) -> None:
        """Removes chunks that no paper has: a sync was killed after it replaced a paper by a shorter one."""
        with chroma_errors(self._settings):
            # These first: what another machine writes from now on is not among them.
            there = self._collection.get(include=[])["ids"]
        owned = {chunk_id(record.paper.id, n) for record in self.records() for n in range(len(record.chunks))}
        with chroma_errors(self._settings):
            orphans = [key for key in there if key not in owned]
            for first in range(0, len(orphans), _PAGE):
                self._collection.delete(ids=orphans[first : first + _PAGE])

    def remove(self, paper_ids: Sequence[str]) -> None:
        """Removes papers with all their chunks."""
        with chroma_errors(self._settings):
            for first in range(0, len(paper_ids), _PAGE):
                these: dict[str, Any] = {"paper_id": {"$in": list(paper_ids[first : first + _PAGE])}}
                self._collection.delete(where=these)

    def restamp(self, *, syncing: bool, roots: Iterable[str] | None = None) -> None:
        """Tells every open view, also of other processes, that there is a newer generation."""
        roots = self.stamp.roots if roots is None else tuple(roots)
        self.stamp = replace(self.stamp, generation=uuid.uuid4().hex, syncing=syncing, roots=roots)
        with chroma_errors(self._settings):
            dimension = int((self._collection.metadata or {}).get("dimension", 0))
            self._collection.modify(metadata=_stamp_metadata(self.stamp, dimension))
        with self._lock:
            self._lexical = self._catalogue = self._folded = None

    def newest_stamp(self) -> Stamp:
        """The stamp as it is now, whoever changed it."""
        with chroma_errors(self._settings):
            now = self._client.get_collection(self._collection.name, embedding_function=None)
        return read_stamp(self._settings, now)

    def _heads(self) -> Iterator[Metadata]:
        offset = 0
        while True:
            with chroma_errors(self._settings):
                page = self._collection.get(where={"head": True}, include=["metadatas"], limit=_PAGE, offset=offset)[
                    "metadatas"
                ]
            if not page:
                return
            yield from (dict(metadata) for metadata in page)
            offset += _PAGE

    def _record(self, metadata: Mapping[str, Any]) -> Record:
        try:
            return read_record(str(metadata["paper_id"]), dict(metadata))
        except (KeyError, ValueError, TypeError) as error:
            raise damaged(self._settings, f"a paper cannot be read: {type(error).__name__}: {error}") from error

    def _open_lexical(self) -> LexicalIndex:
        from rag.lexical import LexicalIndex

        papers = _Papers(self)
        if self.stamp.syncing:  # not a generation yet: a later process must not take it for one
            return LexicalIndex.in_memory(papers)
        folder = self._settings.home / "lexical" / self._settings.collection / self.stamp.generation
        return LexicalIndex.open_or_build(folder, papers)


@dataclass(frozen=True, slots=True)
class _Papers:
    """Every paper of a library, read from it again at each pass."""

    library: Library

    def __iter__(self) -> Iterator[Paper]:
        return (record.paper for record in self.library.records())


class LibraryHandle:
    """The newest view of a library, looked for again at most every second; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._library: Library | None = None
        self._checked_at = 0.0

    def current(self) -> Library | None:
        """The newest complete view, or None while nothing was ingested."""
        with self._lock:
            if self._library is None:
                self._library = Library.open(self._settings)
                self._checked_at = time.monotonic()
            elif time.monotonic() - self._checked_at >= _CHECK_EVERY_S:
                self._checked_at = time.monotonic()
                self._library = self._newer(self._library)
            return self._library

    def forget(self) -> None:
        """The next `current()` opens the library afresh."""
        with self._lock:
            self._library = None

    def _newer(self, library: Library) -> Library | None:
        stamp = library.newest_stamp()
        if stamp.generation == library.stamp.generation or stamp.syncing:
            return library
        return Library.open(self._settings)


def read_stamp(settings: Settings, collection: Collection) -> Stamp:
    """What a collection's metadata says.

    Raises:
        LibraryDamaged: The collection is not one of ours, or of another version of Footnote.
    """
    metadata = collection.metadata or {}
    if metadata.get("schema") not in range(1, _SCHEMA + 1):
        raise LibraryDamaged(
            f"The collection {collection.name!r} in {place(settings)} is not a library of this version of Footnote;"
            " choose another name with RAG_COLLECTION, or run `footnote ingest` with another RAG_HOME."
        )
    try:
        return Stamp(
            int(metadata["schema"]),
            str(metadata["model"]),
            str(metadata["generation"]),
            bool(metadata["syncing"]),
            tuple(json.loads(str(metadata["roots"]))),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(settings, f"its stamp cannot be read: {type(error).__name__}: {error}") from error


def rebuild(settings: Settings, dimension: int, fill: Callable[[Library, Library], None]) -> bool:
    """Replaces the library by one for the model of the settings that `fill(old, new)` fills; False if there is none.

    The old one is there until the new one is complete.
    """
    client = connect(settings)
    try:
        found = _collection(settings, client)
        if found is None:
            return False
        with chroma_errors(settings):
            if any(collection.name == _aside(settings) for collection in client.list_collections()):
                client.delete_collection(_aside(settings))  # what a killed rebuild left
        old = Library(settings, client, found, read_stamp(settings, found))
        new = Library.create(settings, dimension, collection=_aside(settings))
        fill(old, new)
        new.restamp(syncing=False, roots=old.stamp.roots)
        with chroma_errors(settings):
            client.delete_collection(settings.collection)
            client.get_collection(_aside(settings), embedding_function=None).modify(name=settings.collection)
        return True
    finally:
        disconnect(client)


def _aside(settings: Settings) -> str:
    return f"{settings.collection}-rebuilt"


def _collection(settings: Settings, client: Client) -> Collection | None:
    from chromadb.errors import NotFoundError

    with chroma_errors(settings):
        try:
            return client.get_collection(settings.collection, embedding_function=None)
        except NotFoundError:
            pass
        try:  # a rebuild that was killed between its last two steps
            rebuilt = client.get_collection(_aside(settings), embedding_function=None)
        except NotFoundError:
            return None
        if read_stamp(settings, rebuilt).syncing:
            return None
        rebuilt.modify(name=settings.collection)
        return rebuilt


def _metadata(record: Record, number: int) -> Metadata:
    return chunk_metadata(record, number) | (head_metadata(record) if number == 0 else {})


def _stamp_metadata(stamp: Stamp, dimension: int) -> dict[str, str | int | bool]:
    return {"schema": stamp.schema, "model": stamp.model, "dimension": dimension, "generation": stamp.generation,
            "syncing": stamp.syncing, "roots": json.dumps(stamp.roots)}  # fmt: skip


def _mismatch(settings: Settings, made_with: str) -> LibraryMismatch:
    return LibraryMismatch(
        f"The library in {place(settings)} was made with the embedding model {made_with}, but the settings name"
        f" {settings.embedding_model}; run `footnote ingest --rebuild` to embed it again, or set"
        f" RAG_EMBEDDING_MODEL={made_with}."
    )
