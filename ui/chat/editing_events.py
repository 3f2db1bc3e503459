"""Asking an earlier question differently, and asking only some of the papers."""

from __future__ import annotations

from gradio import EventData

from ui.chat.drawing import ChatDrawing, Drawing, Scope
from ui.conversations.conversation import Conversation
from ui.shared import read_sent


class EditingEvents:
    """Changes what the box holds, and which papers the next question is asked of."""

    def __init__(self, drawing: ChatDrawing) -> None:
        self.drawing = drawing

    def edit(self, conversation: Conversation, scope: Scope, chosen: EventData) -> Drawing:
        """Puts an earlier question into the box, restricted as it was."""
        exchange = conversation.exchange(read_sent(chosen).get("exchange"))
        if exchange is None or conversation.running:
            return self._draw_box(conversation, scope, "")
        conversation.editing, conversation.scope_before = exchange.id, scope
        return self._draw_box(conversation, exchange.scope, exchange.question)

    def cancel_editing(self, conversation: Conversation, scope: Scope) -> Drawing:
        """Goes back to asking something new, of what was asked before."""
        if conversation.editing is not None:
            conversation.editing, scope = None, conversation.scope_before
        return self._draw_box(conversation, scope, "")

    def _draw_box(self, conversation: Conversation, scope: Scope, question: str) -> Drawing:
        layout = self.drawing.layout
        return {layout.question: question, layout.scope: scope, **self.restrict(conversation, scope)}

    def restrict(self, conversation: Conversation, scope: Scope) -> Drawing:
        """Asks only these papers from now on, and says so for as long as it holds."""
        conversation.scope = scope
        return self.drawing.draw_notices(conversation)
