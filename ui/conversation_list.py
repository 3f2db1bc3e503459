"""The reader's conversations as safe HTML: a list of buttons, the open one with what can be done to it."""

from __future__ import annotations

from collections.abc import Sequence

from ui.history import Listed
from ui.markup import element, inert


def conversation_list(listed: Sequence[Listed], current: str | None, search: str = "") -> str:
    """The conversations, newest first; the open one can be renamed and deleted."""
    if not listed:
        told = "No conversation has these words." if search.strip() else "Your conversations are kept here."
        return element("p", told, "fn-empty")
    items = "".join(_item(one, is_open=one.id == current) for one in listed)
    return element("nav", element("ul", items, "fn-list"), **{"aria-label": "Your conversations"})


def _item(one: Listed, *, is_open: bool) -> str:
    marked = {"aria-current": "true"} if is_open else {}
    name = element(
        "button", element("span", inert(one.title)), "fn-name-of", type="button", **{"data-open": one.id}, **marked
    )
    if not is_open:
        return element("li", name)
    tools = (
        element("button", "Rename", "fn-tool", type="button", **{"data-rename": one.id, "data-title": one.title})
        + element("button", "Delete", "fn-tool", type="button", **{"data-delete": one.id})
    )  # fmt: skip
    return element("li", name + element("div", tools, "fn-tools"), "fn-open-one")
