"""What the chat does: asks, shows, keeps and hands on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from rag import Filter, RagError, record_feedback, visible
from ui.chat.asking import Asking
from ui.chat.comparison_table import comparison
from ui.chat.layout import NOTHING_COMPARED, READY, RUNNING
from ui.chat.notices import LONGEST_REASON, notices
from ui.chat.suggested import suggested
from ui.chat.view import ChatView, Drawing
from ui.conversations.conversation import Conversation, Exchange, State
from ui.conversations.conversation_list import conversation_bar
from ui.conversations.downloads import Parcel, parcel
from ui.html.escaping import element, inert
from ui.map.view import overview
from ui.server.faults import clearly
from ui.server.owner import owner_of

_EXAMPLES = 4
_FOLLOW_UPS = 3
_LOOK_AGAIN_S = 0.5  # whether what is waited for has come
_LOOKS = 4  # at whether nobody asks, before suggestions are left out
_SHOW_STOP = f"() => ({json.dumps({**RUNNING, '__type__': 'update'})})"
_EMPTY = json.dumps({**RUNNING, "__type__": "update", "value": ""})
_TAKE_FROM_BOX = f"typed => window.footnote.take(typed, {_EMPTY})"
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Through the queue, too: else Gradio tells nobody that a state has changed.
_SOON: dict[str, Any] = {"concurrency_limit": None, **_PRIVATE}
_NOW: dict[str, Any] = {"queue": False, **_PRIVATE}


class ChatTab(ChatView):
    """What the events of the chat do."""

    def __init__(self, asking: Asking) -> None:
        """Lays the chat out where the page is being built."""
        super().__init__(asking.assistant, asking.history)
        self.asking = asking
        self.answering: dict[str | None, Conversation] = {}  # by the session of the tab

    def connect(self, page: gr.Blocks, tabs: gr.Tabs) -> None:
        """Connects the events of the chat, once everything is laid out."""
        given, panel = [self.conversation, self.scope], self.evidence
        drawn = [
            self.conversation, self.chat, self.evidence, self.bar, self.listed, self.notices, self.follow_ups,
            self.cited, self.compared,
        ]  # fmt: skip
        # The script alone changes the box, at once: what is typed next must neither be emptied away nor asked.
        self.question.submit(None, self.question, [self.typed, self.question], js=_TAKE_FROM_BOX, **_PRIVATE)
        for asked in (panel.ask, panel.retry, panel.without):
            asked(None, None, self.question, js=_SHOW_STOP, **_PRIVATE)
        # Gradio carries the events of one trigger out one after the other.
        for asked, ask, inputs in (
            (self.question.submit, self.ask, [self.typed, *given]),
            (panel.ask, self.ask_suggested, given),
            (panel.retry, self.retry, [self.conversation]),
            (panel.without, self.ask_without_model, [self.conversation]),
        ):
            answered = asked(ask, inputs, drawn, trigger_mode="multiple", **_SOON)
            ready = answered.then(self.ready, self.conversation, self.question, **_NOW)
            ready.then(self.suggest, self.conversation, self.follow_ups, **_SOON)
        self.question.stop(self.stop, self.conversation, None, **_NOW)
        page.unload(self.leave)

        opened = [*drawn, self.scope]
        page.load(self.open_page, given, opened, **_SOON)
        page.load(self.show_start, None, [self.examples, self.overview], **_SOON)
        self.new.click(self.start_anew, given, opened, **_SOON)
        self.listed.select(self.open_conversation, given, opened, **_SOON)
        self.listed.delete(self.delete, given, opened, **_SOON)
        renamed = [self.conversation, self.listed, self.bar]
        self.listed.edit(self.rename, self.conversation, renamed, **_SOON)
        searched = [self.conversation, self.listed]
        self.search.change(self.search_conversations, [self.search, self.conversation], searched, **_SOON)

        panel.select(self.show_evidence, self.conversation, [self.conversation, panel, self.cited], **_SOON)
        panel.compare(self.compare, self.conversation, [self.compared, tabs], **_SOON)
        panel.download(self.take_away, self.conversation, self.parcel, **_SOON)
        panel.like(self.like, self.conversation, [self.conversation, self.chat, self.notices], **_SOON)
        panel.why(self.say_why, self.conversation, [self.conversation, self.notices], **_SOON)
        edited = [self.conversation, self.question, self.scope, self.notices]
        panel.edit(self.edit, given, edited, **_SOON)
        panel.unedit(self.cancel_editing, given, edited, **_SOON)
        panel.unrestrict(lambda: None, None, self.scope, **_SOON)
        self.scope.change(self.restrict, given, [self.conversation, self.notices], **_SOON)

    # Asking.

    @clearly
    async def ask(
        self, question: str, conversation: Conversation, scope: Filter | None, request: gr.Request
    ) -> AsyncIterator[Drawing]:
        """A new question, or another wording of an earlier one."""
        owner = owner_of(request)
        if not conversation.opened:  # a quick reader asks before the page is told what it shows
            await self._open_address(conversation, scope, request)
            scope = conversation.scope
        if conversation.running or not visible(question).strip():
            yield self._drawn(conversation, owner)
            return
        self._catch_up(conversation, owner)
        edited = conversation.exchange(conversation.editing)
        if edited and edited is not conversation.exchanges[-1]:
            self._branch(conversation, edited, owner)
            edited = None
        exchange = Exchange(question, scope=scope)
        async for drawing in self._answered(exchange, conversation, request, replaces=edited):
            yield drawing

    @clearly
    async def ask_suggested(
        self, conversation: Conversation, scope: Filter | None, request: gr.Request, chosen: gr.EventData
    ) -> AsyncIterator[Drawing]:
        """A question that was offered."""
        offered = chosen._data.get("question")
        question = offered if isinstance(offered, str) else ""
        async for drawing in self.ask(question, conversation, scope, request):
            yield drawing

    @clearly
    async def retry(self, conversation: Conversation, request: gr.Request) -> AsyncIterator[Drawing]:
        """The last question again, in place of its answer."""
        owner = owner_of(request)
        if conversation.running or not conversation.exchanges:
            yield self._drawn(conversation, owner)
            return
        last = conversation.exchanges[-1]
        self._catch_up(conversation, owner)
        still = conversation.exchange(last.id)
        replaced = still if still and still is conversation.exchanges[-1] else None
        again = Exchange(last.question, scope=last.scope)
        async for drawing in self._answered(again, conversation, request, replaces=replaced):
            yield drawing

    @clearly
    async def ask_without_model(self, conversation: Conversation, request: gr.Request) -> AsyncIterator[Drawing]:
        """The last question again, below what the language model left of an answer."""
        if conversation.running or not conversation.exchanges:
            yield self._drawn(conversation, owner_of(request))
            return
        last = conversation.exchanges[-1]
        again = Exchange(last.question, scope=last.scope)
        async for drawing in self._answered(again, conversation, request, extractive=True):
            yield drawing

    async def _answered(
        self,
        exchange: Exchange,
        conversation: Conversation,
        request: gr.Request,
        *,
        replaces: Exchange | None = None,
        extractive: bool = False,
    ) -> AsyncIterator[Drawing]:
        """What the page shows until the answer is complete.

        Args:
            replaces: What is there until then, and not a moment less.
        """
        owner = owner_of(request)
        before = conversation.history(conversation.exchanges[-1] if extractive else replaces)
        conversation.id = self.history.add(owner, conversation.id, exchange)
        conversation.begin(exchange)
        stop = conversation.stop
        self.answering[request.session_hash] = conversation
        drawing = self._drawn(conversation, owner)
        yield drawing
        found = False
        try:
            async for _ in self.asking.answered(exchange, before, stop, owner, extractive=extractive):
                if not conversation.shows(exchange):  # another conversation was opened meanwhile
                    continue
                drawing |= {self.chat: self._messages(conversation), **self._around(conversation, owner)}
                if replaces and exchange.state is State.DONE:
                    self._remove(conversation, replaces, owner)
                    drawing[self.chat] = self._messages(conversation)
                if not exchange.running or (exchange.passages is not None and not found):
                    found = True
                    drawing |= self._evidence_of(exchange)
                yield drawing
            if not conversation.shows(exchange):  # what was drawn last may have come behind what was opened
                yield self._drawn(conversation, owner)
        finally:
            if conversation.mine is None or conversation.mine is exchange:  # no other runs in the tab by now
                self.answering.pop(request.session_hash, None)

    async def suggest(self, conversation: Conversation) -> str:
        """Questions to go on with after the last answer, once nobody waits for an answer of their own."""
        exchange = conversation.exchanges[-1] if conversation.exchanges else None
        if exchange is None or exchange.answer is None:
            return ""
        for _ in range(_LOOKS):
            if not self.asking.turnstile.busy:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            return ""  # others need the processor more
        asked = [each.question for each in conversation.exchanges]
        try:
            offered = await asyncio.to_thread(
                self.assistant.follow_ups, exchange.answer, _FOLLOW_UPS, asked=asked, where=exchange.scope
            )
        except RagError:  # the library may have gone since; the next question says so
            return ""
        is_last = conversation.exchanges and conversation.exchanges[-1] is exchange
        return suggested(offered, "You could ask next") if is_last else ""

    def _branch(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        """Goes on in a copy of the conversation that ends before an exchange."""
        conversation.id = self.history.branch(owner, str(conversation.id), before=exchange.id or 0)
        conversation.exchanges = self.history.exchanges(owner, conversation.id) if conversation.id else []

    def _remove(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        """Removes an exchange that another one stands for now, and what was thought of it."""
        self.history.remove(owner, exchange)
        self._forget_feedback(conversation.id, exchange)
        conversation.exchanges = [each for each in conversation.exchanges if each is not exchange]

    def _catch_up(self, conversation: Conversation, owner: str) -> None:
        """Reads what another tab has added to the conversation, or that it was deleted there."""
        if conversation.id is None:
            return
        kept = self.history.states(owner, conversation.id)
        if kept != [(exchange.id, exchange.state) for exchange in conversation.exchanges]:
            conversation.exchanges = self.history.exchanges(owner, conversation.id)
            conversation.id = conversation.id if kept else None

    def ready(self, conversation: Conversation) -> Any:
        """The box when an answer has come, or was never begun."""
        return gr.update(**(RUNNING if conversation.running else READY))

    async def stop(self, conversation: Conversation) -> None:
        """Ends the answer that is being written, and hangs up on the language model."""
        conversation.stop.set()

    async def leave(self, request: gr.Request) -> None:
        """Nobody reads on in a tab that was closed; Gradio itself would notice at the next drawing only."""
        if conversation := self.answering.get(request.session_hash):
            conversation.leave()

    # What the page shows.

    @clearly
    async def open_page(self, conversation: Conversation, scope: Filter | None, request: gr.Request) -> Drawing:
        """The conversation that the page's address names, or none yet."""
        await self._open_address(conversation, scope, request)
        if conversation.mine:  # a question was quicker, and what it draws must not be drawn over
            return {self.scope: conversation.scope}
        return {**self._drawn(conversation, owner_of(request)), self.scope: conversation.scope}

    async def _open_address(self, conversation: Conversation, scope: Filter | None, request: gr.Request) -> None:
        """Turns to the conversation that the page's address names, where the reader has not turned to one."""
        wanted = request.query_params.get("c")
        exchanges = await self._kept(wanted, owner_of(request))
        if not conversation.opened:
            chosen = scope or conversation.scope  # by a reader who was in the other tabs already
            conversation.turn_to(wanted, exchanges, chosen)
            conversation.scope = chosen or conversation.scope

    @clearly
    async def open_conversation(
        self, conversation: Conversation, scope: Filter | None, request: gr.Request, chosen: gr.EventData
    ) -> Drawing:
        """The conversation whose title was clicked."""
        return await self._opened(chosen._data.get("id"), conversation, scope, request)

    @clearly
    async def start_anew(self, conversation: Conversation, scope: Filter | None, request: gr.Request) -> Drawing:
        """An empty conversation; it is kept from its first question on."""
        return await self._opened(None, conversation, scope, request)

    async def _opened(
        self, wanted: object, conversation: Conversation, scope: Filter | None, request: gr.Request
    ) -> Drawing:
        owner = owner_of(request)
        if wanted is None or wanted != conversation.id or not conversation.running:
            exchanges = await self._kept(wanted, owner)
            # In the event loop, where answers are drawn, not in a thread beside it.
            conversation.turn_to(wanted, exchanges, scope)
            scope = conversation.scope
        return {**self._drawn(conversation, owner), self.scope: scope}

    async def _kept(self, wanted: object, owner: str) -> list[Exchange]:
        """The exchanges of a conversation by the id that came from the browser; none where there is none of it."""
        return await asyncio.to_thread(self.history.exchanges, owner, wanted) if isinstance(wanted, str) else []

    async def show_start(self) -> AsyncIterator[Drawing]:
        """Questions that the library answers, and what is in it; once more when a first ingest is done."""
        yield await asyncio.to_thread(self._start)
        if self.assistant.is_preparing:
            while self.assistant.is_preparing:
                await asyncio.sleep(_LOOK_AGAIN_S)
            yield await asyncio.to_thread(self._start)
        try:
            told = overview(await asyncio.to_thread(self.assistant.overview))  # the first time it takes some seconds
        except RagError:
            told = ""
        yield {self.examples: (await asyncio.to_thread(self._start))[self.examples], self.overview: told}

    def _start(self) -> Drawing:
        try:
            questions = self.assistant.example_questions(_EXAMPLES)
        except RagError:
            questions = []  # the first question says what is wrong with the library
        reading = element("p", "Reading in the example papers; this takes a minute, once.", "fn-note")
        waits = not questions and self.assistant.is_preparing
        return {self.examples: suggested(questions), self.overview: reading if waits else ""}

    def show_evidence(self, conversation: Conversation, chosen: gr.EventData) -> Drawing:
        """The evidence of the exchange whose link was clicked."""
        exchange = conversation.exchange(chosen._data.get("exchange"))
        conversation.shown = exchange.id if exchange else None
        return {self.conversation: conversation, **self._evidence_of(exchange)}

    async def compare(self, conversation: Conversation, chosen: gr.EventData) -> Drawing | tuple[Any, Any]:
        """The papers of an answer side by side, in a tab of their own."""
        exchange = conversation.exchange(chosen._data.get("exchange"))
        if exchange is None or exchange.answer is None:
            return NOTHING_COMPARED, gr.Tabs(selected="compare")
        try:
            table = comparison(await asyncio.to_thread(self.assistant.compare, exchange.answer))
        except RagError as error:
            table = element("p", inert(str(error)), "fn-error")
        # The page's script goes from a cell to the card of this exchange.
        return element("div", table, data_exchange=str(exchange.id)), gr.Tabs(selected="compare")

    # What can be done to what was said.

    def edit(self, conversation: Conversation, scope: Filter | None, chosen: gr.EventData) -> Drawing:
        """Puts an earlier question into the box, restricted as it was."""
        exchange = conversation.exchange(chosen._data.get("exchange"))
        if exchange is None or conversation.running:
            return self._editing(conversation, scope, "")
        conversation.editing, conversation.scope_before = exchange.id, scope
        return self._editing(conversation, exchange.scope, exchange.question)

    def cancel_editing(self, conversation: Conversation, scope: Filter | None) -> Drawing:
        """Back to asking something new, of what was asked before."""
        if conversation.editing is not None:
            conversation.editing, scope = None, conversation.scope_before
        return self._editing(conversation, scope, "")

    def _editing(self, conversation: Conversation, scope: Filter | None, question: str) -> Drawing:
        conversation.scope = scope
        return {
            self.conversation: conversation,
            self.question: question,
            self.scope: scope,
            self.notices: notices(conversation),
        }

    def restrict(self, conversation: Conversation, scope: Filter | None) -> Drawing:
        """Says what the chat is restricted to, for as long as it is."""
        conversation.scope = scope
        return {self.conversation: conversation, self.notices: notices(conversation)}

    @clearly
    def like(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Keeps what the reader thinks of an answer, and asks why; the same again takes it back."""
        exchange, liked = conversation.exchange(chosen._data.get("exchange")), chosen._data.get("liked")
        if exchange and isinstance(liked, bool):
            exchange.liked, exchange.reason = None if exchange.liked is liked else liked, ""
            conversation.asks_why = None if exchange.liked is None else exchange.id
            self._keep_feedback(conversation, exchange, owner_of(request))
        return {
            self.conversation: conversation,
            self.chat: self._messages(conversation),
            self.notices: notices(conversation),
        }

    @clearly
    def say_why(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Keeps the reason with the answer that it is about."""
        exchange = conversation.exchange(chosen._data.get("exchange"))
        if exchange:
            exchange.reason = " ".join(str(chosen._data.get("reason")).split())[:LONGEST_REASON]
            self._keep_feedback(conversation, exchange, owner_of(request))
        conversation.asks_why = None
        return {self.conversation: conversation, self.notices: notices(conversation)}

    def _keep_feedback(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        self.history.save(owner, exchange)
        if exchange.answer:
            record_feedback(
                self.assistant.settings.home, f"{conversation.id}-{exchange.id}", exchange.answer,
                liked=exchange.liked, reason=exchange.reason, history=conversation.history(exchange),
            )  # fmt: skip

    def _forget_feedback(self, conversation: str | None, exchange: Exchange) -> None:
        """Nothing of what is deleted stays in the file of what readers think."""
        if exchange.answer and exchange.liked is not None:
            key = f"{conversation}-{exchange.id}"
            record_feedback(self.assistant.settings.home, key, exchange.answer, liked=None)

    @clearly
    def take_away(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Parcel:
        """Hands the browser a text to copy or to save; it is nowhere on the disk."""
        exchange, kind = conversation.exchange(chosen._data.get("exchange")), str(chosen._data.get("kind"))
        return parcel(kind, self._title(conversation, owner_of(request)), conversation, exchange, self.assistant)

    # The reader's conversations.

    @clearly
    def search_conversations(self, search: str, conversation: Conversation, request: gr.Request) -> Drawing:
        """Those that have the words of the search."""
        conversation.search = search
        return {self.conversation: conversation, self.listed: self._listed(conversation, owner_of(request))}

    @clearly
    def rename(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Gives a conversation the title that was typed."""
        owner, wanted, title = owner_of(request), chosen._data.get("id"), chosen._data.get("title")
        if isinstance(wanted, str) and isinstance(title, str):
            self.history.rename(owner, wanted, title)
        return {
            self.conversation: conversation,
            self.listed: self._listed(conversation, owner),
            self.bar: conversation_bar(conversation.id, self._title(conversation, owner)),
        }

    @clearly
    async def delete(
        self, conversation: Conversation, scope: Filter | None, request: gr.Request, chosen: gr.EventData
    ) -> Drawing:
        """Deletes a conversation for good, and leaves it where it is the open one."""
        wanted = chosen._data.get("id")
        if isinstance(wanted, str):
            for exchange in self.history.exchanges(owner_of(request), wanted):
                self._forget_feedback(wanted, exchange)
            self.history.delete(owner_of(request), wanted)
        if wanted == conversation.id:
            return await self._opened(None, conversation, scope, request)
        return {**self._drawn(conversation, owner_of(request)), self.scope: scope}
