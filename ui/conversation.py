"""What one browser tab has asked and been told: plain data, kept by the server for each session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from rag import Answer, AnswerEvent, Done, Notice, Passage, Retrieved, Token, Turn, Usage


@dataclass(slots=True)
class Exchange:
    """A question and what has come back so far.

    Attributes:
        text: The answer's text as it streams in; `answer.text` once there is an answer.
        error: What went wrong, fit for the reader; "" when nothing did.
        stopped: True when the reader stopped the answer before it was complete.
        usage: What the language model took, also where no answer came of it.
        model_failed: True when the error is the language model's.
    """

    question: str
    text: str = ""
    notices: tuple[str, ...] = ()
    passages: tuple[Passage, ...] | None = None
    searches: tuple[str, ...] = ()
    answer: Answer | None = None
    error: str = ""
    stopped: bool = False
    usage: Usage = field(default_factory=Usage)
    model_failed: bool = False

    @property
    def wants_another_way(self) -> bool:
        """Whether the language model left the reader without an answer, or with the beginning of one."""
        return self.model_failed or (self.answer is not None and self.answer.cut)

    @property
    def running(self) -> bool:
        """Whether more is to come."""
        return self.answer is None and not self.error and not self.stopped

    def take(self, event: AnswerEvent) -> None:
        """Adds what an event brings."""
        match event:
            case Notice(text):
                self.notices = (*self.notices, text)
            case Retrieved(passages=passages, searches=searches):
                self.passages, self.searches = passages, searches
            case Token(text):
                self.text += text
            case Done(answer):
                self.answer = answer
                self.text = answer.text
                self.usage = answer.usage


@dataclass(slots=True)
class Conversation:
    """The exchanges of a session, oldest first; `stop` is set to end the running one."""

    exchanges: list[Exchange] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> bool:
        """Whether an answer is being written."""
        return bool(self.exchanges) and self.exchanges[-1].running

    def begin(self, question: str) -> Exchange:
        """Opens the next exchange, with a stop signal of its own."""
        exchange = Exchange(question)
        self.exchanges.append(exchange)
        self.stop = asyncio.Event()
        return exchange

    def clear(self) -> None:
        """Forgets everything and ends the running exchange."""
        self.stop.set()
        self.exchanges.clear()

    def holds(self, exchange: Exchange) -> bool:
        """Whether this very exchange is still part of the conversation."""
        return any(held is exchange for held in self.exchanges)

    def usage(self, turn: int) -> Usage:
        """What the language model took from the beginning to the end of this turn."""
        return sum((exchange.usage for exchange in self.exchanges[: turn + 1]), Usage())

    def history(self, *, again: bool = False) -> list[Turn]:
        """What was said, as plain text; questions that came to nothing are left out.

        Args:
            again: Up to the last question, which is asked once more.
        """
        exchanges = self.exchanges[:-1] if again else self.exchanges
        said = [exchange for exchange in exchanges if exchange.text and not exchange.error]
        return [
            turn for exchange in said for turn in (Turn("user", exchange.question), Turn("assistant", exchange.text))
        ]
