"""The page's two endpoints for programs, /ask and /search: the same answers as in the chat, as JSON."""

# No `from __future__ import annotations` here: Gradio describes the endpoints by the types themselves.

import asyncio
from typing import TYPE_CHECKING

from gradio.events import api

from rag import Answer, Filter, Passage, QuestionError
from ui.shared import errors_shown

if TYPE_CHECKING:
    from ui.chat.asking import Asking

_MOST_FOUND = 100


def add_api(asking: "Asking") -> None:
    """Adds the endpoints to the page that is being built; the types of their arguments are in its API description."""

    async def ask(  # noqa: PLR0917 (how programs call it)
        question: str,
        history: list[dict[str, str]] | None = None,
        sources: list[str] | None = None,
        extractive: bool = False,
        paper_ids: list[str] | None = None,
        years: list[int] | None = None,
        venues: list[str] | None = None,
    ) -> Answer:
        """Answer a question from the library, or from some sources, papers, venues, and years from first to last."""
        with errors_shown():
            _check(question)
            where = _filter(sources, paper_ids, years, venues)
            async with asking.admitted():
                return await asking.assistant.aanswer(
                    question, history=history or (), where=where, extractive=extractive
                )

    async def search(  # noqa: PLR0917
        question: str,
        k: int = 10,
        sources: list[str] | None = None,
        paper_ids: list[str] | None = None,
        years: list[int] | None = None,
        venues: list[str] | None = None,
    ) -> list[Passage]:
        """The k papers (1 to 100) that answer a question best, best first; restricted as for /ask."""
        with errors_shown():
            _check(question)
            if not _is_whole(k) or not 1 <= k <= _MOST_FOUND:
                raise QuestionError(f"k is {k!r}; it must be a whole number from 1 to {_MOST_FOUND}.")
            where = _filter(sources, paper_ids, years, venues)
            async with asking.admitted():
                return await asyncio.to_thread(asking.assistant.search, question, k=k, where=where)

    for endpoint in (ask, search):
        api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


def _check(question: object) -> None:
    if not isinstance(question, str):
        raise QuestionError(f"The question is {question!r}; it must be a text.")


def _filter(sources: object, paper_ids: object, years: object, venues: object) -> Filter | None:
    """What a program gave as a restriction; None where it gave nothing.

    Raises:
        QuestionError: It is none.
    """
    span = years or None
    if span is not None and not (
        isinstance(span, list) and len(span) == 2 and all(map(_is_whole, span)) and span[0] <= span[1]
    ):
        raise QuestionError(f"years is {years!r}; it must be a list of two years, the first and the last.")
    where = Filter(
        _texts("sources", sources), _texts("paper_ids", paper_ids), (span[0], span[1]) if span else None,
        _texts("venues", venues),
    )  # fmt: skip
    return None if where == Filter() else where


def _texts(name: str, given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    if not (isinstance(given, list) and all(isinstance(each, str) for each in given)):
        raise QuestionError(f"{name} is {given!r}; it must be a list of texts.")
    return tuple(given)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
