"""One path for everybody: question -> standalone -> passages -> answer -> checked Answer."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise

from rag.answering.extractive import quote_papers
from rag.answering.followup import condense_question, find_context
from rag.answering.gate import find_unknown_terms, has_evidence, share_of_papers
from rag.answering.model_answer import Writer
from rag.answering.question import History, check_question, check_sources, check_turns
from rag.answering.refusal import refuse
from rag.errors import LLMError, QuestionError
from rag.ingestion.library_handle import LibraryHandle
from rag.library.library import Library
from rag.llm.context_window import prompt_room
from rag.models.embedding import EmbeddingModel, cores, open_model
from rag.retrieval.query_expansion import DEPTH, fuse_rankings
from rag.retrieval.ranking import Query, Ranking, retrieve
from rag.settings import Settings
from rag.telemetry import keep_quiet
from rag.threads import run_in_thread
from rag.types import Answer, AnswerEvent, Done, Filter, Notice, Outcome, Retrieved, Token, Turn, Usage

log = logging.getLogger(__name__)

PASSAGES = 20  # how many an Answer carries
_FAREWELL_S = 2.0  # how long an ingest that is to end may take to: its bar gives the terminal back


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

    def events(
        self,
        question: object,
        *,
        history: History = (),
        where: Filter | None = None,
        extractive: bool = False,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """The events of an answer, the last of them `Done`; closing or cancelling them hangs up on the language model.

        Args:
            question: A text; anything else is refused.

        Raises:
            QuestionError: The question is empty or too long, or the filter or the history is none.
            LibraryError: The library is missing, damaged, of another model, or out of reach.
            LLMError: The language model failed before its first word; later its text is kept and marked as cut.
        """
        question = check_question(question)
        if not isinstance(where, Filter | None):
            raise QuestionError(
                f"The filter is a {type(where).__name__}; give a Filter, e.g. Filter(sources=('a.txt',))."
            )
        with_model = self.settings.llm_configured and not extractive
        return self._answer(question, check_turns(history or ()), where, with_model=with_model)

    def standalone(self, library: Library, question: str, history: Sequence[Turn]) -> Query:
        """What to search for without a language model: the question with what it refers to."""
        return Query(question, find_context(question, history, partial(share_of_papers, library)))

    async def _answer(
        self, question: str, history: Sequence[Turn], where: Filter | None, *, with_model: bool
    ) -> AsyncGenerator[AnswerEvent, None]:
        if with_model:
            await run_in_thread(self.writer.check)
        clock = _Clock()
        notices: tuple[str, ...] = ()
        library = await run_in_thread(self.handle.ready)
        if library is None:
            if why := await run_in_thread(self.handle.why_not_ready):
                notices = (why,)
                yield Notice(why)
            library = await self._fill()
        await run_in_thread(check_sources, library, where)
        clock.lap("open")
        deadline = time.monotonic() + self.settings.llm_deadline_s if with_model else None
        query, usage, fault = await self._condense(library, question, history, deadline)
        clock.lap("condense")
        ranking = await run_in_thread(self._rank, library, query, where, DEPTH if deadline else PASSAGES)
        clock.lap("retrieve")
        for typed, meant in ranking.slips.items():
            notices += (f"“{typed}” was read as “{meant}”.",)
            yield Notice(notices[-1])
        unknown = await run_in_thread(find_unknown_terms, library, ranking.query.question)
        found = has_evidence(ranking.best(PASSAGES), unknown, self.settings.evidence_gate)
        searches: tuple[str, ...] = ()
        if found and deadline and ranking.evidence < self.settings.llm_expand_below:
            try:
                ranking, searches, spent = await self._expand(library, ranking, where, deadline)
            except LLMError as error:
                error.usage += usage
                raise
            usage += spent
            clock.lap("expand")
        ranking = ranking.best(PASSAGES)
        searched = await run_in_thread(library.reader.count, where) if where else library.size
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
        answer = draft if found else refuse(draft, library, filtered=where is not None)
        async with aclosing(self._write(answer, ranking, library, deadline)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Token):
                    yield piece
                else:
                    answer = piece
        clock.lap("answer")
        answer = replace(answer, timings_ms=clock.total())
        log.info("answered a question: %s, %d citations, %.0f ms",
                 answer.outcome.value, len(answer.citations), answer.timings_ms["total"])  # fmt: skip
        yield Done(answer)

    async def _write(
        self, draft: Answer, ranking: Ranking, library: Library, deadline: float | None
    ) -> AsyncGenerator[Token | Answer, None]:
        """The text in pieces, and last the whole answer: by the model where there is a deadline for it."""
        if draft.outcome is Outcome.NOT_IN_CORPUS:
            yield Token(draft.text)
            yield draft
        elif deadline:
            async with aclosing(self.writer.write(draft, ranking, deadline)) as pieces:
                async for piece in pieces:
                    yield piece
        else:
            answer = await run_in_thread(quote_papers, draft, ranking, library)
            for start, end in pairwise((0, *(claim.end for claim in answer.claims), len(answer.text))):
                yield Token(answer.text[start:end])
            yield answer

    async def _fill(self) -> Library:
        """The library, filled first; where this is cancelled the ingest ends as well, which is awaited for a while."""
        stop = threading.Event()
        filling = asyncio.ensure_future(run_in_thread(self.handle.filled, stop=stop))
        filling.add_done_callback(lambda over: over.cancelled() or over.exception())  # heard, if by nobody else
        try:
            return await asyncio.shield(filling)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait({filling}, timeout=_FAREWELL_S)
            raise

    async def _condense(
        self, library: Library, question: str, history: Sequence[Turn], deadline: float | None
    ) -> tuple[Query, Usage, LLMError | None]:
        """What to search for, as the language model spells it out; where that failed, as we can, and the fault."""
        usage, fault = Usage(), None
        if history and deadline:
            try:
                text, usage = await condense_question(
                    self.writer.llm, self.writer.prompts, question, history,
                    room=prompt_room(self.settings), deadline=deadline,
                )  # fmt: skip
            except LLMError as error:
                if error.lasting:
                    raise
                text, usage, fault = "", error.usage, error
            if text:
                return Query(text), usage, None
        return await run_in_thread(self.standalone, library, question, history), usage, fault

    def _rank(self, library: Library, query: Query, where: Filter | None, k: int) -> Ranking:
        with self._searching:
            return retrieve(library, self.model, query, k=k, where=where)

    async def _expand(
        self, library: Library, ranking: Ranking, where: Filter | None, deadline: float
    ) -> tuple[Ranking, tuple[str, ...], Usage]:
        """The ranking with a say for searches in the field's terms; those that find nothing have none."""
        searches, usage = await self.writer.expand(ranking.query.standalone, deadline)
        found = {each: await run_in_thread(self._rank, library, Query(each), where, DEPTH) for each in searches}
        found = {search: each for search, each in found.items() if each.evidence >= self.settings.evidence_gate}
        return fuse_rankings(ranking, list(found.values())), tuple(found), usage


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
