"""Keeps the map of the library beside the index: one file for each generation of the library."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from rag.explore.overview import MOST_POINTS, PaperMap
from rag.files import make_private_folder, replace_file
from rag.settings import Settings
from rag.types import Paper

if TYPE_CHECKING:
    from rag.library.library import Library

_VERSION = 1  # of the way a map is made: one made otherwise is made again

log = logging.getLogger(__name__)


class MapStore:
    """The maps of one library; safe to share between threads, which make each map once."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "map" / settings.collection
        self._lock = threading.Lock()
        self._newest: tuple[str, PaperMap] | None = None

    def read_or_make(self, library: Library) -> PaperMap:
        """Reads the map of this view of the library from disk, or makes it and keeps it there."""
        generation = library.stamp.generation
        with self._lock:
            if self._newest is None or self._newest[0] != generation:
                self._newest = (generation, self._read_or_make(library))
            return self._newest[1]

    def _read_or_make(self, library: Library) -> PaperMap:
        from rag.explore.paper_map import make_map

        if library.stamp.syncing:  # not a generation yet: a later process must not take it for one
            return make_map(library)
        path = self._folder / f"{library.stamp.generation}.json"
        try:
            return _read(path, library.reader.all_papers())
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            log.info("The map in %s cannot be read (%s); it is made again.", path, error)
        made = make_map(library)
        try:
            _write(path, made)
        except OSError as error:
            log.warning("The map could not be kept in %s (%s).", self._folder, error)
        return made


def _read(path: Path, papers: Mapping[str, Paper]) -> PaperMap:
    """Reads the map of these papers.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: The file is damaged, of another version, or of other papers.
    """
    stored = json.loads(path.read_bytes())
    if not isinstance(stored, dict) or stored.pop("version", None) != _VERSION:
        raise ValueError("it is no map of this version")
    found = TypeAdapter(PaperMap).validate_python(stored)
    sizes = Counter(found.topic_of)
    whole = (
        found.papers == len(papers)
        and len(found.paper_ids) == len(set(found.paper_ids)) == min(len(papers), MOST_POINTS)
        and all(paper_id in papers for paper_id in found.paper_ids)
        and len(found.paper_ids) == len(found.places) == len(found.topic_of)
        and all(-1 <= part <= 1 for place in found.places for part in place)
        and sizes == {number: topic.size for number, topic in enumerate(found.topics)}
    )
    if not whole:
        raise ValueError("it is damaged")
    return found


def _write(path: Path, made: PaperMap) -> None:
    """Replaces the file; maps of earlier generations are removed, and what killed processes left."""
    make_private_folder(path.parent)
    replace_file(path, json.dumps({"version": _VERSION, **asdict(made)}))
    for other in path.parent.iterdir():
        if other != path and not other.name.startswith(f".{path.stem}."):
            with suppress(OSError):
                other.unlink()
