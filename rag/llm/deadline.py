"""How long an answer is waited for: until its deadline, or until whoever asked no longer wants it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock


class Patience:
    """One for all that an answer takes; safe to use from several threads.

    Args:
        at_most_s: From the first look at the deadline: an ingest that comes before it is no fault of the model's.
    """

    def __init__(self, at_most_s: float) -> None:
        self._at_most_s = at_most_s
        self._lock = Lock()
        self._ended = False
        self._hang_up: Callable[[], None] | None = None

    @cached_property
    def deadline(self) -> float:
        """On the monotonic clock."""
        return time.monotonic() + self._at_most_s

    @property
    def ended(self) -> bool:
        """Whether nobody waits any longer."""
        return self._ended

    def end(self) -> None:
        """Cuts what is under way, and what would come next."""
        with self._lock:
            self._ended = True
            hang_up = self._hang_up
        if hang_up:
            hang_up()

    @contextmanager
    def cutting(self, hang_up: Callable[[], None]) -> Iterator[None]:
        """Has `hang_up` called, from whatever thread, if the wait ends within this block or has ended before."""
        with self._lock:
            self._hang_up = hang_up
        if self._ended:
            hang_up()
        try:
            yield
        finally:
            with self._lock:
                self._hang_up = None
