"""The newest view of a library, for those who are asked again and again."""

from __future__ import annotations

import threading
import time

from rag.library.library import Library
from rag.settings import Settings

_CHECK_EVERY_S = 1.0  # how old the view of an open chat may be before it looks for a newer one


class LibraryHandle:
    """The newest view of a library, looked for again at most every second; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
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

    def forget(self) -> None:
        """The next `current()` opens the library afresh."""
        with self._lock:
            self._library = None

    def _newer(self, library: Library) -> Library | None:
        stamp = library.newest_stamp()
        if stamp.generation == library.stamp.generation or stamp.syncing:
            return library
        return Library.open(self._settings)
