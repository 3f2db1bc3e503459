"""The library as a map: papers that are alike lie together; what is selected there is what the chat is asked of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter, Paper, RagError
from ui.html.escaping import element
from ui.map.view import build_map_points, draw_map_card, draw_map_frame, draw_marks
from ui.shared import PRIVATE, add_html, read_sent

if TYPE_CHECKING:
    from rag import Assistant
    from ui.shared import Shared

# The tab's content is put on the page when it is opened first: nothing of the map is loaded before.
_OPENED = "window.footnoteMap.open(element, server, (ids) => trigger('ask_only', {ids}))"
_FOCUS = "() => window.footnoteMap.focusQuestion()"
_MARKED = "const show = () => window.footnoteMap.mark(element); watch('value', show); show();"


def add_map_tab(assistant: Assistant, shared: Shared) -> None:
    """Fills the tab that is open in the page's layout, and connects its events."""
    # In the queue: a change of `scope` tells its listeners only from there.
    with gr.Column(elem_id="fn-map"):
        add_html(element("h2", "Map of the library"))
        marks = add_html(draw_marks((), {}), js_on_load=_MARKED)
        stage = add_html(draw_map_frame(), js_on_load=_OPENED, server_functions=_make_readers(assistant))

    def mark_cited(cited: tuple[str, ...]) -> str:
        return draw_marks(cited, _papers_by_id(assistant) if cited else {})

    def ask_only(chosen: gr.EventData) -> tuple[Any, Any]:
        scope = _build_filter(read_sent(chosen), _papers_by_id(assistant))
        return (scope, gr.Tabs(selected="chat")) if scope else (gr.skip(), gr.skip())

    shared.cited.change(mark_cited, shared.cited, marks, **PRIVATE)
    stage.ask_only(ask_only, None, [shared.scope, shared.tabs], **PRIVATE).success(None, js=_FOCUS, **PRIVATE)


def _make_readers(assistant: Assistant) -> list[Any]:
    """What the script asks for; it gets plain values, or a message that begins with what went wrong."""

    def map_points(_: object = None) -> dict[str, Any]:
        try:
            return build_map_points(assistant.map(), _papers_by_id(assistant))
        except RagError as error:
            return {"error": str(error)}

    def map_card(paper_id: object) -> str:
        """The paper as HTML; "" for what is no id of the library."""
        paper = _papers_by_id(assistant).get(paper_id) if isinstance(paper_id, str) else None
        return draw_map_card(paper) if paper else ""

    return [map_points, map_card]


def _papers_by_id(assistant: Assistant) -> dict[str, Paper]:
    try:
        return {paper.id: paper for paper in assistant.papers()}
    except RagError:
        return {}  # the map itself says what is wrong


def _build_filter(sent: Mapping[str, Any], papers: dict[str, Paper]) -> Filter | None:
    """The papers that a browser names, as a filter; None unless every one of them is in the library."""
    ids = sent.get("ids")
    if not isinstance(ids, list) or not ids or len(ids) > len(papers):
        return None
    if not all(isinstance(paper_id, str) and paper_id in papers for paper_id in ids):
        return None
    return Filter(paper_ids=tuple(dict.fromkeys(ids)))
