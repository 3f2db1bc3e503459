"""How quick the chat is for a reader: in a real browser, alone and with seven others, and from the start of the process.

Times are taken within the page, from pressing Enter to the first words of the answer and to the whole of it with its cards.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from rag import load_settings  # noqa: E402
from tests.bench.cold import page_start  # noqa: E402
from tests.bench.measuring import machine  # noqa: E402
from tests.bench.picture import CHROMIUM_FLAGS  # noqa: E402

QUESTIONS = Path(__file__).with_name("questions.jsonl")
PORT = 7872
PEOPLE = 8
# Presses Enter in the box and waits for the answer below the newest question.
ASK = """
async (question) => {
  const box = document.querySelector("#fn-question textarea");
  const answered = () => [...document.querySelectorAll("#fn-chat [data-testid='bot'] .fn-answer")];
  while (document.querySelector("#fn-question .stop-button")) await new Promise((done) => setTimeout(done, 20));
  const before = answered().length;
  box.value = question;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => setTimeout(done, 50));
  const times = {};
  const asked = performance.now();
  box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  box.dispatchEvent(new KeyboardEvent("keypress", { key: "Enter", bubbles: true }));
  return new Promise((done, failed) => {
    const look = () => {
      const answer = answered()[before];
      if (!answer) return;
      const words = answer.querySelector(":scope > p:not(.fn-stage, .fn-note, .fn-foot, .fn-actions), :scope > ul");
      if (words) times.first_words_ms ??= performance.now() - asked;
      const whole = answer.querySelector(".fn-actions") && document.querySelector("#fn-evidence :is(.fn-card, .fn-found)");
      const ours = document.querySelector("#fn-evidence .fn-for")?.textContent === question;
      if (!whole || !ours) return;
      watch.disconnect();
      done({ ...times, complete_ms: performance.now() - asked, text: answer.innerText });
    };
    const watch = new MutationObserver(look);
    watch.observe(document.body, { childList: true, subtree: true, characterData: true });
    setTimeout(() => failed(new Error("no answer to: " + question)), 60_000);
  });
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--questions", type=int, default=60)
    arguments = parser.parse_args()
    questions = [json.loads(line)["question"] for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        alone = asked_alone(browser.new_context().new_page(), address, questions[: arguments.questions])
        pages = [browser.new_context().new_page() for _ in range(PEOPLE)]
        together = asked_together(pages, address, questions)
        browser.close()
    figures = {"alone": alone, f"{PEOPLE}_people_at_once": together, "start": page_start(home=load_settings().home)}
    saved = {"figures": figures, "machine": machine()}
    print(json.dumps(saved, indent=1))
    if arguments.save:
        arguments.save.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


@contextmanager
def served() -> Iterator[str]:
    """The chat with its models loaded, no language model."""
    footnote = Path(sys.executable).with_name("footnote")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAG_LLM")}
    with subprocess.Popen(
        [footnote, "ui", "--port", str(PORT)], stdout=subprocess.PIPE, text=True, env=environment
    ) as chat:
        try:
            assert chat.stdout is not None
            yield chat.stdout.readline().rsplit(" ", 1)[-1].strip()
        finally:
            chat.terminate()


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("textbox", name="Your question").wait_for()
    page.wait_for_timeout(1_500)


def asked_alone(page: Page, address: str, questions: list[str]) -> dict[str, float]:
    """One reader, a new conversation every five questions; the first two answers are not counted (models, caches)."""
    opened(page, address)
    times = []
    for number, question in enumerate([*questions[-2:], *questions]):
        if number % 5 == 2:
            page.get_by_role("button", name="New conversation").click()
            page.get_by_role("heading", name="New conversation").wait_for()
        taken = page.evaluate(ASK, question)
        page.wait_for_timeout(1_000)  # nobody asks on before that, and the suggestions below the answer are made
        if number >= 2:
            times.append(taken)
    return summary(times)


def asked_together(pages: list[Page], address: str, questions: list[str]) -> dict[str, float]:
    """Several readers press Enter at the same moment, ten times; each looks at what came."""
    for page in pages:
        opened(page, address)
    times: list[dict[str, Any]] = []
    for turn in range(10):
        asked = [questions[(turn * len(pages) + place) % 90] for place in range(len(pages))]
        for page, question in zip(pages, asked, strict=True):
            # Begun in every page before any is waited for.
            page.evaluate(f"question => {{ window.taken = ({ASK})(question); }}", question)
        times += [page.evaluate("() => window.taken") for page in pages]
        for page in pages:
            page.get_by_role("button", name="New conversation").click()
            page.get_by_role("heading", name="New conversation").wait_for()
    return summary(times)


def summary(times: list[dict[str, Any]]) -> dict[str, float]:
    figures: dict[str, float] = {"answers": len(times)}
    for name in ("first_words_ms", "complete_ms"):
        taken = sorted(each.get(name, each["complete_ms"]) for each in times)
        figures[name.replace("_ms", "_p50_ms")] = round(statistics.median(taken), 1)
        figures[name.replace("_ms", "_p95_ms")] = round(taken[int(0.95 * len(taken))], 1)
    return figures


if __name__ == "__main__":
    main()
