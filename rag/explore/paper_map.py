"""The map of the library: a place on a plane and a topic for every paper, kept beside the index."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from rag.explore.overview import Overview, PaperMap, Topic
from rag.files import replace_file
from rag.library.library import Library
from rag.library.records import Vectors
from rag.settings import Settings
from rag.types import Paper

MOST_POINTS = 100_000  # what a browser draws and a reader sees; of more papers a sample is shown
_VERSION = 1  # of the way a map is made: one made otherwise is made again
_DECIMALS = 4  # of a place between -1 and 1: finer than a screen

log = logging.getLogger(__name__)


class PaperMaps:
    """The maps of a library's generations; safe to share between threads, and each is made once."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "map" / settings.collection
        self._lock = threading.Lock()
        self._newest: tuple[str, PaperMap] | None = None

    def of(self, library: Library) -> PaperMap:
        """The map of this view of the library; read from disk, or made and kept there."""
        generation = library.stamp.generation
        with self._lock:
            if self._newest is None or self._newest[0] != generation:
                self._newest = (generation, self._read_or_make(library))
            return self._newest[1]

    def _read_or_make(self, library: Library) -> PaperMap:
        if library.stamp.syncing:  # not a generation yet: a later process must not take it for one
            return make_map(library)
        path = self._folder / f"{library.stamp.generation}.json"
        try:
            return _read(path, library.catalogue())
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


def make_map(library: Library) -> PaperMap:
    """The map, made from the vectors and the words of the papers; the same for the same papers on the same machine."""
    import sklearn.manifold  # noqa: F401 (before the limit: it holds for libraries that are loaded)
    from threadpoolctl import threadpool_limits

    from rag.explore import projection, topics

    papers = library.catalogue()
    # Ids are hashes of the abstracts: their order is that of no file, and the first are a fair sample.
    paper_ids = sorted(papers)[:MOST_POINTS]
    vectors = _mean_vectors(library, paper_ids)
    # t-SNE's threads wait for each other, 30 s for the seeds on a busy machine, and add up in any order.
    with threadpool_limits(1):
        reduced = projection.components(vectors)
        plane = projection.places(reduced)
        topic_of, middles = topics.groups(plane)
    near = topics.typical(plane, topic_of, middles)
    texts = [[f"{papers[paper_ids[row]].title}\n{papers[paper_ids[row]].abstract}" for row in rows] for rows in near]
    sizes = np.bincount(topic_of, minlength=len(middles))
    named = zip(topics.names(texts), sizes, strict=True)
    return PaperMap(
        paper_ids=tuple(paper_ids),
        places=tuple((round(float(x), _DECIMALS), round(float(y), _DECIMALS)) for x, y in plane),
        topic_of=tuple(int(number) for number in topic_of),
        topics=tuple(Topic(name, int(size)) for name, size in named),
        papers=len(papers),
    )


def overview(papers: Iterable[Paper], topics: tuple[Topic, ...]) -> Overview:
    """What these papers are, in numbers."""
    papers = list(papers)
    sources = Counter(source for paper in papers for source in {source for source, _ in paper.places})
    years = [paper.year for paper in papers if paper.year is not None]
    return Overview(
        papers=len(papers),
        sources=tuple(sorted(sources.items(), key=lambda counted: (-counted[1], counted[0]))),
        years=(min(years), max(years)) if years else None,
        topics=topics,
    )


def _mean_vectors(library: Library, paper_ids: list[str]) -> Vectors:
    """Unit vectors of the papers, the mean of their chunks: shape `(n, d)`."""
    rows = {paper_id: row for row, paper_id in enumerate(paper_ids)}
    vectors = np.zeros((len(rows), 1), dtype=np.float32)
    for record in library.records():
        if (row := rows.get(record.paper.id)) is None:
            continue
        mean = record.chunk_vectors.mean(axis=0)
        if vectors.shape[1] != len(mean):
            vectors = np.zeros((len(rows), len(mean)), dtype=np.float32)
        vectors[row] = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return vectors


def _read(path: Path, papers: Mapping[str, Paper]) -> PaperMap:
    """The map of a file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged, of another version, or of other papers.
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
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, json.dumps({"version": _VERSION, **asdict(made)}))
    for other in path.parent.iterdir():
        if other != path and not other.name.startswith(f".{path.stem}."):
            with suppress(OSError):
                other.unlink()
