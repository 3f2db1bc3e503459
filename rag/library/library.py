"""The library: papers as chunks in Chroma, and what is derived from them, kept in step by a generation stamp."""

from __future__ import annotations

import threading
import uuid
import weakref
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from rag.errors import LibraryMismatch
from rag.files import check_folder
from rag.library.chroma import chroma_errors, connect, disconnect, place
from rag.library.dense_search import DenseSearch
from rag.library.derived import open_lexical
from rag.library.paper_reader import PaperReader
from rag.library.records import paper_id_of_head
from rag.library.stamp import SCHEMA, Stamp, find_collection, read_stamp, stamp_metadata
from rag.settings import Settings

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

    from rag.library.lexical_index import LexicalIndex


class Library:
    """One view of the library, as of one generation; several can be open at once.

    Attributes:
        reader: Reads papers.
        dense: Searches by vectors.
    """

    def __init__(self, settings: Settings, client: Client, collection: Collection, stamp: Stamp) -> None:
        self.settings = settings
        self.client = client
        self.collection = collection
        self._connection = _Connection(settings, client, collection.name, stamp.model)
        self.close = self._connection.close
        self._lock = threading.Lock()
        self.renew(stamp)

    def renew(self, stamp: Stamp) -> None:
        """Makes this a view of another generation, of which nothing is read yet."""
        with self._lock:
            self.stamp = stamp
            self.reader = PaperReader(self.settings, self._connection.find_collection)
            self.dense = DenseSearch(self.settings, self.collection, self.reader)
            self._lexical: LexicalIndex | None = None

    @classmethod
    def open(cls, settings: Settings) -> Library | None:
        """The library of the settings, or None where nothing was ingested yet.

        Raises:
            LibraryMismatch: It was made with another embedding model.
            LibraryError: It cannot be opened.
        """
        with chroma_errors(settings):
            check_folder(settings.home)
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
                self._lexical = self.reader.read(partial(open_lexical, self.settings))
            return self._lexical

    def newest_stamp(self) -> Stamp:
        """The stamp as it is now, whoever changed it."""
        return read_stamp(self.settings, self._connection.find_collection())

    def disagreements(self) -> Mapping[str, set[str]]:
        """Ids of papers that Chroma and one of its derived stores do not both have, by the name of the store.

        Empty where all agree, as they do after every completed sync.
        """
        with chroma_errors(self.settings):
            there = set(filter(None, map(paper_id_of_head, self.collection.get(include=[])["ids"])))
        stored = set(self.reader.read(lambda papers: papers.ids()))
        found = {"paper store": there ^ stored, "lexical index": there ^ self.lexical.paper_ids()}
        return {name: ids for name, ids in found.items() if ids}


class _Connection:
    """What a library and its parts share to reach Chroma; closed with the last of them.

    Not at once when a newer view replaces the library: another thread may be in the middle of a search.
    """

    def __init__(self, settings: Settings, client: Client, name: str, model: str) -> None:
        self._settings, self._client, self._name, self._model = settings, client, name, model
        self.close = weakref.finalize(self, disconnect, client)

    def find_collection(self) -> Collection:
        """The collection as it is now; another process may have made it anew.

        Raises:
            LibraryMismatch: It did, with another model.
        """
        with chroma_errors(self._settings):
            # The end of another's rebuild, which may have been killed there, is a moment without a collection.
            is_own = self._name == self._settings.collection
            collection = find_collection(self._settings, self._client) if is_own else None
            collection = collection or self._client.get_collection(self._name, embedding_function=None)
        if (model := read_stamp(self._settings, collection).model) != self._model:
            raise _mismatch(self._settings, model)
        return collection


def _mismatch(settings: Settings, made_with: str) -> LibraryMismatch:
    return LibraryMismatch(
        f"The library in {place(settings)} was made with the embedding model {made_with}, but the settings name"
        f" {settings.embedding_model}; run `footnote ingest --rebuild` to embed it again, or set"
        f" RAG_EMBEDDING_MODEL={made_with}."
    )
