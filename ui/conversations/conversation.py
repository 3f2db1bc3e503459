"""What one browser tab has asked and been told: plain data, kept by the server for each session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from rag import Answer, AnswerEvent, Done, Filter, Notice, Paper, Passage, Retrieved, Token, Turn, Usage


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
    """The conversation that a tab shows, oldest exchange first; one object for as long as the tab is open.

    Attributes:
        id: Where it is kept; None before its first question.
        shown: Id of the exchange whose evidence is in view.
        editing: Id of the exchange whose question is being put differently; None when a new one is typed.
        asks_why: Id of the exchange that the reader has just judged and may say why.
        stop: Set to end the exchange that runs in this tab.
        mine: The exchange that was asked in this tab last.
        search: What the reader's conversations are searched for.
        scope: The papers that the next question is asked of; None for the whole library.
        scope_before: What the chat was restricted to before an earlier question was edited.
        opened: Whether the tab shows what it was opened for, or what its reader has turned to since.
    """

    id: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    shown: int | None = None
    editing: int | None = None
    asks_why: int | None = None
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    mine: Exchange | None = None
    search: str = ""
    scope: Filter | None = None
    scope_before: Filter | None = None
    opened: bool = False

    @property
    def running(self) -> bool:
        """Whether an answer is being written in this tab."""
        return self.mine is not None and self.mine.running

    @property
    def in_view(self) -> Exchange | None:
        """The exchange whose evidence is in view: the last one where no other was chosen."""
        return self.exchange(self.shown) or (self.exchanges[-1] if self.exchanges else None)

    def begin(self, exchange: Exchange) -> None:
        """Opens the next exchange, with a stop signal of its own."""
        self.exchanges.append(exchange)
        self.shown, self.editing, self.asks_why, self.mine = exchange.id, None, None, exchange
        self.stop = asyncio.Event()

    def exchange(self, id: object) -> Exchange | None:
        """The exchange of an id that came from the browser; None where there is none of it, or no more."""
        return next((each for each in self.exchanges if each.id is not None and each.id == id), None)

    def shows(self, exchange: Exchange) -> bool:
        """Whether this very exchange is still part of what the tab shows."""
        return any(held is exchange for held in self.exchanges)

    def leave(self) -> None:
        """Ends the exchange that runs in this tab, of which nothing is drawn any more."""
        self.stop.set()
        self.exchanges = []

    def turn_to(self, id: object, exchanges: list[Exchange], scope: Filter | None) -> None:
        """Leaves what is shown for another conversation, or for a new one where nothing of that id is kept.

        Args:
            scope: What a new one is restricted to; one that is kept, as its last question was.
        """
        self.leave()
        self.id, self.exchanges = str(id) if exchanges else None, exchanges
        self.scope = exchanges[-1].scope if exchanges else scope
        self.shown = self.editing = self.asks_why = self.mine = self.scope_before = None
        self.stop = asyncio.Event()
        self.opened = True

    def usage(self, upto: Exchange) -> Usage:
        """What the language model took from the beginning to the end of an exchange."""
        return sum((exchange.usage for exchange in self.exchanges[: self._place(upto) + 1]), Usage())

    def history(self, before: Exchange | None = None) -> list[Turn]:
        """What was said, before an exchange or at all, as plain text; questions that came to nothing are left out."""
        exchanges = self.exchanges[: self._place(before)] if before else self.exchanges
        turns: list[Turn] = []
        for exchange in exchanges:
            if exchange.text and not exchange.error:
                outcome = exchange.answer.outcome if exchange.answer else None
                cited = tuple(list_cited_papers([exchange.answer]))
                turns += [Turn("user", exchange.question), Turn("assistant", exchange.text, outcome, cited)]
        return turns

    def _place(self, exchange: Exchange) -> int:
        places = (place for place, held in enumerate(self.exchanges) if held is exchange)
        return next(places, len(self.exchanges))


def list_cited_papers(answers: Iterable[Answer | None]) -> list[Paper]:
    """Every paper that an answer cites, once, in the order of their first citation."""
    citations = (citation for answer in answers if answer for citation in answer.citations)
    return list({citation.paper.id: citation.paper for citation in citations}.values())
