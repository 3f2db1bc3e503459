"""An asynchronous source read from ordinary code, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future
from contextlib import aclosing, suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, cast

T = TypeVar("T")


def from_thread(source: AsyncGenerator[T, None]) -> Iterator[T]:
    """The items as they come. Closing the iterator cuts short whatever the source waits for."""
    arrived: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def pump() -> None:
        from langsmith import tracing_context

        running.set_result((asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())))
        try:
            with tracing_context(enabled=False):  # LANGSMITH_TRACING would send the prompt away
                async with aclosing(source):
                    async for item in source:
                        arrived.put((item, None))
        except BaseException as error:
            arrived.put((None, error))
            raise
        # Said here, not after the loop has ended, which waits for a look-up of the host's name that hangs.
        arrived.put((None, StopIteration()))

    def work() -> None:
        try:
            asyncio.run(pump())
        except BaseException as error:  # noqa: BLE001  raised again where the pieces are read
            arrived.put((None, error))

    thread = Thread(target=work, name="footnote-llm", daemon=True)
    thread.start()
    try:
        while True:
            item, error = arrived.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield cast("T", item)
    finally:
        if not running.cancel():
            loop, task = running.result()
            with suppress(RuntimeError):  # the loop is closed: there is nothing left to cancel
                loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=2.0)
