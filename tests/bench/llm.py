"""Measures the path with a language model against a server in this process: delay, and citations that cannot be.

The delay is from the server's first token to the first `Token` of the stream; answers are not kept, nor is the model
asked for words to search with. The answers that are checked are those
of a writer with a fixed seed, who cites in every form, valid and invalid, links, quotes code, and lists references.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rag import Answer, Assistant, Done, Token, load_settings  # noqa: E402
from rag.corpus.duplicates import fingerprint  # noqa: E402
from rag.evaluation.questions import read_questions  # noqa: E402
from rag.markers.citation_forms import MARKER  # noqa: E402
from tests.llm_server import ChatServer, Exchange, says  # noqa: E402

SEED = 20
TIMED, CHECKED = 200, 1_000
MOST_DELAY_P95_MS = 50.0
FORMS = (
    "[{n}]", "[{n}]", "[{n}]", "[{n}, {m}]", "[{n}][{m}]", "[{n}-{m}]", "【{n}】", "【{n}†source】", "({n})", "({n}, {m})",
    "[^{n}]", "[passage {n}]", "(passage {n})", "[[{n}]]", "([{n}])", "(see [{n}])", "[P{n}]", "[ref. {n}]", "[cite: {n}]",
    "[{n}, p. {m}]", "[{n}](http://evil.example/{m})", '<passage number="{n}">', "<sup>{n}</sup>", "^[{n}]", "^{n}",
    "<ref>{n}</ref>", "［{n}］", "[[{n}]{m}]", "[{n} ]", "`[{n}]`", "**[{n}]**", "[ {n} , {m} ]", "[{n} to {m}]", "[{n}",
    "{n}]", "[Smith {n}]", "[{n}.5, {m}]", "({n}", "【{n}",
)  # fmt: skip
BLOCKS = (
    "```python\nvalues[{n}] = other[{m}]  # [{n}]\n```", "- {sentence}\n- {sentence}", "1. {sentence}\n2. {sentence}",
    "# Heading [{n}]", "![pixel](http://evil.example/{n}.png)", "[a link](http://evil.example/{n})",
    "<img src=x onerror=alert({n})>", "[{n}]: http://evil.example", "| [{n}] | ({m}) |\n| --- | --- |",
)  # fmt: skip
ENDINGS = (
    "", "", "\n\nReferences:\n[{n}] A title\n[{m}] Another", "\n\n**Sources:** [{n}], [{m}]", "\n\n[^{n}]: A title",
    "\n\n[{n}] A Title\n[{m}] Another", "\n\nSources\n- one\n- two [{n}]\n\n{sentence}", " [{n}", "\n\nQuellen:",
)  # fmt: skip


class Writer:
    """Writes answers that no honest model would, each in pieces as they may be streamed."""

    def __init__(self, sentences: list[str]) -> None:
        self._dice = random.Random(SEED)  # noqa: S311  a seed, so that a run can be repeated
        self._sentences = sentences

    def answer(self) -> list[str]:
        dice = self._dice
        blocks = [
            self._filled(dice.choice(BLOCKS)) if dice.random() < 0.2 else " ".join(
                self._sentence() for _ in range(dice.randint(1, 3)))
            for _ in range(dice.randint(1, 4))
        ]  # fmt: skip
        return self._pieces("\n\n".join(blocks) + self._filled(dice.choice(ENDINGS)))

    def _sentence(self) -> str:
        dice, text = self._dice, self._dice.choice(self._sentences)
        marks = "".join(dice.choice(("", " ")) + self._filled(dice.choice(FORMS)) for _ in range(dice.randint(0, 3)))
        body, stop = text[:-1], text[-1:]
        if dice.random() < 0.2:  # in the middle of the sentence, or behind the full stop
            at = dice.randrange(len(body) + 1)
            return f"{body[:at]}{marks}{body[at:]}{stop}"
        return f"{body}{marks}{stop}" if dice.random() < 0.8 else f"{text}{marks}"

    def _filled(self, form: str) -> str:
        dice = self._dice
        numbers = {name: str(dice.choice((1, 1, 2, 2, 3, 4, 5, 6, 0, 7, 9, 21, 99, 456))) for name in "nm"}
        return re.sub(
            r"\{(n|m|sentence)\}",
            lambda found: numbers[found[1]] if found[1] in numbers else self._sentence(),
            form,
        )

    def _pieces(self, text: str) -> list[str]:
        most = self._dice.choice((1, 3, 6, 12, 80))
        pieces, at = [], 0
        while at < len(text):
            size = self._dice.randint(1, most)
            pieces.append(text[at : at + size])
            at += size
        return pieces


def questions() -> Iterator[str]:
    """The benchmark's questions again and again, no two of them the same."""
    answerable = [each.question for each in read_questions(ROOT / "tests" / "bench" / "questions.jsonl") if each.gold]
    rounds = 0
    while True:
        rounds += 1
        yield from (f"{question.rstrip('?. ')}{'?' * rounds}" for question in answerable)


def with_server(chat: ChatServer) -> Assistant:
    settings = load_settings(llm_model="writer", openai_base_url=chat.base_url, openai_api_key="not-needed")
    return Assistant.open(settings.model_copy(update={"llm_cache": False, "llm_expand_below": 0.0}))


def delays(count: int) -> dict[str, Any]:
    """Milliseconds from the server's first token to ours."""
    sent: list[float] = []
    pieces = re.findall(r"\s?\S+", "The abstracts state that the method needs fewer examples [1]. Others agree [2][3].")

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk({"role": "assistant", "content": ""})
        sent.append(time.perf_counter())
        for piece in pieces:
            exchange.chunk({"content": piece})
            exchange.wait(0.005)
        exchange.chunk({}, "stop")
        exchange.done(len(pieces))

    spent_ms: list[float] = []
    with ChatServer(behave) as chat:
        assistant = with_server(chat)
        assistant.answer("What is grokking?")  # what is loaded once is no delay
        for question in questions():
            asked = len(sent)
            first = None
            for event in assistant.stream(question):
                if first is None and isinstance(event, Token):
                    first = time.perf_counter()
            if len(sent) > asked and first is not None:  # else the evidence was too little, and no model was asked
                spent_ms.append((first - sent[-1]) * 1000)
            if len(spent_ms) == count:
                break
    p50, p95 = np.percentile(spent_ms, [50, 95])
    return {
        "answers": len(spent_ms),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "max_ms": round(max(spent_ms), 1),
    }


def faults(answer: Answer, streamed: str, prompt: str) -> Iterator[str]:
    """What is wrong with an answer, by kind."""
    told = fingerprint(prompt)
    if any(fingerprint(citation.paper.abstract)[:150] not in told for citation in answer.citations):
        yield "cites what was not offered"
    if any(each.paper.abstract[each.start : each.end] != each.quote for each in answer.citations):
        yield "quotes what is not there"
    cited = {int(number) for number in MARKER.findall(answer.text)}
    cited |= {number for claim in answer.claims if claim.attributed for number in claim.citations}
    if cited != {each.number for each in answer.citations}:
        yield "has a marker without a citation, or a citation without a marker"
    if re.search(r"\[\d{1,3}\]\(", answer.text):
        yield "has a link on a marker"
    if streamed != answer.text:
        yield "was not what was streamed"


def checked(count: int) -> dict[str, Any]:
    """The faults of so many answers of the writer, and what there was to do."""
    wrong: Counter[str] = Counter()
    done: Counter[str] = Counter()
    answers: list[list[str]] = []

    def behave(exchange: Exchange) -> None:
        says(*answers[-1])(exchange)

    with ChatServer(behave) as chat:
        assistant = with_server(chat)
        sentences = [
            sentence
            for paper in assistant.papers()[:60]
            for sentence in re.findall(r"[A-Z][^.\[\]]{30,160}\.(?=\s)", paper.abstract)
        ]
        writer = Writer(sentences)
        for question in questions():
            asked = len(chat.requests)
            answers.append(writer.answer())
            events = list(assistant.stream(question))
            if len(chat.requests) == asked:
                continue
            [finished] = [event.answer for event in events if isinstance(event, Done)]
            streamed = "".join(event.text for event in events if isinstance(event, Token))
            found = list(faults(finished, streamed, chat.requests[-1].prompt))
            if found:
                print("  ", found, repr("".join(answers[-1])), "->", repr(finished.text))
            wrong.update(found)
            done["answers"] += 1
            done["with_faults"] += bool(found)
            done["citations"] += len(finished.citations)
            done["markers_removed"] += len(finished.removed_markers)
            done["lists_left_out"] += any("list of references" in notice for notice in finished.notices)
            if done["answers"] == count:
                break
    return {**done, "faults": dict(wrong)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    arguments.add_argument("--timed", type=int, default=TIMED)
    arguments.add_argument("--checked", type=int, default=CHECKED)
    given = arguments.parse_args()
    result = {"first_token": delays(given.timed), "answers": checked(given.checked)}
    print(json.dumps(result, indent=1))
    met = result["first_token"]["p95_ms"] <= MOST_DELAY_P95_MS and not result["answers"]["faults"]
    print("targets met" if met else "TARGETS MISSED")
    if given.save:
        given.save.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
