"""How the chat shows a conversation: what each component of its layout holds then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter
from ui.chat.answer_view import draw_question, draw_reply
from ui.chat.evidence_panel import draw_evidence, draw_no_evidence
from ui.compare import NOTHING_COMPARED
from ui.conversations.conversation import Conversation, Exchange, list_cited_papers
from ui.html.templates import fill
from ui.shared import read_sent

if TYPE_CHECKING:
    from rag import Assistant
    from ui.chat.layout import ChatLayout
    from ui.conversations.history import History

# A component and its new value. A handler's drawing names every output of its event: for one that is left out Gradio
# makes the component anew, which takes longer than all the rest.
Drawing = dict[Any, Any]
Drawings = AsyncIterator[Drawing]
Scope = Filter | None  # the papers that are asked; None for the whole library

LONGEST_REASON = 1000  # characters
_LONGEST_SCOPE = 300


class ChatDrawing:
    """Draws conversations on the components of the chat."""

    def __init__(self, layout: ChatLayout, assistant: Assistant, history: History) -> None:
        self.layout, self.assistant, self.history = layout, assistant, history

    def draw_all(self, conversation: Conversation, owner: str) -> Drawing:
        """A conversation as it stands."""
        return {
            self.layout.conversation: conversation,
            **self.draw_messages(conversation),
            **self.draw_evidence(conversation.in_view),
            **self.draw_surroundings(conversation, owner),
            self.layout.follow_ups: "",
            self.layout.compared: NOTHING_COMPARED,
        }

    def draw_evidence(self, exchange: Exchange | None) -> Drawing:
        """The evidence of one exchange, and for the other tabs the ids of the papers that it cites, each once."""
        answer = exchange.answer if exchange else None
        return {
            self.layout.evidence: draw_evidence(exchange, exchange.id or 0) if exchange else draw_no_evidence(),
            self.layout.cited: tuple(paper.id for paper in list_cited_papers([answer])),
        }

    def show_evidence(self, conversation: Conversation, chosen: gr.EventData) -> Drawing:
        """The evidence of the exchange whose link was clicked."""
        exchange = conversation.exchange(read_sent(chosen).get("exchange"))
        conversation.shown = exchange.id if exchange else None
        return {self.layout.conversation: conversation, **self.draw_evidence(exchange)}

    def draw_surroundings(self, conversation: Conversation, owner: str) -> Drawing:
        """What the reader may change while an answer is written."""
        return {
            **self.draw_bar(conversation, owner),
            **self.draw_list(conversation, owner),
            self.layout.notices: _draw_notices(conversation),
        }

    def draw_bar(self, conversation: Conversation, owner: str) -> Drawing:
        """The line above the conversation."""
        title = self.history.read_title(owner, conversation.id)
        return {self.layout.bar: fill("conversations/bar.html", conversation=conversation.id, title=title)}

    def draw_list(self, conversation: Conversation, owner: str) -> Drawing:
        """The reader's conversations."""
        found = self.history.find_conversations(owner, conversation.search)
        listed = fill("conversations/list.html", listed=found, current=conversation.id, search=conversation.search)
        return {self.layout.listed: listed}

    def draw_notices(self, conversation: Conversation) -> Drawing:
        """What holds while the reader types."""
        return {self.layout.conversation: conversation, self.layout.notices: _draw_notices(conversation)}

    def draw_messages(self, conversation: Conversation) -> Drawing:
        """Questions and answers."""
        settings, said = self.assistant.settings, []
        reading = settings.llm_passages if settings.llm_configured else 0
        for exchange in conversation.exchanges:
            reply = draw_reply(
                exchange, exchange.id or 0, is_last=exchange is conversation.exchanges[-1],
                so_far=conversation.usage(exchange), reading=reading, is_mine=exchange is conversation.mine,
            )  # fmt: skip
            said += [
                {"role": "user", "content": draw_question(exchange.question, exchange.id or 0)},
                {"role": "assistant", "content": reply},
            ]
        return {self.layout.chat: said}


def _draw_notices(conversation: Conversation) -> str:
    """What the next question is asked of, what it replaces, and a word on a judgement; nothing where nothing holds."""
    return fill(
        "chat/notices.html", conversation=conversation, edited=conversation.exchange(conversation.editing),
        longest_reason=LONGEST_REASON, longest_scope=_LONGEST_SCOPE,
    )  # fmt: skip
