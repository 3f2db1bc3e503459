"""Slow steps beside an event loop, in threads that neither wait for one another nor hold up the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_in_thread(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `step` returns or raises, as by `asyncio.to_thread`, from a daemon thread of its own.

    The threads of `asyncio.to_thread` are few, so that steps that wait hold up all others, and Python waits for each
    of them at its end: a process that is interrupted would go on until the step is done.

    Raises:
        CancelledError: The task that waits was cancelled (the class of `asyncio`); the step itself goes on.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()
    context = copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(step, *args, **kwargs))
        except BaseException as error:  # noqa: BLE001  raised again where it is waited for
            done.set_exception(error)

    Thread(target=run, name=f"footnote-{getattr(step, '__name__', 'step')}", daemon=True).start()
    return await asyncio.wrap_future(done)
