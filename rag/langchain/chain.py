"""The answering as a LangChain Runnable, for those who build chains with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

from rag.answering.pipeline import Answering
from rag.answering.stream import AnswerStream, drain
from rag.langchain.retriever import PaperRetriever
from rag.settings import Settings, load_settings
from rag.types import Answer, AnswerEvent, Filter

ChainInput = Mapping[str, Any] | str  # {question, history, where, extractive}, or the question alone
_OPTIONS = {"history", "where", "extractive"}


def build_chain(settings: Settings | None = None) -> AnswerChain:
    """The chain as a LangChain Runnable: {question, history, where, extractive} in; an Answer, or its events, out."""
    return AnswerChain(Answering(settings or load_settings()))


class AnswerChain(Runnable[ChainInput, Any]):
    """What an `Answering` does, by LangChain's names; safe to share between threads."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering

    def retriever(self, *, k: int = 10, where: Filter | None = None) -> PaperRetriever:
        """The search alone, as a LangChain retriever of the k best papers' best passages."""
        return PaperRetriever(handle=self.answering.handle, model=self.answering.model, k=k, where=where)

    def invoke(self, input: ChainInput, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        """The answer that `stream` ends with."""
        return self.stream(input, config, **kwargs).answer()

    async def ainvoke(self, input: ChainInput, config: RunnableConfig | None = None, **kwargs: Any) -> Answer:
        """The answer that `astream` ends with; cancelled, it hangs up on the language model."""
        return await drain(self.astream(input, config, **kwargs))

    def stream(self, input: ChainInput, config: RunnableConfig | None = None, **_: Any) -> AnswerStream:  # noqa: ARG002
        """The events of the answer; see `Answering.events`."""
        return AnswerStream(self.answering.events(**_given(input)))

    async def astream(
        self,
        input: ChainInput,
        config: RunnableConfig | None = None,  # noqa: ARG002
        **_: Any,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """The events of the answer, asynchronously."""
        async with aclosing(self.answering.events(**_given(input))) as events:
            async for event in events:
                yield event


def _given(asked: ChainInput) -> dict[str, Any]:
    if isinstance(asked, str):
        return {"question": asked}
    return {"question": asked.get("question")} | {name: asked[name] for name in _OPTIONS & asked.keys()}
