"""A model is asked as the engine asks it, from ordinary code."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rag.answering.stream import AnswerStream, _start_loop
from rag.llm.client import ChatModel, Message
from rag.types import Usage
from tests.conftest import wait_for


def stream(model: ChatModel, messages: Sequence[Message]) -> AnswerStream:
    """The pieces as they arrive."""
    return AnswerStream(model.stream(messages))  # type: ignore[arg-type]  # it reads events of any kind


def complete(model: ChatModel, messages: Sequence[Message]) -> tuple[str, Usage]:
    """The whole answer, and what it took."""
    return asyncio.run(model.complete(messages))


def assert_nothing_is_left() -> None:
    """No answer is still being made in the loop of the streams."""
    wait_for(lambda: not asyncio.all_tasks(_start_loop()), what="the end of all answers")
