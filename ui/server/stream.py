"""Reads the engine's blocking stream without holding up the page's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable

from rag import AnswerEvent, AnswerStream


async def events(
    open_stream: Callable[[], AnswerStream], stop: asyncio.Event, lull_s: float | None = None
) -> AsyncGenerator[AnswerEvent | None, None]:
    """The stream's events until its end, or until `stop`, which closes it without waiting for the event under way.

    Yields:
        None whenever nothing has come for `lull_s` seconds.

    Raises:
        Exception: Whatever the stream raises.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[AnswerEvent | Exception | None] = asyncio.Queue()

    def hand_on(item: AnswerEvent | Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    opened: list[AnswerStream] = []

    def read() -> None:
        try:
            opened.append(stream := open_stream())
            if stop.is_set():
                return
            for event in stream:
                hand_on(event)
        except Exception as error:  # noqa: BLE001 - raised again below, in the task that waits for it
            hand_on(error)
        else:
            hand_on(None)

    # A daemon: a language model that does not answer must not keep the process alive after Ctrl-C.
    threading.Thread(target=read, name="footnote-ask", daemon=True).start()
    stopping = asyncio.ensure_future(stop.wait())
    try:
        coming = asyncio.ensure_future(arrived.get())
        while True:
            came, _ = await asyncio.wait({coming, stopping}, timeout=lull_s, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                return
            if not came:
                yield None
                continue
            item = coming.result()
            if isinstance(item, Exception):
                raise item
            if item is None:
                return
            coming = asyncio.ensure_future(arrived.get())
            yield item
    finally:
        coming.cancel()
        stopping.cancel()
        stop.set()  # also when the tab was closed
        for stream in opened:
            stream.close()
