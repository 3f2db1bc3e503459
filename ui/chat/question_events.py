"""Asks, asks again or differently, and stops: what the page shows from a question to its complete answer."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio import EventData, Request

from rag import check_question, visible
from ui.chat.asking import Asking
from ui.chat.conversation_events import ConversationEvents
from ui.chat.drawing import ChatDrawing, Drawing, Drawings, Scope
from ui.chat.layout import READY, RUNNING
from ui.conversations.conversation import Conversation, Exchange, State
from ui.server.login import identify_owner
from ui.shared import read_sent, show_errors


class QuestionEvents:
    """What a reader does to have questions answered.

    Attributes:
        answering: The conversation in which an answer is being written, by the session of its tab.
    """

    def __init__(self, drawing: ChatDrawing, asking: Asking, conversations: ConversationEvents) -> None:
        self.drawing, self.asking, self.conversations = drawing, asking, conversations
        self.history = drawing.history
        self.answering: dict[str | None, Conversation] = {}

    @show_errors
    async def ask(self, question: str, conversation: Conversation, scope: Scope, request: Request) -> Drawings:
        """Asks a new question, or another wording of an earlier one."""
        owner = identify_owner(request)
        if not conversation.opened:  # a quick reader asks before the page is told what it shows
            await self.conversations.open_address(conversation, scope, request)
            scope = conversation.scope
        if conversation.running or not visible(question).strip():
            yield self.drawing.draw_all(conversation, owner)
            return
        check_question(question)  # what is refused is not kept
        self._catch_up(conversation, owner)
        edited = conversation.exchange(conversation.editing)
        if edited and edited is not conversation.exchanges[-1]:
            self._branch(conversation, edited, owner)
            edited = None
        exchange = Exchange(question, scope=scope)
        async for drawing in self._answer(exchange, conversation, request, replaces=edited):
            yield drawing

    @show_errors
    async def ask_suggested(
        self, conversation: Conversation, scope: Scope, request: Request, chosen: EventData
    ) -> Drawings:
        """Asks a question that was offered."""
        offered = read_sent(chosen).get("question")
        question = offered if isinstance(offered, str) else ""
        async for drawing in self.ask(question, conversation, scope, request):
            yield drawing

    @show_errors
    async def retry(self, conversation: Conversation, request: Request) -> Drawings:
        """Asks the last question again, in place of its answer."""
        async for drawing in self._ask_again(conversation, request, extractive=False):
            yield drawing

    @show_errors
    async def ask_without_model(self, conversation: Conversation, request: Request) -> Drawings:
        """Asks the last question again, below what the language model left of an answer."""
        async for drawing in self._ask_again(conversation, request, extractive=True):
            yield drawing

    async def _ask_again(self, conversation: Conversation, request: Request, *, extractive: bool) -> Drawings:
        owner, replaced = identify_owner(request), None
        if conversation.running or not conversation.exchanges:
            yield self.drawing.draw_all(conversation, owner)
            return
        last = conversation.exchanges[-1]
        if not extractive:
            self._catch_up(conversation, owner)
            replaced = next((each for each in conversation.exchanges[-1:] if each.id == last.id), None)
        again = Exchange(last.question, scope=last.scope)
        async for drawing in self._answer(again, conversation, request, replaces=replaced, extractive=extractive):
            yield drawing

    async def _answer(
        self,
        exchange: Exchange,
        conversation: Conversation,
        request: Request,
        *,
        replaces: Exchange | None = None,
        extractive: bool = False,
    ) -> Drawings:
        """What the page shows until the answer is complete.

        Args:
            replaces: What is there until then, and not a moment less.
        """
        owner = identify_owner(request)
        before = conversation.history(conversation.exchanges[-1] if extractive else replaces)
        conversation.id = self.history.add(owner, conversation.id, exchange)
        conversation.begin(exchange)
        stop = conversation.stop
        self.answering[request.session_hash] = conversation
        drawing = self.drawing.draw_all(conversation, owner)
        yield drawing
        found = False
        try:
            async for _ in self.asking.answered(exchange, before, stop, owner, extractive=extractive):
                if not conversation.shows(exchange):  # another conversation was opened meanwhile
                    continue
                if replaces and exchange.state is State.DONE:
                    self._remove(conversation, replaces, owner)
                drawing |= self.drawing.draw_messages(conversation)
                drawing |= self.drawing.draw_surroundings(conversation, owner)
                if not exchange.running or (exchange.passages is not None and not found):
                    found = True
                    drawing |= self.drawing.draw_evidence(exchange)
                yield drawing
            if not conversation.shows(exchange):  # what was drawn last may have come behind what was opened
                yield self.drawing.draw_all(conversation, owner)
        finally:
            if conversation.mine is None or conversation.mine is exchange:  # no other runs in the tab by now
                self.answering.pop(request.session_hash, None)

    def _branch(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        """Goes on in a copy of the conversation that ends before an exchange."""
        conversation.id = self.history.branch(owner, str(conversation.id), before=exchange.id or 0)
        conversation.exchanges = self.history.read_exchanges(owner, conversation.id) if conversation.id else []

    def _remove(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        """Removes an exchange that another one stands for now, and what was thought of it."""
        self.history.remove(owner, exchange)
        self.conversations.feedback.forget(conversation.id, exchange)
        conversation.exchanges = [each for each in conversation.exchanges if each is not exchange]

    def _catch_up(self, conversation: Conversation, owner: str) -> None:
        """Reads what another tab has added to the conversation, or that it was deleted there."""
        if conversation.id is None:
            return
        kept = self.history.read_states(owner, conversation.id)
        if kept != [(exchange.id, exchange.state) for exchange in conversation.exchanges]:
            conversation.exchanges = self.history.read_exchanges(owner, conversation.id)
            conversation.id = conversation.id if kept else None

    def update_box(self, conversation: Conversation) -> Any:
        """Shows the button of the box when an answer has come, or was never begun."""
        return gr.update(**(RUNNING if conversation.running else READY))

    async def stop(self, conversation: Conversation) -> None:
        """Ends the answer that is being written, and hangs up on the language model."""
        conversation.stop.set()

    async def leave(self, request: Request) -> None:
        """Ends the answer of a tab that was closed; Gradio itself would notice at the next drawing only."""
        if conversation := self.answering.get(request.session_hash):
            conversation.leave()


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
