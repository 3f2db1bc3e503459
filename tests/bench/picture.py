"""Takes the README's picture of the chat: docs/chat.png, with the seeds, in a real browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

QUESTION = "Which web-agent papers report MiniWoB or MiniWoB++ results, and what were the numbers?"
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync"]  # fmt: skip


def main() -> None:
    target = Path(__file__).parents[2] / "docs" / "chat.png"
    footnote = Path(sys.executable).with_name("footnote")
    with subprocess.Popen([footnote, "ui", "--port", "7871"], stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            address = served.stdout.readline().rsplit(" ", 1)[-1].strip()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 820}, color_scheme="light")
                page.goto(address)
                page.get_by_role("textbox").fill(QUESTION)
                page.keyboard.press("Enter")
                page.get_by_text("Answered").wait_for()
                page.get_by_role("link", name="[2]").first.click()
                page.wait_for_timeout(800)
                target.parent.mkdir(exist_ok=True)
                page.screenshot(path=target)
                browser.close()
        finally:
            served.terminate()
    print(target)


if __name__ == "__main__":
    main()
