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
from ui.server.owner import owner_of


def request_of(address: dict[str, str]) -> gr.Request:
    who = {"username": "reader", "session_hash": "tab", "query_params": address}
    return cast("gr.Request", type("Request", (), who)())


REQUEST = request_of({})


async def chat_of(assistant: SeedAssistant) -> ChatTab:
    """Made where an event loop runs; elsewhere Gradio makes one for each of its locks, and closes none."""
    with gr.Blocks():
        chat = ChatTab(Asking(cast("Any", assistant), History(assistant.settings.home)))
        chat.lay_out_comparison()
        return chat


def test_a_drawing_that_comes_late_does_not_stay_on_the_page(assistant: SeedAssistant) -> None:
    """The page shows what reaches it last: an answer's drawing may do so behind the conversation opened meanwhile."""

    async def left_at_once() -> None:
        chat, conversation, drawings = await chat_of(assistant), Conversation(), []
        async for drawing in chat.ask(f"slowly: {QUESTION}", conversation, None, REQUEST):
            if not drawings:
                await chat.start_anew(conversation, None, REQUEST)
            drawings.append(dict(drawing))
        late, *_, last = drawings
        assert late[chat.chat]
        assert last[chat.chat] == []
        assert last[chat.conversation] is conversation
        assert (conversation.id, conversation.exchanges, conversation.running) == (None, [], False)
        kept = chat.history.listed(owner_of(REQUEST))[0].id
        assert [exchange.state for exchange in chat.history.exchanges(owner_of(REQUEST), kept)] == [State.STOPPED]
        assert not chat.answering

    asyncio.run(left_at_once())


def test_opening_the_conversation_that_is_open_does_not_end_its_answer(assistant: SeedAssistant) -> None:
    async def opened_again() -> None:
        chat, conversation = await chat_of(assistant), Conversation()
        asked = chat.ask(QUESTION, conversation, None, REQUEST)
        await anext(asked)
        again = cast("gr.EventData", type("Chosen", (), {"_data": {"id": conversation.id}})())
        await chat.open_conversation(conversation, None, REQUEST, again)
        assert conversation.running
        async for _ in asked:
            pass
        assert [exchange.state for exchange in conversation.exchanges] == [State.DONE]

    asyncio.run(opened_again())


def test_an_answer_that_was_left_takes_nothing_from_the_next_one(assistant: SeedAssistant) -> None:
    async def both() -> None:
        chat, conversation = await chat_of(assistant), Conversation()
        first = chat.ask(f"slowly: {QUESTION}", conversation, None, REQUEST)
        await anext(first)
        await chat.start_anew(conversation, None, REQUEST)
        second = chat.ask(QUESTION, conversation, None, REQUEST)
        await anext(second)
        async for drawing in first:
            assert drawing[chat.conversation] is conversation
        assert chat.answering == {"tab": conversation}
        async for drawing in second:
            shown = drawing[chat.chat]
        assert "2 papers cited" in str(shown)
        assert [exchange.state for exchange in conversation.exchanges] == [State.DONE]
        assert not chat.answering

    asyncio.run(both())


class SlowlyOpened(History):
    """Reads no conversation for the page before `go_on` is set; what is read after the first is read at once."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.go_on = threading.Event()
        self._first = iter([self.go_on])

    def exchanges(self, owner: str, conversation: str) -> list[Exchange]:
        for go_on in self._first:
            assert go_on.wait(30)
        return super().exchanges(owner, conversation)


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_question_that_is_quicker_than_the_page_is_not_lost(assistant: SeedAssistant, is_kept: bool) -> None:
    """The page is open and the box is there before Python has read which conversation the address names."""

    async def asked_at_once() -> None:
        history = SlowlyOpened(assistant.settings.home)
        kept = history.add(owner_of(REQUEST), None, Exchange("What is kept?", state=State.DONE)) if is_kept else "none"
        chat, conversation, request = await chat_of(assistant), Conversation(), request_of({"c": kept})
        chat.history = history
        opening = asyncio.create_task(chat.open_page(conversation, None, request))
        await asyncio.sleep(0.1)
        asked = [dict(drawing) async for drawing in chat.ask(QUESTION, conversation, None, request)]
        history.go_on.set()
        opened = await opening
        shown = ["What is kept?", QUESTION] if is_kept else [QUESTION]
        assert [exchange.question for exchange in conversation.exchanges] == shown
        assert [exchange.question for exchange in history.exchanges(owner_of(REQUEST), str(conversation.id))] == shown
        assert (conversation.id == kept) is is_kept
        assert "2 papers cited" in str(asked[-1][chat.chat])
        assert opened == {chat.scope: None}  # and nothing over what the answer has drawn

    asyncio.run(asked_at_once())


def test_what_was_turned_to_before_the_page_had_opened_stays(assistant: SeedAssistant) -> None:
    async def turned_at_once() -> None:
        history = SlowlyOpened(assistant.settings.home)
        kept = history.add(owner_of(REQUEST), None, Exchange("What is kept?", state=State.DONE))
        chat, conversation, request = await chat_of(assistant), Conversation(), request_of({"c": kept})
        chat.history = history
        opening = asyncio.create_task(chat.open_page(conversation, None, request))
        await asyncio.sleep(0.1)
        await chat.start_anew(conversation, None, request)
        history.go_on.set()
        assert (await opening)[chat.chat] == []
        assert conversation.id is None

    asyncio.run(turned_at_once())


@pytest.mark.parametrize("asks", [False, True])
def test_what_was_chosen_in_another_tab_before_the_page_had_opened_restricts_it(
    assistant: SeedAssistant, asks: bool
) -> None:
    async def restricted_at_once() -> None:
        history, chosen = SlowlyOpened(assistant.settings.home), Filter(sources=("000_6502c803306ef48d.txt",))
        kept = history.add(owner_of(REQUEST), None, Exchange("What is kept?", state=State.DONE))
        chat, conversation, request = await chat_of(assistant), Conversation(), request_of({"c": kept})
        chat.history = history
        opening = asyncio.create_task(chat.open_page(conversation, None, request))
        await asyncio.sleep(0.1)
        chat.restrict(conversation, chosen)
        if asks:
            async for _ in chat.ask(QUESTION, conversation, chosen, request):
                pass
        history.go_on.set()
        assert (await opening)[chat.scope] == chosen
        assert conversation.scope == chosen
        assert assistant.wheres == ([chosen] if asks else [])

    asyncio.run(restricted_at_once())
