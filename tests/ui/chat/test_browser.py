"""The chat as a reader meets it: the page as `footnote ui` serves it, in a real chromium, found by role and label."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from rag import Assistant, Paper, Settings, load_settings
from tests import llm_server as server
from tests.conftest import wait_for
from tests.llm_server import ChatServer
from tests.ui.conftest import HEARD, HOSTILE, PHONE, QUESTION, SEEDS, SeedAssistant, paper, served

pytestmark = pytest.mark.browser
Open = Callable[..., Page]
AUTOENCODERS = "How do sparse autoencoders make language models interpretable?"


def ask(page: Page, question: str) -> None:
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    box = page.get_by_role("textbox", name="Your question")
    box.fill(question)
    box.press("Enter")


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def evidence(page: Page) -> Locator:
    return page.get_by_role("region", name="Evidence")


def card(page: Page, number: int) -> Locator:
    return page.get_by_role("article", name=re.compile(f"^Citation {number}: "))


def marker(page: Page, number: int) -> Locator:
    return log(page).get_by_role("link", name=re.compile(f"^citation {number}, "))


def answers(page: Page) -> Locator:
    return log(page).get_by_role("button", name="Copy", exact=True)


def ask_and_wait(page: Page, question: str) -> None:
    before = answers(page).count()
    ask(page, question)
    expect(answers(page)).to_have_count(before + 1)


def conversations(page: Page) -> Locator:
    return page.get_by_role("navigation", name="Your conversations").get_by_role("listitem")


# The answer and its evidence.


def test_ask_read_the_answer_click_its_marker_and_see_the_quote(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    expect(page.get_by_text("No language model: sentences quoted from the abstracts")).to_be_visible()
    page.get_by_role("button", name=QUESTION).click()
    marker(page, 2).click()
    expect(card(page, 2)).to_be_focused()
    expect(card(page, 2)).to_have_class(re.compile("fn-marked"))
    quoted = card(page, 2).get_by_role("mark")
    expect(quoted).to_be_in_viewport()
    expect(card(page, 2)).to_contain_text("004_4ce438284920dd57.txt, line ")
    expect(card(page, 2)).to_contain_text("Ranked 2 of 10")
    quote = quoted.inner_text()
    assert quote in log(page).inner_text()
    title = marker(page, 2).get_attribute("title") or ""
    assert f"“{quote}”" in title
    assert title.splitlines()[0] in card(page, 2).inner_text()
    expect(page.get_by_text("Answered", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ papers searched$"))).to_be_visible()
    expect(page.get_by_label("Answer", exact=True)).to_be_visible()
    expect(page.get_by_text("What do you want to know?")).to_be_hidden()


def test_a_card_is_copied_as_quote_with_reference_and_as_bibtex(new_page: Open, page_address: str) -> None:
    page = new_page(page_address, permissions=["clipboard-read", "clipboard-write"])
    ask_and_wait(page, QUESTION)
    page.evaluate(HEARD)
    card(page, 1).get_by_role("button", name="Copy quote").click()
    page.wait_for_function("window.heard.includes('Copied.')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"“{card(page, 1).get_by_role('mark').inner_text()}”" in copied
    assert "004_4ce438284920dd57.txt" in copied
    card(page, 1).get_by_role("button", name="Copy BibTeX").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.startsWith('@'))")


def test_the_answer_streams_says_how_far_it_is_and_can_be_stopped(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask(page, f"slowly: {QUESTION}")
    expect(log(page)).to_contain_text("Model-based reinforcement")
    expect(evidence(page)).to_contain_text("Found so far")
    expect(answers(page)).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(log(page)).to_contain_text("Stopped before the answer was complete")
    ask(page, "never")
    expect(log(page)).to_contain_text("Searching the library")
    page.get_by_role("button", name="Stop").click()
    expect(log(page).get_by_text("Stopped before the answer was complete")).to_have_count(2)
    assistant.go_on.set()
    ask_and_wait(page, QUESTION)


def test_a_follow_up_carries_the_conversation_and_old_answers_keep_their_evidence(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    expect(page.get_by_text("You could ask next")).to_be_visible()
    page.get_by_role("button", name=AUTOENCODERS).click()
    expect(answers(page)).to_have_count(2)
    turns = assistant.asked[-1][1]
    assert [turn.role for turn in turns] == ["user", "assistant"]  # type: ignore[attr-defined]
    assert turns[0].content == QUESTION  # type: ignore[attr-defined]
    assert "[1]" in turns[1].content  # type: ignore[attr-defined]
    assert "<" not in turns[1].content  # type: ignore[attr-defined]
    expect(evidence(page)).to_contain_text("untitled; label made from its opening words")
    expect(page.get_by_role("button", name=QUESTION)).to_have_count(1)  # in the list, and not suggested again
    marker(page, 1).first.click()
    expect(card(page, 1)).to_be_focused()
    expect(evidence(page)).to_contain_text(QUESTION)
    page.get_by_role("link", name="2 papers cited").last.press("Enter")
    expect(evidence(page)).to_be_focused()
    page.get_by_text("Also found").press("Enter")
    expect(evidence(page).get_by_role("group").nth(1)).to_be_visible()


def test_what_is_not_in_the_library_shows_near_misses(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    ask_and_wait(page, "Zebra fish swimming?")
    expect(page.get_by_text("Not in this library", exact=True)).to_be_visible()
    expect(page.get_by_text("Found nowhere in the library: zebra fish")).to_be_visible()
    expect(page.get_by_text("Near misses: none of them answers the question.")).to_be_visible()
    evidence(page).get_by_role("group").first.locator("summary").click()
    expect(evidence(page).get_by_role("mark").first).to_be_visible()


def test_errors_are_told_and_the_chat_goes_on(new_page: Open, page_address: str, assistant: SeedAssistant) -> None:
    page = new_page(page_address)
    ask(page, "unreachable")
    expect(log(page)).to_contain_text("does not answer; check OPENAI_BASE_URL <b>now</b>")
    ask(page, "crash")
    expect(log(page)).to_contain_text("Something went wrong that should not have")
    assert "ZeroDivisionError" not in page.content()
    assert "secret" not in page.content()
    ask(page, "   ")
    ask_and_wait(page, QUESTION)
    assert [asked for asked, _ in assistant.asked] == ["unreachable", "crash", QUESTION]


def test_a_model_that_fails_leaves_the_offer_of_an_answer_without_it(
    new_page: Open, seed_settings: Settings, tmp_path: Any
) -> None:
    question = "How many tasks does TimeArena have?"
    with ChatServer(server.wrong_key(), question, server.cuts("It has 30"), question, "It has 30 [1].") as chat:
        settings = load_settings(home=seed_settings.home, llm_model="tiny", openai_base_url=chat.base_url)
        with served(Assistant.open(settings)) as address:
            page = new_page(address, example="Ask")
            offer = log(page).get_by_role("button", name="Answer without the language model")
            expect(offer).to_be_hidden()
            ask(page, question)
            expect(log(page)).to_contain_text("wants a key")
            offer.click()
            expect(answers(page)).to_have_count(1)
            expect(log(page)).to_contain_text("no language model")
            expect(evidence(page)).to_contain_text(question)
            expect(offer).to_be_hidden()
            ask_and_wait(page, "How many tasks does TimeArena have, please?")
            expect(log(page)).to_contain_text("The answer broke off here")
            offer.click()
            expect(answers(page)).to_have_count(3)
            expect(offer).to_be_hidden()
            assert len(chat.requests) == 3
            ask_and_wait(page, "How many tasks does TimeArena have, in all?")
            expect(offer).to_be_hidden()


def test_a_sentence_that_fails_its_checks_is_underlined_and_says_why(new_page: Open, seed_settings: Settings) -> None:
    said = "TimeArena grounds to 30 real-world tasks [1]. GPT-4 completes 62 % of them [1]."
    with ChatServer(said) as chat:
        settings = load_settings(
            home=seed_settings.home, llm_model="tiny", openai_base_url=chat.base_url, llm_expand_below=0
        )
        with served(Assistant.open(settings)) as address:
            page = new_page(address, example="Ask")
            ask_and_wait(page, "How many tasks does TimeArena have, and how good is GPT-4?")
            underlined = log(page).get_by_title("62 % is not in [1]")
            expect(underlined.first).to_contain_text("GPT-4 completes 62 % of them")
            expect(log(page)).to_contain_text("not supported")
            expect(log(page)).to_contain_text("tiny")
            expect(log(page)).to_contain_text("tokens")
            expect(card(page, 1)).to_contain_text("Supports 1 of 2 sentences: 62 % is not in [1]")


# Conversations.


def test_a_conversation_outlives_the_page_and_is_found_renamed_and_deleted(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    page.reload()
    expect(answers(page)).to_have_count(1)
    marker(page, 2).click()
    expect(card(page, 2)).to_be_focused()
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    ask_and_wait(page, "Zebra fish swimming?")
    expect(conversations(page)).to_have_count(2)
    page.get_by_role("textbox", name="Search your conversations").fill("zebra")
    expect(conversations(page)).to_have_count(1)
    page.get_by_role("textbox", name="Search your conversations").fill("")
    conversations(page).get_by_role("button", name=QUESTION).click()
    expect(log(page)).to_contain_text("Model-based reinforcement")
    page.get_by_role("button", name="Rename").click()
    title = page.get_by_role("textbox", name="Title of the conversation")
    title.fill("Worlds <b>of</b> mismatch")
    title.press("Enter")
    expect(page.get_by_role("heading", name="Worlds <b>of</b> mismatch")).to_be_visible()
    expect(conversations(page).first).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(conversations(page)).to_have_count(1)
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    page.reload()
    expect(conversations(page)).to_have_count(1)
    expect(conversations(page)).to_contain_text("Zebra fish")


def test_another_browser_sees_none_of_them(new_page: Open, page_address: str) -> None:
    page, other = new_page(page_address), new_page(page_address)
    ask_and_wait(page, QUESTION)
    other.goto(page.url)
    expect(other.get_by_text("What do you want to know?")).to_be_visible()
    expect(other.get_by_text("Your conversations are kept here.")).to_be_visible()
    expect(other).not_to_have_url(re.compile("c="))


def test_a_new_conversation_can_be_begun_while_an_answer_is_written(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    ask(page, f"slowly: {QUESTION}")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("button", name="New conversation").click()
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    page.wait_for_timeout(600)  # long enough for the answer that was left to have shown up again
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    expect(page.get_by_role("article")).to_have_count(0)
    ask_and_wait(page, QUESTION)
    expect(card(page, 1)).to_be_visible()
    conversations(page).nth(1).get_by_role("button").first.click()
    expect(log(page)).to_contain_text("Stopped before the answer was complete")


def test_two_tabs_of_a_conversation_do_not_overwrite_each_other(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    other = page.context.new_page()
    other.goto(page.url)
    expect(answers(other)).to_have_count(1)
    ask_and_wait(other, "From the other tab: zebra fish?")
    ask(page, AUTOENCODERS)
    expect(answers(page)).to_have_count(3)
    expect(log(page)).to_contain_text("From the other tab")
    page.reload()
    expect(answers(page)).to_have_count(3)


def test_each_tab_gets_its_own_answer(new_page: Open, page_address: str, assistant: SeedAssistant) -> None:
    one, other = new_page(page_address), new_page(page_address)
    ask(one, f"slowly: {QUESTION}")
    ask_and_wait(other, "Zebra fish swimming?")
    assistant.go_on.set()
    expect(answers(one)).to_have_count(1)
    assert "Zebra" not in one.content()
    assert "objective mismatch" not in log(other).inner_text()


def test_a_question_is_retried_and_edited_in_place_and_an_earlier_one_in_a_copy(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    page.get_by_role("button", name="Retry").click()
    wait_for(lambda: len(assistant.asked) == 2, what="the question is asked again")
    expect(answers(page)).to_have_count(1)
    assert [asked for asked, _ in assistant.asked] == [QUESTION, QUESTION]
    assert assistant.asked[1][1] == []
    ask_and_wait(page, "Zebra fish swimming?")
    page.get_by_role("button", name="Edit").last.click()
    box = page.get_by_role("textbox", name="Your question")
    expect(box).to_have_value("Zebra fish swimming?")
    expect(page.get_by_text("takes the place of your last question")).to_be_visible()
    box.fill(AUTOENCODERS)
    box.press("Enter")
    expect(log(page)).not_to_contain_text("Zebra")
    expect(answers(page)).to_have_count(2)
    page.get_by_role("button", name="Edit").first.click()
    expect(page.get_by_text("continues in a copy")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(box).to_have_value("")
    page.get_by_role("button", name="Edit").first.click()
    expect(box).to_have_value(QUESTION)
    box.fill("Zebra fish instead?")
    box.press("Enter")
    expect(answers(page)).to_have_count(1)
    expect(conversations(page)).to_have_count(2)
    conversations(page).nth(1).get_by_role("button").first.click()
    expect(answers(page)).to_have_count(2)


# What is taken away, and what is said of an answer.


def test_an_answer_is_copied_with_its_references(new_page: Open, page_address: str) -> None:
    page = new_page(page_address, permissions=["clipboard-read", "clipboard-write"])
    ask_and_wait(page, QUESTION)
    answers(page).click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('[1]'))")
    copied = page.evaluate("navigator.clipboard.readText()").replace("\\", "")
    assert card(page, 1).get_by_role("mark").inner_text() in copied
    assert "004_4ce438284920dd57.txt" in copied


@pytest.mark.parametrize(("name", "file", "has"), [
    ("Markdown", ".md", "[@"), ("BibTeX", ".bib", "@"), ("RIS", ".ris", "TY  - "), ("JSON", ".json", '"question"'),
])  # fmt: skip
def test_a_conversation_is_exported_by_the_browser(
    new_page: Open, page_address: str, name: str, file: str, has: str
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    page.get_by_text("Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    assert download.value.suggested_filename.endswith(file)
    assert download.value.url.startswith("blob:"), "no file of the server's"
    assert has in download.value.path().read_text(encoding="utf-8")


def test_thumbs_are_kept_as_questions_for_an_evaluation(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("textbox", name=re.compile("^Why?")).fill("names the loss")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("textbox", name=re.compile("^Why?"))).to_be_hidden()
    kept = assistant.settings.home / "feedback.jsonl"
    [line] = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert line["question"] == QUESTION
    assert line["reason"] == "names the loss"
    assert line["gold"]
    page.reload()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "false")
    assert kept.read_text(encoding="utf-8") == ""


# A phone, a hostile library, and what the page keeps to itself.


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_evidence_and_conversations_are_drawers(new_page: Open, page_address: str, scheme: str) -> None:
    page = new_page(page_address, PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_in_viewport()
    ask_and_wait(page, QUESTION)
    expect(evidence(page)).to_be_hidden()
    marker(page, 2).tap()
    expect(card(page, 2)).to_be_focused()
    expect(card(page, 2).get_by_role("mark")).to_be_in_viewport()
    card(page, 2).get_by_role("link", name="Back to the answer").tap()
    expect(evidence(page)).to_be_hidden()
    expect(marker(page, 2)).to_be_focused()
    expect(marker(page, 2)).to_be_in_viewport()
    page.get_by_role("link", name="2 papers cited").tap()
    expect(card(page, 1)).to_be_in_viewport()
    page.get_by_role("button", name="Close the evidence").tap()
    expect(evidence(page)).to_be_hidden()
    page.get_by_role("button", name="Conversations", exact=True).tap()
    expect(conversations(page)).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(conversations(page)).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_hostile_library_is_shown_inert(new_page: Open, seed_papers: list[Paper]) -> None:
    endless = "An endless title " + "and on " * 4_300
    hostile = [
        paper(HOSTILE, f"{HOSTILE} Gargoyles guard cathedrals.", f"{HOSTILE}.txt", 1),
        paper(endless, "Gargoyles guard cathedrals for ever.", "endless.txt", 1),
    ]
    with served(SeedAssistant([*hostile, *seed_papers])) as address:
        page = new_page(address)
        ask_and_wait(page, f"Gargoyles guard cathedrals? {HOSTILE}")
        marker(page, 1).click()
        page.get_by_text("Also found").click()
        for place in (log(page), evidence(page)):
            expect(place).to_contain_text("<script>window.hacked = 1</script><img src=x onerror=")
            expect(place).to_contain_text("![pixel](http://evil.test/a) [press](javascript:window.hacked=3)")
            expect(place).to_contain_text("${window.hacked = 4} {{value}} &lt;b&gt;")
            assert place.locator("img, script, iframe, code, .katex, a:not([href^='#fn-'])").count() == 0
        assert page.evaluate("window.hacked") is None
        assert "\u202e" not in page.content()
        expect(card(page, 2)).to_contain_text("An endless title and on")
        assert (card(page, 2).bounding_box() or {})["height"] < 900
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        page.get_by_text("Export").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Markdown", exact=True).click()
        exported = download.value.path().read_text(encoding="utf-8")
        assert "<script>" not in exported
        assert "![pixel]" not in exported


def test_the_page_tells_no_more_than_it_must(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    for path in ("docs", "openapi.json", "gradio_api/runs", "monitoring/summary"):
        assert page.request.get(f"{page_address}/{path}").status in (401, 403, 404), path
    described = page.request.get(f"{page_address}/gradio_api/info").json()
    assert sorted(described["named_endpoints"]) == ["/ask", "/search"]
    assert described["unnamed_endpoints"] == {}
    # Gradio has a way in for files; it is shut.
    upload = {"files": {"name": "a.txt", "mimeType": "text/plain", "buffer": b"more than a byte"}}
    assert page.request.post(f"{page_address}/gradio_api/upload", multipart=upload).status == 404
    ask_and_wait(page, QUESTION)
    home = "home/conversations.sqlite3"
    for file in ("pyproject.toml", "/etc/hostname", ".env", home, f"../{home}"):
        assert page.request.get(f"{page_address}/gradio_api/file={file}").status in (403, 404), file
    assert "Use via API" not in page.content()


def test_files_of_the_library_and_of_users_cannot_be_fetched(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    kept = [path for path in assistant.settings.home.rglob("*") if path.is_file()]
    assert any(path.name == "conversations.sqlite3" for path in kept)
    for path in kept:
        for address in (f"{page_address}/gradio_api/file={path}", f"{page_address}/file={path}"):
            assert page.request.get(address).status in (403, 404), path


def test_the_browser_refuses_other_hosts_and_keeps_its_token_from_scripts(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    policy = page.request.get(page_address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    [cookie] = [each for each in page.context.cookies() if each["name"] == "footnote_owner"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert "footnote_owner" not in page.evaluate("document.cookie")
    page.reload()
    expect(page.get_by_role("button", name=QUESTION)).to_be_visible()
    assert cookie["value"] in [each["value"] for each in page.context.cookies()]


def test_a_page_under_another_name_is_refused(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    answer = page.request.get(page_address, headers={"Host": "evil.test"})
    assert answer.status == 403
    assert "Only this machine is served" in answer.text()


@pytest.mark.parametrize("origin", ["http://evil.test", "http://localhost:3000", "null"])
def test_a_page_of_another_origin_can_neither_ask_nor_read(new_page: Open, page_address: str, origin: str) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    for method, path in (
        ("GET", "/config"), ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/call/ask"), ("POST", "/login"),
        ("OPTIONS", "/gradio_api/queue/join"), ("GET", "/gradio_api/queue/data"),
    ):  # fmt: skip
        answer = page.request.fetch(page_address + path, method=method, headers={"Origin": origin}, data={"data": []})
        assert answer.status == 403, path
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("leave", ["stop", "new", "close"])
def test_leaving_an_answer_hangs_up_on_a_model_that_is_silent(
    new_page: Open, seed_settings: Settings, leave: str
) -> None:
    with ChatServer(server.stalls("It has 30")) as chat:
        settings = load_settings(home=seed_settings.home, llm_model="tiny", openai_base_url=chat.base_url)
        with served(Assistant.open(settings)) as address:
            page = new_page(address, example="Ask")
            ask(page, "How many tasks does TimeArena have?")
            expect(log(page)).to_contain_text("It has 30")
            if leave == "stop":
                page.get_by_role("button", name="Stop").click()
            elif leave == "new":
                page.get_by_role("button", name="New conversation").click()
            else:
                page.close()
            assert chat.settled(
                5.0
            )  # the click must get there first; a second from there on is tested without a browser


@pytest.mark.slow
def test_the_engine_itself_behind_the_page(new_page: Open, tmp_path_factory: pytest.TempPathFactory) -> None:
    assistant = Assistant.open(load_settings(home=tmp_path_factory.mktemp("library"), llm_model=None))
    try:
        assistant.ingest([SEEDS / "000_6502c803306ef48d.txt"])
        with served(assistant) as address:
            page = new_page(address, example="Ask")
            ask_and_wait(page, "How do sparse autoencoders affect interpretability?")
            marker(page, 1).first.click()
            expect(card(page, 1)).to_be_focused()
            answer = log(page).inner_text()
            assert all(quote in answer for quote in card(page, 1).get_by_role("mark").all_inner_texts())
            ask(page, "How do I bake sourdough bread?")
            expect(page.get_by_text("Not in this library", exact=True)).to_be_visible()
    finally:
        assistant.close()


def test_an_answer_is_lost_neither_by_a_retry_that_fails_nor_by_a_stale_tab(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    ask_and_wait(page, QUESTION)
    ask_and_wait(page, "Zebra fish swimming?")
    other = page.context.new_page()
    other.goto(page.url)
    expect(answers(other)).to_have_count(2)
    ask_and_wait(page, AUTOENCODERS)
    other.get_by_role("button", name="Retry").click()  # of what is the last question there
    expect(answers(other)).to_have_count(4)
    assistant.fails = True
    other.get_by_role("button", name="Retry").click()
    expect(log(other)).to_contain_text("does not answer")
    expect(answers(other)).to_have_count(4)
    page.reload()
    expect(answers(page)).to_have_count(4)
    other.get_by_role("button", name="Edit").first.click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    assistant.fails = False
    ask(other, "Zebra fish, after all?")
    expect(answers(other)).to_have_count(1)


def test_an_answer_begins_at_the_top_of_the_log_however_long_the_conversation(
    new_page: Open, page_address: str
) -> None:
    page = new_page(page_address)
    for question in (QUESTION, AUTOENCODERS, "How many tokens does a video need?"):
        ask_and_wait(page, question)
    top = (log(page).bounding_box() or {})["y"]
    asked = (log(page).get_by_text("How many tokens does a video need?").bounding_box() or {})["y"]
    assert abs(asked - top) < 90


def test_what_is_typed_while_an_answer_is_written_stays_in_the_box(new_page: Open, page_address: str) -> None:
    page = new_page(page_address)
    ask(page, f"slowly: {QUESTION}")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    box = page.get_by_role("textbox", name="Your question")
    box.fill("Next?")
    box.press("Enter")
    page.wait_for_timeout(300)
    expect(box).to_have_value("Next?")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    expect(box).to_have_value("Next?")


def test_a_restriction_holds_for_the_chat_is_shown_and_survives_a_reload(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    page.get_by_role("tab", name="Papers").click()
    page.get_by_role("textbox", name="Search titles and abstracts").fill("mismatch")
    page.get_by_role("button", name=re.compile("^Restrict the chat to th")).click()
    restricted = page.get_by_text(re.compile("^Asking only .*paper"))
    expect(restricted).to_be_visible()
    ask_and_wait(page, QUESTION)
    expect(evidence(page)).to_contain_text("Asked only of")
    where = assistant.wheres[-1]
    assert where is not None
    assert all("mismatch" in paper.abstract.lower() + paper.title.lower() for paper in assistant.papers(where=where))
    page.reload()
    expect(restricted).to_be_visible()
    page.get_by_role("button", name="Ask the whole library").click()
    expect(restricted).to_be_hidden()
    ask_and_wait(page, AUTOENCODERS)
    assert assistant.wheres[-1] is None


def test_the_papers_of_an_answer_are_compared_and_a_cell_leads_to_its_card(
    new_page: Open, seed_settings: Settings, tmp_path: Any
) -> None:
    with served(Assistant.open(seed_settings)) as address:
        page = new_page(address, example="Ask")
        ask_and_wait(page, "Which web-agent papers report MiniWoB or MiniWoB++ results, and what were the numbers?")
        log(page).get_by_role("button", name="Compare papers").click()
        expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
        table = page.get_by_role("table", name=re.compile("^Papers compared"))
        for column in ("Paper", "Aim", "Method", "Result", "On the question"):
            expect(table.get_by_role("columnheader", name=column)).to_be_visible()
        assert table.get_by_role("rowheader").count() >= 3
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        assert "MiniWoB" in download.value.path().read_text(encoding="utf-8")
        table.get_by_role("button", name="Show in the abstract of citation 2").first.click()
        expect(card(page, 2)).to_be_focused()


def test_eight_people_who_ask_at_once_each_get_their_own_answer(new_page: Open, page_address: str) -> None:
    words = ["autoencoders", "mismatch", "video tokens", "many-shot", "robots", "diffusion", "attention", "agents"]
    pages = [new_page(page_address) for _ in words]
    for page, word in zip(pages, words, strict=True):
        page.get_by_role("textbox", name="Your question").fill(f"What is said about {word} in these abstracts?")
    for page in pages:
        page.get_by_role("textbox", name="Your question").press("Enter")
    for page, word in zip(pages, words, strict=True):
        expect(answers(page)).to_have_count(1)
        expect(evidence(page)).to_contain_text(f"What is said about {word} in these abstracts?")
        others = [other for other in words if other != word]
        assert not any(f"about {other} in" in page.content() for other in others)
        quotes = evidence(page).get_by_role("article").get_by_role("mark").all_inner_texts()
        said = log(page).inner_text()
        assert all(quote in said for quote in quotes)


def test_a_question_waits_with_a_notice_until_the_whole_library_is_there(
    new_page: Open, page_address: str, assistant: SeedAssistant
) -> None:
    page = new_page(page_address)
    assistant.is_preparing = True
    ask(page, QUESTION)
    expect(log(page)).to_contain_text("Footnote is getting ready")
    page.wait_for_timeout(600)
    assert assistant.asked == []
    assistant.is_preparing = False
    expect(answers(page)).to_have_count(1)
    expect(log(page)).not_to_contain_text("getting ready")
