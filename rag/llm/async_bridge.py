"""An asynchronous source read from ordinary code, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future
from contextlib import aclosing, suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar, cast

from rag.llm.deadline import Patience

T = TypeVar("T")


def from_thread(source: AsyncGenerator[T, None], patience: Patience) -> Iterator[T]:
    """The items as they come. Closing the iterator cuts short whatever the source waits for.

    Raises:
        CancelledError: The patience was ended, by another thread while this one waits here.
    """
    arrived: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def pump() -> None:
        running.set_result((asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())))
        try:
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

    def hang_up() -> None:
        arrived.put((None, asyncio.CancelledError()))
        if not running.cancel():
            loop, task = running.result()
            with suppress(RuntimeError):  # the loop is closed: there is nothing left to cancel
                loop.call_soon_threadsafe(task.cancel)

    thread = Thread(target=work, name="footnote-llm", daemon=True)
    thread.start()
    try:
        with patience.cutting(hang_up):
            while True:
                item, error = arrived.get()
                if isinstance(error, StopIteration):
                    return
                if error is not None:
                    raise error
                yield cast("T", item)
    finally:
        hang_up()
        thread.join(timeout=2.0)
