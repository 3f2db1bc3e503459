"""A library of real seed abstracts behind the engine's contract, and the real page served on a free port."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from rag import (
    Answer,
    AnswerEvent,
    Citation,
    Done,
    Filter,
    Listener,
    LLMError,
    Notice,
    Outcome,
    Overview,
    Paper,
    Passage,
    QuestionError,
    Retrieved,
    Settings,
    Token,
)
from rag.share.passports.data import make_passport
from rag.share.passports.page import write_page

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
QUESTION = "What is objective mismatch in model-based reinforcement learning?"
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio",
    "--disable-features=PreloadTopChromeWebUI,WebUIOmniboxPopup,Translate,OptimizationHints,MediaRouter",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
# A page that is reloaded aborts what it waits for, and one whose server has ended goes on asking for it.
_LEFT = re.compile(
    r"ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED"
    r"|AbortError|Failed to fetch|network error|Connection errored out|Cancelled via cancel scope|Unable to preload CSS"
)
PATIENCE_MS = 60_000  # a machine that does other things as well takes its time, and what comes is not waited for
expect.set_options(timeout=PATIENCE_MS)
SEEDS = Path(__file__).parents[2] / "seeds"
# Notes what a screen reader is told, which stands on the page for a moment only.
HEARD = """() => {
    window.heard = [];
    const live = [...document.querySelectorAll("[aria-live], [role=status], [role=alert], [role=log]")];
    const hears = at => at && (at.matches("[aria-live=off]") ? null : at.matches("[aria-live], [role=status], [role=alert], [role=log]") ? at : hears(at.parentElement));
    new MutationObserver(changes => {
        for (const change of changes) {
            const at = change.target.nodeType === 1 ? change.target : change.target.parentElement;
            if (hears(at) && at.textContent.trim() && change.addedNodes.length + (change.type === "characterData")) window.heard.push(at.textContent.trim());
        }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'> ![pixel](http://evil.test/a) "
    "[press](javascript:window.hacked=3) <http://evil.test/b> https://evil.test/c www.evil.test `code` "
    "**bold** $$\\href{x}{y}$$ </div></article> \u202egnp.exe\u202c ${window.hacked = 4} {{value}} &lt;b&gt;"
)


def paper(title: str, abstract: str, source: str, line: int, **more: object) -> Paper:
    label = title or " ".join(abstract.split()[:8]) + "…"
    return Paper(sha256(abstract.encode()).hexdigest()[:16], title, label, abstract, source, line, **more)  # type: ignore[arg-type]


def sentences(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\S.*?(?:[.!?](?=\s)|$)", text, re.DOTALL)]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))


class SeedAssistant:
    """Answers as the engine does, by counting common words: quick, and the same each time.

    Some words in a question change that: `unreachable` (an LLMError, but for an extractive answer), `crash` (a bug), `slowly` (0.2 s a
    token, and the last one not before `go_on` is set), `never` (nothing comes before `go_on` is set).
    """

    def __init__(self, papers: Sequence[Paper], settings: Settings | None = None) -> None:
        self.settings = settings or Settings(home=Path("home").absolute())  # in the test's own folder
        self.is_preparing = False
        self.asked: list[tuple[str, list[object]]] = []
        self.wheres: list[Filter | None] = []
        self.fails = False
        self.go_on = threading.Event()
        self._papers = list(papers)

    @classmethod
    def open(cls, settings: Settings | None = None) -> SeedAssistant:
        return cls(_seed_papers(), settings)

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> None:
        """The papers are there already."""

    def papers(self, *, where: Filter | None = None, containing: str = "") -> list[Paper]:
        def has_all(paper: Paper) -> bool:
            return all(word in f"{paper.label} {paper.abstract}".casefold() for word in containing.casefold().split())

        return [paper for paper in self._papers if (where is None or where.among([paper])) and has_all(paper)]

    def similar(self, paper_id: str, k: int = 10) -> list[Passage]:
        here = next(paper for paper in self._papers if paper.id == paper_id)
        ranking = self._ranking(here.abstract, None)
        return [passage for passage in ranking if passage.paper.id != paper_id][:k]

    def example_questions(self, k: int = 4) -> list[str]:
        return [
            "How do sparse autoencoders make language models interpretable?",
            "What is objective mismatch in model-based reinforcement learning?",
            "How many tokens does a video need?",
            "What happens with many-shot in-context learning?",
        ][:k]

    def overview(self) -> Overview:
        return Overview(len(self._papers), (("000_6502c803306ef48d.txt", len(self._papers)),), None, ())

    def follow_ups(
        self, answer: Answer, k: int = 3, *, asked: Sequence[str] = (), where: Filter | None = None
    ) -> list[str]:
        offered = self.example_questions(k + 1) if where is None else []
        return [question for question in offered if question not in asked][:k] if answer.citations else []

    def passport(self, answer: Answer, *, where: Filter | None = None) -> str:
        return write_page(make_passport(answer, self.settings, self._papers, where=where))

    def close(self) -> None:
        pass

    async def aanswer(self, question: str, **given: object) -> Answer:
        async for event in self.astream(question, **given):  # type: ignore[arg-type]
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("no answer")

    def astream(
        self, question: str, *, history: Sequence[object] = (), where: Filter | None = None, extractive: bool = False
    ) -> AsyncGenerator[AnswerEvent, None]:
        if extractive:
            question = question.replace("unreachable", "")
        return self._events(question, history, where)

    async def _events(
        self, question: str, history: Sequence[object], where: Filter | None
    ) -> AsyncGenerator[AnswerEvent, None]:
        self.asked.append((question, list(history)))
        self.wheres.append(where)
        if not question.strip():
            raise QuestionError("the question is empty; type what you want to know")
        if "never" in question:
            await self._wait_to_go_on()
        passages = self._ranking(question, where)
        yield Notice("The library was empty: the bundled seeds were ingested.")
        yield Retrieved(question, passages, searched=len(self.papers(where=where)))
        if "unreachable" in question or self.fails:
            raise LLMError("http://127.0.0.1:9/v1 does not answer; check OPENAI_BASE_URL <b>now</b>")
        if "crash" in question:
            raise ZeroDivisionError("a secret in a traceback")
        answer = self._answer(question, passages)
        *tokens, last = re.findall(r"\S+\s*", answer.text)
        for token in tokens:
            await asyncio.sleep(0.2 if "slowly" in question and not self.go_on.is_set() else 0)
            yield Token(token)
        if "slowly" in question:
            await self._wait_to_go_on()
        yield Token(last)
        yield Done(answer)

    async def _wait_to_go_on(self) -> None:
        while not self.go_on.is_set():
            await asyncio.sleep(0.02)

    def _ranking(self, question: str, where: Filter | None) -> tuple[Passage, ...]:
        def best(paper: Paper) -> tuple[int, int, int]:
            spans = sentences(paper.abstract)
            score, start, end = max(
                (len(words(question) & words(paper.abstract[start:end])), -start, end) for start, end in spans
            )
            return score, -start, end

        found = [(best(paper), paper) for paper in self.papers(where=where)]
        found.sort(key=lambda entry: -entry[0][0])
        return tuple(Passage(paper, float(score), start, end) for (score, start, end), paper in found[:10])

    def _answer(self, question: str, passages: tuple[Passage, ...]) -> Answer:
        if passages[0].score < 2:
            text = "The library holds nothing that answers this question."
            return Answer(
                question,
                question,
                text,
                Outcome.NOT_IN_CORPUS,
                passages=passages,
                unknown_terms=("zebra fish",),
                searched=len(self._papers),
            )
        cited = passages[:2]
        citations = tuple(
            Citation(number, passage.paper, passage.text, passage.start, passage.end)
            for number, passage in enumerate(cited, start=1)
        )
        text = " ".join(f"{citation.quote} [{citation.number}]" for citation in citations)
        return Answer(
            question, question, text, Outcome.ANSWERED, citations, passages, searched=len(self._papers),
            timings_ms={"total": 5.0},
        )  # fmt: skip


def _seed_papers() -> list[Paper]:
    untitled = SEEDS / "000_6502c803306ef48d.txt"
    titled = SEEDS / "004_4ce438284920dd57.txt"
    papers = [
        paper("", line.removeprefix("Abstract:").strip(), untitled.name, number, also_in=((titled.name, 7),))
        for number, line in enumerate(untitled.read_text(encoding="utf-8").splitlines(), start=1)
        if line.startswith("Abstract:")
    ]
    title = ""
    for number, line in enumerate(titled.read_text(encoding="utf-8").splitlines(), start=1):
        if len(line.split()) > 60:
            papers.append(paper(title, line.strip(), titled.name, number))
        elif line.strip():
            title = line.strip()
    return papers


@contextmanager
def served(assistant: object, *, users: Path | None = None, proxies: Sequence[str] = ()) -> Iterator[str]:
    """The address of the page, served as `footnote ui` serves it."""
    from ui.app import build_app
    from ui.server.web_app import build_web_app

    # Where no event loop runs, Gradio makes one for each of its locks, and closes none.
    async def built(listener: Listener) -> object:
        return build_web_app(build_app(assistant), listener, users=users)  # type: ignore[arg-type]

    ready = threading.Event()
    names = ("RAG_HOST", "RAG_PORT")
    with ThreadPoolExecutor(1) as pool, Listener("127.0.0.1", 0, settings=names, proxies=proxies) as listener:
        running = listener.server(
            pool.submit(asyncio.run, built(listener)).result(),
            on_ready=lambda _: ready.set(),
        )
        thread = threading.Thread(target=listener.run, args=(running,), daemon=True)
        thread.start()
        assert ready.wait(300)
        yield listener.address
        running.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def seed_papers() -> list[Paper]:
    return _seed_papers()


@pytest.fixture(scope="module")
def served_assistant(
    seed_papers: list[Paper], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SeedAssistant, str]]:
    """One server for the tests of a module: each of their browsers is a reader of its own."""
    assistant = SeedAssistant(seed_papers, Settings(home=tmp_path_factory.mktemp("served") / "home"))
    with served(assistant) as address:
        yield assistant, address


@pytest.fixture
def assistant(request: pytest.FixtureRequest, seed_papers: list[Paper]) -> SeedAssistant:
    """That of `page_address`, as new; one of the test's own where no page is served."""
    if "page_address" not in request.fixturenames:
        return SeedAssistant(seed_papers)
    assistant: SeedAssistant = request.getfixturevalue("served_assistant")[0]
    assistant.is_preparing = assistant.fails = False
    assistant.asked, assistant.wheres, assistant.go_on = [], [], threading.Event()
    return assistant


@pytest.fixture
def page_address(assistant: SeedAssistant, served_assistant: tuple[SeedAssistant, str]) -> str:
    return served_assistant[1]


@pytest.fixture(scope="module")  # while it is there, no other test of the process can run a loop of its own
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        missing = "no chromium on this machine: the chat was NOT tested in a browser (apt-get install chromium)"
        if os.environ.get("FOOTNOTE_REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; afterwards none of them may have asked another host or logged an error."""
    contexts: list[BrowserContext] = []
    asked, errors, own = set[str](), list[str](), set[str]()

    def open_page(address: str, viewport: dict[str, int] = WIDE, *, example: str = QUESTION, **options: object) -> Page:
        contexts.append(browser.new_context(viewport=viewport, reduced_motion="reduce", **options))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.add(re.sub(r"^(\w+://[^/]*).*", r"\1", request.url)))
        page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("response", lambda got: errors.append(got.url) if got.status >= 400 else None)
        own.add(address)
        page.goto(address)
        expect(page.get_by_role("button", name=example, exact=True)).to_be_visible()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == own, "requests to other hosts"
    assert not [error for error in errors if not _LEFT.search(error)], "errors in the browser's console"
