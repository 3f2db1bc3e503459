"""The reader's conversations as safe HTML: the list, and the line above the open one."""

from __future__ import annotations

from collections.abc import Sequence

from ui.conversations.history import Listed
from ui.html.templates import fill


def draw_conversation_list(listed: Sequence[Listed], current: str | None, search: str = "") -> str:
    """The conversations, newest first; the open one can be renamed and deleted."""
    return fill("conversations/list.html", listed=listed, current=current, search=search)


def draw_conversation_bar(conversation: str | None, title: str = "") -> str:
    """The line above a conversation: its title, and what can be downloaded of it."""
    return fill("conversations/bar.html", conversation=conversation, title=title)
