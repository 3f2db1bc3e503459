"""What a reader takes away, handed to the browser as text: nothing of it lies in a file that others could fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag import Assistant
    from ui.conversation import Conversation

Parcel = dict[str, Any]


def parcel(kind: str, title: str, conversation: Conversation, turn: int | None, assistant: Assistant) -> Parcel:
    return {}
