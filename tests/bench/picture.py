"""Takes the README's pictures with the seeds, in a real browser and both themes: docs/{chat,compare,map,ledger}-*.png.

The ledger's is of a language model that errs on purpose: a server of the tests says its lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.llm_server import ChatServer  # noqa: E402

DOCS = ROOT / "docs"
QUESTION = "Which web-agent papers report MiniWoB or MiniWoB++ results, and what were the numbers?"
ASKED_OF_MODEL = "How many tasks does TimeArena have, and how good is GPT-4 at them?"
SAID = (
    "TimeArena grounds to 30 real-world tasks in cooking, household activities and laboratory work [1]."
    " GPT-4 completes 62 % of them [1]. The most powerful models lag behind humans in effective multitasking."
    " The passages do not state what running it costs [9]."
)
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync"]  # fmt: skip


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    for scheme in SCHEMES:
        with chat({}, scheme) as page:
            ask(page, QUESTION, "Answered")
            page.get_by_role("link", name="citation 2").first.click()
            take(page, "chat", scheme)
            page.get_by_role("button", name="Compare papers").click()
            page.get_by_role("table", name="Papers compared").wait_for()
            take(page, "compare", scheme)
            page.get_by_role("tab", name="Map").click()
            page.get_by_text("of the current answer are marked").wait_for()
            page.wait_for_timeout(3_000)
            take(page, "map", scheme)
        with ChatServer(SAID) as model:
            settings = {"RAG_LLM_MODEL": "a-model", "OPENAI_BASE_URL": model.base_url, "RAG_LLM_CACHE": "false",
                        "RAG_LLM_EXPAND_BELOW": "0"}  # fmt: skip
            with chat(settings, scheme) as page:
                ask(page, ASKED_OF_MODEL, "Partly answered")
                take(page, "ledger", scheme)


def take(page: Page, name: str, scheme: str) -> None:
    """The page as a picture, once it has come to rest."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(1_200)
    page.screenshot(path=DOCS / f"{name}-{scheme}.png")


@contextmanager
def chat(settings: dict[str, str], scheme: Literal["light", "dark"]) -> Iterator[Page]:
    """The chat in a browser, under these settings beside those of the environment."""
    footnote = Path(sys.executable).with_name("footnote")
    command = [footnote, "ui", "--port", "7871"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}) as served:
        try:
            assert served.stdout is not None
            address = served.stdout.readline().rsplit(" ", 1)[-1].strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 820}, color_scheme=scheme)
                page.goto(address)
                page.get_by_role("heading", name="New conversation").wait_for()
                yield page
                browser.close()
        finally:
            served.terminate()


def ask(page: Page, question: str, outcome: str) -> None:
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    page.get_by_role("log").get_by_text(outcome, exact=True).wait_for(timeout=90_000)
    page.get_by_role("button", name="Ask", exact=True).wait_for()


if __name__ == "__main__":
    main()
