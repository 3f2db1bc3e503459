"""Takes the README's pictures of the chat with the seeds, in a real browser: docs/chat.png, and docs/ledger.png.

The second is of a language model that errs on purpose: a server of the tests says its lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync"]  # fmt: skip


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with chat({}) as page:
        ask(page, QUESTION, "Answered")
        page.get_by_role("link", name="[2]").first.click()
        page.wait_for_timeout(800)
        page.screenshot(path=DOCS / "chat.png")
    with ChatServer(SAID) as model:
        settings = {"RAG_LLM_MODEL": "a-model", "OPENAI_BASE_URL": model.base_url, "RAG_LLM_CACHE": "false",
                    "RAG_LLM_EXPAND_BELOW": "0"}  # fmt: skip
        with chat(settings) as page:
            ask(page, ASKED_OF_MODEL, "Partly answered")
            page.wait_for_timeout(800)
            page.screenshot(path=DOCS / "ledger.png")


@contextmanager
def chat(settings: dict[str, str]) -> Iterator[Page]:
    """The chat in a browser, under these settings beside those of the environment."""
    footnote = Path(sys.executable).with_name("footnote")
    command = [footnote, "ui", "--port", "7871"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings}) as served:
        try:
            assert served.stdout is not None
            address = served.stdout.readline().rsplit(" ", 1)[-1].strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 820}, color_scheme="light")
                page.goto(address)
                yield page
                browser.close()
        finally:
            served.terminate()


def ask(page: Page, question: str, outcome: str) -> None:
    page.get_by_role("textbox").fill(question)
    page.keyboard.press("Enter")
    page.get_by_text(outcome, exact=True).wait_for(timeout=90_000)


if __name__ == "__main__":
    main()
