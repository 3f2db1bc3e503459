"""A library that means harm, and whom the page talks to: every tab, every file that is taken away."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from rag import Assistant, load_settings
from tests.ui.conftest import HOSTILE, PHONE, SEEDS, WIDE, served

pytestmark = pytest.mark.browser
Open = Callable[..., Page]

BIDI = "\u202egnp.exe\u202c \u2066left\u2069 \u200e\u200f"
FILE = "<img src=x onerror=window.hacked=9> \u202etxt.jsonl"
ENDLESS = "An endless gargoyle " + "and on " * 4_300
ADDRESSES = re.compile(r"javascript:|data:text|evil\.test")
QUESTION = f"Which gargoyles guard cathedrals against rain? {HOSTILE} {BIDI}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Twenty seed abstracts, and some that mean harm, from a file that does, too."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = [
        line for line in (SEEDS / "004_4ce438284920dd57.txt").read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    (folder / "some.txt").write_text("\n".join(lines[:40]), encoding="utf-8")
    harm = [
        {"title": f"Gargoyles {HOSTILE} {BIDI}", "text": f"Gargoyles guard cathedrals against rain. {HOSTILE} {BIDI}",
         "url": "javascript:window.hacked=5", "venue": HOSTILE, "authors": [HOSTILE], "year": 2024},
        {"title": ENDLESS, "text": f"We show that gargoyles guard cathedrals against rain for ever. {BIDI}"},
        {"title": "", "text": f"{HOSTILE} Gargoyles guard cathedrals against rain, and we measure how well they do."},
    ]  # fmt: skip
    (folder / FILE).write_text("\n".join(map(json.dumps, harm)), encoding="utf-8")
    assistant = Assistant.open(load_settings(home=folder / "home", llm_model=None))
    assistant.ingest([folder / "some.txt", folder / FILE])
    yield assistant
    assistant.close()


@pytest.fixture(scope="module")
def address(library: Assistant) -> Iterator[str]:
    with served(library) as address:
        yield address


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def ask(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="Your question").fill(question)
    page.get_by_role("textbox", name="Your question").press("Enter")
    expect(log(page).get_by_role("button", name="Passport")).to_be_visible()


def assert_inert(page: Page, width: int) -> None:
    """Nothing of what the library or the reader wrote has become markup, and nothing is out of place."""
    assert page.evaluate("window.hacked") is None
    content = page.content()
    for sign in "\u202e\u2066\u200f":
        assert sign not in content
    made = "element => [...element.attributes].map(each => `${each.name}=${each.value}`).join(' ')"
    for element in page.locator("main :is(img, script, iframe, object, embed, form, code, .katex)").all():
        pytest.fail(f"became markup: {element.evaluate(made)}")
    links = page.locator("main a").evaluate_all("links => links.map(link => link.getAttribute('href') ?? '')")
    assert not [link for link in links if ADDRESSES.search(link)]
    handlers = "[...document.querySelectorAll('*')].filter(each => [...each.attributes].some(a => /^on/.test(a.name)))"
    assert page.evaluate(f"{handlers}.length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def saved(page: Page, name: str, *, role: str = "button") -> Download:
    with page.expect_download() as download:
        page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]
    assert re.fullmatch(r"[\w.-]+", download.value.suggested_filename), download.value.suggested_filename
    return download.value


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desktop", "phone"])
def test_a_hostile_library_is_inert_in_every_tab_and_every_file_and_no_other_host_is_asked(
    new_page: Open, address: str, viewport: dict[str, int], tmp_path: Path
) -> None:
    page = new_page(address, viewport, example="Ask")
    width = viewport["width"]
    assert_inert(page, width)
    ask(page, QUESTION)
    expect(log(page).get_by_role("link", name=re.compile("^citation 1, "))).not_to_have_count(0)
    assert_inert(page, width)
    assert page.title() == "Footnote"
    log(page).get_by_role("link", name=re.compile("^citation 1, ")).first.click()
    evidence = page.get_by_role("region", name="Evidence")
    expect(evidence).to_contain_text("<script>window.hacked = 1</script><img src=x onerror=")
    expect(evidence).to_contain_text("<img src=x onerror=window.hacked=9>")
    assert evidence.evaluate("panel => panel.scrollWidth") <= width
    assert_inert(page, width)
    if viewport is PHONE:
        page.get_by_role("button", name="Close the evidence").click()
        page.get_by_role("button", name="Conversations", exact=True).click()
    search = page.get_by_role("textbox", name="Search your conversations")
    listed = page.get_by_role("navigation", name="Your conversations").get_by_role("listitem")
    search.fill(f"zebra {HOSTILE}")
    expect(page.get_by_text("No conversation has these words.")).to_be_visible()
    search.fill("gargoyles")
    expect(listed).to_have_count(1)
    page.get_by_role("button", name="Rename").click()
    title = page.get_by_role("textbox", name="Title of the conversation")
    title.fill(f"{BIDI} {HOSTILE}"[:100])
    title.press("Enter")
    expect(listed).to_contain_text("<script>window.hacked")
    assert_inert(page, width)
    page.keyboard.press("Escape")

    _take_away(page, tmp_path)

    log(page).get_by_role("button", name="Compare papers").click()
    expect(page.get_by_role("table", name="Papers compared")).to_contain_text("<script>window.hacked")
    assert_inert(page, width)
    compared = saved(page, "Download CSV").path().read_text(encoding="utf-8")
    assert not re.search(r"(?m)^[=+@-]", compared)

    page.get_by_role("tab", name="Papers").click()
    page.get_by_role("textbox", name="Search titles and abstracts").fill("gargoyles")
    expect(page.get_by_role("rowheader")).to_have_count(3)
    expect(page.get_by_role("table")).to_contain_text("<img src=x onerror=window.hacked=9>")
    assert_inert(page, width)
    for place in range(3):
        page.get_by_role("rowheader").nth(place).get_by_role("button").click()
        expect(page.get_by_role("heading", name="Seen in")).to_be_visible()
        assert_inert(page, width)
        page.get_by_role("button", name="Back to the list").click()

    page.get_by_role("tab", name="Map").click()
    page.get_by_label("Find a paper by its title").fill("gargoyle")
    titles = page.locator("button[data-paper]")  # not the topics, which may have the same words
    expect(titles).to_have_count(2)  # the third is known by its opening words
    for title in titles.all():
        title.click()
        expect(page.get_by_role("article", name="The paper that was chosen")).to_be_visible()
        assert_inert(page, width)
    page.get_by_role("article", name="The paper that was chosen").get_by_role("button", name="Ask about").click()
    expect(page.get_by_text("Asking only 1 paper")).to_be_visible()
    assert_inert(page, width)
    page.get_by_role("textbox", name="Your question").fill("What guards cathedrals?")
    page.get_by_role("textbox", name="Your question").press("Enter")
    expect(log(page).get_by_role("button", name="Passport")).to_have_count(2)
    asked = page.locator("#fn-chat [data-testid='user']").all_inner_texts()
    assert [text.split("\n")[0] for text in asked[1:]] == ["What guards cathedrals?"], "nothing was asked by the map"


def _take_away(page: Page, folder: Path) -> None:
    """The exported files of the open conversation, and its passport, which chromium opens from the disk."""
    for name in ("Markdown", "BibTeX", "RIS", "JSON"):
        page.get_by_text("Export").click()
        text = saved(page, name).path().read_text(encoding="utf-8")
        assert "gargoyle" in text.lower()
        assert "\u202e" not in text or name == "JSON"  # which keeps all as it was, for programs
        if name == "Markdown":
            assert "![pixel]" not in text
            assert "<script>" not in text
            assert not re.search(r"[^\\]\]\(javascript:", text)
    file = folder / "passport.html"
    saved(page, "Passport").save_as(file)
    opened = page.context.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("dialog", lambda dialog: pytest.fail(f"the passport opened {dialog.message}"))
    opened.goto(file.as_uri())
    expect(opened.get_by_role("heading", level=1)).to_be_visible()
    expect(opened.locator("body")).to_contain_text("<script>window.hacked = 1</script>")
    assert opened.evaluate("window.hacked") is None
    assert opened.locator("img, iframe, object, embed, form, link").count() == 0
    links = opened.locator("a").evaluate_all("links => links.map(link => link.getAttribute('href') ?? '')")
    assert not [link for link in links if ADDRESSES.search(link)]
    assert "\u202e" not in opened.locator("body").inner_text()
    viewport = page.viewport_size or WIDE
    assert opened.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert asked == [file.as_uri()]
    opened.close()
