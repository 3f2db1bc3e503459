"""The events of an answer: read with an eye on the clock, or in ordinary code outside any event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import aclosing
from threading import Lock, Thread
from typing import Any, TypeVar

from rag.types import Answer, AnswerEvent, Done

T = TypeVar("T")

_FAREWELL_S = 3.0  # how long who is interrupted waits until everything has ended


async def read_events(
    events: AsyncGenerator[T, None], lull_s: float | None = None, stop: asyncio.Event | None = None
) -> AsyncGenerator[T | None, None]:
    """The events until their end, or until `stop` is set; then, or when this is closed, they are closed as well.

    Yields:
        None whenever nothing has come for `lull_s` seconds.
    """
    coming: asyncio.Task[T | None] | None = None
    stopping = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(events))
            came, _ = await asyncio.wait({coming, stopping}, timeout=lull_s, return_when=asyncio.FIRST_COMPLETED)
            if stopping in came:
                return
            if not came:
                yield None
                continue
            event, coming = coming.result(), None
            if event is None:
                return
            yield event
    finally:
        left = [task for task in (coming, stopping) if task]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await events.aclose()


async def drain(events: AsyncGenerator[AnswerEvent | None, None]) -> Answer:
    """The answer at the end of the events."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Done):
                return event.answer
    raise RuntimeError("a stream of events ended without Done")


class AnswerStream(Iterator[AnswerEvent]):
    """The events of an answer in ordinary code, the last of them `Done`; read and closed from any thread.

    They are made in an event loop of ours, for the caller may have none, or be within one of its own.
    """

    def __init__(self, events: AsyncGenerator[AnswerEvent, None]) -> None:
        self._events, self._loop = events, _start_loop()
        self._reading, self._closing = Lock(), Lock()
        self._closed = False
        self._ended: Future[None] | None = None
        self._task: asyncio.Task[Any] | None = None

    def __next__(self) -> AnswerEvent:
        with self._reading:
            if self._closed:
                raise StopIteration
            try:
                event = asyncio.run_coroutine_threadsafe(self._read(), self._loop).result()
            except CancelledError:  # another thread has closed the stream
                event = None
            except BaseException:
                self.close()
                if self._ended:
                    wait({self._ended}, _FAREWELL_S)
                raise
            if event is None or self._closed:
                self._closed = True
                raise StopIteration
            return event

    def answer(self) -> Answer:
        """The answer that the events end with."""
        for event in self:
            if isinstance(event, Done):
                return event.answer
        raise RuntimeError("a stream of events ended without Done")

    def close(self) -> None:
        """Ends the stream and hangs up on the language model, also while another thread waits for the next event."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._ended = asyncio.run_coroutine_threadsafe(self._end(), self._loop)

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()

    async def _read(self) -> AnswerEvent | None:
        if self._closed:  # by another thread, and ending by now
            return None
        self._task = asyncio.current_task()
        return await _next(self._events)

    async def _end(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._events.aclose()


async def _next(events: AsyncGenerator[T, None]) -> T | None:
    return await anext(events, None)


_starting = Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process: a fork has no threads of its parent's


def _start_loop() -> asyncio.AbstractEventLoop:
    """The event loop in which `AnswerStream`s of this process are made; its thread ends with the process."""
    with _starting:
        if (loop := _loops.get(os.getpid())) is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            Thread(target=loop.run_forever, name="footnote-answers", daemon=True).start()
        return loop
