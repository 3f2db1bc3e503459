"""The library as a map: papers that are alike lie together; what is selected there is what the chat is asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter, Paper, RagError
from ui.map import view as map_view

if TYPE_CHECKING:
    from rag import Assistant
    from ui.shared import Shared

# The tab's content is put on the page when it is opened first: nothing of the map is loaded before.
_OPENED = "window.footnoteMap.open(element, server, (ids) => trigger('ask_only', {ids}))"
_FOCUS = "() => window.footnoteMap.focusQuestion()"
_MARKED = "const show = () => window.footnoteMap.mark(element); watch('value', show); show();"


def map_tab(assistant: Assistant, shared: Shared) -> None:
    """Fills the tab that is open in the page's layout, and connects its events."""
    # In the queue: a change of `scope` tells its listeners only from there.
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    plain: dict[str, Any] = {"apply_default_css": False}
    with gr.Column(elem_id="fn-map"):
        gr.HTML(map_view.title(), **plain)
        marks = gr.HTML(map_view.marks((), {}), js_on_load=_MARKED, **plain)
        stage = gr.HTML(map_view.frame(), js_on_load=_OPENED, server_functions=_readers(assistant), **plain)

    def marked(cited: tuple[str, ...]) -> str:
        return map_view.marks(cited, _papers(assistant)) if cited else map_view.marks((), {})

    def ask_only(chosen: gr.EventData) -> tuple[Any, Any]:
        scope = _scope(chosen._data, _papers(assistant))
        return (scope, gr.Tabs(selected="chat")) if scope else (gr.skip(), gr.skip())

    shared.cited.change(marked, shared.cited, marks, **private)
    stage.ask_only(ask_only, None, [shared.scope, shared.tabs], **private).success(None, js=_FOCUS, **private)


def _readers(assistant: Assistant) -> list[Any]:
    """What the script asks for; it gets plain values, or a message that begins with what went wrong."""

    def map_points(_: object = None) -> dict[str, Any]:
        try:
            return map_view.points(assistant.map(), _papers(assistant))
        except RagError as error:
            return {"error": str(error)}

    def map_card(paper_id: object) -> str:
        """The paper as HTML; "" for what is no id of the library."""
        paper = _papers(assistant).get(paper_id) if isinstance(paper_id, str) else None
        return map_view.card(paper) if paper else ""

    return [map_points, map_card]


def _papers(assistant: Assistant) -> dict[str, Paper]:
    try:
        return {paper.id: paper for paper in assistant.papers()}
    except RagError:
        return {}  # the map itself says what is wrong


def _scope(sent: object, papers: dict[str, Paper]) -> Filter | None:
    """The papers that a browser names, as a filter; None unless every one of them is in the library."""
    ids = sent.get("ids") if isinstance(sent, dict) else None
    if not isinstance(ids, list) or not ids or len(ids) > len(papers):
        return None
    if not all(isinstance(paper_id, str) and paper_id in papers for paper_id in ids):
        return None
    return Filter(paper_ids=tuple(dict.fromkeys(ids)))
