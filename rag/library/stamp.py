"""What a library says about itself, in the metadata of its collection in Chroma; and where that collection is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.errors import LibraryDamaged
from rag.library.chroma import chroma_errors, damaged, place
from rag.settings import Settings

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

SCHEMA = 2  # how papers are written; 1 had other token vectors, and papers are embedded again from it


@dataclass(frozen=True, slots=True)
class Stamp:
    """The stamp of a library.

    Attributes:
        generation: Another one after every sync that changed something.
        syncing: A sync is at work, or was killed; what it had written is there.
        roots: The files and folders that were ingested by path.
        revision: Number of the newest sync; the heads that a sync writes carry its number.
        lineage: Another one where two syncs were at work at once: then what changed cannot be told by their numbers.
    """

    schema: int
    model: str
    generation: str
    syncing: bool
    roots: tuple[str, ...]
    revision: int = 0
    lineage: str = ""


def read_stamp(settings: Settings, collection: Collection) -> Stamp:
    """What a collection's metadata says.

    Raises:
        LibraryDamaged: The collection is not one of ours, or of another version of Footnote.
    """
    metadata = collection.metadata or {}
    if metadata.get("schema") not in range(1, SCHEMA + 1):
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
            int(metadata.get("revision", 0)),  # this and the lineage are new in schema 2
            str(metadata.get("lineage", "")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(settings, f"its stamp cannot be read: {type(error).__name__}: {error}") from error


def stamp_metadata(stamp: Stamp, dimension: int) -> dict[str, str | int | bool]:
    """The metadata that `read_stamp` reads."""
    return {"schema": stamp.schema, "model": stamp.model, "dimension": dimension, "generation": stamp.generation,
            "syncing": stamp.syncing, "roots": json.dumps(stamp.roots), "revision": stamp.revision,
            "lineage": stamp.lineage}  # fmt: skip


def name_aside(settings: Settings) -> str:
    """The name of a collection that is not complete yet, beside the library's."""
    return f"{settings.collection}-rebuilt"


def find_collection(settings: Settings, client: Client) -> Collection | None:
    """The library's collection, or None. Finishes a rebuild that was killed just before its final rename."""
    from chromadb.errors import NotFoundError

    with chroma_errors(settings):
        try:
            return client.get_collection(settings.collection, embedding_function=None)
        except NotFoundError:
            pass
        try:
            rebuilt = client.get_collection(name_aside(settings), embedding_function=None)
        except NotFoundError:
            return None
        if read_stamp(settings, rebuilt).syncing:
            return None
        rebuilt.modify(name=settings.collection)
        return rebuilt
