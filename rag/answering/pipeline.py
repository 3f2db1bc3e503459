"""One path for everybody: question -> standalone -> passages -> answer -> checked Answer."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from rag.answering.extractive import quoted
from rag.answering.followup import context_of
from rag.answering.gate import share_of_papers, strays, unknown_terms
from rag.answering.model_answer import Writer
from rag.answering.question import History, check_sources, checked_question, checked_turns
from rag.answering.refusal import refused
from rag.answering.stream import AnswerStream
from rag.errors import LLMError, QuestionError
from rag.ingestion.library_handle import LibraryHandle
from rag.library.library import Library
from rag.llm.deadline import Patience
from rag.models.embedding import EmbeddingModel, cores, open_model
from rag.retrieval.query_expansion import DEPTH, fused_with
from rag.retrieval.ranking import Query, Ranking, retrieve
from rag.settings import Settings
from rag.telemetry import keep_quiet
from rag.types import Answer, AnswerEvent, Done, Filter, Notice, Outcome, Retrieved, Turn, Usage

log = logging.getLogger(__name__)

PASSAGES = 20  # how many an Answer carries


class Answering:
    """Answers questions about one library; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        keep_quiet()
        self.settings = settings
        self.handle = LibraryHandle(settings)
        # More searches at once than there are cores only stand in each other's way: tests/bench/results/askers.json.
        self._searching = threading.BoundedSemaphore(cores())

    @cached_property
    def model(self) -> EmbeddingModel:
        """The embedding model, loaded when it is first needed."""
        return open_model(self.settings)

    @cached_property
    def writer(self) -> Writer:
        """The language model that the settings name, opened when it is first needed."""
        return Writer(self.settings, lambda text: self.model.embed([text])[0])

    def stream(
        self,
        question: object,
        *,
        history: History = (),
        where: Filter | None = None,
        extractive: bool = False,
    ) -> AnswerStream:
        """The events of an answer, the last of them `Done`; closing the stream hangs up on the language model.

        Args:
            question: A text; anything else is refused.

        Raises:
            QuestionError: The question is empty or too long, or the filter or the history is none.
            LibraryError: The library is missing, damaged, of another model, or out of reach.
            LLMError: The language model failed before its first word; later its text is kept and marked as cut.
        """
        question = checked_question(question)
        if not isinstance(where, Filter | None):
            raise QuestionError(
                f"The filter is a {type(where).__name__}; give a Filter, e.g. Filter(sources=('a.txt',))."
            )
        with_model = self.settings.llm_configured and not extractive
        if with_model:
            self.writer.check()
        turns = checked_turns(history or ())
        patience = Patience(self.settings.llm_deadline_s)
        return AnswerStream(self._answer(question, turns, where, patience if with_model else None), patience)

    async def astream(self, question: object, **given: Any) -> AsyncGenerator[AnswerEvent, None]:
        """As `stream`, with the work in a thread; cancelled, it hangs up on the language model."""
        events = self.stream(question, **given)
        thread = ThreadPoolExecutor(1, "footnote-answer")  # the loop's own are few where there are few cores
        try:
            while (event := await asyncio.get_running_loop().run_in_executor(thread, next, events, None)) is not None:
                yield event
        finally:
            events.close()
            thread.shutdown(wait=False)

    def _answer(
        self, question: str, history: Sequence[Turn], where: Filter | None, patience: Patience | None
    ) -> Generator[AnswerEvent, None, None]:
        """The events of an answer; without patience for the language model none is asked."""
        clock = _Clock()
        notices: tuple[str, ...] = ()
        library = self.handle.ready()
        if library is None:
            if why := self.handle.why_not_ready():
                notices = (why,)
                yield Notice(why)
            library = self.handle.filled()
        check_sources(library, where)
        clock.lap("open")
        query, usage, fault = self._spelled_out(library, question, history, patience)
        clock.lap("condense")
        ranking = self._ranked(library, query, where, k=DEPTH if patience else PASSAGES)
        clock.lap("retrieve")
        for typed, meant in ranking.slips.items():
            notices += (f"“{typed}” was read as “{meant}”.",)
            yield Notice(notices[-1])
        unknown = unknown_terms(library, ranking.query.question)
        found = self._is_found(ranking.best(PASSAGES), unknown)
        searches: tuple[str, ...] = ()
        if found and patience and ranking.evidence < self.settings.llm_expand_below:
            try:
                ranking, searches, spent = self._widened(library, ranking, where, patience)
            except LLMError as error:
                error.usage += usage
                raise
            usage += spent
            clock.lap("expand")
        ranking = ranking.best(PASSAGES)
        searched = library.count(where) if where else library.size
        yield Retrieved(ranking.query.standalone, ranking.passages, searches, searched)
        draft = Answer(
            question=question,
            standalone_question=ranking.query.standalone,
            text="",
            outcome=Outcome.ANSWERED,
            passages=ranking.passages,
            unknown_terms=unknown,
            notices=notices,
            usage=usage,
            searches=searches,
            searched=searched,
        )
        if fault and not found:  # perhaps only because the question was not spelled out
            raise fault
        if not found:
            answer = yield from refused(draft, library, filtered=where is not None)
        elif patience:
            answer = yield from self.writer.write(draft, ranking, patience)
        else:
            answer = yield from quoted(draft, ranking, library)
        clock.lap("answer")
        answer = replace(answer, timings_ms=clock.total())
        log.info("answered a question: %s, %d citations, %.0f ms",
                 answer.outcome.value, len(answer.citations), answer.timings_ms["total"])  # fmt: skip
        yield Done(answer)

    def _is_found(self, ranking: Ranking, unknown: Sequence[str]) -> bool:
        """Whether there is evidence enough to write an answer from."""
        gate = self.settings.evidence_gate
        return bool(ranking.passages) and ranking.evidence >= gate and not strays(ranking, unknown, gate)

    def standalone(self, library: Library, question: str, history: Sequence[Turn]) -> Query:
        """What to search for without a language model: the question with what it refers to."""
        return Query(question, context_of(question, history, partial(share_of_papers, library)))

    def _spelled_out(
        self, library: Library, question: str, history: Sequence[Turn], patience: Patience | None
    ) -> tuple[Query, Usage, LLMError | None]:
        """What to search for, as the language model spells it out; where that failed, as we can, and the fault."""
        usage, fault = Usage(), None
        if history and patience:
            try:
                text, usage = self.writer.spelled_out(question, history, patience)
            except LLMError as error:
                if error.lasting:
                    raise
                text, usage, fault = "", error.usage, error
            if text:
                return Query(text), usage, None
        return self.standalone(library, question, history), usage, fault

    def _ranked(self, library: Library, query: Query, where: Filter | None, *, k: int) -> Ranking:
        with self._searching:
            return retrieve(library, self.model, query, k=k, where=where)

    def _widened(
        self, library: Library, ranking: Ranking, where: Filter | None, patience: Patience
    ) -> tuple[Ranking, tuple[str, ...], Usage]:
        """The ranking with a say for searches in the field's terms; those that find nothing have none."""
        searches, usage = self.writer.searches(ranking.query.standalone, patience)
        found = {search: self._ranked(library, Query(search), where, k=DEPTH) for search in searches}
        found = {search: each for search, each in found.items() if each.evidence >= self.settings.evidence_gate}
        return fused_with(ranking, list(found.values())), tuple(found), usage


@dataclass(slots=True)
class _Clock:
    """Milliseconds by stage."""

    started: float = field(default_factory=time.perf_counter)
    lapped: float = field(default_factory=time.perf_counter)
    spent_ms: dict[str, float] = field(default_factory=dict)

    def lap(self, stage: str) -> None:
        """Books the time since the last lap on a stage."""
        now = time.perf_counter()
        self.spent_ms[stage] = (now - self.lapped) * 1000
        self.lapped = now

    def total(self) -> dict[str, float]:
        """All stages, and the time since the start as `total`."""
        return {**self.spent_ms, "total": (self.lapped - self.started) * 1000}
