"""Where everything of the chat stands: conversations on the left, the open one in the middle, evidence on the right."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.chat.evidence_panel import draw_no_evidence
from ui.conversations.conversation import Conversation
from ui.html.escaping import button
from ui.html.templates import fill
from ui.shared import Shared, add_html

READY: dict[str, Any] = {"submit_btn": "Ask", "stop_btn": False}
RUNNING: dict[str, Any] = {"submit_btn": False, "stop_btn": "Stop"}
_LONGEST_SEARCH = 200  # characters
_WELCOME = (
    '<div class="fn-welcome"><h2>What do you want to know?</h2><p>Answers come only from the abstracts of '
    "this library. Each sentence carries a number: click it to read the quoted words in place.</p></div>"
)
# Events of our own, which the page's script triggers; Gradio learns from the script that there are such names.
_SCRIPT = (
    "window.footnote.attachEvidence(element, trigger, ['ask', 'compare', 'unedit', 'unrestrict', 'why', 'without'])"
)


class ChatLayout:
    """The components of the chat by name, laid out where the page is being built.

    Attributes:
        typed: The question, between the box and its answer.
        download: What the page's script copies or saves.
        drawn: What shows a conversation, and changes whenever it does.
    """

    def __init__(self, shared: Shared) -> None:
        self.scope, self.cited, self.compared = shared.scope, shared.cited, shared.compared
        self.conversation = gr.State(Conversation())
        with gr.Row(elem_id="fn-columns"):
            with gr.Column(elem_id="fn-conversations-column"):
                self._lay_out_conversations()
            with gr.Column(elem_id="fn-conversation"):
                self._lay_out_chat()
            with gr.Column(elem_id="fn-evidence-column"):
                _add_closer("evidence")
                self.evidence = add_html(draw_no_evidence(), "fn-evidence", js_on_load=_SCRIPT)
        script = "watch('value', () => window.footnote.deliver(props.value))"
        self.download = gr.HTML(None, html_template="", js_on_load=script, elem_id="fn-parcel")
        self.drawn = [
            self.conversation, self.chat, self.evidence, self.bar, self.listed, self.notices, self.follow_ups,
            self.cited, self.compared,
        ]  # fmt: skip

    def _lay_out_conversations(self) -> None:
        _add_closer("conversations")
        self.new = gr.Button("New conversation", size="sm", elem_id="fn-new")
        self.search = gr.Textbox(
            label="Search your conversations", show_label=False, placeholder="Search",
            elem_id="fn-search", max_lines=1, max_length=_LONGEST_SEARCH, container=False,
        )  # fmt: skip
        script = "window.footnote.attachConversations(element, trigger)"
        empty = fill("conversations/list.html", listed=(), current=None, search="")
        self.listed = add_html(empty, "fn-conversations", js_on_load=script)

    def _lay_out_chat(self) -> None:
        self.bar = add_html("", "fn-bar")
        # No LaTeX, no copying of raw markup, and Gradio's sanitizer on top of our own escaping.
        self.chat = gr.Chatbot(
            elem_id="fn-chat", label="Conversation", show_label=False, container=False, height="100%",
            sanitize_html=True, latex_delimiters=[], line_breaks=False, buttons=[], feedback_options=None,
            group_consecutive_messages=False, autoscroll=False,  # the script shows an answer from its beginning
        )  # fmt: skip
        with gr.Column(elem_id="fn-start"):  # the style shows it for as long as there are no messages
            add_html(_WELCOME)
            self.examples = add_html("", "fn-examples")
            self.overview = add_html("", "fn-overview")
        self.follow_ups = add_html("", "fn-follow-ups")
        self.notices = add_html("", "fn-notices")
        self.question = gr.Textbox(
            elem_id="fn-question", label="Your question", show_label=False, lines=1, max_lines=6,
            placeholder="Ask about the papers", **READY,
        )  # fmt: skip
        self.typed = gr.Textbox(visible=False)


def _add_closer(drawer: str) -> None:
    """On a narrow page these columns are drawers."""
    closer = button(f"Close the {drawer}", "fn-tool fn-drawer-close", data_drawer="close")
    add_html(closer, elem_classes="fn-closer")
