"""What a reader copies and saves, handed to the browser as text: none of it lies in a file that others could fetch."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rag import Paper, RagError, bibtex, ris
from ui.conversations.conversation import Conversation, Exchange, State, list_cited_papers
from ui.conversations.export import Said, answer_to_markdown, conversation_to_json, conversation_to_markdown
from ui.html.paper_parts import describe_filter

if TYPE_CHECKING:
    from rag import Assistant

# What the page's script does with a text: {do: "copy" | "save" | "tell", text, name, type, number}
Download = dict[str, Any]

_numbers = itertools.count()  # a download that is like the one before is delivered too
_FORMATS: dict[str, tuple[str, str, Callable[[str, list[Said]], str]]] = {
    "markdown": ("md", "text/markdown", conversation_to_markdown),
    "bibtex": ("bib", "application/x-bibtex", lambda _, said: bibtex(_list_papers(said))),
    "ris": ("ris", "application/x-research-info-systems", lambda _, said: ris(_list_papers(said))),
    "json": ("json", "application/json", conversation_to_json),
}
_WORD = re.compile(r"[^\W_]+")
_NOTES = {State.STOPPED: "Stopped before the answer was complete.", State.CUT: "Cut when the server ended."}


def make_download(
    kind: str, title: str, conversation: Conversation, exchange: Exchange | None, assistant: Assistant
) -> Download:
    """An answer to copy or its passport, or the whole conversation in one of the formats.

    Args:
        kind: "copy" or "passport" of the answer of an exchange; "markdown", "bibtex", "ris" or "json" of all.
    """
    try:
        return {**_make(kind, title, conversation, exchange, assistant), "number": next(_numbers)}
    except RagError as error:
        return {"do": "tell", "text": str(error), "number": next(_numbers)}


def _make(
    kind: str, title: str, conversation: Conversation, exchange: Exchange | None, assistant: Assistant
) -> Download:
    if kind in ("copy", "passport"):
        if exchange is None or exchange.answer is None:
            return {"do": "tell", "text": "There is no such answer any more."}
        if kind == "copy":
            return {"do": "copy", "text": answer_to_markdown(exchange.answer)}
        text = assistant.passport(exchange.answer, where=exchange.scope)
        return _save(f"{_name_file(exchange.question)}.html", "text/html", text)
    if kind not in _FORMATS:
        return {"do": "tell", "text": "There is no such format."}
    said = [Said(each.question, each.answer, _describe_end(each)) for each in conversation.exchanges]
    if kind in ("bibtex", "ris") and not _list_papers(said):
        return {"do": "tell", "text": "No paper is cited in this conversation."}
    ending, media_type, written = _FORMATS[kind]
    return _save(f"{_name_file(title)}.{ending}", media_type, written(title, said))


def _list_papers(said: list[Said]) -> list[Paper]:
    return list_cited_papers(each.answer for each in said)


def _save(name: str, media_type: str, text: str) -> Download:
    return {"do": "save", "name": name, "type": media_type, "text": text}


def _describe_end(exchange: Exchange) -> str:
    notes = [f"Asked only of {describe_filter(exchange.scope)}." if exchange.scope else ""]
    notes.append(exchange.error or _NOTES.get(exchange.state, ""))
    if exchange.text and not exchange.answer:
        notes.append(f"What had arrived: {exchange.text}")
    return " ".join(filter(None, notes))


def _name_file(title: str) -> str:
    """A name that every system takes, from the words of a title."""
    words = _WORD.findall(title)
    return "-".join(words)[:60].strip("-").lower() or "conversation"
