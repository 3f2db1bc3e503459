"""What strangers send, made up by Hypothesis for as long as it is given: files, markers, passports, the API, the page.

Whatever comes, a reader returns or raises the error that its docstring names, within two seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import lzma
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from rag.answering.answer_json import answer_from_json, answer_to_json  # noqa: E402
from rag.corpus.clean import clean_text  # noqa: E402
from rag.corpus.formats import read_file  # noqa: E402
from rag.corpus.lines import Unreadable  # noqa: E402
from rag.errors import PassportError, StoredAnswerError  # noqa: E402
from rag.markers.reader import MarkerReader  # noqa: E402
from rag.serve.protocol import RequestError, read_request  # noqa: E402
from rag.settings import Settings  # noqa: E402
from rag.share.passports.data import make_passport  # noqa: E402
from rag.share.passports.page import write_page  # noqa: E402
from rag.share.passports.verification import verify_passport  # noqa: E402
from rag.types import Answer, Citation, Outcome, Paper, Passage  # noqa: E402
from tests.bench.measuring import machine  # noqa: E402
from ui.server.events import EventRefused, read_event  # noqa: E402

SLOWEST_S = 2.0
ABSTRACT = "Worlds are hard. We model 41 % of them with two networks."
PAPER = Paper("0123456789abcdef", "World models", "World models", ABSTRACT, "a.txt", 12)
ANSWER = Answer(
    "What?", "What?", "Worlds are hard. [1]", Outcome.ANSWERED,
    (Citation(1, PAPER, ABSTRACT[:16], 0, 16),), (Passage(PAPER, 1.0, 0, 16),), searched=1,
)  # fmt: skip
# Pieces of which the formats are made, and what breaks parsers.
PIECES = (
    "Abstract:", "Title:", "\n", "\r\n", "\t", " ", "[1]", "[1-3]", "【1】", "(1)", "[^1]", "<sup>1</sup>", "[[9]1]",
    "passage 1", "Sources:", "References\n", "**", "`", "```", "$", "\\", "{\\em ", "\\a{", "}", "&amp;", "&#x41;", "<b>",
    "</article>", "<script>", "http://a.b/c", "@misc{", '{"', '"abstract"', ":", ",", "[", "]", "{", "}", '"', "null",
    "1e999", "\ufeff", "\u202e", "\u0000", "\U0001f600", "é", "漢字", "41 %", "1,500", "et al.", "Fig. 3", ".", "?",
    '"model": "footnote"', '"messages"', '"role"', '"user"', '"content"', '"path"', '"meta"', "footnote-passport",
)  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=60).map("".join)
long_texts = st.tuples(st.one_of(st.sampled_from(PIECES), texts), st.integers(1, 3_000)).map(
    lambda made: (made[0] * made[1])[:60_000]
)
any_text = st.one_of(texts, long_texts)
any_bytes = st.one_of(any_text.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=400))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.sampled_from(["user", "footnote"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(st.sampled_from(["role", "content", "messages", "model", "stream", "path", "meta",
                                                   "data", "session_hash", "fn_index", "text", "type"]), texts),
                        inner, max_size=6),
    ),
    max_leaves=20,
)  # fmt: skip


def read_any_file(made: tuple[str, bytes]) -> None:
    suffix, content = made
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(suffix[-3:], bytes)(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(packed)
        for found in read_file(path):
            assert found is not None


def read_markers(made: tuple[str, list[int]]) -> None:
    """In pieces as in one."""
    text, cuts = made
    whole = MarkerReader(3)
    expected = whole.feed(text) + whole.finish()
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    pieces = MarkerReader(3)
    said, at = "", 0
    for end in ends:
        said += pieces.feed(text[at:end])
        at = end
    assert said + pieces.finish() == expected, "text that comes in pieces is read as the whole"


def clean(text: str) -> None:
    cleaned = clean_text(text)
    assert "\0" not in cleaned
    cleaned.encode("utf-8", "surrogatepass")


def exchange(text: str, made: tuple[int, int, str]) -> str:
    """The text with a part of it exchanged for another."""
    start, length, put = made
    start %= len(text)
    return text[:start] + put + text[start + length :]


PAGE = write_page(make_passport(ANSWER, Settings(_env_file=None), [PAPER], where=None))  # type: ignore[call-arg]


def verify(made: tuple[int, int, str]) -> None:
    page = exchange(PAGE, made)
    if verify_passport(page, [PAPER]).passed:
        assert page.split() == PAGE.split(), "a changed page passes"


async def _receive_all(body: bytes) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    event, again = await read_event(receive)
    assert isinstance(event, dict)
    assert (await again())["body"] == body


json_bytes = json_values.map(lambda value: json.dumps(value).encode())
changes = st.tuples(st.integers(0, 10**6), st.integers(0, 20), st.one_of(st.just(""), texts))
abstracts = texts.map(lambda text: f"Abstract: {ABSTRACT} {text} {ABSTRACT}\n")
records = st.dictionaries(
    st.sampled_from(["title", "abstract", "text", "authors", "year", "venue", "url", "doi"]),
    st.one_of(json_values, texts),
).map(lambda record: json.dumps({"abstract": ABSTRACT, **record}) + "\n")
papers = st.lists(st.one_of(abstracts, records, texts), max_size=5).map(
    lambda lines: "".join(lines).encode("utf-8", "replace")
)
requests = st.fixed_dictionaries(
    {"model": st.just("footnote"),
     "messages": st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system", "tool"]),
                                                 "content": st.one_of(texts, json_values)}), min_size=1, max_size=4)},
    optional={"stream": json_values, "n": json_values, "stream_options": json_values},
).map(lambda request: json.dumps(request).encode())  # fmt: skip
suffixes = st.sampled_from([".txt", ".jsonl", ".json", ".txt.gz", ".jsonl.xz", ".md"])


@dataclass(slots=True)
class Target:
    """What is fuzzed: its input, and the errors that it may raise."""

    made: st.SearchStrategy[Any]
    run: Callable[[Any], object]
    allowed: tuple[type[Exception], ...] = ()
    tried: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)


TARGETS = {
    "files": Target(st.tuples(suffixes, st.one_of(any_bytes, papers)), read_any_file, (Unreadable,)),
    "cleaning": Target(any_text, clean),
    "markers": Target(st.tuples(any_text, st.lists(st.integers(0, 300), max_size=8)), read_markers),
    "passports": Target(changes, verify, (PassportError,)),
    "kept answers": Target(
        changes, lambda made: answer_from_json(exchange(answer_to_json(ANSWER), made)), (StoredAnswerError,)
    ),
    "the API": Target(st.one_of(any_bytes, json_bytes, requests), read_request, (RequestError,)),
    "the page": Target(
        st.one_of(any_bytes, json_bytes), lambda body: asyncio.run(_receive_all(body)), (EventRefused,)
    ),
}  # fmt: skip


def fuzz(target: Target, budget_s: float, first_seed: int) -> None:
    """Tries inputs until the time is over; what fails is made small by Hypothesis and kept."""
    until, number = time.monotonic() + budget_s, first_seed

    def one(made: Any) -> None:
        if time.monotonic() > until:
            return
        target.tried += 1
        began = time.thread_time()
        try:
            target.run(made)
        except target.allowed:
            target.refused += 1
        took = time.thread_time() - began
        target.slowest_s = max(target.slowest_s, took)
        assert took < SLOWEST_S, f"{took:.1f} s"

    while time.monotonic() < until and len(target.faults) < 5:
        chosen = settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck),
                          phases=(Phase.generate, Phase.shrink))  # fmt: skip
        try:
            seed(number)(chosen(given(target.made)(one)))()
        except Exception as error:  # noqa: BLE001  whatever it is, it is a fault
            notes = " ".join(getattr(error, "__notes__", []))
            target.faults.append(f"{type(error).__name__}: {error} {notes}"[:2_000])
        number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="for each of what is fuzzed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    for target in TARGETS.values():
        fuzz(target, arguments.seconds, arguments.seed)
    figures = {
        name: {
            "tried": each.tried,
            "refused": each.refused,
            "slowest_s": round(each.slowest_s, 2),
            "faults": each.faults,
        }
        for name, each in TARGETS.items()
    }
    saved = {"seconds_each": arguments.seconds, "seed": arguments.seed, "figures": figures, "machine": machine()}
    print(json.dumps(saved, indent=1, ensure_ascii=False))
    if arguments.save:
        arguments.save.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(each.faults for each in TARGETS.values()))


if __name__ == "__main__":
    main()
