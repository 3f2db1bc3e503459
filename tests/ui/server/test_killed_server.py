"""The server is killed in the middle of an answer: what had arrived is there when it is started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import llm_server as server
from tests.command import SCRIPT
from tests.llm_server import ChatServer
from tests.ui.conftest import WIDE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
QUESTION = "What is TimeArena?"
_SAVED_MS = 2500  # words are saved once a second, when more of them arrive


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


def test_an_answer_that_was_cut_by_kill_9_is_kept_as_far_as_it_came(
    browser: Browser, seed_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(seed_home, home)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = server.says(*["It has 30 tasks. "] * 200, pause_s=0.1)
    with ChatServer(words) as llm, browser.new_context(viewport=WIDE, reduced_motion="reduce") as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        with footnote_ui(port, home, llm) as process:
            page.goto(f"http://127.0.0.1:{port}")
            box = page.get_by_role("textbox", name="Your question")
            box.fill(QUESTION)
            box.press("Enter")
            expect(page.get_by_role("log")).to_contain_text("It has 30 tasks.")
            page.wait_for_timeout(_SAVED_MS)
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
            expect(log).to_contain_text("It has 30 tasks. It has 30 tasks.")
            expect(log).to_contain_text("Cut: the server ended before the answer was complete")
