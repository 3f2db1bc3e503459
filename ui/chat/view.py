"""How the chat shows a conversation: what each part of its layout holds then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ui.chat import answer_view
from ui.chat.evidence_panel import evidence, no_evidence
from ui.chat.layout import NOTHING_COMPARED, ChatLayout
from ui.chat.notices import notices
from ui.conversations.conversation import Conversation, Exchange
from ui.conversations.conversation_list import conversation_bar, conversation_list

if TYPE_CHECKING:
    from rag import Assistant
    from ui.conversations.history import History

# A component and its new value. A handler's drawing names every output of its event: for one that is left out Gradio
# makes the component anew, which takes longer than all the rest.
Drawing = dict[Any, Any]


class ChatView(ChatLayout):
    """Draws conversations on the components of the chat."""

    def __init__(self, assistant: Assistant, history: History) -> None:
        """Lays the chat out where the page is being built."""
        super().__init__()
        self.assistant, self.history = assistant, history

    def _drawn(self, conversation: Conversation, owner: str) -> Drawing:
        """A conversation as it stands."""
        return {
            self.conversation: conversation,
            self.chat: self._messages(conversation),
            **self._evidence_of(conversation.in_view),
            **self._around(conversation, owner),
            self.follow_ups: "",
            self.compared: NOTHING_COMPARED,
        }

    def _evidence_of(self, exchange: Exchange | None) -> Drawing:
        """The evidence of one exchange, and for the other tabs the ids of the papers that it cites, each once."""
        answer = exchange.answer if exchange else None
        return {
            self.evidence: evidence(exchange, exchange.id or 0) if exchange else no_evidence(),
            self.cited: tuple(dict.fromkeys(each.paper.id for each in answer.citations)) if answer else (),
        }

    def _around(self, conversation: Conversation, owner: str) -> Drawing:
        """What the reader may change while an answer is written."""
        return {
            self.bar: conversation_bar(conversation.id, self._title(conversation, owner)),
            self.listed: self._listed(conversation, owner),
            self.notices: notices(conversation),
        }

    def _listed(self, conversation: Conversation, owner: str) -> str:
        found = self.history.listed(owner, conversation.search)
        return conversation_list(found, conversation.id, conversation.search)

    def _title(self, conversation: Conversation, owner: str) -> str:
        return (self.history.title(owner, conversation.id) if conversation.id else None) or ""

    def _messages(self, conversation: Conversation) -> list[dict[str, str]]:
        settings = self.assistant.settings
        reading = settings.llm_passages if settings.llm_configured else 0
        said = []
        for exchange in conversation.exchanges:
            reply = answer_view.message(
                exchange, exchange.id or 0, is_last=exchange is conversation.exchanges[-1],
                so_far=conversation.usage(exchange), reading=reading, is_mine=exchange is conversation.mine,
            )  # fmt: skip
            said += [
                {"role": "user", "content": answer_view.question(exchange.question, exchange.id or 0)},
                {"role": "assistant", "content": reply},
            ]
        return said
