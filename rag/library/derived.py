"""What is derived from Chroma and kept in step with it: the paper store, and from the store the lexical index."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from rag.files import make_private_folder
from rag.library.chroma import chroma_errors, damaged
from rag.library.lexical_index import MOST_CHANGED, Changes, LexicalIndex
from rag.library.paper_rows import Papers, StoreDamaged
from rag.library.paper_store import PaperStore
from rag.library.records import EmbeddedPaper, chunk_id, pages, paper_id_of_head, read_head
from rag.library.stamp import read_stamp
from rag.settings import Settings
from rag.types import Filter

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

_PAGE = 1_000  # heads read at once: some 30 MB

log = logging.getLogger(__name__)

Renewed = Callable[[], "Collection"]  # the collection with its metadata as it is now


def open_store(settings: Settings, renewed: Renewed) -> PaperStore:
    """Opens this home's paper store, in step with the library; in memory where the home cannot be written."""
    collection = renewed()
    folder = settings.home / "papers" / settings.collection
    try:
        store = PaperStore.find(folder, _origin(settings, collection))
        if store and store.state.generation == read_stamp(settings, collection).generation:
            return store
        make_private_folder(folder)
        with FileLock(folder / "lock"):
            collection = renewed()  # while this one waited, others may have moved on
            return _refreshed(settings, folder, collection) or _made(settings, folder, collection)
    except (OSError, sqlite3.Error, StoreDamaged) as error:
        log.info("The papers cannot be kept in %s (%s); they are kept in memory.", folder, error)
        return _made(settings, None, collection)


def replace_store(settings: Settings, damaged_one: PaperStore, renewed: Renewed) -> PaperStore:
    """Replaces a damaged store by another; in memory where the damaged one cannot be removed."""
    try:
        damaged_one.discard()
    except OSError as error:
        log.info("%s cannot be removed (%s); the papers are kept in memory.", damaged_one.path, error)
        return _made(settings, None, renewed())
    return open_store(settings, renewed)


def open_lexical(settings: Settings, papers: Papers) -> LexicalIndex:
    """Opens the lexical index of the papers in the store; made from an earlier one where little has changed."""
    state = papers.state
    root = settings.home / "lexical" / settings.collection
    folder = root / f"{state.made}-{state.touched}"
    earlier = max(
        (int(path.name.removeprefix(f"{state.made}-")) for path in root.glob(f"{state.made}-*")), default=None
    )
    changes = None
    if earlier is not None and earlier < state.touched:
        changed, gone = papers.changed_since(earlier)
        if len(changed) + len(gone) <= MOST_CHANGED * papers.count():  # else they are all read to build it anew
            these = list(papers.papers(Filter(paper_ids=tuple(changed)))) if changed else []
            changes = Changes(root / f"{state.made}-{earlier}", these, gone)
    return LexicalIndex.open_or_build(folder, papers, changes)


def read_heads(settings: Settings, collection: Collection, paper_ids: Sequence[str]) -> list[EmbeddedPaper]:
    """Reads those of these papers that are in Chroma, from the metadata of their heads."""
    with chroma_errors(settings):
        found = collection.get(ids=[chunk_id(key, 0) for key in paper_ids], include=["metadatas"])["metadatas"]
    try:
        return [read_head(dict(metadata)) for metadata in found or []]
    except (KeyError, ValueError, TypeError) as error:
        raise damaged(settings, f"a paper cannot be read: {type(error).__name__}: {error}") from error


def _origin(settings: Settings, collection: Collection) -> str:
    return f"{collection.id} {read_stamp(settings, collection).lineage}"


def _made(settings: Settings, folder: Path | None, collection: Collection) -> PaperStore:
    store = PaperStore.make(folder, _origin(settings, collection))
    _refresh(settings, store, collection)
    return store


def _refreshed(settings: Settings, folder: Path, collection: Collection) -> PaperStore | None:
    """Brings the store that is there in step; None where it has to be made again."""
    store = PaperStore.find(folder, _origin(settings, collection))
    try:
        if store is not None:
            _refresh(settings, store, collection)
    except sqlite3.OperationalError:  # no room
        raise
    except (StoreDamaged, sqlite3.DatabaseError):
        return None
    return store


def _heads(settings: Settings, collection: Collection, where: dict[str, Any] | None = None) -> list[str]:
    """Ids of the papers in Chroma, or of those whose heads match a condition."""
    with chroma_errors(settings):
        keys = collection.get(where=where, include=[])["ids"]
    return [head for key in keys if (head := paper_id_of_head(key))]


def _refresh(settings: Settings, store: PaperStore, collection: Collection) -> None:
    """Reads what is new or changed and drops what is gone; killed anywhere, the next refresh goes on.

    The stamp was read before anything else: what a sync writes meanwhile carries a greater number than is noted here.
    """
    stamp, state = read_stamp(settings, collection), store.state
    if stamp.generation == state.generation:
        return
    with store.reading() as papers:
        known = papers.revisions()
    there = _heads(settings, collection)
    wanted = [key for key in there if key not in known]
    if known and stamp.revision > state.revision:
        # A sync writes a paper once, so what has its number here and there is the same.
        newest = _heads(settings, collection, {"revision": stamp.revision})
        same = {key for key in newest if known.get(key) == stamp.revision}
        later = _heads(settings, collection, {"revision": {"$gt": state.revision}})
        wanted += [key for key in later if key in known and key not in same]
    gone = known.keys() - set(there)
    if gone:
        store.change((), gone)
    for page in pages(wanted, _PAGE):
        store.change(read_heads(settings, collection, page), ())
    # What a sync that is at work, or was killed, goes on to change would carry the number of this stamp.
    if stamp.syncing:
        store.complete("", min(state.revision, stamp.revision - 1) if known else stamp.revision - 1)
    else:
        store.complete(stamp.generation, stamp.revision)
