"""How many questions are answered at the same time, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rag.errors import Busy


class Turnstile:
    """Lets `at_once` questions through; `waiting` more wait in the order they came, the others are turned away."""

    def __init__(self, at_once: int, waiting: int) -> None:
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
    async def passed(self, left: asyncio.Event | None = None) -> AsyncIterator[None]:
        """A place, waited for until it is free, or until whoever asked has `left`.

        Raises:
            Busy: Too many wait already.
        """
        if self._here >= self._room:
            raise Busy("Busy: too many questions are waiting already. Retry yours in a moment.")
        self._here += 1
        placed = asyncio.ensure_future(self._places.acquire())
        leaving = asyncio.ensure_future((left or asyncio.Event()).wait())
        try:
            await asyncio.wait({placed, leaving}, return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            self._here -= 1
            leaving.cancel()
            if not placed.cancel():
                self._places.release()
