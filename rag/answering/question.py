"""What was asked, checked before anything is done: the question, the turns before it, the sources it may use."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from rag.answering.refusal import is_refusal
from rag.errors import QuestionError
from rag.library.library import Library
from rag.library.paper_rows import Papers
from rag.text.words import make_encodable, visible
from rag.types import Filter, Outcome, Turn

MOST_QUESTION_CHARS = 8_000

History = Sequence[Turn | Mapping[str, str]]


def check_sources(library: Library, where: Filter | None) -> None:
    """Makes sure that a misspelt source is not taken for one that knows nothing.

    Raises:
        QuestionError: The filter names a source that no paper is from.
    """
    if where is None or not where.sources:
        return
    for source in where.sources:
        if not library.reader.read(partial(Papers.has_source, source=source)):
            known = library.reader.read(Papers.sources)
            near = difflib.get_close_matches(source, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:10])}."
            raise QuestionError(f"No paper of the library is from {source!r}; {hint}")


def check_question(question: object) -> str:
    """The question without white space around it.

    Raises:
        QuestionError: It is empty, too long, or no text.
    """
    if not isinstance(question, str) or not visible(question).strip():
        raise QuestionError('The question is empty; ask something, e.g. `footnote ask "What is grokking?"`.')
    if len(question) > MOST_QUESTION_CHARS:
        raise QuestionError(
            f"The question has {len(question):,} characters; at most {MOST_QUESTION_CHARS:,} are read. Shorten it."
        )
    return visible(make_encodable(question)).strip()


def check_turns(history: History) -> tuple[Turn, ...]:
    """Turns, or OpenAI-style mappings with a role and a content, as turns; system messages are left out.

    Whoever keeps only an answer's text does not know its outcome: a refusal is told by its words here, and only here.
    """
    turns = []
    for number, given in enumerate(history if isinstance(history, Iterable) else (history,), start=1):
        turn = given if isinstance(given, Turn) else None
        said = {"role": turn.role, "content": turn.content} if turn else given
        role, content = (said.get("role"), said.get("content")) if isinstance(said, Mapping) else ("", "")
        if role not in ("user", "assistant", "system") or not isinstance(content, str):
            raise QuestionError(
                f"Turn {number} of the history is not understood; give Turn(role, content) or a mapping with"
                ' "role" ("user" or "assistant") and "content" (text).'
            )
        if role != "system" and content.strip():
            outcome = turn.outcome if turn else None
            if outcome is None and role == "assistant" and is_refusal(content):
                outcome = Outcome.NOT_IN_CORPUS
            turns.append(Turn(role, make_encodable(content), outcome, turn.cited if turn else ()))
    return tuple(turns)
