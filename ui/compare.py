"""The compare tab: the papers of an answer side by side, every cell a quoted sentence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Cell, Comparison, ComparisonRow, RagError, comparison_csv
from ui.conversations.conversation import Conversation
from ui.html.escaping import button, draw_error, element, escape, shorten
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
    if not compared.rows:
        return element("p", "There are no papers to compare.", "fn-note")
    caption = element("caption", "Papers compared: " + escape(shorten(compared.question, _LONGEST)))
    heads = element("th", "Paper", scope="col", role="columnheader")
    heads += "".join(element("th", head, scope="col", role="columnheader") for head in _HEADS.values())
    head = element("thead", element("tr", heads, role="row"), role="rowgroup")
    body = element("tbody", "".join(map(_draw_row, compared.rows)), role="rowgroup")
    # The roles are those of the elements; without them a table that the style makes cards of on a phone is none.
    table = element("table", caption + head + body, "fn-compare-table", role="table")
    csv = comparison_csv(compared)
    save = button("Download CSV", "fn-compare-save", data_save=csv, data_name="comparison.csv")
    note = element("p", "Every cell is a sentence of the abstract, word for word.", "fn-note")
    return element("div", table + element("div", note + save, "fn-compare-foot"), "fn-compare")


def _draw_row(row: ComparisonRow) -> str:
    number = element("span", f"[{row.number}]", "fn-compare-number") + " " if row.number is not None else ""
    cells = "".join(_draw_cell(row, name, head) for name, head in _HEADS.items())
    label = element("th", number + escape(shorten(row.paper.label, _LONGEST)), scope="row", role="rowheader")
    return element("tr", label + cells, role="row")


def _draw_cell(row: ComparisonRow, name: str, head: str) -> str:
    shown = element("span", head, "fn-compare-head", aria_hidden="true")  # on a phone only
    return element("td", shown + _draw_sentence(row, row.cells[name]), role="cell")


def _draw_sentence(row: ComparisonRow, cell: Cell) -> str:
    """The sentence, and a button to its place where the page has a card of the paper."""
    if not cell.text:
        reason = cell.reason
        for name, head in _HEADS.items():
            reason = reason.replace(f"under {name}", f"under “{head}”")
        return element("span", escape(reason), "fn-compare-none")
    quote = element("q", escape(cell.text))
    if row.number is None:
        return quote
    place = {"data-paper": row.paper.id, "data-start": str(cell.start), "data-number": str(row.number)}
    label = f"Show in the abstract of citation {row.number}"
    return f"{quote} {button(f'[{row.number}]', 'fn-compare-place', **place, aria_label=label)}"
