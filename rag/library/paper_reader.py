"""Reads papers of a library from its paper store, which is brought in step first and replaced where it is damaged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from rag.library.derived import Renewed, open_store, replace_store
from rag.library.paper_rows import Papers, StoreDamaged
from rag.library.paper_store import PaperStore
from rag.library.records import EmbeddedPaper, StoredPaper, pages
from rag.settings import Settings
from rag.text.words import fold
from rag.types import Filter, Paper

_PAGE = 1_000  # papers read at once
_Seen = TypeVar("_Seen")

log = logging.getLogger(__name__)


class PaperReader:
    """Reads one generation of a library; safe to share between threads."""

    def __init__(self, settings: Settings, renewed: Renewed) -> None:
        self._settings = settings
        self._renewed = renewed
        self._lock = threading.Lock()
        self._store: PaperStore | None = None
        self._papers: Mapping[str, Paper] | None = None
        self._folded: Mapping[str, str] | None = None

    def read(self, look: Callable[[Papers], _Seen]) -> _Seen:
        """What a look at the store gives; it looks twice where the store turns out to be damaged."""
        store = self._opened_store()
        try:
            with store.reading() as papers:
                return look(papers)
        except StoreDamaged as error:
            log.info("The papers in %s cannot be read (%s); they are read from Chroma again.", store.path, error)
        with self._lock:
            if self._store is store:
                self._store = replace_store(self._settings, store, self._renewed)
        with self._opened_store().reading() as papers:
            return look(papers)

    def count(self, where: Filter | None = None) -> int:
        """How many papers there are, or a filter admits."""
        return self.read(lambda papers: papers.count(where))

    def all_papers(self) -> Mapping[str, Paper]:
        """Every paper by id, in the order of the sources and lines; read once."""
        if (made := self._papers) is None:
            made = self._papers = self.read(lambda papers: {paper.id: paper for paper in papers.papers()})
        return made

    def folded_texts(self) -> Mapping[str, str]:
        """Title and abstract of every paper by id, without capitals and accents; made once."""
        if (made := self._folded) is None:
            papers = self.all_papers()
            made = self._folded = {key: fold(f"{paper.label} {paper.abstract}") for key, paper in papers.items()}
        return made

    def read_embedded(self, paper_ids: Sequence[str]) -> list[EmbeddedPaper]:
        """The papers of these ids that are in the library, in their order, with their vectors."""
        return self.read(lambda papers: papers.read_embedded(paper_ids)) if paper_ids else []

    def read_stored(self, paper_ids: Sequence[str]) -> list[StoredPaper]:
        """As `read_embedded`, without the vectors."""
        return self.read(lambda papers: papers.read_stored(paper_ids)) if paper_ids else []

    def read_all_embedded(self) -> Iterator[EmbeddedPaper]:
        """Every paper with its vectors, in the order of sources and lines, read a page at a time."""
        for page in pages(self.read(lambda papers: papers.ids()), _PAGE):
            yield from self.read_embedded(page)

    def read_all_stored(self) -> Iterator[StoredPaper]:
        """As `read_all_embedded`, without the vectors."""
        for page in pages(self.read(lambda papers: papers.ids()), _PAGE):
            yield from self.read_stored(page)

    def _opened_store(self) -> PaperStore:
        with self._lock:
            if self._store is None:
                self._store = open_store(self._settings, self._renewed)
            return self._store
