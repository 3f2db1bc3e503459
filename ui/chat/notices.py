"""What holds while the reader types, above the box, as safe HTML: restriction, editing, and a word on a judgement."""

from __future__ import annotations

from ui.conversations.conversation import Conversation
from ui.html.escaping import element, inert, shortened
from ui.html.papers import scope_in_words

LONGEST_REASON = 1000  # characters
_LONGEST_SCOPE = 300


def notices(conversation: Conversation) -> str:
    """All that is to be said; nothing where nothing is."""
    told = []
    if conversation.asks_why is not None:
        told.append(_why(conversation.asks_why))
    if scope := conversation.scope:
        words = element("p", inert(f"Asking only {shortened(scope_in_words(scope), _LONGEST_SCOPE)}"))
        told.append(words + _button("Ask the whole library", "unrestrict"))
    if edited := conversation.exchange(conversation.editing):
        is_last = edited is conversation.exchanges[-1]
        words = (
            "The new wording takes the place of your last question."
            if is_last
            else "The new wording continues in a copy; this conversation stays as it is."
        )
        told.append(element("p", words) + _button("Cancel", "unedit"))
    return "".join(element("div", each, "fn-notice") for each in told)


def _why(exchange: int) -> str:
    box = element("input", "", type="text", name="reason", maxlength=str(LONGEST_REASON))
    label = element("label", "Why? (optional; kept on this machine) " + box)
    return element("form", label + element("button", "Send", "fn-tool", type="submit"), data_why=str(exchange))


def _button(label: str, name: str) -> str:
    return element("button", label, "fn-tool", type="button", data_do=name)
