"""Fills the compare tab when “Compare papers” is pressed below an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import RagError
from ui.compare.table import NOTHING_COMPARED, draw_comparison
from ui.conversations.conversation import Conversation
from ui.html.escaping import draw_error, element
from ui.shared import QUEUED, Shared, read_sent

if TYPE_CHECKING:
    from rag import Assistant


def add_compare_tab(assistant: Assistant, shared: Shared, conversation: gr.State, panel: Any) -> None:
    """Fills the tab that is open in the page's layout, and connects its event.

    Args:
        panel: The component that has the event `compare`.
    """
    shared.compared.render()  # type: ignore[no-untyped-call]  # Gradio's

    async def compare(conversation: Conversation, chosen: gr.EventData) -> tuple[str, gr.Tabs]:
        exchange, opened = conversation.exchange(read_sent(chosen).get("exchange")), gr.Tabs(selected="compare")
        if exchange is None or exchange.answer is None:
            return NOTHING_COMPARED, opened
        try:
            table = draw_comparison(await asyncio.to_thread(assistant.compare, exchange.answer))
        except RagError as error:
            table = draw_error(error)
        # The page's script goes from a cell to the card of this exchange.
        return element("div", table, data_exchange=str(exchange.id)), opened

    panel.compare(compare, conversation, [shared.compared, shared.tabs], **QUEUED)
