"""The library and its chain, opened once and asked many times; and the public functions on the default one."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rag.explore.map_store import MapStore
from rag.explore.overview import Overview, PaperMap, make_overview
from rag.settings import Settings, load_settings
from rag.types import Answer, AnswerEvent, Filter, IngestReport, Paper, Passage

if TYPE_CHECKING:
    from rag.answering.pipeline import Answering
    from rag.answering.question import History
    from rag.answering.stream import AnswerStream
    from rag.explore.comparison import Comparison
    from rag.ingestion.embed_papers import Progress
    from rag.share.passports.verification import VerifyReport


class Assistant:
    """Open once, ask many times; safe to share between threads.

    Attributes:
        is_preparing: Whether `prepare` is at work; until then an answer may come from a part of the library alone.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._opened: Answering | None = None
        self._maps = MapStore(settings)
        self.is_preparing = False

    @classmethod
    def open(cls, settings: Settings | None = None) -> Assistant:
        """An assistant for these settings, or those of the environment; what is slow is loaded when first needed.

        Raises:
            SettingsError: The environment has a setting that is misspelt or out of range.
        """
        return cls(settings or load_settings())

    @property
    def answering(self) -> Answering:
        """What all answers come from."""
        with self._lock:
            if self._opened is None:
                from rag.answering.pipeline import Answering

                self._opened = Answering(self.settings)
            return self._opened

    def stream(
        self, question: str, *, history: History = (), where: Filter | None = None, extractive: bool = False
    ) -> AnswerStream:
        """The events of an answer as they happen; the last is `Done`. Its `close`, from any thread, ends it at once.

        Raises:
            RagError: See the classes in `rag.errors`; the message is fit for a user.
        """
        from rag.answering.stream import AnswerStream

        events = self.astream(question, history=history, where=where, extractive=extractive)
        if self.settings.llm_configured and not extractive:
            self.answering.writer.check()  # what is wrong is raised here, not at the first event
        return AnswerStream(events)

    def astream(
        self, question: str, *, history: History = (), where: Filter | None = None, extractive: bool = False
    ) -> AsyncGenerator[AnswerEvent, None]:
        """As `stream`, in an event loop; closed or cancelled, it hangs up on the language model."""
        return self.answering.events(question, history=history, where=where, extractive=extractive)

    def answer(
        self, question: str, *, history: History = (), where: Filter | None = None, extractive: bool = False
    ) -> Answer:
        """The answer at the end of `stream`."""
        return self.stream(question, history=history, where=where, extractive=extractive).answer()

    async def aanswer(
        self, question: str, *, history: History = (), where: Filter | None = None, extractive: bool = False
    ) -> Answer:
        """The answer at the end of `astream`."""
        from rag.answering.stream import drain

        return await drain(self.astream(question, history=history, where=where, extractive=extractive))

    def search(self, question: str, *, k: int = 10, where: Filter | None = None) -> list[Passage]:
        """The k papers that answer the question best, best first."""
        from rag.answering.question import check_question, check_sources
        from rag.retrieval.ranking import Query, retrieve

        query, library = Query(check_question(question)), self.answering.handle.filled()
        check_sources(library, where)
        return list(retrieve(library, self.answering.model, query, k=max(k, 0), where=where).passages)

    def papers(self, *, where: Filter | None = None, containing: str = "") -> list[Paper]:
        """The papers of the library by source and line; empty while nothing was ingested.

        Args:
            containing: Words that all begin a word of the title or abstract, whatever their capitals and accents.
        """
        from rag.retrieval.paper_search import list_papers

        library = self.answering.handle.current()
        return [] if library is None else list_papers(library, where, containing)

    def similar(self, paper_id: str, k: int = 10) -> list[Passage]:
        """The k papers nearest to a paper of the library.

        Raises:
            LibraryMissing: There is no such paper.
        """
        from rag.retrieval.paper_search import find_similar

        return find_similar(self.answering.handle.current(), paper_id, k=k)

    def map(self) -> PaperMap:
        """The library as a map; made at the first call after a change (the seeds: 2 s), then read."""
        library = self.answering.handle.current()
        return PaperMap() if library is None else self._maps.read_or_make(library)

    def overview(self) -> Overview:
        """Papers, sources, years and topics in numbers; makes the map where there is none yet."""
        return make_overview(self.papers(), self.map().topics)

    def compare(self, asked: Answer | str, *, where: Filter | None = None, k: int = 5) -> Comparison:
        """The papers of an answer side by side: what each says of its aim, method and result, and of the question.

        Args:
            asked: An answer, or a question, which is answered first, without the language model.
            where: As for `answer`; an answer brings its own papers.
            k: Papers, of at most 10, where the answer cites fewer than two; else those that it cites.
        """
        from rag.explore.comparison import compare_papers

        answer = self.answer(asked, where=where, extractive=True) if isinstance(asked, str) else asked
        library = self.answering.handle.filled()
        return compare_papers(answer, library, self.answering.model, k=k, gate=self.settings.evidence_gate)

    def example_questions(self, k: int = 4) -> list[str]:
        """Up to k questions that this library answers, made from its titles."""
        from rag.explore.example_questions import make_example_questions

        return make_example_questions(self.papers(), k)

    def passport(self, answer: Answer, *, where: Filter | None = None) -> str:
        """An answer of this library as one HTML page that carries its evidence, for `verify` to check.

        Args:
            where: What the question was restricted to.
        """
        from rag.share.passports.data import make_passport
        from rag.share.passports.page import write_page

        return write_page(make_passport(answer, self.settings, self.papers(), where=where))

    def verify(self, passport: str, *, ranking: bool = False) -> VerifyReport:
        """Checks the text of a passport against the library, without a network.

        Args:
            ranking: Whether to search again, too, and tell how what is found differs.

        Raises:
            PassportError: The text is no passport.
        """
        from rag.share.passports.verification import verify_passport

        return verify_passport(passport, self.papers(), self.search if ranking else None)

    def follow_ups(
        self, answer: Answer, k: int = 3, *, asked: Sequence[str] = (), where: Filter | None = None
    ) -> list[str]:
        """Up to k questions to go on with, which this library answers and nobody asked yet.

        Args:
            asked: The earlier questions of the conversation.
            where: The papers that the conversation is restricted to.
        """
        from rag.explore.follow_up_questions import find_follow_ups

        library, model, gate = self.answering.handle.filled(), self.answering.model, self.settings.evidence_gate
        return find_follow_ups(answer, library, model, k=k, gate=gate, asked=asked, where=where)

    def ingest(
        self,
        paths: Sequence[str | Path] = (),
        *,
        prune: bool = False,
        rebuild: bool = False,
        progress: Progress | None = None,
        ray: str | None = None,
    ) -> IngestReport:
        """Brings the library in step with files and folders; see `sync` and `reembed` in `rag.ingestion.sync`.

        Args:
            ray: Address of the Ray cluster to embed on, as `rag.ingestion.ray_cluster` takes it; else in this process.
        """
        from rag.ingestion.embed_papers import embed_here
        from rag.ingestion.ray_cluster import ray_cluster
        from rag.ingestion.rebuild import reembed
        from rag.ingestion.sync import sync
        from rag.telemetry import keep_quiet

        keep_quiet()
        try:
            with ray_cluster(ray) if ray else nullcontext(embed_here) as embedded_by:
                if rebuild:
                    report = reembed(self.settings, progress=progress, embedded_by=embedded_by)
                    if not paths:
                        return report
                return sync(self.settings, paths, prune=prune, progress=progress, embedded_by=embedded_by)
        finally:
            with self._lock:
                if self._opened is not None:
                    self._opened.handle.forget()  # the next question sees the library as it is now

    def prepare(self, progress: Progress | None = None) -> IngestReport | None:
        """Does all that would make the first question slow: an empty library is filled, the models are loaded.

        Returns:
            What was ingested; None where the library had papers already.
        """
        self.is_preparing = True
        try:
            before = self.answering.handle.current()
            empty = before is None or not before.size
            library = self.answering.handle.filled(progress)
            self.answering.model.embed(["warm"])
            if self.settings.llm_configured:
                _ = self.answering.writer.entailment
        finally:
            self.is_preparing = False
        return IngestReport(added=library.size, total=library.size) if empty else None

    def close(self) -> None:
        """Lets go of the library; the next question opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.handle.forget()
                self._opened = None


_default: dict[Settings, Assistant] = {}
_default_lock = threading.Lock()


def _assistant(settings: Settings | None) -> Assistant:
    """The assistant of these settings, the same at every call."""
    chosen = settings or load_settings()
    with _default_lock:
        return _default.setdefault(chosen, Assistant(chosen))


def answer(
    question: str,
    *,
    history: History = (),
    where: Filter | None = None,
    extractive: bool = False,
    settings: Settings | None = None,
) -> Answer:
    """Answers a question from the library, every sentence with a citation that can be checked.

    Args:
        history: Earlier turns, oldest first: `Turn`s, or mappings with "role" and "content".
        where: Restricts the papers that may be used.
        extractive: Answers in sentences of the papers, without the language model, also where one is configured.
        settings: Instead of those of the environment.

    Raises:
        RagError: See the classes in `rag.errors`; the message is fit for a user.
    """
    return _assistant(settings).answer(question, history=history, where=where, extractive=extractive)


def stream(
    question: str,
    *,
    history: History = (),
    where: Filter | None = None,
    extractive: bool = False,
    settings: Settings | None = None,
) -> AnswerStream:
    """As `answer`, in events as they happen; the last is `Done` and carries the answer."""
    return _assistant(settings).stream(question, history=history, where=where, extractive=extractive)


def search(
    question: str, *, k: int = 10, where: Filter | None = None, settings: Settings | None = None
) -> list[Passage]:
    """The k papers that answer the question best, best first, without writing an answer."""
    return _assistant(settings).search(question, k=k, where=where)


def papers(*, where: Filter | None = None, containing: str = "", settings: Settings | None = None) -> list[Paper]:
    """The papers of the library by source and line; `containing` is as for `Assistant.papers`."""
    return _assistant(settings).papers(where=where, containing=containing)


def similar(paper_id: str, k: int = 10, *, settings: Settings | None = None) -> list[Passage]:
    """The k papers nearest to a paper of the library."""
    return _assistant(settings).similar(paper_id, k)


def passport(answer: Answer, *, where: Filter | None = None, settings: Settings | None = None) -> str:
    """An answer as one HTML page that carries its evidence, for `verify` to check."""
    return _assistant(settings).passport(answer, where=where)


def verify(passport: str, *, ranking: bool = False, settings: Settings | None = None) -> VerifyReport:
    """Checks the text of a passport against the library.

    Raises:
        PassportError: The text is no passport.
    """
    return _assistant(settings).verify(passport, ranking=ranking)


def ingest(paths: Sequence[str | Path] = (), *, prune: bool = False, settings: Settings | None = None) -> IngestReport:
    """Brings the library in step with files and folders; without paths, with those it knows already.

    Raises:
        CorpusError: A path does not exist and the library does not know it either.
        LibraryError: The library cannot be opened or written.
    """
    return _assistant(settings).ingest(paths, prune=prune)
