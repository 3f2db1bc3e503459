"""The page: the chat with the evidence of its answers, the papers, and their map, a tab each."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from rag import LLMError, RagError
from ui import render
from ui.conversation import Conversation
from ui.map_tab import map_tab
from ui.papers_tab import papers_tab
from ui.shared import Shared
from ui.stream import events

if TYPE_CHECKING:
    from rag import AnswerStream, Assistant

STATIC = Path(__file__).parent / "static"
EXAMPLES = 4
AT_ONCE = 8  # questions answered at the same time; more wait in the queue
WAITING = 64  # questions in the queue; more are turned away
REDRAW_S = 0.05  # a streaming answer is drawn at most this often: faster is not legible, only more work

_logger = logging.getLogger(__name__)
_UNEXPECTED = "Something went wrong that should not have; the details are in the server's log. You can ask again."
_READY: dict[str, Any] = {"submit_btn": "Ask", "stop_btn": False}
_RUNNING: dict[str, Any] = {"submit_btn": False, "stop_btn": "Stop"}
_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_SYSTEM_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


class _Parts(NamedTuple):
    conversation: gr.State
    question: gr.Textbox
    starters: list[gr.Button]
    clear: gr.Button
    chat: gr.Chatbot
    evidence: gr.HTML
    without: gr.Button


def build_app(assistant: Assistant) -> gr.Blocks:
    """The page and its events; look, script and address are added by `ui.server.sealed`."""
    page = gr.Blocks(title="Footnote", fill_width=True, fill_height=True, analytics_enabled=False)
    with page:
        gr.HTML(render.header(assistant.settings.llm_model), elem_id="fn-header", apply_default_css=False)
        scope, cited = gr.State(None), gr.State(())  # within the tabs they would count as tabs
        with gr.Tabs(selected="chat", elem_id="fn-tabs") as tabs:
            with gr.Tab("Chat", id="chat"):
                parts = _layout()
                _connect(assistant, page, parts)
            shared = Shared(tabs, parts.question, scope, cited)
            with gr.Tab("Papers", id="papers"):
                papers_tab(assistant, shared)
            with gr.Tab("Map", id="map"):
                map_tab(assistant, shared)
    page.queue(max_size=WAITING)
    return page


def look() -> dict[str, Any]:
    """Theme, style and script of the page, by the names Gradio's launch and mount functions give them."""
    scripts = (path.read_text(encoding="utf-8") for path in sorted(STATIC.glob("*.js")))
    theme = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=_SYSTEM_FONTS, font_mono=_SYSTEM_MONO)
    return {
        "theme": theme,
        "css_paths": sorted(STATIC.glob("*.css")),
        "head": "".join(f"<script>{script}</script>" for script in scripts),
    }


def _layout() -> _Parts:
    with gr.Row(elem_id="fn-columns"):
        with gr.Column(elem_id="fn-conversation"):
            # No LaTeX, no copying of raw markup, and Gradio's sanitizer on top of our own escaping.
            chat = gr.Chatbot(
                elem_id="fn-chat", label="Conversation", show_label=False, container=False, height="100%",
                sanitize_html=True, latex_delimiters=[], line_breaks=False, buttons=[], feedback_options=None,
                placeholder=render.WELCOME, group_consecutive_messages=False,
            )  # fmt: skip
            with gr.Column(elem_id="fn-examples"):  # the style hides them once there are messages
                looks: dict[str, Any] = {"visible": False, "size": "sm", "elem_classes": "fn-example"}
                starters = [gr.Button(**looks) for _ in range(EXAMPLES)]
            without = gr.Button("Answer without the language model", size="sm", elem_id="fn-without", visible=False)
            question = gr.Textbox(
                elem_id="fn-question", label="Your question", show_label=False, lines=1, max_lines=6,
                placeholder="Ask a question about the papers", **_READY,
            )  # fmt: skip
            clear = gr.Button("Clear conversation", size="sm", elem_id="fn-clear")
        with gr.Column(elem_id="fn-evidence-column"):
            script = "window.footnote.attach(element, turn => trigger('select', {turn}))"
            evidence = gr.HTML(render.no_evidence(), elem_id="fn-evidence", apply_default_css=False, js_on_load=script)
    return _Parts(gr.State(Conversation()), question, starters, clear, chat, evidence, without)


def _connect(assistant: Assistant, page: gr.Blocks, parts: _Parts) -> None:
    conversation, question, starters, clear, chat, evidence, without = parts
    drawn = [conversation, question, chat, evidence, without]
    answering: dict[str | None, Conversation] = {}  # by the session of the tab
    ask, ask_again = _askers(assistant, answering)
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    at_once: dict[str, Any] = {"concurrency_limit": AT_ONCE, "concurrency_id": "ask", **hidden}
    question.submit(ask, [question, conversation], drawn, **at_once)
    for starter in starters:
        starter.click(ask, [starter, conversation], drawn, **at_once)
    without.click(ask_again, conversation, drawn, **at_once)
    question.stop(_stop, conversation, None, queue=False, **hidden)
    clear.click(_clear, conversation, drawn, queue=False, **hidden)
    evidence.select(_evidence_of, conversation, evidence, queue=False, **hidden)
    page.unload(_leaver(answering))
    page.load(_example_buttons(assistant), None, starters, **hidden)


def _askers(assistant: Assistant, answering: dict[str | None, Conversation]) -> tuple[Any, Any]:
    """What a new question calls, and what asks the last one again without the language model."""

    async def ask(question: str, conversation: Conversation, request: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        async for drawn in answered(question, conversation, request, extractive=False):
            yield drawn

    async def ask_again(conversation: Conversation, request: gr.Request) -> AsyncIterator[tuple[Any, ...]]:
        if not conversation.exchanges:  # cleared between the drawing of the button and its click
            yield (conversation, *(gr.skip() for _ in range(4)))
            return
        question = conversation.exchanges[-1].question
        async for drawn in answered(question, conversation, request, extractive=True):
            yield drawn

    async def answered(
        question: str, conversation: Conversation, request: gr.Request, *, extractive: bool
    ) -> AsyncIterator[tuple[Any, ...]]:
        if conversation.running:
            yield (conversation, *(gr.skip() for _ in range(4)))
            return
        history = conversation.history(again=extractive)

        def opened() -> AnswerStream:
            return assistant.stream(question, history=history, extractive=extractive)

        exchange = conversation.begin(question)
        answering[request.session_hash] = conversation
        yield _drawn(conversation, value="")
        drawn_at = time.monotonic()
        try:
            async with aclosing(events(opened, conversation.stop)) as told:
                async for event in told:
                    exchange.take(event)
                    if exchange.running and time.monotonic() - drawn_at > REDRAW_S:
                        yield _drawn(conversation)
                        drawn_at = time.monotonic()
        except RagError as error:
            exchange.error, exchange.model_failed = str(error), isinstance(error, LLMError)
            exchange.usage = error.usage if isinstance(error, LLMError) else exchange.usage
        except Exception:
            _logger.exception("A question failed")
            exchange.error = _UNEXPECTED
        finally:
            exchange.stopped = exchange.running
            answering.pop(request.session_hash, None)
        if conversation.holds(exchange):  # else it was cleared meanwhile
            yield _drawn(conversation)

    return ask, ask_again


def _drawn(conversation: Conversation, **box: Any) -> tuple[Any, ...]:
    """The outputs of `ask` for the conversation as it stands."""
    latest = len(conversation.exchanges) - 1
    buttons = _RUNNING if conversation.running else _READY
    shown = render.evidence(conversation.exchanges[latest], latest)
    offer = gr.update(visible=conversation.exchanges[latest].wants_another_way)
    return conversation, gr.update(**buttons, **box), _messages(conversation), shown, offer


def _messages(conversation: Conversation) -> list[dict[str, str]]:
    return [
        said
        for turn, exchange in enumerate(conversation.exchanges)
        for said in (
            {"role": "user", "content": render.question(exchange.question)},
            {"role": "assistant", "content": render.message(exchange, turn, conversation.usage(turn))},
        )
    ]


def _leaver(answering: dict[str | None, Conversation]) -> Any:
    async def leave(request: gr.Request) -> None:
        """Nobody reads on in a tab that was closed; Gradio itself would notice at the next drawing only."""
        if conversation := answering.get(request.session_hash):
            conversation.stop.set()

    return leave


async def _stop(conversation: Conversation) -> None:
    conversation.stop.set()


async def _clear(conversation: Conversation) -> tuple[Any, ...]:
    conversation.clear()
    return conversation, gr.update(value="", **_READY), [], render.no_evidence(), gr.update(visible=False)


async def _evidence_of(conversation: Conversation, chosen: gr.EventData) -> str:
    """The evidence of the turn whose link was clicked."""
    turn = chosen._data.get("turn")
    if isinstance(turn, int) and 0 <= turn < len(conversation.exchanges):
        return render.evidence(conversation.exchanges[turn], turn)
    return render.no_evidence()


def _example_buttons(assistant: Assistant) -> Any:
    def show() -> list[Any]:
        try:
            questions = assistant.example_questions(EXAMPLES)[:EXAMPLES]
        except RagError:
            questions = []  # the first question says what is wrong with the library
        shown = [gr.update(value=question, visible=True) for question in questions]
        return shown + [gr.update(visible=False)] * (EXAMPLES - len(shown))

    return show
