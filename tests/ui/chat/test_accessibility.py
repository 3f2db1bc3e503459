"""The whole page for everybody: what axe-core says of every state, the keyboard alone, and what a screen reader hears."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from rag import Assistant, Settings, load_settings
from tests import llm_server as server
from tests.llm_server import ChatServer, Exchange
from tests.ui.conftest import HEARD, PHONE, QUESTION, WIDE, served

pytestmark = pytest.mark.browser
Open = Callable[..., Page]

TASKS = "How many tasks does TimeArena have, and how good is GPT-4 at them?"
ERRING = (
    "TimeArena grounds to 30 real-world tasks in cooking, household activities and laboratory work [1]."
    " GPT-4 completes 62 % of them [1]. The most powerful models lag behind humans in effective multitasking."
    " The passages do not state what running it costs [9]."
)
# What Gradio's own markup causes and no style or script of ours can mend: (rule of axe-core, selector, why).
GRADIOS_OWN: tuple[tuple[str, str, str], ...] = ()
LOWEST_PX = 24  # WCAG 2.2, success criterion 2.5.8
# Visible controls that are lower; a marker within a sentence may be (2.5.8, inline), Gradio's dropdown has its
# input in a box that is higher and that opens it, too, and a link of one pixel shows once it has the focus.
TOO_LOW = """lowest => [...document.querySelectorAll("button, a[href], summary, input, textarea, [role=button]")]
    .filter(each => each.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter(each => !each.matches(".fn-ref, [role=combobox]"))
    .map(each => (each.type === "checkbox" ? each.closest("label") : each))
    .filter(each => each.getBoundingClientRect().height > 1 && each.getBoundingClientRect().height < lowest)
    .map(each => each.outerHTML.slice(0, 120))"""
# The element with the focus, where it is and can be seen to have it.
FOCUS = """() => {
    const here = document.activeElement;
    const shows = element => element && (getComputedStyle(element).outlineStyle !== "none" || getComputedStyle(element).boxShadow !== "none");
    return { lost: here === document.body, seen: [here, here.parentElement, here.closest(".form"), here.closest(".wrap")].some(shows), what: here.outerHTML.slice(0, 160) };
}"""


def _speaks(exchange: Exchange) -> None:
    """A language model that errs, and one that cannot be reached where it is told so."""
    asked_again = exchange.prompt.rpartition("Last question:")[2]  # all of it where there is no such line
    if "unreachable" in asked_again:
        server.wrong_key()(exchange)
    elif "sourdough" in asked_again:
        server.says(asked_again.strip())(exchange)
    else:
        server.says(ERRING)(exchange)


@pytest.fixture(scope="module")
def address(seed_settings: Settings) -> Iterator[str]:
    """The page of the seeds, with a language model that errs."""
    with ChatServer(_speaks) as chat:
        settings = load_settings(
            home=seed_settings.home,
            llm_model="tiny",
            openai_base_url=chat.base_url,
            llm_expand_below=0,
            llm_cache=False,
        )
        assistant = Assistant.open(settings)
        assistant.prepare()
        with served(assistant) as address:
            yield address
        assistant.close()


def question(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Your question")


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def ask(page: Page, text: str, seen: str) -> None:
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    question(page).fill(text)
    question(page).press("Enter")
    expect(log(page).get_by_text(seen).last).to_be_visible()
    expect(log(page).get_by_role("button", name="Retry")).to_be_visible()


def topics(page: Page) -> Locator:
    """Those of the map, and below them its papers."""
    return page.get_by_role("tabpanel").get_by_role("listitem").get_by_role("button")


def through_the_page(page: Page, *, is_phone: bool) -> Iterator[str]:
    """Every state of the page in turn, by its name."""
    expect(page.get_by_text("Topics")).to_be_visible()
    yield "the start"
    ask(page, TASKS, "Partly answered")
    expect(page.get_by_text("not supported")).to_be_visible()
    yield "an answer that errs, with its evidence"
    log(page).get_by_role("link", name=re.compile("^citation 1, ")).first.click()
    expect(page.get_by_role("article", name=re.compile("^Citation 1: "))).to_be_focused()
    yield "a card that is marked"
    page.get_by_text("Also found").click()
    page.get_by_role("region", name="Evidence").get_by_role("group").nth(1).locator("summary").click()
    yield "a paper that was also found"
    if is_phone:
        page.get_by_role("button", name="Close the evidence").click()
    log(page).get_by_role("button", name="Not helpful", exact=True).click()
    expect(page.get_by_role("textbox", name=re.compile("^Why"))).to_be_visible()
    log(page).get_by_role("button", name="Edit").click()
    expect(page.get_by_text("takes the place of your last question")).to_be_visible()
    page.get_by_text("Export").click()
    yield "a reason to give, a question to edit, and the export menu"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Cancel").click()
    expect(question(page)).to_have_value("")
    ask(page, "How do I bake sourdough bread?", "Not in this library")
    yield "not in the library"
    ask(page, "How many unreachable tasks does TimeArena have?", "wants a key")
    expect(page.get_by_role("button", name="Answer without the language model")).to_be_visible()
    if is_phone:
        page.get_by_role("button", name="Conversations", exact=True).click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Rename").click()
    yield "an error, and a conversation that is renamed"
    page.keyboard.press("Escape")
    if is_phone:
        page.keyboard.press("Escape")
    log(page).get_by_role("button", name="Compare papers").first.click()
    expect(page.get_by_role("table", name="Papers compared")).to_be_visible()
    yield "the comparison"
    page.get_by_role("tab", name="Papers").click()
    expect(page.get_by_role("columnheader", name="Title")).to_be_visible()
    page.get_by_role("checkbox").nth(1).check()
    expect(page.get_by_role("button", name="Restrict the chat")).to_be_visible()
    yield "the papers"
    page.get_by_label("Source").click()
    expect(page.get_by_role("option").first).to_be_visible()
    yield "a filter of the papers"
    page.keyboard.press("Escape")
    page.get_by_role("rowheader").first.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Nearest papers")).to_be_visible()
    yield "a paper's page"
    page.get_by_role("tab", name="Map").click()
    topics(page).first.click()
    page.get_by_label("Find a paper by its title").fill("learning")
    page.get_by_role("button", name=re.compile("learning", re.IGNORECASE)).last.click()
    expect(page.get_by_role("article", name="The paper that was chosen")).to_be_visible()
    yield "the map with a selection"
    page.get_by_role("button", name="Ask only these").click()
    expect(page.get_by_text("Asking only")).to_be_visible()
    yield "the chat restricted to a selection"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["desktop", "phone"])
def test_no_state_of_the_page_breaks_a_rule_of_accessibility(
    new_page: Open, address: str, viewport: dict[str, int], scheme: str
) -> None:
    page = new_page(address, viewport, example="Ask", color_scheme=scheme)
    axe, found, allowed = Axe(), dict[str, Any](), {(rule, selector) for rule, selector, _ in GRADIOS_OWN}
    occurred = set[tuple[str, str]]()
    for state in through_the_page(page, is_phone=viewport is PHONE):
        for rule in axe.run(page).response["violations"]:
            for node in rule["nodes"]:
                place = rule["id"], " ".join(node["target"])
                occurred.add(place)
                if place not in allowed:
                    found.setdefault(f"{rule['impact']}: {' '.join(place)}", f"{state}: {node['html'][:200]}")
        for low in page.evaluate(TOO_LOW, LOWEST_PX):
            found.setdefault(f"lower than {LOWEST_PX} px: {low}", state)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], state
    assert found == {}
    assert allowed <= occurred, "listed as Gradio's, and there no more"


# The keyboard alone.


def tab_to(page: Page, target: Locator, *, back: bool = False) -> None:
    """Presses Tab until the target has the focus, which is always to be seen."""
    passed = []
    for _ in range(80):
        if target.count() and target.first.evaluate("target => target === document.activeElement"):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
        focus = page.evaluate(FOCUS)
        assert focus["seen"] or focus["lost"], f"the focus cannot be seen on {focus['what']}"
        passed.append(focus["what"][:70])
    pytest.fail(f"Tab does not come to {target}, only to {passed[-30:]}")


def test_the_keyboard_alone_asks_checks_rates_renames_and_deletes(new_page: Open, page_address: str) -> None:
    page = new_page(page_address, permissions=["clipboard-read", "clipboard-write"])
    tab_to(page, page.get_by_role("button", name=QUESTION, exact=True))
    page.keyboard.press("Enter")
    expect(log(page).get_by_role("button", name="Retry")).to_be_visible()
    expect(question(page)).to_be_focused()
    tab_to(page, log(page).get_by_role("link", name=re.compile("^citation 2, ")), back=True)
    page.keyboard.press("Enter")
    card = page.get_by_role("article", name=re.compile("^Citation 2: "))
    expect(card).to_be_focused()
    tab_to(page, card.get_by_role("link", name="Back to the answer"))
    page.keyboard.press("Enter")
    expect(log(page).get_by_role("link", name=re.compile("^citation 2, "))).to_be_focused()
    page.evaluate(HEARD)
    copy, helpful = (log(page).get_by_role("button", name=name, exact=True) for name in ("Copy", "Helpful"))
    tab_to(page, copy)
    page.keyboard.press("Space")
    page.wait_for_function("window.heard.includes('Copied.')")
    expect(copy).to_be_focused()
    tab_to(page, helpful)
    page.keyboard.press("Space")
    expect(page.get_by_label("Why?")).to_be_visible()
    expect(helpful).to_be_focused()
    tab_to(page, page.get_by_label("Why?"))
    page.keyboard.type("names the loss")
    tab_to(page, page.get_by_role("button", name="Send"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why?")).to_be_hidden()
    expect(question(page)).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Rename"), back=True)
    page.keyboard.press("Enter")
    page.keyboard.type("Two objectives")
    page.keyboard.press("Enter")
    open_one = page.get_by_role("navigation", name="Your conversations").get_by_role("button", name="Two objectives")
    expect(page.get_by_role("heading", name="Two objectives")).to_be_visible()
    expect(open_one).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Rename"))
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(open_one).to_be_focused()
    tab_to(page, page.locator("summary", has_text="Export"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="RIS"))
    with page.expect_download():
        page.keyboard.press("Enter")
    expect(page.locator("summary", has_text="Export")).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Delete", exact=True), back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Delete for good?")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("What do you want to know?")).to_be_visible()
    expect(question(page)).to_be_focused()


def test_the_keyboard_alone_follows_a_suggestion_compares_and_restricts(new_page: Open, address: str) -> None:
    page = new_page(address, example="Ask")
    ask(page, TASKS, "Partly answered")
    suggested = page.locator("#fn-follow-ups").get_by_role("button")
    expect(suggested.first).to_be_visible()
    tab_to(page, suggested.first)
    page.keyboard.press("Enter")
    expect(log(page).get_by_role("button", name="Copy", exact=True)).to_have_count(2)
    expect(question(page)).to_be_focused()
    compare = log(page).get_by_role("button", name="Compare papers").first
    tab_to(page, compare, back=True)
    page.keyboard.press("Enter")
    table = page.get_by_role("table", name="Papers compared")
    expect(table).to_be_visible()
    expect(page.locator("#fn-compared [data-exchange]")).to_be_focused()
    tab_to(page, table.get_by_role("button").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name=re.compile("^Citation 1: "))).to_be_focused()
    tab_to(page, page.get_by_role("tab", name="Map"), back=True)
    page.keyboard.press("Enter")
    topic = topics(page).first
    expect(topic).to_be_visible()
    tab_to(page, topic)
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Clear selection"), back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_text("No paper selected.")).to_be_visible()
    assert not page.evaluate(FOCUS)["lost"]
    tab_to(page, topic)
    page.keyboard.press("Space")
    tab_to(page, page.get_by_role("button", name="Ask only these"), back=True)
    page.keyboard.press("Enter")
    expect(question(page)).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Ask the whole library"), back=True)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Asking only")).to_be_hidden()
    expect(question(page)).to_be_focused()


# What a screen reader is told.


def test_an_answer_is_announced_once_when_it_has_arrived_failed_or_was_stopped(
    new_page: Open, page_address: str
) -> None:
    page = new_page(page_address)
    page.get_by_role("button", name="New conversation").click()
    page.evaluate(HEARD)

    def heard() -> list[str]:
        """What was announced since the last time, as soon as something was."""
        page.wait_for_function("window.heard.some(told => !told.includes('Loading'))")
        return [told for told in page.evaluate("window.heard.splice(0)") if "Loading" not in told]

    ask(page, QUESTION, "Answered")
    assert heard() == ["Answer: Answered, 2 papers cited"]
    ask(page, "Zebra fish swimming?", "Not in this library")
    assert heard() == ["Answer: Not in this library, 10 papers came nearest"]
    ask(page, "unreachable", "does not answer")
    assert [told.partition(";")[0] for told in heard()] == ["Answer: http://127.0.0.1:9/v1 does not answer"]
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    question(page).fill(f"slowly: {QUESTION}")
    question(page).press("Enter")
    expect(page.get_by_role("region", name="Evidence")).to_contain_text("Found so far")
    page.get_by_role("button", name="Stop").press("Enter")
    expect(question(page)).to_be_focused()
    expect(log(page)).to_contain_text("Stopped before the answer was complete")
    expect(log(page).get_by_role("button", name="Retry")).to_be_visible()
    assert heard() == ["Answer: Stopped before the answer was complete."]
