"""What holds while the reader types, above the box, as safe HTML: restriction, editing, and a word on a judgement."""

from __future__ import annotations

from ui.conversations.conversation import Conversation
from ui.html.escaping import button, element, escape, shorten
from ui.html.paper_parts import describe_filter

LONGEST_REASON = 1000  # characters
_LONGEST_SCOPE = 300


def draw_notices(conversation: Conversation) -> str:
    """All that is to be said; nothing where nothing is."""
    notices = []
    if conversation.asks_why is not None:
        notices.append(_draw_reason_form(conversation.asks_why))
    if scope := conversation.scope:
        words = element("p", escape(f"Asking only {shorten(describe_filter(scope), _LONGEST_SCOPE)}"))
        notices.append(words + button("Ask the whole library", "fn-tool", data_do="unrestrict"))
    if edited := conversation.exchange(conversation.editing):
        is_last = edited is conversation.exchanges[-1]
        words = (
            "The new wording takes the place of your last question."
            if is_last
            else "The new wording continues in a copy; this conversation stays as it is."
        )
        notices.append(element("p", words) + button("Cancel", "fn-tool", data_do="unedit"))
    return "".join(element("div", each, "fn-notice") for each in notices)


def _draw_reason_form(exchange_id: int) -> str:
    box = element("input", "", type="text", name="reason", maxlength=str(LONGEST_REASON))
    label = element("label", "Why? (optional; kept on this machine) " + box)
    send = element("button", "Send", "fn-tool", type="submit")
    return element("form", label + send, data_why=str(exchange_id))
