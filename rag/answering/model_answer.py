"""What the language model does for an answer: name searches, write, and be checked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import cached_property, lru_cache, partial

from rag.answering.grounding import ground_answer
from rag.checks.ledger import Entailment, Judge, Nearness
from rag.errors import LLMError
from rag.library.records import Vectors
from rag.llm.client import ChatModel
from rag.llm.context_window import check_room, fit_passages, prompt_room
from rag.llm.prompts import Prompts, load_prompts
from rag.llm.thinking import after_thoughts
from rag.markers.reader import MarkerReader
from rag.models.entailment import open_entailment
from rag.retrieval.query_expansion import read_searches
from rag.retrieval.ranking import Ranking
from rag.settings import Settings
from rag.threads import run_in_thread
from rag.types import Answer, Paper, Token, Usage

_LIST_DROPPED = "A list of references that the model appended was left out: the citations are the evidence here."
_THOUGHTS_DROPPED = "What the model thought aloud before its answer was left out."


class Writer:
    """The language model of the settings with its prompts; safe to share between threads.

    Args:
        embed: The unit vector of a text, by which the meaning of a sentence is compared: shape `(d,)`.
    """

    def __init__(self, settings: Settings, embed: Callable[[str], Vectors]) -> None:
        self._settings, self._embed = settings, embed

    @cached_property
    def llm(self) -> ChatModel:
        """The language model that the settings name."""
        return ChatModel.open(self._settings)

    @cached_property
    def prompts(self) -> Prompts:
        """The prompt files, read and checked once."""
        return load_prompts(self._settings.prompts)

    @cached_property
    def entailment(self) -> Entailment | None:
        """The model for natural language inference that the settings name, if they name one."""
        return open_entailment(self._settings.nli_model) if self._settings.nli_model else None

    def check(self) -> None:
        """What is wrong with the model's settings or the prompts is said at once, not after half a minute of ingest.

        Raises:
            RagError: The model, the prompts, the room for them or the entailment model cannot be used.
        """
        _ = self.llm, self.entailment
        check_room(self._settings, self.prompts)

    async def expand(self, question: str, deadline: float) -> tuple[tuple[str, ...], Usage]:
        """Searches in the field's own terms; none where the model fails at this, but may yet answer.

        Raises:
            LLMError: The model failed, and would at the answer.
        """
        try:
            reply, usage = await self.llm.complete(self.prompts.expand(question), deadline)
        except LLMError as error:
            if error.lasting:
                raise
            return (), error.usage  # the question alone will do
        return read_searches(reply, question), usage

    async def write(self, draft: Answer, ranking: Ranking, deadline: float) -> AsyncGenerator[Token | Answer, None]:
        """The model's answer in pieces, and last as a whole: its markers are citations, every sentence is checked.

        Where the model reads less than the settings say, it is asked again with half as much.

        Raises:
            LLMError: The model failed before its first word; later its text is kept and marked as cut.
        """
        room = prompt_room(self._settings)
        try:
            async with aclosing(self._write(draft, ranking, room, deadline)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        except LLMError as error:
            if not error.is_overlong:
                raise
        less = f"{self.llm.name} reads less than RAG_LLM_CONTEXT_TOKENS says, and was given less: lower that setting."
        told = replace(draft, notices=(*draft.notices, less))
        async with aclosing(self._write(told, ranking, room // 2, deadline)) as pieces:
            async for piece in pieces:
                yield piece

    async def _write(
        self, draft: Answer, ranking: Ranking, room: int, deadline: float
    ) -> AsyncGenerator[Token | Answer, None]:
        asking = partial(self.prompts.answer, draft.standalone_question)
        given = fit_passages(draft.passages[: self._settings.llm_passages], room, asking)
        reader, text, fault, usage, notices = MarkerReader(len(given)), "", "", draft.usage, draft.notices
        try:
            async with aclosing(self.llm.stream(asking(given), deadline)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        usage += piece
                    elif shown := reader.feed(piece):
                        text += shown
                        yield Token(shown)
        except LLMError as error:
            if not text.strip():
                error.usage = usage
                raise
            fault = str(error)
        if rest := reader.finish():
            text += rest
            yield Token(rest)
        if reader.dropped:
            notices = (*notices, _LIST_DROPPED)
        if (said := after_thoughts(text)).strip() and said != text:  # the numbers stay as they were streamed
            text, notices = said, (*notices, _THOUGHTS_DROPPED)
        if fault:  # the last of them
            notices = (*notices, fault)
        written = replace(draft, text=text, cut=bool(fault), notices=notices, usage=usage, model=self.llm.name,
                          removed_markers=tuple(reader.removed))  # fmt: skip
        judge = Judge(self._nearness(ranking), self.entailment)
        yield await run_in_thread(ground_answer, written, draft.passages[: len(given)], reader.order, judge)

    def _nearness(self, ranking: Ranking) -> Nearness:
        """Cosines with the sentences of the papers found, whose vectors are at hand; each text is embedded once."""
        vector = lru_cache(self._embed)

        def nearness(text: str, paper: Paper) -> float:
            return float((ranking.records[paper.id].sentence_vectors @ vector(text)).max(initial=0.0))

        return nearness
