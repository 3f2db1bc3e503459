"""The map as a reader meets it, in a real chromium: with the mouse, by keyboard, on a phone, in both themes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Locator, Page, expect

from rag import Assistant, Filter, Listener, load_settings
from tests.ui.conftest import HOSTILE, PHONE, SEEDS
from ui.map.tab import add_map_tab
from ui.server.web_app import build_web_app
from ui.shared import Shared

pytestmark = pytest.mark.browser


def ids_of(scope: Filter | None) -> str:
    return " ".join(scope.paper_ids) if scope else ""


def page_with_a_map(assistant: Assistant) -> gr.Blocks:
    """The map beside a chat that only shows what the map did to it, and can be told what was cited."""
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Button("Ready")
        shown = gr.Textbox(label="Restricted to")
        scope, cited = gr.State(None), gr.State(())
        with gr.Tabs(selected="chat") as tabs:
            with gr.Tab("Chat", id="chat"):
                gr.Textbox(label="Your question", elem_id="fn-question")
                citing = gr.Textbox(label="Cited")
            with gr.Tab("Map", id="map"):
                add_map_tab(assistant, Shared(tabs, scope, cited, gr.HTML(render=False)))
        scope.change(ids_of, scope, shown, **hidden)
        citing.submit(lambda typed: tuple(typed.split()), citing, cited, **hidden)
    return page


@contextmanager
def served(assistant: Assistant) -> Iterator[str]:
    ready = threading.Event()
    with Listener("127.0.0.1", 0, settings=("RAG_HOST", "RAG_PORT")) as listener:
        running = listener.server(build_web_app(page_with_a_map(assistant), listener), on_ready=lambda _: ready.set())
        thread = threading.Thread(target=listener.run, args=(running,), daemon=True)
        thread.start()
        assert ready.wait(300)
        yield listener.address
        running.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """Forty seed abstracts, and one that means harm."""
    folder = tmp_path_factory.mktemp("map")
    lines = [
        line for line in (SEEDS / "004_4ce438284920dd57.txt").read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    hostile = {"title": f"Gargoyles {HOSTILE}", "text": f"Gargoyles guard cathedrals against rain. {HOSTILE}"}
    (folder / "some.txt").write_text("\n".join(lines[:80]), encoding="utf-8")
    (folder / "hostile.jsonl").write_text(json.dumps(hostile), encoding="utf-8")
    assistant = Assistant.open(load_settings(home=folder / "home", llm_model=None))
    assistant.ingest([folder / "some.txt", folder / "hostile.jsonl"])
    yield assistant
    assistant.close()


@pytest.fixture(scope="module")
def address(assistant: Assistant) -> Iterator[str]:
    with served(assistant) as address:
        yield address


@pytest.fixture
def map_page(new_page: Callable[..., Page], address: str) -> Callable[..., Page]:
    def open_map(*viewport: dict[str, int], **options: object) -> Page:
        page = new_page(address, *viewport, example="Ready", **options)
        assert page.evaluate("typeof window.Plotly") == "undefined"
        page.get_by_role("tab", name="Map").click()
        expect(points(page)).not_to_have_count(0)
        return page

    return open_map


def points(page: Page) -> Locator:
    return page.get_by_role("img", name="Map of").locator(".scatter").first.locator(".point")


def middle(point: Locator) -> tuple[float, float]:
    box = point.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def restricted_to(page: Page) -> set[str]:
    box = page.get_by_label("Restricted to")
    expect(box).not_to_have_value("")
    return set(box.input_value().split())


def test_the_map_is_loaded_when_its_tab_is_opened_and_shows_every_paper(
    new_page: Callable[..., Page], address: str, assistant: Assistant
) -> None:
    page = new_page(address, example="Ready")
    loaded = "performance.getEntriesByType('resource').filter(entry => entry.name.includes('plotly')).length"
    page.wait_for_timeout(500)
    assert page.evaluate(loaded) == 0
    page.get_by_role("tab", name="Map").click()
    count = len(assistant.papers())
    expect(points(page)).to_have_count(count)
    assert page.evaluate(loaded) == 1
    expect(page.get_by_text(f"{count} papers, a point each: papers that are alike lie close together")).to_be_visible()
    for topic in assistant.map().topics:
        expect(page.get_by_role("button", name=topic.name)).to_have_attribute("aria-pressed", "false")
    assert page.get_by_role("link").count() == 0  # no logo, no cloud


def test_by_keyboard_a_topic_becomes_the_filter_of_the_chat(
    map_page: Callable[..., Page], assistant: Assistant
) -> None:
    page, found = map_page(), assistant.map()
    ask = page.get_by_role("button", name="Ask only these")
    expect(ask).to_be_disabled()
    page.get_by_role("button", name=found.topics[0].name).press("Enter")
    expect(page.get_by_text(f"{found.topics[0].size} papers selected.")).to_be_visible()
    page.get_by_role("button", name=found.topics[1].name).press("Space")
    both = {*found.members(0), *found.members(1)}
    expect(page.get_by_text(f"{len(both)} papers selected.")).to_be_visible()
    page.get_by_role("button", name=found.topics[1].name).press("Enter")
    ask.press("Enter")
    assert restricted_to(page) == set(found.members(0))
    expect(page.get_by_label("Your question")).to_be_focused()


def test_by_mouse_a_box_becomes_the_filter_and_can_be_cleared(map_page: Callable[..., Page]) -> None:
    page = map_page()
    frame = page.get_by_role("img", name="Map of").bounding_box()
    assert frame is not None
    split = frame["x"] + frame["width"] * 0.5
    inside = sum(middle(point)[0] < split for point in points(page).all())

    def drag() -> None:
        page.mouse.move(frame["x"] + 3, frame["y"] + 3)
        page.mouse.down()
        page.mouse.move(frame["x"] + 90, frame["y"] + 90, steps=3)
        page.mouse.move(split, frame["y"] + frame["height"] - 3, steps=3)
        page.mouse.up()

    drag()
    expect(page.get_by_text(f"{inside} papers selected.")).to_be_visible()
    expect(page.get_by_text(f"{inside} papers in the selection.")).to_be_visible()
    page.get_by_role("button", name="Clear selection").click()
    expect(page.get_by_text("No paper selected.")).to_be_visible()
    drag()
    page.get_by_role("button", name="Ask only these").click()
    assert len(restricted_to(page)) == inside
    expect(page.get_by_label("Your question")).to_be_focused()


def test_a_paper_is_found_by_its_title_and_asked_about(map_page: Callable[..., Page], assistant: Assistant) -> None:
    page = map_page()
    wanted = next(paper for paper in assistant.papers() if paper.title and "Gargoyles" not in paper.title)
    page.get_by_label("Find a paper by its title").fill(wanted.title.upper())
    expect(page.get_by_text("1 paper on the map.")).to_be_visible()
    page.get_by_role("button", name=wanted.title).press("Enter")
    card = page.get_by_role("article", name="The paper that was chosen")
    expect(card.get_by_role("heading", name=wanted.title)).to_be_focused()
    expect(card).to_contain_text(f"{wanted.source}, line {wanted.line}")
    card.get_by_role("button", name="Ask about this paper").click()
    assert restricted_to(page) == {wanted.id}


def test_papers_cited_in_the_answer_in_view_are_ringed_and_told_in_words(
    map_page: Callable[..., Page], assistant: Assistant
) -> None:
    page = map_page()
    cited = [paper.id for paper in assistant.papers()[:3]]
    page.get_by_role("tab", name="Chat").click()
    page.get_by_label("Cited").fill(" ".join(cited))
    page.get_by_label("Cited").press("Enter")
    page.get_by_role("tab", name="Map").click()
    expect(page.get_by_text("3 papers of the current answer are marked with a ring.")).to_be_visible()
    expect(page.get_by_role("img", name="Map of").locator(".scatter").nth(2).locator(".point")).to_have_count(3)


def test_a_hostile_title_is_inert_under_the_mouse_in_the_list_and_when_clicked(map_page: Callable[..., Page]) -> None:
    page = map_page()
    page.get_by_label("Find a paper by its title").fill("gargoyles")
    listed = page.get_by_role("button", name="Gargoyles")
    expect(listed).to_contain_text("<script>window.hacked = 1</script>")
    point = points(page).nth(int(listed.get_attribute("data-paper") or ""))
    x, y = middle(point)
    page.mouse.move(x - 30, y)
    page.mouse.move(x, y, steps=4)
    tip = page.get_by_text("Gargoyles <script>").and_(page.locator("strong"))
    expect(tip).to_be_visible()
    page.mouse.click(x, y)
    card = page.get_by_role("article", name="The paper that was chosen")
    expect(card.get_by_role("heading")).to_contain_text("<script>window.hacked = 1</script>")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#fn-map :is(a, img, script, iframe)").count() == 0


def test_another_theme_draws_the_map_in_its_colours(map_page: Callable[..., Page]) -> None:
    page = map_page(color_scheme="light")
    fill = "getComputedStyle(document.querySelector('.fn-map-plot .point')).fill"
    light = page.evaluate(fill)
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_function(f"{fill} !== '{light}'")


def test_on_a_phone_nothing_is_wider_than_the_screen(map_page: Callable[..., Page], assistant: Assistant) -> None:
    page = map_page(PHONE, has_touch=True, is_mobile=True)
    page.get_by_role("button", name=assistant.map().topics[0].name).tap()
    expect(page.get_by_role("button", name="Ask only these")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_empty_library_says_so(new_page: Callable[..., Page], tmp_path: Path) -> None:
    with served(Assistant.open(load_settings(home=tmp_path, llm_model=None))) as address:
        page = new_page(address, example="Ready")
        page.get_by_role("tab", name="Map").click()
        expect(page.get_by_text("The library is empty; there is nothing to map yet.")).to_be_visible()
        expect(page.get_by_role("button", name="Ask only these")).to_be_hidden()
