"""The reader's conversations as safe HTML: the list, and the line above the open one."""

from __future__ import annotations

from collections.abc import Sequence

from ui.conversations.history import Listed
from ui.html.escaping import button, element, escape

_FORMATS = {"markdown": "Markdown", "bibtex": "BibTeX", "ris": "RIS", "json": "JSON"}


def draw_conversation_list(listed: Sequence[Listed], current: str | None, search: str = "") -> str:
    """The conversations, newest first; the open one can be renamed and deleted."""
    if not listed:
        empty = "No conversation has these words." if search.strip() else "Your conversations are kept here."
        return element("p", empty, "fn-empty")
    items = "".join(_draw_item(one, is_open=one.id == current) for one in listed)
    return element("nav", element("ul", items, "fn-list"), aria_label="Your conversations")


def draw_conversation_bar(conversation: str | None, title: str = "") -> str:
    """The line above a conversation: its title, and what can be downloaded of it."""
    toggle = button("Conversations", "fn-tool fn-toggle", data_drawer="conversations")
    name = element("h2", escape(title or "New conversation"), "fn-bar-title", title=title)
    menu = ""
    if conversation:
        formats = "".join(button(label, "fn-tool", data_download=kind) for kind, label in _FORMATS.items())
        menu = element("details", element("summary", "Export") + element("div", formats), "fn-menu")
    # The page's script keeps the address in step with what is open.
    return element("div", toggle + name + menu, "fn-bar-line", data_conversation=conversation or "none")


def _draw_item(one: Listed, *, is_open: bool) -> str:
    title = element("span", escape(one.title))
    name = button(title, "fn-name-of", data_open=one.id, aria_current="true" if is_open else "")
    if not is_open:
        return element("li", name)
    tools = button("Rename", "fn-tool", data_rename=one.id, data_title=one.title)
    tools += button("Delete", "fn-tool", data_delete=one.id)
    return element("li", name + element("div", tools, "fn-tools"), "fn-open-one")
