"""What the buttons of the page call, without a browser."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr

from rag import Assistant, Settings
from ui.app import _askers
from ui.conversation import Conversation


def test_asking_again_what_was_cleared_meanwhile_changes_nothing(settings: Settings) -> None:
    _, ask_again = _askers(Assistant.open(settings), {})
    conversation = Conversation()

    async def drawn() -> list[tuple[Any, ...]]:
        return [outputs async for outputs in ask_again(conversation, gr.Request(session_hash="one"))]

    [(same, *others)] = asyncio.run(drawn())
    assert same is conversation
    assert conversation.exchanges == []
    assert others == [gr.skip()] * 4
