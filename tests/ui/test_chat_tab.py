"""What the chat hands the page, event by event: in an order in which a browser rarely sees it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import gradio as gr
from conftest import QUESTION, SeedAssistant

from ui.asking import Asking
from ui.chat_tab import ChatTab
from ui.conversation import Conversation, State
from ui.history import History
from ui.owner import owner_of

REQUEST = cast("gr.Request", type("Request", (), {"username": "reader", "session_hash": "tab"})())


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
