"""What a reader takes away, handed to the browser as text: nothing of it lies in a file that others could fetch."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rag import RagError, bibtex, ris
from ui.conversations.conversation import Conversation, Exchange, State
from ui.conversations.export import Said, answer_markdown, cited_papers, conversation_json, conversation_markdown
from ui.html.papers import scope_in_words

if TYPE_CHECKING:
    from rag import Assistant

# What the page's script does with a text: {do: "copy" | "save" | "tell", text, name, type, number}
Parcel = dict[str, Any]

_numbers = itertools.count()  # a parcel that is like the one before is delivered too
_FORMATS: dict[str, tuple[str, str, Callable[[str, list[Said]], str]]] = {
    "markdown": ("md", "text/markdown", conversation_markdown),
    "bibtex": ("bib", "application/x-bibtex", lambda _, said: bibtex(cited_papers(said))),
    "ris": ("ris", "application/x-research-info-systems", lambda _, said: ris(cited_papers(said))),
    "json": ("json", "application/json", conversation_json),
}
_NOTES = {State.STOPPED: "Stopped before the answer was complete.", State.CUT: "Cut when the server ended."}


def parcel(
    kind: str, title: str, conversation: Conversation, exchange: Exchange | None, assistant: Assistant
) -> Parcel:
    """An answer to copy or its passport, or the whole conversation in one of the formats.

    Args:
        kind: "copy" or "passport" of the answer of an exchange; "markdown", "bibtex", "ris" or "json" of all.
    """
    try:
        return {**_wrapped(kind, title, conversation, exchange, assistant), "number": next(_numbers)}
    except RagError as error:
        return {"do": "tell", "text": str(error), "number": next(_numbers)}


def _wrapped(
    kind: str, title: str, conversation: Conversation, exchange: Exchange | None, assistant: Assistant
) -> Parcel:
    if kind in ("copy", "passport"):
        if exchange is None or exchange.answer is None:
            return {"do": "tell", "text": "There is no such answer any more."}
        if kind == "copy":
            return {"do": "copy", "text": answer_markdown(exchange.answer)}
        text = assistant.passport(exchange.answer, where=exchange.scope)
        return _saved(f"{_file_name(exchange.question)}.html", "text/html", text)
    if kind not in _FORMATS:
        return {"do": "tell", "text": "There is no such format."}
    said = [Said(each.question, each.answer, _note(each)) for each in conversation.exchanges]
    if kind in ("bibtex", "ris") and not cited_papers(said):
        return {"do": "tell", "text": "No paper is cited in this conversation."}
    ending, media_type, written = _FORMATS[kind]
    return _saved(f"{_file_name(title)}.{ending}", media_type, written(title, said))


def _saved(name: str, media_type: str, text: str) -> Parcel:
    return {"do": "save", "name": name, "type": media_type, "text": text}


def _note(exchange: Exchange) -> str:
    notes = [f"Asked only of {scope_in_words(exchange.scope)}." if exchange.scope else ""]
    notes.append(exchange.error or _NOTES.get(exchange.state, ""))
    if exchange.text and not exchange.answer:
        notes.append(f"What had arrived: {exchange.text}")
    return " ".join(filter(None, notes))


def _file_name(title: str) -> str:
    """A name that every system takes, from the words of a title."""
    words = re.findall(r"[^\W_]+", title)
    return "-".join(words)[:60].strip("-").lower() or "conversation"
