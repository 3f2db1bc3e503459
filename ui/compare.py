"""The compare tab: the papers of an answer side by side, every cell a quoted sentence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Comparison, RagError, comparison_csv
from ui.conversations.conversation import Conversation
from ui.html.escaping import draw_error, element
from ui.html.templates import fill
from ui.shared import QUEUED, Shared, read_sent

if TYPE_CHECKING:
    from rag import Assistant

NOTHING_COMPARED = element("p", "Choose “Compare papers” below an answer to see its papers side by side.", "fn-empty")
_HEADS = {"aim": "Aim", "method": "Method", "result": "Result", "asked": "On the question"}
_LONGEST = 240  # characters of a label or of the question


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


def draw_comparison(compared: Comparison) -> str:
    """The table, on a phone a card a paper, and a button that saves it as a file.

    A cell's button carries what it is about: `data-paper` and `data-start` of the sentence, the citation's number in
    `data-number` where the answer cites the paper.
    """
    csv = comparison_csv(compared)
    return fill("compare.html", compared=compared, csv=csv, heads=_HEADS, longest=_LONGEST, name_heads=_name_heads)


def _name_heads(reason: str) -> str:
    """The reason why a cell is empty, with other columns by their heads."""
    for name, head in _HEADS.items():
        reason = reason.replace(f"under {name}", f"under “{head}”")
    return reason
