"""What the chat hands the page, event by event: in an order in which a browser rarely sees it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest

from rag import Filter
from tests.ui.conftest import QUESTION, SeedAssistant
from ui.chat.asking import Asking
from ui.chat.tab import ChatTab
from ui.conversations.conversation import Conversation, Exchange, State
from ui.conversations.history import History
from ui.server.login import identify_owner
from ui.shared import Shared


def request_of(address: dict[str, str]) -> gr.Request:
    who = {"username": "reader", "session_hash": "tab", "query_params": address}
    return cast("gr.Request", type("Request", (), who)())


REQUEST = request_of({})


async def chat_of(assistant: SeedAssistant, history: History | None = None) -> ChatTab:
    """Made where an event loop runs; elsewhere Gradio makes one for each of its locks, and closes none."""
    asking = Asking(cast("Any", assistant), history or History(assistant.settings.home))
    with gr.Blocks():
        shared = Shared(gr.Tabs(), gr.State(None), gr.State(()), gr.HTML())
        return ChatTab(asking, shared)


def test_a_drawing_that_comes_late_does_not_stay_on_the_page(assistant: SeedAssistant) -> None:
    """The page shows what reaches it last: an answer's drawing may do so behind the conversation opened meanwhile."""

    async def left_at_once() -> None:
        chat, conversation, drawings = await chat_of(assistant), Conversation(), []
        async for drawing in chat.questions.ask(f"slowly: {QUESTION}", conversation, None, REQUEST):
            if not drawings:
                await chat.conversations.start_anew(conversation, None, REQUEST)
            drawings.append(dict(drawing))
        late, *_, last = drawings
        assert late[chat.layout.chat]
        assert last[chat.layout.chat] == []
        assert last[chat.layout.conversation] is conversation
        assert (conversation.id, conversation.exchanges, conversation.running) == (None, [], False)
        kept = chat.drawing.history.find_conversations(identify_owner(REQUEST))[0].id
        assert [exchange.state for exchange in chat.drawing.history.read_exchanges(identify_owner(REQUEST), kept)] == [
            State.STOPPED
        ]
        assert not chat.questions.answering

    asyncio.run(left_at_once())


def test_opening_the_conversation_that_is_open_does_not_end_its_answer(assistant: SeedAssistant) -> None:
    async def opened_again() -> None:
        chat, conversation = await chat_of(assistant), Conversation()
        asked = chat.questions.ask(QUESTION, conversation, None, REQUEST)
        await anext(asked)
        again = cast("gr.EventData", type("Chosen", (), {"_data": {"id": conversation.id}})())
        await chat.conversations.open(conversation, None, REQUEST, again)
        assert conversation.running
        async for _ in asked:
            pass
        assert [exchange.state for exchange in conversation.exchanges] == [State.DONE]

    asyncio.run(opened_again())


def test_an_answer_that_was_left_takes_nothing_from_the_next_one(assistant: SeedAssistant) -> None:
    async def both() -> None:
        chat, conversation = await chat_of(assistant), Conversation()
        first = chat.questions.ask(f"slowly: {QUESTION}", conversation, None, REQUEST)
        await anext(first)
        await chat.conversations.start_anew(conversation, None, REQUEST)
        second = chat.questions.ask(QUESTION, conversation, None, REQUEST)
        await anext(second)
        async for drawing in first:
            assert drawing[chat.layout.conversation] is conversation
        assert chat.questions.answering == {"tab": conversation}
        async for drawing in second:
            shown = drawing[chat.layout.chat]
        assert "2 papers cited" in str(shown)
        assert [exchange.state for exchange in conversation.exchanges] == [State.DONE]
        assert not chat.questions.answering

    asyncio.run(both())


class SlowlyOpened(History):
    """Reads no conversation for the page before `go_on` is set; what is read after the first is read at once."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.go_on = threading.Event()
        self._first = iter([self.go_on])

    def read_exchanges(self, owner: str, conversation: str) -> list[Exchange]:
        for go_on in self._first:
            assert go_on.wait(300)
        return super().read_exchanges(owner, conversation)


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_question_that_is_quicker_than_the_page_is_not_lost(assistant: SeedAssistant, is_kept: bool) -> None:
    """The page is open and the box is there before Python has read which conversation the address names."""

    async def asked_at_once() -> None:
        history = SlowlyOpened(assistant.settings.home)
        kept = (
            history.add(identify_owner(REQUEST), None, Exchange("What is kept?", state=State.DONE))
            if is_kept
            else "none"
        )
        chat, conversation, request = await chat_of(assistant, history), Conversation(), request_of({"c": kept})
        opening = asyncio.create_task(chat.conversations.open_page(conversation, None, request))
        await asyncio.sleep(0.1)
        asked = [dict(drawing) async for drawing in chat.questions.ask(QUESTION, conversation, None, request)]
        history.go_on.set()
        opened = await opening
        shown = ["What is kept?", QUESTION] if is_kept else [QUESTION]
        assert [exchange.question for exchange in conversation.exchanges] == shown
        assert [
            exchange.question for exchange in history.read_exchanges(identify_owner(REQUEST), str(conversation.id))
        ] == shown
        assert (conversation.id == kept) is is_kept
        assert "2 papers cited" in str(asked[-1][chat.layout.chat])
        assert opened == {chat.layout.scope: None}  # and nothing over what the answer has drawn

    asyncio.run(asked_at_once())


def test_what_was_turned_to_before_the_page_had_opened_stays(assistant: SeedAssistant) -> None:
    async def turned_at_once() -> None:
        history = SlowlyOpened(assistant.settings.home)
        kept = history.add(identify_owner(REQUEST), None, Exchange("What is kept?", state=State.DONE))
        chat, conversation, request = await chat_of(assistant, history), Conversation(), request_of({"c": kept})
        opening = asyncio.create_task(chat.conversations.open_page(conversation, None, request))
        await asyncio.sleep(0.1)
        await chat.conversations.start_anew(conversation, None, request)
        history.go_on.set()
        assert (await opening)[chat.layout.chat] == []
        assert conversation.id is None

    asyncio.run(turned_at_once())


@pytest.mark.parametrize("asks", [False, True])
def test_what_was_chosen_in_another_tab_before_the_page_had_opened_restricts_it(
    assistant: SeedAssistant, asks: bool
) -> None:
    async def restricted_at_once() -> None:
        history, chosen = SlowlyOpened(assistant.settings.home), Filter(sources=("000_6502c803306ef48d.txt",))
        kept = history.add(identify_owner(REQUEST), None, Exchange("What is kept?", state=State.DONE))
        chat, conversation, request = await chat_of(assistant, history), Conversation(), request_of({"c": kept})
        opening = asyncio.create_task(chat.conversations.open_page(conversation, None, request))
        await asyncio.sleep(0.1)
        chat.editing.restrict(conversation, chosen)
        if asks:
            async for _ in chat.questions.ask(QUESTION, conversation, chosen, request):
                pass
        history.go_on.set()
        assert (await opening)[chat.layout.scope] == chosen
        assert conversation.scope == chosen
        assert assistant.wheres == ([chosen] if asks else [])

    asyncio.run(restricted_at_once())


def test_a_question_that_is_refused_is_not_kept(assistant: SeedAssistant) -> None:
    async def asked() -> None:
        chat, conversation = await chat_of(assistant), Conversation()
        with pytest.raises(gr.Error, match="The question has 8,001 characters; at most 8,000"):
            async for _ in chat.questions.ask("a" * 8_001, conversation, None, REQUEST):
                pass
        assert conversation.exchanges == []
        assert chat.drawing.history.find_conversations(identify_owner(REQUEST)) == []
        assert assistant.asked == []

    asyncio.run(asked())
