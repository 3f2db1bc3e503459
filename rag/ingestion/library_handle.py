"""The newest view of a library for those who ask again and again; fills one that is empty or was interrupted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from rag.corpus.sources import SEEDS
from rag.errors import CorpusError, LibraryMissing
from rag.ingestion.embed_papers import Progress, embed_here, raise_if_set
from rag.ingestion.ingest_lock import is_idle
from rag.ingestion.sync import sync
from rag.library.chroma import place
from rag.library.library import Library
from rag.settings import Settings
from rag.terminal import progress_bar

_CHECK_EVERY_S = 1.0  # how old the view of an open chat may be before it looks for a newer one
_LONGEST_INGEST_S = 900.0  # how long a question waits for an ingest by another process
_LOOK_UP_S = 0.5  # how often who waits for another thread's ingest looks whether it is told to stop
_EMPTY = "The library is empty: the bundled seed abstracts are ingested first, once (about half a minute)."
_INTERRUPTED = "An ingest was interrupted; it is completed first."


class LibraryHandle:
    """The newest view of a library, looked for again at most every second; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._filling = threading.Lock()
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

    def ready(self) -> Library | None:
        """The newest view, or None where `filled` has to ingest first."""
        library = self.current()
        return library if library is not None and library.size and not self._was_interrupted(library) else None

    def why_not_ready(self) -> str:
        """What to tell who waits for `filled`; "" where nothing is ingested first, or must not be."""
        if self.ready() is not None or not self._settings.auto_ingest:
            return ""
        library = self.current()
        return _INTERRUPTED if library is not None and library.size else _EMPTY

    def filled(self, progress: Progress | None = None, stop: threading.Event | None = None) -> Library:
        """The library; an empty one is filled with the bundled seeds first, an interrupted ingest is completed.

        Args:
            progress: Called with (papers done, papers to do); a bar on stderr unless given.
            stop: Once set, by any thread, the ingest ends within about a second. What was written stays.

        Raises:
            LibraryMissing: There is nothing in it, and the settings forbid to ingest.
            CancelledError: `stop` was set (the class of `concurrent.futures`).
        """
        with self._one_at_a_time(stop):
            if (library := self.ready()) is not None:
                return library
            library = self.current()
            empty = library is None or not library.size
            if not self._settings.auto_ingest:
                raise LibraryMissing(
                    f"The library in {place(self._settings)} is empty; run `footnote ingest PATHS` with your files, or"
                    " `footnote ingest` for the bundled seeds (RAG_AUTO_INGEST=true does that by itself)."
                )
            title = "Ingesting the bundled seeds" if empty else "Completing the ingest"
            with progress_bar(title) if progress is None else nullcontext(progress) as told:
                try:
                    sync(
                        self._settings, [SEEDS] if empty else [], progress=told, wait_s=_LONGEST_INGEST_S, stop=stop,
                        embedded_by=partial(embed_here, stop=stop),
                    )  # fmt: skip
                except CorpusError:
                    if empty:
                        raise  # else what the interrupted ingest had written is there, and its files are not
            self.forget()
            filled = self.current()
        if filled is None:
            raise LibraryMissing("The bundled seeds could not be read; run `footnote ingest PATHS` with your files.")
        return filled

    def forget(self) -> None:
        """The next `current()` opens the library afresh."""
        with self._lock:
            self._library = None

    def _newer(self, library: Library) -> Library | None:
        stamp = library.newest_stamp()
        if stamp.generation == library.stamp.generation or stamp.syncing:
            return library
        return Library.open(self._settings)

    def _was_interrupted(self, library: Library) -> bool:
        """Whether an ingest from here was killed and can be completed; on a server it may be another machine's."""
        return (
            library.stamp.syncing
            and self._settings.auto_ingest
            and self._settings.chroma_url is None
            and is_idle(self._settings)
        )

    @contextmanager
    def _one_at_a_time(self, stop: threading.Event | None) -> Iterator[None]:
        while not self._filling.acquire(timeout=_LOOK_UP_S):
            raise_if_set(stop)
        try:
            yield
        finally:
            self._filling.release()
