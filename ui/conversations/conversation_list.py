"""The reader's conversations as safe HTML: the list, and the line above the open one."""

from __future__ import annotations

from collections.abc import Sequence

from ui.conversations.history import Listed
from ui.html.escaping import element, inert

_FORMATS = {"markdown": "Markdown", "bibtex": "BibTeX", "ris": "RIS", "json": "JSON"}


def conversation_list(listed: Sequence[Listed], current: str | None, search: str = "") -> str:
    """The conversations, newest first; the open one can be renamed and deleted."""
    if not listed:
        told = "No conversation has these words." if search.strip() else "Your conversations are kept here."
        return element("p", told, "fn-empty")
    items = "".join(_item(one, is_open=one.id == current) for one in listed)
    return element("nav", element("ul", items, "fn-list"), aria_label="Your conversations")


def conversation_bar(conversation: str | None, title: str = "") -> str:
    """The line above a conversation: its title, and what can be taken away of it."""
    toggle = element("button", "Conversations", "fn-tool fn-toggle", type="button", data_drawer="conversations")
    name = element("h2", inert(title or "New conversation"), "fn-bar-title", title=title)
    menu = ""
    if conversation:
        formats = "".join(
            element("button", label, "fn-tool", type="button", data_download=kind) for kind, label in _FORMATS.items()
        )
        menu = element("details", element("summary", "Export") + element("div", formats), "fn-menu")
    # The page's script keeps the address in step with what is open.
    return element("div", toggle + name + menu, "fn-bar-line", data_conversation=conversation or "none")


def _item(one: Listed, *, is_open: bool) -> str:
    marked = {"aria-current": "true"} if is_open else {}
    title = element("span", inert(one.title))
    name = element("button", title, "fn-name-of", type="button", data_open=one.id, **marked)
    if not is_open:
        return element("li", name)
    tools = element("button", "Rename", "fn-tool", type="button", data_rename=one.id, data_title=one.title) + element(
        "button", "Delete", "fn-tool", type="button", data_delete=one.id
    )
    return element("li", name + element("div", tools, "fn-tools"), "fn-open-one")
