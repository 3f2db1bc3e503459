"""The chat: conversations on the left, the open one in the middle, the evidence of its answers on the right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter, RagError, record_feedback
from ui import answer_view
from ui.asking import Asking
from ui.compare import comparison
from ui.conversation import Conversation, Exchange
from ui.conversation_list import conversation_list
from ui.evidence import evidence, no_evidence, scope_in_words
from ui.map_view import overview
from ui.markup import element, inert
from ui.owner import owner_of
from ui.taking_away import parcel
from ui.turnstile import AT_ONCE, WAITING

if TYPE_CHECKING:
    from rag import Assistant

Drawing = dict[Any, Any]  # a component and what becomes of it; all others stay as they are

_NOTHING: Drawing = gr.skip()
_EXAMPLES = 4
_FOLLOW_UPS = 3
_LONGEST_REASON = 1000  # characters
_WELCOME = (
    '<div class="fn-welcome"><h2>What do you want to know?</h2><p>Answers come only from the abstracts of '
    "this library. Each sentence carries a number: click it to read the quoted words in place.</p></div>"
)
_NOTHING_COMPARED = element("p", "Choose “Compare papers” below an answer to see its papers side by side.", "fn-empty")
_FORMATS = {"markdown": "Markdown", "bibtex": "BibTeX", "ris": "RIS", "json": "JSON"}
_READY: dict[str, Any] = {"submit_btn": "Ask", "stop_btn": False}
_RUNNING: dict[str, Any] = {"submit_btn": False, "stop_btn": "Stop"}
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
_ASKING: dict[str, Any] = {"concurrency_limit": AT_ONCE + WAITING, "concurrency_id": "ask", **_PRIVATE}
# Through the queue: else Gradio tells nobody that a state has changed.
_NOW: dict[str, Any] = {"concurrency_limit": None, **_PRIVATE}


class ChatTab:
    """The components of the chat by name, and what their events do."""

    def __init__(self, asking: Asking) -> None:
        """Lays the chat out where the page is being built."""
        self.asking, self.history = asking, asking.history
        self.assistant: Assistant = asking.assistant
        self.answering: dict[str | None, Conversation] = {}  # by the session of the tab
        self.conversation = gr.State(Conversation())
        self.scope = gr.State(None)
        self.cited = gr.State(())
        with gr.Row(elem_id="fn-columns"):
            with gr.Column(elem_id="fn-conversations-column"):
                gr.HTML(_closer("conversations"), apply_default_css=False, elem_classes="fn-closer")
                self._lay_out_conversations()
            with gr.Column(elem_id="fn-conversation"):
                self._lay_out_chat()
            with gr.Column(elem_id="fn-evidence-column"):
                gr.HTML(_closer("evidence"), apply_default_css=False, elem_classes="fn-closer")
                # Gradio learns from the script that there is an event of this name.
                script = "window.footnote.attachEvidence(element, trigger, ['compare'])"
                self.evidence = gr.HTML(
                    no_evidence(), elem_id="fn-evidence", apply_default_css=False, js_on_load=script
                )
        script = "watch('value', () => window.footnote.deliver(props.value))"
        self.parcel = gr.HTML(None, html_template="", js_on_load=script, elem_id="fn-parcel")

    def _lay_out_conversations(self) -> None:
        self.new = gr.Button("New conversation", size="sm", elem_id="fn-new")
        self.search = gr.Textbox(
            label="Search your conversations", show_label=False, placeholder="Search",
            elem_id="fn-search", max_lines=1, container=False,
        )  # fmt: skip
        script = "window.footnote.attachConversations(element, trigger)"
        self.listed = gr.HTML(
            conversation_list([], None), elem_id="fn-conversations", apply_default_css=False, js_on_load=script
        )

    def _lay_out_chat(self) -> None:
        self.bar = gr.HTML("", elem_id="fn-bar", apply_default_css=False)
        # No LaTeX, no copying of raw markup, and Gradio's sanitizer on top of our own escaping.
        self.chat = gr.Chatbot(
            elem_id="fn-chat", label="Conversation", show_label=False, container=False, height="100%",
            sanitize_html=True, latex_delimiters=[], line_breaks=False, buttons=[], feedback_options=None,
            group_consecutive_messages=False, autoscroll=False,  # the script shows an answer from its beginning
        )  # fmt: skip
        with gr.Column(elem_id="fn-start"):  # the style shows it for as long as there are no messages
            gr.HTML(_WELCOME, apply_default_css=False)
            self.examples = [gr.Button(visible=False, size="sm", elem_classes="fn-suggested") for _ in range(_EXAMPLES)]
            self.overview = gr.HTML("", elem_id="fn-overview", apply_default_css=False)
        with gr.Column(elem_id="fn-follow-ups", visible=False) as self.follow_up_box:
            gr.HTML(element("h2", "You could ask next", "fn-label"), apply_default_css=False)
            self.follow_ups = [
                gr.Button(visible=False, size="sm", elem_classes="fn-suggested") for _ in range(_FOLLOW_UPS)
            ]
        with gr.Row(elem_classes="fn-notice", visible=False) as self.reason_row:
            self.reason = gr.Textbox(
                label="Why? (optional; kept on this machine)", max_lines=1, max_length=_LONGEST_REASON
            )
            self.reason_send = gr.Button("Send", size="sm")
        with gr.Row(elem_classes="fn-notice", visible=False) as self.scope_row:
            self.scope_words = gr.HTML("", apply_default_css=False)
            self.scope_off = gr.Button("Ask the whole library", size="sm")
        with gr.Row(elem_classes="fn-notice", visible=False) as self.editing_row:
            self.editing_words = gr.HTML("", apply_default_css=False)
            self.editing_off = gr.Button("Cancel", size="sm")
        self.without = gr.Button("Answer without the language model", size="sm", elem_id="fn-without", visible=False)
        self.question = gr.Textbox(
            elem_id="fn-question", label="Your question", show_label=False, lines=1, max_lines=6,
            placeholder="Ask about the papers", **_READY,
        )  # fmt: skip

    def lay_out_comparison(self) -> None:
        """The place of the comparison, in a tab of its own that is open in the page's layout."""
        self.compared = gr.HTML(_NOTHING_COMPARED, elem_id="fn-compared", apply_default_css=False)

    def connect(self, page: gr.Blocks, tabs: gr.Tabs) -> None:
        """Connects the events of the chat, once everything is laid out."""
        drawn = [
            self.conversation, self.question, self.chat, self.evidence, self.bar, self.listed, self.without, self.cited,
            self.scope, self.editing_row, self.editing_words, self.reason_row, self.reason, self.parcel,
            self.follow_up_box, *self.follow_ups, self.compared,
        ]  # fmt: skip
        asked = [self.conversation, self.scope]
        self.question.submit(self.ask, [self.question, *asked], drawn, **_ASKING)
        for suggested in (*self.examples, *self.follow_ups):
            suggested.click(self.ask, [suggested, *asked], drawn, **_ASKING)
        self.without.click(self.ask_without_model, self.conversation, drawn, **_ASKING)
        self.evidence.retry(self.retry, self.conversation, drawn, **_ASKING)
        self.question.stop(self.stop, self.conversation, None, queue=False, **_PRIVATE)
        self.new.click(self.start_anew, self.conversation, drawn, **_NOW)
        self.evidence.select(self.show_evidence, self.conversation, drawn, **_NOW)
        self.evidence.edit(self.edit, self.conversation, drawn, **_NOW)
        self.evidence.like(self.like, self.conversation, drawn, **_NOW)
        self.evidence.compare(self.compare, self.conversation, [self.compared, tabs], **_NOW)
        self.evidence.download(self.take_away, self.conversation, self.parcel, **_NOW)
        self.editing_off.click(self.cancel_editing, self.conversation, drawn, **_NOW)
        self.reason_send.click(self.say_why, [self.reason, self.conversation], drawn, **_NOW)
        self.reason.submit(self.say_why, [self.reason, self.conversation], drawn, **_NOW)
        listing = [self.search, self.conversation]
        self.search.change(self.list_conversations, listing, self.listed, **_NOW)
        self.listed.select(self.open_conversation, self.conversation, drawn, **_NOW)
        self.listed.edit(self.rename, [self.search, self.conversation], [self.listed, self.bar], **_NOW)
        self.listed.delete(self.delete, self.conversation, drawn, **_NOW)
        self.scope.change(self.show_scope, self.scope, [self.scope_row, self.scope_words], **_NOW)
        self.scope_off.click(lambda: None, None, self.scope, **_NOW)
        page.unload(self.leave)
        page.load(self.open_page, self.conversation, drawn, **_NOW)
        page.load(self.show_examples, None, self.examples, **_NOW)
        page.load(self.show_overview, None, self.overview, **_NOW)

    # Asking.

    async def ask(
        self, question: str, conversation: Conversation, scope: Filter | None, request: gr.Request
    ) -> AsyncIterator[Drawing]:
        """A new question, or another wording of an earlier one."""
        owner = owner_of(request)
        if conversation.running or not question.strip():
            yield _NOTHING  # a generator that yields nothing empties the page
            return
        self._catch_up(conversation, owner)
        if conversation.editing is not None:
            self._back_to(conversation, conversation.editing, owner)
        async for drawing in self._answered(Exchange(question, scope=scope), conversation, request):
            yield drawing

    async def retry(self, conversation: Conversation, request: gr.Request) -> AsyncIterator[Drawing]:
        """The last question again, in place of its answer."""
        if conversation.running or not conversation.exchanges:
            yield _NOTHING
            return
        last = conversation.exchanges[-1]
        self._back_to(conversation, len(conversation.exchanges) - 1, owner_of(request))
        async for drawing in self._answered(Exchange(last.question, scope=last.scope), conversation, request):
            yield drawing

    async def ask_without_model(self, conversation: Conversation, request: gr.Request) -> AsyncIterator[Drawing]:
        """The last question again, below what the language model left of an answer."""
        if conversation.running or not conversation.exchanges:  # another was opened between drawing and click
            yield _NOTHING
            return
        last = conversation.exchanges[-1]
        again = Exchange(last.question, scope=last.scope)
        async for drawing in self._answered(again, conversation, request, extractive=True):
            yield drawing

    async def _answered(
        self, exchange: Exchange, conversation: Conversation, request: gr.Request, *, extractive: bool = False
    ) -> AsyncIterator[Drawing]:
        owner = owner_of(request)
        before = conversation.history(len(conversation.exchanges) - extractive)
        conversation.begin(exchange)
        conversation.id = self.history.add(owner, conversation.id, exchange)
        self.answering[request.session_hash] = conversation
        yield {**self._drawn(conversation, owner), self.question: gr.update(value="", **_RUNNING)}
        found = False
        try:
            async for _ in self.asking.answered(exchange, before, conversation.stop, owner, extractive=extractive):
                if not conversation.shows(exchange):  # another conversation was opened meanwhile
                    continue
                if not exchange.running:
                    break
                drawing: Drawing = {self.chat: self._messages(conversation)}
                if exchange.passages is not None and not found:
                    found = True
                    drawing[self.evidence] = evidence(exchange, conversation.shown)
                yield drawing
        finally:
            self.answering.pop(request.session_hash, None)
        if conversation.shows(exchange):
            yield self._drawn(conversation, owner)
            if exchange.answer:
                yield await self._suggested(conversation)

    async def _suggested(self, conversation: Conversation) -> Drawing:
        """Questions to go on with after the last answer."""
        answer = conversation.exchanges[-1].answer
        if answer is None:
            return {self.follow_up_box: gr.update(visible=False)}
        asked = [exchange.question for exchange in conversation.exchanges]
        try:
            questions = await asyncio.to_thread(
                self.assistant.follow_ups, answer, _FOLLOW_UPS, asked=asked, where=conversation.exchanges[-1].scope
            )
        except RagError:
            questions = []
        return {self.follow_up_box: gr.update(visible=bool(questions)), **_buttons(self.follow_ups, questions)}

    def _back_to(self, conversation: Conversation, turn: int, owner: str) -> None:
        """The conversation as it was before a turn: in place of the last one, in a copy where more came after it."""
        exchange = conversation.exchanges[turn]
        if turn == len(conversation.exchanges) - 1:
            self.history.remove(owner, exchange)
        elif conversation.id:
            conversation.id = self.history.branch(owner, conversation.id, before=exchange.id or 0)
        del conversation.exchanges[turn:]
        if conversation.id and turn:
            conversation.exchanges = self.history.exchanges(owner, conversation.id)

    def _catch_up(self, conversation: Conversation, owner: str) -> None:
        """Reads what another tab has added to the conversation, or that it was deleted there."""
        if conversation.id is None:
            return
        kept = self.history.states(owner, conversation.id)
        if kept != [(exchange.id, exchange.state) for exchange in conversation.exchanges]:
            conversation.exchanges = self.history.exchanges(owner, conversation.id)
            conversation.id = conversation.id if kept else None

    # What the page shows.

    def _drawn(self, conversation: Conversation, owner: str) -> Drawing:
        """A conversation as it stands."""
        exchanges, shown = conversation.exchanges, conversation.shown
        in_view = exchanges[shown] if exchanges else None
        running = conversation.running
        return {
            self.conversation: conversation,
            self.question: gr.update(**(_RUNNING if running else _READY)),
            self.chat: self._messages(conversation),
            self.evidence: evidence(in_view, shown) if in_view else no_evidence(),
            self.bar: _bar(conversation.id, self._title(conversation, owner)),
            self.listed: conversation_list(self.history.listed(owner), conversation.id),
            self.without: gr.update(visible=bool(exchanges) and not running and exchanges[-1].wants_another_way),
            self.cited: _cited(in_view),
            self.editing_row: gr.update(visible=conversation.editing is not None),
            self.reason_row: gr.update(visible=False),
            self.follow_up_box: gr.update(visible=False),
        }

    def _title(self, conversation: Conversation, owner: str) -> str:
        return (self.history.title(owner, conversation.id) if conversation.id else None) or ""

    def _messages(self, conversation: Conversation) -> list[dict[str, str]]:
        settings = self.assistant.settings
        reading = settings.llm_passages if settings.llm_configured else 0
        last = len(conversation.exchanges) - 1
        return [
            said
            for turn, exchange in enumerate(conversation.exchanges)
            for said in (
                {"role": "user", "content": answer_view.question(exchange.question, turn)},
                {
                    "role": "assistant",
                    "content": answer_view.message(
                        exchange, turn, is_last=turn == last, so_far=conversation.usage(turn), reading=reading
                    ),
                },
            )
        ]

    def open_page(self, conversation: Conversation, request: gr.Request) -> Drawing:
        """The conversation that the page's address names, or none yet."""
        drawn = self._opened(request.query_params.get("c"), conversation, request)
        return {**drawn, self.question: gr.update(**_READY)}  # a quick reader has typed already

    def open_conversation(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """The conversation whose title was clicked."""
        return self._opened(chosen._data.get("id"), conversation, request)

    def start_anew(self, conversation: Conversation, request: gr.Request) -> Drawing:
        """An empty conversation; it is kept from its first question on."""
        return self._opened(None, conversation, request)

    def _opened(self, wanted: object, conversation: Conversation, request: gr.Request) -> Drawing:
        owner = owner_of(request)
        conversation.leave()
        exchanges = self.history.exchanges(owner, wanted) if isinstance(wanted, str) else []
        opened = Conversation(str(wanted) if exchanges else None, exchanges, max(0, len(exchanges) - 1))
        cleared = {self.question: gr.update(value="", **_READY), self.compared: _NOTHING_COMPARED}
        return {**self._drawn(opened, owner), **cleared}

    def show_examples(self) -> Drawing:
        """Questions that the library answers; the first question says what is wrong with it."""
        try:
            questions = self.assistant.example_questions(_EXAMPLES)
        except RagError:
            questions = []
        return _buttons(self.examples, questions)

    def show_overview(self) -> str:
        """What is in the library; made once for a library, which takes some seconds."""
        try:
            return overview(self.assistant.overview())
        except RagError:
            return ""

    def show_evidence(self, conversation: Conversation, chosen: gr.EventData) -> Drawing:
        """The evidence of the turn whose link was clicked."""
        turn = conversation.turn(chosen._data.get("turn"))
        if turn is None:
            return {self.evidence: no_evidence()}
        conversation.shown = turn
        shown = conversation.exchanges[turn]
        return {self.conversation: conversation, self.evidence: evidence(shown, turn), self.cited: _cited(shown)}

    def show_scope(self, scope: Filter | None) -> Drawing:
        """What the chat is restricted to, for as long as it is."""
        words = element("p", inert(f"Asking only {scope_in_words(scope)}"), "fn-restricted") if scope else ""
        return {self.scope_row: gr.update(visible=scope is not None), self.scope_words: words}

    # What can be done to what was said.

    def edit(self, conversation: Conversation, chosen: gr.EventData) -> Drawing:
        """Puts an earlier question into the box."""
        turn = conversation.turn(chosen._data.get("turn"))
        if turn is None or conversation.running:
            return _NOTHING
        conversation.editing = turn
        is_last = turn == len(conversation.exchanges) - 1
        told = "The new wording takes the place of this question." if is_last else (
            "The new wording continues in a copy; this conversation stays as it is."
        )  # fmt: skip
        exchange = conversation.exchanges[turn]
        return {
            self.conversation: conversation,
            self.question: gr.update(value=exchange.question),
            self.scope: exchange.scope,
            self.editing_row: gr.update(visible=True),
            self.editing_words: element("p", told),
        }

    def cancel_editing(self, conversation: Conversation) -> Drawing:
        """Back to asking something new."""
        conversation.editing = None
        return {
            self.conversation: conversation,
            self.question: gr.update(value=""),
            self.editing_row: gr.update(visible=False),
        }

    def like(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Keeps what the reader thinks of an answer, and asks why; the same again takes it back."""
        turn, liked = conversation.turn(chosen._data.get("turn")), chosen._data.get("liked")
        if turn is None or not isinstance(liked, bool):
            return _NOTHING
        exchange = conversation.exchanges[turn]
        exchange.liked = None if exchange.liked is liked else liked
        exchange.reason = ""
        conversation.shown = turn
        self._keep_feedback(conversation, exchange, owner_of(request))
        return {
            self.conversation: conversation,
            self.chat: self._messages(conversation),
            self.reason_row: gr.update(visible=exchange.liked is not None),
            self.reason: "",
        }

    def say_why(self, reason: str, conversation: Conversation, request: gr.Request) -> Drawing:
        """Keeps the reason with the answer that it is about."""
        turn = conversation.turn(conversation.shown)
        if turn is not None:
            exchange = conversation.exchanges[turn]
            exchange.reason = " ".join(reason.split())[:_LONGEST_REASON]
            self._keep_feedback(conversation, exchange, owner_of(request))
        return {self.conversation: conversation, self.reason_row: gr.update(visible=False), self.reason: ""}

    def _keep_feedback(self, conversation: Conversation, exchange: Exchange, owner: str) -> None:
        self.history.save(owner, exchange)
        if exchange.answer:
            turn = conversation.exchanges.index(exchange)
            record_feedback(
                self.assistant.settings.home, f"{conversation.id}-{exchange.id}", exchange.answer,
                liked=exchange.liked, reason=exchange.reason, history=conversation.history(turn),
            )  # fmt: skip

    async def compare(self, conversation: Conversation, chosen: gr.EventData) -> tuple[Any, Any]:
        """The papers of an answer side by side, in a tab of their own."""
        turn = conversation.turn(chosen._data.get("turn"))
        answer = None if turn is None else conversation.exchanges[turn].answer
        if answer is None:
            return gr.skip(), gr.skip()
        try:
            table = comparison(await asyncio.to_thread(self.assistant.compare, answer))
        except RagError as error:
            table = element("p", inert(str(error)), "fn-error")
        # The page's script goes from a cell to the card of this turn.
        return element("div", table, **{"data-turn": str(turn)}), gr.Tabs(selected="compare")

    def take_away(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Hands the browser a text to copy or to save; it is nowhere on the disk."""
        turn, kind = conversation.turn(chosen._data.get("turn")), str(chosen._data.get("kind"))
        title = self._title(conversation, owner_of(request))
        return {self.parcel: parcel(kind, title, conversation, turn, self.assistant)}

    # The reader's conversations.

    def list_conversations(self, search: str, conversation: Conversation, request: gr.Request) -> Drawing:
        """Those that have the words of the search."""
        found = self.history.listed(owner_of(request), search)
        return {self.listed: conversation_list(found, conversation.id, search)}

    def rename(self, search: str, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Gives a conversation the title that was typed."""
        wanted, title = chosen._data.get("id"), chosen._data.get("title")
        if isinstance(wanted, str) and isinstance(title, str):
            self.history.rename(owner_of(request), wanted, title)
        bar = _bar(conversation.id, self._title(conversation, owner_of(request)))
        return {**self.list_conversations(search, conversation, request), self.bar: bar}

    def delete(self, conversation: Conversation, request: gr.Request, chosen: gr.EventData) -> Drawing:
        """Deletes a conversation for good, and leaves it where it is the open one."""
        wanted = chosen._data.get("id")
        if not isinstance(wanted, str):
            return _NOTHING
        self.history.delete(owner_of(request), wanted)
        if wanted == conversation.id:
            return self.start_anew(conversation, request)
        return {self.listed: conversation_list(self.history.listed(owner_of(request)), conversation.id)}

    async def stop(self, conversation: Conversation) -> None:
        """Ends the answer that is being written, and hangs up on the language model."""
        conversation.stop.set()

    async def leave(self, request: gr.Request) -> None:
        """Nobody reads on in a tab that was closed; Gradio itself would notice at the next drawing only."""
        if conversation := self.answering.get(request.session_hash):
            conversation.leave()


def _cited(exchange: Exchange | None) -> tuple[str, ...]:
    """Ids of the papers that an answer cites, each once."""
    answer = exchange.answer if exchange else None
    return tuple(dict.fromkeys(citation.paper.id for citation in answer.citations)) if answer else ()


def _buttons(buttons: list[gr.Button], questions: list[str]) -> Drawing:
    """The buttons with these questions; those that are left over are hidden."""
    shown = [gr.update(value=question, visible=True) for question in questions[: len(buttons)]]
    return dict(zip(buttons, [*shown, *[gr.update(visible=False)] * len(buttons)], strict=False))


def _closer(drawer: str) -> str:
    """On a narrow page these columns are drawers."""
    return element(
        "button", f"Close the {drawer}", "fn-tool fn-drawer-close", type="button", **{"data-drawer": "close"}
    )


def _bar(conversation: str | None, title: str = "") -> str:
    """The line above a conversation: its title, and what can be taken away of it."""
    toggle = element("button", "Conversations", "fn-tool fn-toggle", type="button", **{"data-drawer": "conversations"})
    name = element("h2", inert(title or "New conversation"), "fn-bar-title", title=title)
    menu = ""
    if conversation:
        formats = (
            element("button", label, "fn-tool", type="button", **{"data-download": kind})
            for kind, label in _FORMATS.items()
        )
        menu = element("details", element("summary", "Export") + element("div", "".join(formats)), "fn-menu")
    # The page's script keeps the address in step with what is open.
    return element("div", toggle + name + menu, "fn-bar-line", **{"data-conversation": conversation or "none"})
