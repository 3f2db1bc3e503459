"""Where everything of the chat stands: conversations on the left, the open one in the middle, evidence on the right."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.chat.evidence_panel import no_evidence
from ui.conversations.conversation import Conversation
from ui.conversations.conversation_list import conversation_list
from ui.html.escaping import element

READY: dict[str, Any] = {"submit_btn": "Ask", "stop_btn": False}
RUNNING: dict[str, Any] = {"submit_btn": False, "stop_btn": "Stop"}
NOTHING_COMPARED = element("p", "Choose “Compare papers” below an answer to see its papers side by side.", "fn-empty")
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
    """The components of the chat by name."""

    def __init__(self) -> None:
        """Lays the chat out where the page is being built."""
        self.conversation = gr.State(Conversation())
        self.scope = gr.State(None)
        self.cited = gr.State(())
        with gr.Row(elem_id="fn-columns"):
            with gr.Column(elem_id="fn-conversations-column"):
                self._lay_out_conversations()
            with gr.Column(elem_id="fn-conversation"):
                self._lay_out_chat()
            with gr.Column(elem_id="fn-evidence-column"):
                gr.HTML(_closer("evidence"), apply_default_css=False, elem_classes="fn-closer")
                self.evidence = _markup(no_evidence(), "fn-evidence", js_on_load=_SCRIPT)
        script = "watch('value', () => window.footnote.deliver(props.value))"
        self.parcel = gr.HTML(None, html_template="", js_on_load=script, elem_id="fn-parcel")

    def _lay_out_conversations(self) -> None:
        gr.HTML(_closer("conversations"), apply_default_css=False, elem_classes="fn-closer")
        self.new = gr.Button("New conversation", size="sm", elem_id="fn-new")
        self.search = gr.Textbox(
            label="Search your conversations", show_label=False, placeholder="Search",
            elem_id="fn-search", max_lines=1, max_length=_LONGEST_SEARCH, container=False,
        )  # fmt: skip
        script = "window.footnote.attachConversations(element, trigger)"
        self.listed = _markup(conversation_list([], None), "fn-conversations", js_on_load=script)

    def _lay_out_chat(self) -> None:
        self.bar = _markup("", "fn-bar")
        # No LaTeX, no copying of raw markup, and Gradio's sanitizer on top of our own escaping.
        self.chat = gr.Chatbot(
            elem_id="fn-chat", label="Conversation", show_label=False, container=False, height="100%",
            sanitize_html=True, latex_delimiters=[], line_breaks=False, buttons=[], feedback_options=None,
            group_consecutive_messages=False, autoscroll=False,  # the script shows an answer from its beginning
        )  # fmt: skip
        with gr.Column(elem_id="fn-start"):  # the style shows it for as long as there are no messages
            gr.HTML(_WELCOME, apply_default_css=False)
            self.examples = _markup("", "fn-examples")
            self.overview = _markup("", "fn-overview")
        self.follow_ups = _markup("", "fn-follow-ups")
        self.notices = _markup("", "fn-notices")
        self.question = gr.Textbox(
            elem_id="fn-question", label="Your question", show_label=False, lines=1, max_lines=6,
            placeholder="Ask about the papers", **READY,
        )  # fmt: skip

        self.typed = gr.Textbox(visible=False)  # the question, between the box and its answer

    def lay_out_comparison(self) -> None:
        """The place of the comparison, in a tab of its own that is open in the page's layout."""
        self.compared = _markup(NOTHING_COMPARED, "fn-compared")


def _markup(value: str, elem_id: str, **options: Any) -> Any:
    """A place for safe HTML of ours."""
    return gr.HTML(value, elem_id=elem_id, apply_default_css=False, **options)


def _closer(drawer: str) -> str:
    """On a narrow page these columns are drawers."""
    return element("button", f"Close the {drawer}", "fn-tool fn-drawer-close", type="button", data_drawer="close")
