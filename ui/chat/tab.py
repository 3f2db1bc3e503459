"""The chat's tab: which part does what at which event."""

from __future__ import annotations

import json

import gradio as gr

from ui.chat.asking import Asking
from ui.chat.conversation_events import ConversationEvents
from ui.chat.drawing import ChatDrawing
from ui.chat.feedback_events import FeedbackEvents
from ui.chat.layout import RUNNING, ChatLayout
from ui.chat.question_events import EditingEvents, QuestionEvents
from ui.chat.suggestions import Suggestions
from ui.shared import PRIVATE, QUEUED, UNQUEUED, Shared

_SHOW_STOP = f"() => ({json.dumps({**RUNNING, '__type__': 'update'})})"
_EMPTY = json.dumps({**RUNNING, "__type__": "update", "value": ""})
_TAKE_FROM_BOX = f"typed => window.footnote.take(typed, {_EMPTY})"


class ChatTab:
    """The chat in its parts, laid out where the page is being built."""

    def __init__(self, asking: Asking, shared: Shared) -> None:
        self.layout = ChatLayout(shared)
        self.drawing = ChatDrawing(self.layout, asking.assistant, asking.history)
        self.feedback = FeedbackEvents(self.drawing)
        self.conversations = ConversationEvents(self.drawing, self.feedback)
        self.questions = QuestionEvents(self.drawing, asking, self.conversations)
        self.editing = EditingEvents(self.drawing)
        self.suggestions = Suggestions(self.layout, asking)

    def connect(self, page: gr.Blocks) -> None:
        """Connects the events of the chat, once everything is laid out."""
        layout, panel, questions = self.layout, self.layout.evidence, self.questions
        given = [layout.conversation, layout.scope]
        # The script alone changes the box, at once: what is typed next must neither be emptied away nor asked.
        layout.question.submit(None, layout.question, [layout.typed, layout.question], js=_TAKE_FROM_BOX, **PRIVATE)
        for asked in (panel.ask, panel.retry, panel.without):
            asked(None, None, layout.question, js=_SHOW_STOP, **PRIVATE)
        # Gradio carries the events of one trigger out one after the other.
        for asked, ask, inputs in (
            (layout.question.submit, questions.ask, [layout.typed, *given]),
            (panel.ask, questions.ask_suggested, given),
            (panel.retry, questions.retry, [layout.conversation]),
            (panel.without, questions.ask_without_model, [layout.conversation]),
        ):
            answered = asked(ask, inputs, layout.drawn, trigger_mode="multiple", **QUEUED)
            ready = answered.then(questions.update_box, layout.conversation, layout.question, **UNQUEUED)
            ready.then(self.suggestions.suggest_follow_ups, layout.conversation, layout.follow_ups, **QUEUED)
        layout.question.stop(questions.stop, layout.conversation, None, **UNQUEUED)
        page.unload(questions.leave)

        conversations, opened = self.conversations, [*layout.drawn, layout.scope]
        page.load(conversations.open_page, given, opened, **QUEUED)
        page.load(self.suggestions.show_start, None, [layout.examples, layout.overview], **QUEUED)
        layout.new.click(conversations.start_anew, given, opened, **QUEUED)
        layout.listed.select(conversations.open, given, opened, **QUEUED)
        layout.listed.delete(conversations.delete, given, opened, **QUEUED)
        renamed = [layout.conversation, layout.listed, layout.bar]
        layout.listed.edit(conversations.rename, layout.conversation, renamed, **QUEUED)
        searched = [layout.conversation, layout.listed]
        layout.search.change(conversations.search, [layout.search, layout.conversation], searched, **QUEUED)
        panel.download(conversations.download, layout.conversation, layout.download, **QUEUED)

        shown = [layout.conversation, panel, layout.cited]
        panel.select(self.drawing.show_evidence, layout.conversation, shown, **QUEUED)
        noticed = [layout.conversation, layout.notices]
        panel.like(self.feedback.like, layout.conversation, [*noticed, layout.chat], **QUEUED)
        panel.why(self.feedback.say_why, layout.conversation, noticed, **QUEUED)
        edited = [*noticed, layout.question, layout.scope]
        panel.edit(self.editing.edit, given, edited, **QUEUED)
        panel.unedit(self.editing.cancel_editing, given, edited, **QUEUED)
        panel.unrestrict(lambda: None, None, layout.scope, **QUEUED)
        layout.scope.change(self.editing.restrict, given, noticed, **QUEUED)
