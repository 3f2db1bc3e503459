"""Opens, searches, renames, deletes and downloads conversations."""

from __future__ import annotations

import asyncio

from gradio import EventData, Request

from ui.chat.drawing import ChatDrawing, Drawing, Scope
from ui.chat.feedback_events import FeedbackEvents
from ui.conversations.conversation import Conversation, Exchange
from ui.conversations.downloads import Download, make_download
from ui.server.login import identify_owner
from ui.shared import read_sent, show_errors


class ConversationEvents:
    """What a reader does with conversations as a whole; all state is the tab's `Conversation`."""

    def __init__(self, drawing: ChatDrawing, feedback: FeedbackEvents) -> None:
        self.drawing, self.history, self.feedback = drawing, drawing.history, feedback

    @show_errors
    async def open_page(self, conversation: Conversation, scope: Scope, request: Request) -> Drawing:
        """Opens the conversation that the page's address names, or none yet."""
        await self.open_address(conversation, scope, request)
        if conversation.mine:  # a question was quicker, and what it draws must not be drawn over
            return {self.drawing.layout.scope: conversation.scope}
        return self._draw_opened(conversation, conversation.scope, identify_owner(request))

    async def open_address(self, conversation: Conversation, scope: Scope, request: Request) -> None:
        """Turns to the conversation that the page's address names, where the reader has not turned to one."""
        wanted = request.query_params.get("c")
        exchanges = await self._read(wanted, identify_owner(request))
        if not conversation.opened:
            chosen = scope or conversation.scope  # by a reader who was in the other tabs already
            conversation.turn_to(wanted, exchanges, chosen)
            conversation.scope = chosen or conversation.scope

    @show_errors
    async def open(self, conversation: Conversation, scope: Scope, request: Request, chosen: EventData) -> Drawing:
        """Opens the conversation whose title was clicked."""
        return await self._open(read_sent(chosen).get("id"), conversation, scope, request)

    @show_errors
    async def start_anew(self, conversation: Conversation, scope: Scope, request: Request) -> Drawing:
        """Opens an empty conversation; it is kept from its first question on."""
        return await self._open(None, conversation, scope, request)

    async def _open(self, wanted: object, conversation: Conversation, scope: Scope, request: Request) -> Drawing:
        owner = identify_owner(request)
        if wanted is None or wanted != conversation.id or not conversation.running:
            exchanges = await self._read(wanted, owner)
            # In the event loop, where answers are drawn, not in a thread beside it.
            conversation.turn_to(wanted, exchanges, scope)
            scope = conversation.scope
        return self._draw_opened(conversation, scope, owner)

    def _draw_opened(self, conversation: Conversation, scope: Scope, owner: str) -> Drawing:
        return {**self.drawing.draw_all(conversation, owner), self.drawing.layout.scope: scope}

    async def _read(self, wanted: object, owner: str) -> list[Exchange]:
        """The exchanges of a conversation by the id that came from the browser; none where there is none of it."""
        return await asyncio.to_thread(self.history.read_exchanges, owner, wanted) if isinstance(wanted, str) else []

    @show_errors
    def search(self, words: str, conversation: Conversation, request: Request) -> Drawing:
        """Lists the conversations that have these words."""
        conversation.search = words
        listed = self.drawing.draw_list(conversation, identify_owner(request))
        return {self.drawing.layout.conversation: conversation, **listed}

    @show_errors
    def rename(self, conversation: Conversation, request: Request, chosen: EventData) -> Drawing:
        """Gives a conversation the title that was typed."""
        owner, sent = identify_owner(request), read_sent(chosen)
        wanted, title = sent.get("id"), sent.get("title")
        if isinstance(wanted, str) and isinstance(title, str):
            self.history.rename(owner, wanted, title)
        return {
            self.drawing.layout.conversation: conversation,
            **self.drawing.draw_list(conversation, owner),
            **self.drawing.draw_bar(conversation, owner),
        }

    @show_errors
    async def delete(self, conversation: Conversation, scope: Scope, request: Request, chosen: EventData) -> Drawing:
        """Deletes a conversation for good, and leaves it where it is the open one."""
        owner, wanted = identify_owner(request), read_sent(chosen).get("id")
        if isinstance(wanted, str):
            for exchange in self.history.read_exchanges(owner, wanted):
                self.feedback.forget(wanted, exchange)
            self.history.delete(owner, wanted)
        if wanted == conversation.id:
            return await self._open(None, conversation, scope, request)
        return self._draw_opened(conversation, scope, owner)

    @show_errors
    async def download(self, conversation: Conversation, request: Request, chosen: EventData) -> Download:
        """Hands the browser a text to copy or to save; it is nowhere on the disk."""
        sent, title = read_sent(chosen), self.history.read_title(identify_owner(request), conversation.id)
        exchange = conversation.exchange(sent.get("exchange"))
        return make_download(str(sent.get("kind")), title, conversation, exchange, self.drawing.assistant)
