"""Slow steps in threads: as many as there are, in the caller's context, and none holds up the end of a process."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import pytest

from rag.threads import run_in_thread
from tests.conftest import Python

_LEFT = """
import asyncio, time
from rag.threads import run_in_thread

async def main():
    await asyncio.wait_for(run_in_thread(time.sleep, 600), 0.1)

try:
    asyncio.run(main())
except TimeoutError:
    print("left")
"""


def test_steps_that_wait_hold_up_no_other() -> None:
    async def main() -> str:
        go_on = threading.Event()
        waiting = [asyncio.ensure_future(run_in_thread(go_on.wait)) for _ in range(100)]
        said = await run_in_thread("at once".title)
        go_on.set()
        assert all(await asyncio.gather(*waiting))
        return said

    assert asyncio.run(main()) == "At Once"


def test_what_a_step_raises_is_the_callers_and_it_sees_the_callers_context() -> None:
    here: ContextVar[str] = ContextVar("here")

    async def main() -> str:
        here.set("the caller's")
        with pytest.raises(ZeroDivisionError):
            await run_in_thread(lambda: 1 / 0)
        return await run_in_thread(here.get)

    assert asyncio.run(main()) == "the caller's"


def test_a_process_does_not_wait_for_a_step_that_nobody_waits_for(python: Python) -> None:
    out, err = python(_LEFT).communicate(timeout=60)
    assert (out, err) == ("left\n", "")
