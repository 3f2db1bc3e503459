"""Answers as JSON and back, exactly: what is kept with a conversation and carried by a passport."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rag.errors import StoredAnswerError
from rag.types import Answer

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def answer_to_json(answer: Answer) -> str:
    """All that the answer holds, its papers with their abstracts included."""
    return _adapter().dump_json(answer).decode()


def answer_from_json(text: str) -> Answer:
    """The answer that `answer_to_json` wrote.

    Raises:
        StoredAnswerError: The text is no answer.
    """
    try:
        return _adapter().validate_json(text)
    except ValueError as error:
        raise StoredAnswerError(f"This is no answer as Footnote writes it: {str(error).splitlines()[0]}.") from error


@cache
def _adapter() -> TypeAdapter[Answer]:
    from pydantic import TypeAdapter

    return TypeAdapter(Answer)
