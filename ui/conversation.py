"""What one browser tab has asked and been told: plain data, kept by the server for each session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum

from rag import Answer, AnswerEvent, Done, Filter, Notice, Passage, Retrieved, Token, Turn, Usage


class State(StrEnum):
    """How far an exchange is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"  # by the reader
    CUT = "cut"  # the server ended meanwhile


@dataclass(slots=True)
class Exchange:
    """A question and what has come back so far.

    Attributes:
        id: Where it is kept; None while it is not.
        text: The answer's text as it streams in; `answer.text` once there is an answer.
        searched: How many papers were searched; 0 while that is not known.
        scope: The papers the question was restricted to; None for the whole library.
        error: What went wrong, fit for the reader; "" when nothing did.
        usage: What the language model took, also where no answer came of it.
        model_failed: True when the error is the language model's.
        liked: What the reader thinks of the answer; None where that was not said.
        reason: Why, in the reader's own words.
    """

    question: str
    id: int | None = None
    state: State = State.RUNNING
    text: str = ""
    notices: tuple[str, ...] = ()
    passages: tuple[Passage, ...] | None = None
    searched: int = 0
    searches: tuple[str, ...] = ()
    scope: Filter | None = None
    answer: Answer | None = None
    error: str = ""
    usage: Usage = field(default_factory=Usage)
    model_failed: bool = False
    liked: bool | None = None
    reason: str = ""

    @property
    def wants_another_way(self) -> bool:
        """Whether the language model left the reader without an answer, or with the beginning of one."""
        return self.model_failed or (self.answer is not None and self.answer.cut)

    @property
    def running(self) -> bool:
        """Whether more is to come."""
        return self.state is State.RUNNING

    def fail(self, reason: str) -> None:
        """Ends the exchange with what went wrong, fit for the reader."""
        self.error, self.state = reason, State.FAILED

    def take(self, event: AnswerEvent) -> None:
        """Adds what an event brings."""
        match event:
            case Notice(text):
                self.notices = (*self.notices, text)
            case Retrieved(passages=passages, searches=searches, searched=searched):
                self.passages, self.searches, self.searched = passages, searches, searched
            case Token(text):
                self.text += text
            case Done(answer):
                self.answer, self.state = answer, State.DONE
                self.text = answer.text
                self.usage = answer.usage


@dataclass(slots=True)
class Conversation:
    """The conversation that a tab shows, oldest exchange first.

    Attributes:
        id: Where it is kept; None before its first question.
        shown: The turn whose evidence is in view.
        editing: The turn whose question is being put differently; None when a new one is typed.
        stop: Set to end the exchange that runs in this tab.
    """

    id: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    shown: int = 0
    editing: int | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    mine: Exchange | None = None

    @property
    def running(self) -> bool:
        """Whether an answer is being written in this tab."""
        return self.mine is not None and self.mine.running

    def begin(self, exchange: Exchange) -> None:
        """Opens the next exchange, with a stop signal of its own."""
        self.exchanges.append(exchange)
        self.shown, self.editing, self.mine = len(self.exchanges) - 1, None, exchange
        self.stop = asyncio.Event()

    def shows(self, exchange: Exchange) -> bool:
        """Whether this very exchange is still part of what the tab shows."""
        return any(held is exchange for held in self.exchanges)

    def leave(self) -> None:
        """Ends the exchange that runs in this tab, of which nothing is drawn any more."""
        self.stop.set()
        self.exchanges = []

    def turn(self, value: object) -> int | None:
        """A number of an exchange that came from the browser; None where there is none of it."""
        return value if isinstance(value, int) and 0 <= value < len(self.exchanges) else None

    def usage(self, turn: int) -> Usage:
        """What the language model took from the beginning to the end of this turn."""
        return sum((exchange.usage for exchange in self.exchanges[: turn + 1]), Usage())

    def history(self, before: int) -> list[Turn]:
        """What was said before a turn, as plain text; questions that came to nothing are left out."""
        said = [exchange for exchange in self.exchanges[:before] if exchange.text and not exchange.error]
        return [
            turn for exchange in said for turn in (Turn("user", exchange.question), Turn("assistant", exchange.text))
        ]
