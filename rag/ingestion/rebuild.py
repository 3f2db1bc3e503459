"""Embeds a whole library again, into a new one beside it that takes its place once it is complete."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from rag.corpus.duplicates import FoundPaper
from rag.errors import LibraryMissing
from rag.ingestion.embed_papers import Embedder, Progress, embed_here
from rag.ingestion.ingest_lock import ingest_lock
from rag.ingestion.sync import count_texts, cut_batches, write_embedded
from rag.library.chroma import chroma_errors, connect, disconnect
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.stamp import find_collection, name_aside, read_stamp
from rag.models.embedding import open_model
from rag.settings import Settings
from rag.types import IngestReport

if TYPE_CHECKING:
    from chromadb.api.client import Client


def reembed(
    settings: Settings, *, progress: Progress | None = None, embedded_by: Embedder = embed_here
) -> IngestReport:
    """Embeds every paper of the library again with the model that the settings name; needs no source files.

    Raises:
        LibraryMissing: There is no library yet.
    """
    model = open_model(settings, settings.embedding_precision)
    count = embedded = 0

    def fill(old: Library, new: LibraryWriter) -> None:
        nonlocal count, embedded
        stored = old.reader.read_all_stored()
        found = (FoundPaper(each.paper.id, each.paper.abstract, each.places) for each in stored)
        with closing(write_embedded(new, None, embedded_by(settings, cut_batches(found, old.size)), check)) as batches:
            for written in batches:
                count += len(written)
                embedded += count_texts(written)
                if progress:
                    progress(count, old.size)

    with ingest_lock(settings) as check:
        if not rebuild(settings, model.dimension, fill, check):
            raise LibraryMissing("There is no library to rebuild yet; run `footnote ingest` first.")
    return IngestReport(changed=count, embedded=embedded, total=count)


def rebuild(
    settings: Settings, dimension: int, fill: Callable[[Library, LibraryWriter], None], check: Callable[[], None]
) -> bool:
    """Replaces the library by one for the model of the settings that `fill(old, new)` fills; False if there is none.

    The old one is there until the new one is complete.

    Args:
        check: Raises where another process may have written into the old one meanwhile.
    """
    client = connect(settings)
    try:
        found = find_collection(settings, client)
        if found is None:
            return False
        with chroma_errors(settings):
            if any(collection.name == name_aside(settings) for collection in client.list_collections()):
                client.delete_collection(name_aside(settings))  # what a killed rebuild left
        old = Library(settings, client, found, read_stamp(settings, found))
        new = LibraryWriter(Library.create(settings, dimension, collection=name_aside(settings)))
        fill(old, new)
        new.restamp(syncing=False, roots=old.stamp.roots)
        check()
        with chroma_errors(settings):
            client.delete_collection(settings.collection)
        _put_in_place(settings, client)
        return True
    finally:
        disconnect(client)


def _put_in_place(settings: Settings, client: Client) -> None:
    """Gives the new collection the library's name, where nobody who asked in between has done so already."""
    from chromadb.errors import ChromaError

    with chroma_errors(settings):
        try:
            client.get_collection(name_aside(settings), embedding_function=None).modify(name=settings.collection)
        except ChromaError:
            if find_collection(settings, client) is None:
                raise
