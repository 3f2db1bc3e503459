"""How many questions are answered at the same time, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag import RagError

AT_ONCE = 8
WAITING = 24  # with those that are answered fewer than the 40 events that Gradio carries out at a time
_BUSY = "Busy: too many questions are waiting already. Retry yours in a moment."


class Busy(RagError):
    """Too many questions wait already."""


class Turnstile:
    """Lets `at_once` questions through; `waiting` more wait in the order they came, the others are turned away."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._here = 0

    @property
    def full(self) -> bool:
        """Whether who comes now has to wait."""
        return self._places.locked()

    @property
    def busy(self) -> bool:
        """Whether anybody is inside or waits."""
        return self._here > 0

    @asynccontextmanager
    async def passed(self, left: asyncio.Event) -> AsyncIterator[None]:
        """A place, waited for until it is free, or until whoever asked has `left`.

        Raises:
            Busy: Too many wait already.
        """
        if self._here >= self._room:
            raise Busy(_BUSY)
        self._here += 1
        placed, leaving = asyncio.ensure_future(self._places.acquire()), asyncio.ensure_future(left.wait())
        try:
            await asyncio.wait({placed, leaving}, return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            self._here -= 1
            leaving.cancel()
            if not placed.cancel():
                self._places.release()
