"""The collection of a library in Chroma, and the one beside it while a library is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.library.chroma import chroma_errors
from rag.library.stamp import read_stamp
from rag.settings import Settings

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection


def aside(settings: Settings) -> str:
    """The name of the one that is not complete yet."""
    return f"{settings.collection}-rebuilt"


def find_collection(settings: Settings, client: Client) -> Collection | None:
    """The library's, which a rebuild that was killed at its end may have left aside; None where there is none."""
    from chromadb.errors import NotFoundError

    with chroma_errors(settings):
        try:
            return client.get_collection(settings.collection, embedding_function=None)
        except NotFoundError:
            pass
        try:  # a rebuild that was killed between its last two steps
            rebuilt = client.get_collection(aside(settings), embedding_function=None)
        except NotFoundError:
            return None
        if read_stamp(settings, rebuilt).syncing:
            return None
        rebuilt.modify(name=settings.collection)
        return rebuilt
