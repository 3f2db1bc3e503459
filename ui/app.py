"""The page: the chat with the evidence of its answers, the papers, and their map, a tab each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from ui.api import add_api
from ui.chat.answer_view import WITHOUT_MODEL
from ui.chat.asking import Asking
from ui.chat.tab import ChatTab
from ui.conversations.history import History
from ui.html.escaping import element, inert
from ui.map.tab import map_tab
from ui.papers.tab import papers_tab
from ui.server.login_page import who_is_here
from ui.shared import Shared

if TYPE_CHECKING:
    from rag import Assistant


def build_app(assistant: Assistant) -> gr.Blocks:
    """The page and its events; look, script and address are added by `ui.server.sealed.sealed`.

    Raises:
        RagError: The conversations cannot be kept under RAG_HOME.
    """
    asking = Asking(assistant, History(assistant.settings.home))
    page = gr.Blocks(title="Footnote", fill_width=True, fill_height=True, analytics_enabled=False)
    with page:
        add_api(asking)  # first: endpoints and events share their names
        model = assistant.settings.llm_model
        header = gr.HTML(_header(model), elem_id="fn-header", apply_default_css=False)

        def personal(request: gr.Request) -> str:
            return _header(model, request.username or "")

        page.load(personal, None, header, queue=False, api_visibility="private", show_progress="hidden")
        with gr.Tabs(selected="chat", elem_id="fn-tabs") as tabs:
            with gr.Tab("Chat", id="chat"):
                chat = ChatTab(asking)
            shared = Shared(tabs, chat.scope, chat.cited)
            with gr.Tab("Compare", id="compare"):
                chat.lay_out_comparison()
            with gr.Tab("Papers", id="papers"):
                papers_tab(assistant, shared)
            with gr.Tab("Map", id="map"):
                map_tab(assistant, shared)
        chat.connect(page, tabs)
    page.queue(max_size=None)  # the turnstile says how many may wait, and turns others away with a word
    return page


def _header(model: str | None, user: str = "") -> str:
    """The page's top line; `model` is the language model's name or None, `user` who has logged in."""
    how = f"Answers written by {inert(model)}" if model else WITHOUT_MODEL.capitalize()
    name = element("h1", "Footnote") + element("p", "Ask your paper abstracts; check every sentence.", "fn-tagline")
    line = element("div", name, "fn-name") + element("p", how, "fn-model")
    return line + (who_is_here(user) if user else "")
