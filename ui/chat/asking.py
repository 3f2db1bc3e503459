"""One question from the click to its kept answer: admitted, streamed, stopped, saved."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rag import LLMError, Notice, RagError, Retrieved, Turn, Turnstile, read_events
from ui.conversations.conversation import Exchange, State

if TYPE_CHECKING:
    from rag import Assistant
    from ui.conversations.history import History

AT_ONCE, WAITING = 8, 24  # together fewer than the 40 events that Gradio carries out at a time
REDRAW_S = 0.05  # a streaming answer is drawn at most this often: faster is not legible, only more work
_REDRAW_QUICK_S = 0.25
_SAVE_S = 1.0  # what a killed server loses of a streaming answer at most
_UNEXPECTED = "Something went wrong that should not have; the details are in the server's log. You can ask again."
_PREPARING = (
    "Footnote is getting ready (the first time it reads in the example papers, about a minute); "
    "your question comes next."
)
_LOOK_AGAIN_S = 0.2  # whether it is ready
_WAITING = "Other questions are being answered just now; yours comes next."

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """What all tabs share to have questions answered."""

    assistant: Assistant
    history: History
    turnstile: Turnstile = field(default_factory=lambda: Turnstile(AT_ONCE, WAITING))

    async def answered(
        self, exchange: Exchange, before: Sequence[Turn], stop: asyncio.Event, owner: str, *, extractive: bool = False
    ) -> AsyncIterator[None]:
        """Has a question answered; yields whenever there is more of the answer to draw, the last time at its end."""
        drawn_at = saved_at = time.monotonic()
        # Without a model the whole answer comes right behind what was found, which is not worth drawing before it.
        slow = self.assistant.settings.llm_configured and not extractive
        redraw_s = REDRAW_S if slow else _REDRAW_QUICK_S

        try:
            exchange.notices = self._waits_for()
            if exchange.notices:
                yield
            async with self.admitted(stop):
                exchange.notices = ()
                undrawn = False
                events = self.assistant.astream(
                    exchange.question, history=before, where=exchange.scope, extractive=extractive
                )
                async with aclosing(read_events(events, redraw_s, stop)) as told:
                    async for event in told:
                        news = isinstance(event, Notice) or (slow and isinstance(event, Retrieved))
                        if event is not None:
                            exchange.take(event)
                            undrawn = True
                        now = time.monotonic()
                        if exchange.running and now - saved_at > _SAVE_S:
                            self.history.save(owner, exchange)
                            saved_at = now
                        if exchange.running and undrawn and (news or now - drawn_at > redraw_s):
                            yield
                            drawn_at, undrawn = time.monotonic(), False
        except RagError as error:
            exchange.fail(str(error))
            exchange.model_failed = isinstance(error, LLMError)
            exchange.usage = error.usage if isinstance(error, LLMError) else exchange.usage
        except Exception:
            _logger.exception("A question failed")
            exchange.fail(_UNEXPECTED)
        finally:
            if exchange.running:
                exchange.state = State.STOPPED
            self.history.save(owner, exchange)
        yield

    @asynccontextmanager
    async def admitted(self, stop: asyncio.Event | None = None) -> AsyncIterator[None]:
        """A place at the turnstile, when the whole library is there to answer from, or as soon as `stop` is set.

        Raises:
            Busy: Too many wait already.
        """
        async with self.turnstile.passed(stop):
            while self.assistant.is_preparing and not (stop and stop.is_set()):
                await asyncio.sleep(_LOOK_AGAIN_S)
            yield

    def _waits_for(self) -> tuple[str, ...]:
        if self.assistant.is_preparing:
            return (_PREPARING,)
        return (_WAITING,) if self.turnstile.full else ()
