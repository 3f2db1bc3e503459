"""The page: the chat with the evidence of its answers, the comparison, the papers, and their map, a tab each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from ui.api import add_api
from ui.chat.answer_view import WITHOUT_MODEL
from ui.chat.asking import Asking
from ui.chat.tab import ChatTab
from ui.compare import NOTHING_COMPARED, add_compare_tab
from ui.conversations.history import History
from ui.html.escaping import element, escape
from ui.map.tab import add_map_tab
from ui.papers.tab import add_papers_tab
from ui.server.login import draw_user
from ui.shared import UNQUEUED, Shared, add_html

if TYPE_CHECKING:
    from rag import Assistant


def build_app(assistant: Assistant) -> gr.Blocks:
    """The page and its events; look, script and address are added by `ui.server.web_app.build_web_app`.

    Raises:
        RagError: The conversations cannot be kept under RAG_HOME.
    """
    asking = Asking(assistant, History(assistant.settings.home))
    page = gr.Blocks(title="Footnote", fill_width=True, fill_height=True, analytics_enabled=False)
    with page:
        add_api(asking)  # first: endpoints and events share their names
        model = assistant.settings.llm_model
        header = add_html(_draw_header(model), "fn-header")

        def draw_personal_header(request: gr.Request) -> str:
            return _draw_header(model, request.username or "")

        page.load(draw_personal_header, None, header, **UNQUEUED)
        scope, cited = gr.State(None), gr.State(())
        with gr.Tabs(selected="chat", elem_id="fn-tabs") as tabs:
            shared = Shared(tabs, scope, cited, add_html(NOTHING_COMPARED, "fn-compared", render=False))
            with gr.Tab("Chat", id="chat"):
                chat = ChatTab(asking, shared)
            with gr.Tab("Compare", id="compare"):
                add_compare_tab(assistant, shared, chat.layout.conversation, chat.layout.evidence)
            with gr.Tab("Papers", id="papers"):
                add_papers_tab(assistant, shared)
            with gr.Tab("Map", id="map"):
                add_map_tab(assistant, shared)
        chat.connect(page)
    page.queue(max_size=None)  # the turnstile says how many may wait, and turns others away with a word
    return page


def _draw_header(model: str | None, user: str = "") -> str:
    """The page's top line; `model` is the language model's name or None, `user` who has logged in."""
    how = f"Answers written by {escape(model)}" if model else WITHOUT_MODEL.capitalize()
    name = element("h1", "Footnote") + element("p", "Ask your paper abstracts; check every sentence.", "fn-tagline")
    line = element("div", name, "fn-name") + element("p", how, "fn-model")
    return line + (draw_user(user) if user else "")
