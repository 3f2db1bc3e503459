"""Makes a library anew beside the one that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rag.library.chroma import chroma_errors, connect, disconnect
from rag.library.collection import aside, find_collection
from rag.library.library import Library
from rag.library.stamp import read_stamp
from rag.settings import Settings

if TYPE_CHECKING:
    from chromadb.api.client import Client


def rebuild(
    settings: Settings, dimension: int, fill: Callable[[Library, Library], None], check: Callable[[], None]
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
            if any(collection.name == aside(settings) for collection in client.list_collections()):
                client.delete_collection(aside(settings))  # what a killed rebuild left
        old = Library(settings, client, found, read_stamp(settings, found))
        new = Library.create(settings, dimension, collection=aside(settings))
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
            client.get_collection(aside(settings), embedding_function=None).modify(name=settings.collection)
        except ChromaError:
            if find_collection(settings, client) is None:
                raise
