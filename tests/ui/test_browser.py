"""The chat as a reader meets it: the page as `footnote ui` serves it, in a real chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator

import pytest
from conftest import HOSTILE, SEEDS, SeedAssistant, paper, served
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from rag import Assistant, Paper, Settings, load_settings
from tests import llm_server as server
from tests.llm_server import ChatServer

pytestmark = pytest.mark.browser

WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
QUESTION = "What is objective mismatch in model-based reinforcement learning?"
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@pytest.fixture(scope="module")
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
        page.set_default_timeout(10_000)
        page.on("request", lambda request: asked.add(re.sub(r"^(\w+://[^/]*).*", r"\1", request.url)))
        page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("response", lambda got: errors.append(got.url) if got.status >= 400 else None)
        own.add(address)
        page.goto(address)
        expect(page.get_by_role("button", name=example, exact=True)).to_be_visible(timeout=20_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert asked == own, "requests to other hosts"
    assert not errors, "errors in the browser's console"


def ask(page: Page, question: str) -> None:
    box = page.get_by_role("textbox", name="Your question")
    box.fill(question)
    box.press("Enter")


def answers(page: Page) -> int:
    return page.locator(".fn-foot").count()


def ask_and_wait(page: Page, question: str) -> None:
    before = answers(page)
    ask(page, question)
    expect(page.locator(".fn-foot")).to_have_count(before + 1, timeout=20_000)


def test_ask_read_the_answer_click_its_marker_and_see_the_quote(
    new_page: Callable[..., Page], page_address: str
) -> None:
    page = new_page(page_address)
    expect(page.get_by_text("No language model: sentences quoted from the abstracts")).to_be_visible()
    page.get_by_role("button", name=QUESTION).click()
    page.get_by_role("link", name="[2]").click()
    card = page.locator("#fn-0-2")
    expect(card).to_be_focused()
    expect(card).to_have_class(re.compile("fn-marked"))
    expect(card.locator("mark")).to_be_in_viewport()
    expect(card).to_contain_text("004_4ce438284920dd57.txt, line ")
    quote = card.locator("mark").inner_text()
    assert quote in page.get_by_role("log").inner_text()
    expect(page.get_by_text("Answered", exact=True)).to_be_visible()
    expect(page.get_by_label("Answer", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=QUESTION)).to_be_hidden()


def test_the_answer_streams_and_can_be_stopped(
    new_page: Callable[..., Page], page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask(page, f"slowly: {QUESTION}")
    log = page.get_by_role("log")
    expect(log).to_contain_text("Model-based reinforcement")
    assert answers(page) == 0
    page.get_by_role("button", name="Stop").click()
    expect(log).to_contain_text("Stopped before the answer was complete", timeout=2_000)
    ask(page, "never")
    expect(log).to_contain_text("Searching the library")
    page.get_by_role("button", name="Stop").click()
    expect(log.get_by_text("Stopped before the answer was complete")).to_have_count(2, timeout=2_000)
    assistant.go_on.set()
    ask_and_wait(page, QUESTION)


def test_a_follow_up_carries_the_conversation_and_old_answers_keep_their_evidence(
    new_page: Callable[..., Page], page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    ask_and_wait(page, "How do sparse autoencoders make language models interpretable?")
    turns = assistant.asked[-1][1]
    assert [turn.role for turn in turns] == ["user", "assistant"]  # type: ignore[attr-defined]
    assert turns[0].content == QUESTION  # type: ignore[attr-defined]
    assert "[1]" in turns[1].content  # type: ignore[attr-defined]
    assert "<" not in turns[1].content  # type: ignore[attr-defined]
    expect(page.locator("#fn-1")).to_contain_text("untitled; label made from its opening words")
    page.get_by_role("link", name="[1]").first.click()
    expect(page.locator("#fn-0-1")).to_be_focused()
    expect(page.locator("#fn-evidence")).to_contain_text(QUESTION)
    page.get_by_role("link", name="2 papers cited").last.press("Enter")
    expect(page.locator("#fn-1")).to_be_focused()
    page.get_by_text("Also found").press("Enter")
    expect(page.locator("#fn-1 .fn-found").first).to_be_visible()


def test_what_is_not_in_the_library_shows_near_misses(new_page: Callable[..., Page], page_address: str) -> None:
    page = new_page(page_address)
    ask_and_wait(page, "Zebra fish swimming?")
    expect(page.get_by_text("Not in this library")).to_be_visible()
    expect(page.get_by_text("Found nowhere in the library: zebra fish")).to_be_visible()
    expect(page.get_by_text("Near misses: none of them answers the question.")).to_be_visible()
    near_miss = page.locator(".fn-found").first
    near_miss.locator("summary").click()
    expect(near_miss.locator(".fn-abstract")).to_be_visible()


def test_errors_are_told_and_the_chat_goes_on(new_page: Callable[..., Page], page_address: str) -> None:
    page = new_page(page_address)
    log = page.get_by_role("log")
    ask(page, "unreachable")
    expect(log).to_contain_text("does not answer; check OPENAI_BASE_URL <b>now</b>")
    ask(page, "   ")
    expect(log).to_contain_text("the question is empty")
    ask(page, "crash")
    expect(log).to_contain_text("Something went wrong that should not have")
    assert "ZeroDivisionError" not in page.content()
    assert "secret" not in page.content()
    ask_and_wait(page, QUESTION)


def test_a_model_that_fails_leaves_the_offer_of_an_answer_without_it(
    new_page: Callable[..., Page], seed_settings: Settings
) -> None:
    question = "How many tasks does TimeArena have?"
    with ChatServer(server.wrong_key(), question, server.cuts("It has 30"), question, "It has 30 [1].") as chat:
        settings = load_settings(home=seed_settings.home, llm_model="tiny", openai_base_url=chat.base_url)
        with served(Assistant.open(settings)) as address:
            page = new_page(address, example="Ask")
            log, offer = page.get_by_role("log"), page.get_by_role("button", name="Answer without the language model")
            expect(offer).to_be_hidden()
            ask(page, question)
            expect(log).to_contain_text("wants a key", timeout=30_000)
            offer.click()
            expect(page.locator(".fn-foot")).to_have_count(1, timeout=20_000)
            expect(page.locator(".fn-foot")).to_contain_text("no language model: sentences quoted")
            expect(page.locator("#fn-1")).to_contain_text(question)
            expect(offer).to_be_hidden()
            ask_and_wait(page, "How many tasks does TimeArena have, please?")
            expect(log).to_contain_text("The answer broke off here")
            offer.click()
            expect(page.locator(".fn-foot")).to_have_count(3, timeout=20_000)
            expect(offer).to_be_hidden()
            assert len(chat.requests) == 3
            ask_and_wait(page, "How many tasks does TimeArena have, in all?")
            expect(offer).to_be_hidden()


def test_the_conversation_can_be_cleared_also_while_an_answer_is_written(
    new_page: Callable[..., Page], page_address: str
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    ask(page, f"slowly: {QUESTION}")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("button", name="Clear conversation").click()
    expect(page.get_by_role("button", name=QUESTION)).to_be_visible()
    page.wait_for_timeout(600)  # long enough for the cleared answer to have shown up again
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    expect(page.locator(".fn-card")).to_have_count(0)
    ask_and_wait(page, QUESTION)
    expect(page.locator("#fn-0-1")).to_be_visible()


def test_each_tab_has_its_own_conversation(new_page: Callable[..., Page], page_address: str) -> None:
    one, other = new_page(page_address), new_page(page_address)
    ask(one, f"slowly: {QUESTION}")
    ask_and_wait(other, "Zebra fish swimming?")
    expect(one.locator(".fn-foot")).to_have_count(1, timeout=30_000)
    assert "Zebra" not in one.content()
    assert "objective mismatch" not in other.get_by_role("log").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_evidence_is_one_click_away_and_back(
    new_page: Callable[..., Page], page_address: str, scheme: str
) -> None:
    page = new_page(page_address, PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_in_viewport()
    ask_and_wait(page, QUESTION)
    page.get_by_role("link", name="[2]").tap()
    expect(page.locator("#fn-0-2 mark")).to_be_in_viewport()
    page.locator("#fn-0-2").get_by_role("link", name="Back to the answer").tap()
    expect(page.get_by_role("link", name="[2]")).to_be_focused()
    expect(page.get_by_role("link", name="[2]")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_hostile_library_is_shown_inert(new_page: Callable[..., Page], seed_papers: list[Paper]) -> None:
    hostile = paper(HOSTILE, f"{HOSTILE} Gargoyles guard cathedrals.", f"{HOSTILE}.txt", 1)
    with served(SeedAssistant([hostile, *seed_papers])) as address:
        page = new_page(address)
        ask_and_wait(page, f"Gargoyles guard cathedrals? {HOSTILE}")
        page.get_by_role("link", name="[1]").click()
        page.get_by_text("Also found").click()
        for place in (page.get_by_role("log"), page.locator("#fn-evidence")):
            expect(place).to_contain_text("<script>window.hacked = 1</script><img src=x onerror=")
            expect(place).to_contain_text("![pixel](http://evil.test/a) [press](javascript:window.hacked=3)")
            expect(place).to_contain_text("${window.hacked = 4} {{value}} &lt;b&gt;")
            assert place.locator("img, script, iframe, code, .katex, a:not([href^='#fn-'])").count() == 0
        assert page.evaluate("window.hacked") is None


def test_the_page_tells_no_more_than_it_must(new_page: Callable[..., Page], page_address: str) -> None:
    page = new_page(page_address)
    for path in ("docs", "openapi.json", "gradio_api/runs", "monitoring/summary"):
        assert page.request.get(f"{page_address}/{path}").status in (401, 403, 404), path
    described = page.request.get(f"{page_address}/gradio_api/info").json()
    assert described == {"named_endpoints": {}, "unnamed_endpoints": {}}
    # Gradio always has a way in for files; none fits through it.
    api = page.request.get(f"{page_address}/gradio_api/openapi.json").json()
    assert list(api["paths"]) == ["/gradio_api/upload"]
    upload = {"files": {"name": "a.txt", "mimeType": "text/plain", "buffer": b"more than a byte"}}
    assert page.request.post(f"{page_address}/gradio_api/upload", multipart=upload).status == 413
    for file in ("pyproject.toml", "/etc/hostname", ".env"):
        assert page.request.get(f"{page_address}/gradio_api/file={file}").status in (403, 404), file
    assert "Use via API" not in page.content()


def test_the_browser_refuses_other_hosts(new_page: Callable[..., Page], page_address: str) -> None:
    page = new_page(page_address)
    policy = page.request.get(page_address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


@pytest.mark.parametrize("leave", ["stop", "clear", "close"])
def test_leaving_an_answer_hangs_up_on_a_model_that_is_silent(
    new_page: Callable[..., Page], seed_settings: Settings, leave: str
) -> None:
    with ChatServer(server.stalls("It has 30")) as chat:
        settings = load_settings(home=seed_settings.home, llm_model="tiny", openai_base_url=chat.base_url)
        with served(Assistant.open(settings)) as address:
            page = new_page(address, example="Ask")
            ask(page, "How many tasks does TimeArena have?")
            expect(page.get_by_role("log")).to_contain_text("It has 30", timeout=30_000)
            if leave == "stop":
                page.get_by_role("button", name="Stop").click()
            elif leave == "clear":
                page.get_by_role("button", name="Clear conversation").click()
            else:
                page.close()
            assert chat.settled(1.0)


@pytest.mark.slow
def test_the_engine_itself_behind_the_page(
    new_page: Callable[..., Page], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assistant = Assistant.open(load_settings(home=tmp_path_factory.mktemp("library"), llm_model=None))
    try:
        assistant.ingest([SEEDS / "000_6502c803306ef48d.txt"])
        with served(assistant) as address:
            page = new_page(address, example="Ask")
            ask_and_wait(page, "How do sparse autoencoders affect interpretability?")
            page.get_by_role("link", name="[1]").first.click()
            card = page.locator("#fn-0-1")
            expect(card).to_be_focused()
            answer = page.get_by_role("log").inner_text()
            assert all(quote in answer for quote in card.locator("mark").all_inner_texts())
            ask(page, "How do I bake sourdough bread?")
            expect(page.get_by_text("Not in this library")).to_be_visible()
    finally:
        assistant.close()
