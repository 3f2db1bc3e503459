"""What a reader thinks of an answer: helpful or not, and why."""

from __future__ import annotations

from gradio import EventData, Request

from rag import record_feedback
from ui.chat.drawing import LONGEST_REASON, ChatDrawing, Drawing
from ui.conversations.conversation import Conversation, Exchange
from ui.server.login import identify_owner
from ui.shared import read_sent, show_errors


class FeedbackEvents:
    """Keeps what readers think, with the answer and in the file that `footnote eval` reads."""

    def __init__(self, drawing: ChatDrawing) -> None:
        self.drawing = drawing

    @show_errors
    def like(self, conversation: Conversation, request: Request, chosen: EventData) -> Drawing:
        """Keeps whether the answer helped, and asks why; the same again takes it back."""
        sent = read_sent(chosen)
        exchange, liked = conversation.exchange(sent.get("exchange")), sent.get("liked")
        if exchange and isinstance(liked, bool):
            exchange.liked, exchange.reason = None if exchange.liked is liked else liked, ""
            conversation.asks_why = None if exchange.liked is None else exchange.id
            self._keep(conversation, exchange, identify_owner(request))
        return {**self.drawing.draw_messages(conversation), **self.drawing.draw_notices(conversation)}

    @show_errors
    def say_why(self, conversation: Conversation, request: Request, chosen: EventData) -> Drawing:
        """Keeps the reason with the answer that it is about."""
        sent = read_sent(chosen)
        if exchange := conversation.exchange(sent.get("exchange")):
            exchange.reason = " ".join(str(sent.get("reason")).split())[:LONGEST_REASON]
            self._keep(conversation, exchange, identify_owner(request))
        conversation.asks_why = None
        return self.drawing.draw_notices(conversation)

    def _keep(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        self.drawing.history.save(owner, exchange)
        if exchange.answer:
            record_feedback(
                self.drawing.assistant.settings.home, f"{conversation.id}-{exchange.id}", exchange.answer,
                liked=exchange.liked, reason=exchange.reason, history=conversation.history(exchange),
            )  # fmt: skip

    def forget(self, conversation: str | None, exchange: Exchange) -> None:
        """Leaves nothing of a deleted exchange in the file of what readers think."""
        if exchange.answer and exchange.liked is not None:
            home = self.drawing.assistant.settings.home
            record_feedback(home, f"{conversation}-{exchange.id}", exchange.answer, liked=None)
