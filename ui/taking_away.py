"""What a reader takes away, handed to the browser as text: nothing of it lies in a file that others could fetch."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from rag import RagError, bibtex, ris
from ui.conversation import Conversation, Exchange, State
from ui.export import Said, answer_markdown, cited_papers, conversation_json, conversation_markdown

if TYPE_CHECKING:
    from rag import Assistant

# What the page's script does with a text: {do: "copy" | "save" | "tell", text, name, type, number}
Parcel = dict[str, Any]

_numbers = itertools.count()  # a parcel that is like the one before is delivered too
_NOTES = {State.STOPPED: "Stopped before the answer was complete.", State.CUT: "Cut when the server ended."}


def parcel(kind: str, title: str, conversation: Conversation, turn: int | None, assistant: Assistant) -> Parcel:
    """An answer to copy or its passport, or the whole conversation in one of the formats.

    Args:
        kind: "copy" or "passport" of the answer of a turn; "markdown", "bibtex", "ris" or "json" of all.
    """
    try:
        return {**_wrapped(kind, title, conversation, turn, assistant), "number": next(_numbers)}
    except RagError as error:
        return {"do": "tell", "text": str(error), "number": next(_numbers)}


def _wrapped(kind: str, title: str, conversation: Conversation, turn: int | None, assistant: Assistant) -> Parcel:
    exchange = conversation.exchanges[turn] if turn is not None else None
    answer = exchange.answer if exchange else None
    said = [Said(each.question, each.answer, _note(each)) for each in conversation.exchanges]
    name = _file_name(answer.question if answer else title)
    match kind:
        case "copy" if answer:
            return {"do": "copy", "text": answer_markdown(answer)}
        case "passport" if answer and exchange:
            return _saved(f"{name}.html", "text/html", assistant.passport(answer, where=exchange.scope))
        case "markdown":
            return _saved(f"{name}.md", "text/markdown", conversation_markdown(title, said))
        case "json":
            return _saved(f"{name}.json", "application/json", conversation_json(title, said))
        case "bibtex" | "ris" if papers := cited_papers(said):
            ending, type_, text = (
                ("bib", "application/x-bibtex", bibtex(papers))
                if kind == "bibtex"
                else ("ris", "application/x-research-info-systems", ris(papers))
            )
            return _saved(f"{name}.{ending}", type_, text)
        case "bibtex" | "ris":
            return {"do": "tell", "text": "No paper is cited in this conversation."}
    return {"do": "tell", "text": "There is no such answer any more."}


def _saved(name: str, type_: str, text: str) -> Parcel:
    return {"do": "save", "name": name, "type": type_, "text": text}


def _note(exchange: Exchange) -> str:
    return exchange.error or _NOTES.get(exchange.state, "") + (
        f" What had arrived: {exchange.text}" if exchange.text and not exchange.answer else ""
    )


def _file_name(title: str) -> str:
    """A name that every system takes, from the words of a title."""
    words = re.findall(r"[^\W_]+", title)
    return "-".join(words)[:60].strip("-").lower() or "conversation"
