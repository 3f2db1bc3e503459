"""The server is killed in the middle of an answer: what had arrived is there when it is started again."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import llm_server as server
from tests.command import SCRIPT
from tests.conftest import wait_for
from tests.llm_server import ChatServer
from tests.ui.conftest import PATIENCE_MS, WIDE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
QUESTION = "What is TimeArena?"
SAID = "It has 30 tasks."


@contextmanager
def footnote_ui(port: int, home: Path, llm: ChatServer) -> Iterator[subprocess.Popen[str]]:
    settings = {
        "RAG_HOME": str(home), "RAG_PORT": str(port), "OPENAI_BASE_URL": llm.base_url, "OPENAI_API_KEY": "sk-none",
        "RAG_LLM_MODEL": "stalling",
    }  # fmt: skip
    with subprocess.Popen([SCRIPT, "ui"], env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"Footnote is at http://127.0.0.1:{port}\n"
            yield process
        finally:
            process.kill()


def saved(home: Path) -> str:
    """The text of the exchange, as far as it is kept."""
    with closing(sqlite3.connect(home / "conversations.sqlite3")) as connection:
        return "".join(text for (text,) in connection.execute("SELECT text FROM exchange"))


def test_an_answer_that_was_cut_by_kill_9_is_kept_as_far_as_it_came(
    browser: Browser, seed_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(seed_home, home)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = server.says(*[f"{SAID} "] * 600, pause_s=0.1)
    with ChatServer(words) as llm, browser.new_context(viewport=WIDE, reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        with footnote_ui(port, home, llm) as process:
            page.goto(f"http://127.0.0.1:{port}")
            box = page.get_by_role("textbox", name="Your question")
            box.fill(QUESTION)
            box.press("Enter")
            expect(page.get_by_role("log")).to_contain_text(SAID)
            wait_for(lambda: f"{SAID} {SAID}" in saved(home), what="words are saved, once a second")
            process.kill()
            process.wait(10)
        # Left open, Gradio's page loads itself again as soon as the server is back, or a moment later.
        page.goto("about:blank")
        with footnote_ui(port, home, llm):
            page.goto(f"http://127.0.0.1:{port}")
            kept = page.get_by_role("navigation", name="Your conversations").get_by_role("listitem")
            expect(kept).to_have_count(1)
            kept.get_by_role("button", name=QUESTION).click()
            log = page.get_by_role("log")
            expect(log).to_contain_text(QUESTION)
            expect(log).to_contain_text(f"{SAID} {SAID}")
            expect(log).to_contain_text("Cut: the server ended before the answer was complete")
