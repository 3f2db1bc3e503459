"""The page's two endpoints for programs, /ask and /search: the same answers as in the chat, as JSON."""

# No `from __future__ import annotations` here: Gradio describes the endpoints by the types themselves.

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from gradio.events import api

from rag import Answer, Done, Filter, Passage, RagError
from ui.faults import told
from ui.stream import events

if TYPE_CHECKING:
    from rag import AnswerStream
    from ui.asking import Asking

_MOST_FOUND = 100


def add_api(asking: "Asking") -> None:
    """Adds the endpoints to the page that is being built; the types of their arguments are in its API description."""

    async def ask(
        question: str,
        history: list[dict[str, str]] | None = None,
        sources: list[str] | None = None,
        extractive: bool = False,
    ) -> Answer:
        """Answer a question from the library, every sentence with its citations."""
        where = Filter(sources=tuple(sources)) if sources else None

        def opened() -> "AnswerStream":
            return asking.assistant.stream(question, history=history or (), where=where, extractive=extractive)

        with told():
            return await _answer(asking, opened)

    async def search(question: str, k: int = 10, sources: list[str] | None = None) -> list[Passage]:
        """The k papers that answer a question best, best first."""
        where = Filter(sources=tuple(sources)) if sources else None
        with told():
            async with asking.turnstile.passed(asyncio.Event()):
                return await asyncio.to_thread(
                    asking.assistant.search, question, k=min(max(k, 1), _MOST_FOUND), where=where
                )

    for endpoint in (ask, search):
        api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


async def _answer(asking: "Asking", opened: Callable[[], "AnswerStream"]) -> Answer:
    """The answer at the end of a stream, which is closed when the caller has gone."""
    stop = asyncio.Event()
    async with asking.turnstile.passed(stop), aclosing(events(opened, stop)) as told:
        async for event in told:
            if isinstance(event, Done):
                return event.answer
    raise RagError("The answer was stopped before its end; ask again.")
