"""Questions that the chat offers, before the first one and after an answer, and what the library holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from rag import Overview, RagError
from ui.chat.asking import Asking
from ui.chat.drawing import Drawing
from ui.chat.layout import ChatLayout
from ui.conversations.conversation import Conversation
from ui.html.escaping import button, element, escape
from ui.html.templates import fill

_EXAMPLES = 4
_FOLLOW_UPS = 3
_TOPICS = 6
_LOOK_AGAIN_S = 0.5  # whether what is waited for has come
_LOOKS = 4  # at whether nobody asks, before suggestions are left out


class Suggestions:
    """Offers questions where the processor has time for it."""

    def __init__(self, layout: ChatLayout, asking: Asking) -> None:
        self.layout, self.asking, self.assistant = layout, asking, asking.assistant

    async def show_start(self) -> AsyncIterator[Drawing]:
        """Questions that the library answers, and what is in it; once more when a first ingest is done."""
        yield await asyncio.to_thread(self._draw_start)
        if self.assistant.is_preparing:
            while self.assistant.is_preparing:
                await asyncio.sleep(_LOOK_AGAIN_S)
            yield await asyncio.to_thread(self._draw_start)
        try:
            overview = draw_overview(await asyncio.to_thread(self.assistant.overview))  # takes seconds the first time
        except RagError:
            overview = ""
        yield {**await asyncio.to_thread(self._draw_start), self.layout.overview: overview}

    def _draw_start(self) -> Drawing:
        try:
            questions = self.assistant.example_questions(_EXAMPLES)
        except RagError:
            questions = []  # the first question says what is wrong with the library
        reading = element("p", "Reading in the example papers; this takes a minute, once.", "fn-note")
        waits = not questions and self.assistant.is_preparing
        return {self.layout.examples: draw_suggestions(questions), self.layout.overview: reading if waits else ""}

    async def suggest_follow_ups(self, conversation: Conversation) -> str:
        """Questions to go on with after the last answer, once nobody waits for an answer of their own."""
        exchange = conversation.exchanges[-1] if conversation.exchanges else None
        if exchange is None or exchange.answer is None:
            return ""
        for _ in range(_LOOKS):
            if not self.asking.turnstile.busy:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)
        else:
            return ""  # others need the processor more
        asked = [each.question for each in conversation.exchanges]
        try:
            offered = await asyncio.to_thread(
                self.assistant.follow_ups, exchange.answer, _FOLLOW_UPS, asked=asked, where=exchange.scope
            )
        except RagError:  # the library may have gone since; the next question says so
            return ""
        is_last = conversation.exchanges and conversation.exchanges[-1] is exchange
        return draw_suggestions(offered, "You could ask next") if is_last else ""


def draw_suggestions(questions: Sequence[str], heading: str = "") -> str:
    """A button for each question, under a heading; nothing where there are none."""
    buttons = "".join(button(escape(question), "fn-suggested", data_question=question) for question in questions)
    return (element("h2", heading, "fn-label") if heading else "") + buttons if buttons else ""


def draw_overview(found: Overview) -> str:
    """What the library holds, in two lines; nothing of an empty one."""
    return fill("chat/overview.html", found=found, most=_TOPICS)
