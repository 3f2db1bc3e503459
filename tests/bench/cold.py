"""How long people wait for what is not yet running: an answer, the command's help, the chat; beside the usual stack.

Every figure is that of whole processes, imports and all, in turns with the peer's, the files of all in the system's
cache: `footnote ask` on the bundled seeds against peers/plain_stack.py on the same abstracts, once with no language
model and once with a server on this machine that says the same to both at once. Memory is the peak of resident memory
as the system counts it. The chat is what `make ui` starts when all is installed: until its page is there, beside
`import gradio` in the same turn, and until a question to its endpoint /ask, sent at that moment, is answered.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.bench.measuring import FOOTNOTE, Spent, Target, conclude, environment, in_turns, median, seconds_of, spent_by
from tests.llm_server import ChatServer

PEER = Path(__file__).with_name("peers") / "plain_stack.py"
QUESTION = "How many tasks does TimeArena have?"
SAID = "TimeArena has 30 tasks [1]."
PORT = 7890
HELP_S, BEYOND_IMPORT_S, FIRST_ANSWER_S = 0.3, 1.0, 6.0
FASTER, FASTER_WITH_MODEL, MEMORY = 3.5, 4.0, 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--home", type=Path, help="a RAG_HOME with the seeds; one is made otherwise")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = (given.home or folder / "home").resolve()
        spent_by([FOOTNOTE, "ingest"], env=environment(home), folder=folder)
        _build_peer(home, folder)
        without, with_model = _answers(home, folder, given.rounds)
        help_s = in_turns(
            {"help": lambda: spent_by([FOOTNOTE, "--help"], env=environment(home), folder=folder).seconds}, given.rounds
        )["help"]
        chat = page_start(given.rounds, home)
    figures = {"without_model": without, "with_model": with_model, "help_s": median(help_s), "chat": chat}
    targets = [
        Target("cold answer, times faster than the plain stack", without["times_faster"], FASTER, at_least=True),
        Target("the same, both with a model", with_model["times_faster"], FASTER_WITH_MODEL, at_least=True),
        Target("peak memory of a cold answer / the plain stack's", without["memory_ratio"], MEMORY),
        Target("the same, both with a model", with_model["memory_ratio"], MEMORY),
        Target("seconds of footnote --help", figures["help_s"], HELP_S),
        Target("seconds of the chat's page beyond import gradio", chat["beyond_import_s"], BEYOND_IMPORT_S),
        Target("seconds of the chat's first answer", chat["first_answer_s"], FIRST_ANSWER_S),
    ]
    conclude(figures, targets, given.save, "langchain", "langchain-chroma", "langchain-openai", "gradio")


def _build_peer(home: Path, folder: Path) -> None:
    """The plain stack's own store, of the abstracts that Footnote read from the seeds."""
    listed = spent_by([FOOTNOTE, "papers", "list", "--json"], env=environment(home), folder=folder).printed
    papers = json.loads(listed)
    lines = [json.dumps({"text": f"{each['title']}\n{each['abstract']}", "source": each["source"]}) for each in papers]
    (folder / "abstracts.jsonl").write_text("\n".join(lines), "utf-8")
    spent_by([sys.executable, PEER, "build", folder / "plain", folder / "abstracts.jsonl"],
             env=environment(), folder=folder)  # fmt: skip


def _answers(home: Path, folder: Path, rounds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Cold answers of both, with no model and with one; a first one of each, not counted, fills the system's cache."""
    with ChatServer(SAID) as chat:
        # Its answers kept on disk would spare Footnote the client.
        model = {"RAG_LLM_MODEL": "any", "OPENAI_BASE_URL": chat.base_url, "OPENAI_API_KEY": "not-needed"}
        ours = environment(home), environment(home, **model, RAG_LLM_CACHE="false")
        peer = [sys.executable, PEER, "ask", folder / "plain", QUESTION]

        def asked(command: list[str | Path], env: Mapping[str, str], requests: bool) -> Spent:
            before = len(chat.requests)
            spent = spent_by(command, env=env, folder=folder)
            # What the server said, or the sentence of the abstract that says it.
            answered = "TimeArena has 30 tasks" in spent.printed if requests else re.search(r"\b30\b", spent.printed)
            if not answered or (len(chat.requests) > before) is not requests:
                raise RuntimeError(f"{command[0]} gave no answer of the kind that is measured: {spent.printed[:500]}")
            return spent

        contenders: dict[str, Callable[[], Spent]] = {
            "footnote": lambda: asked([FOOTNOTE, "ask", QUESTION], ours[0], False),
            "plain": lambda: asked(peer, environment(), False),
            "footnote with model": lambda: asked([FOOTNOTE, "ask", QUESTION], ours[1], True),
            "plain with model": lambda: asked([*peer, "--llm", chat.base_url], environment(), True),
        }
        for contender in contenders.values():
            contender()
        found = in_turns(contenders, rounds)
    return (
        compared(found["footnote"], found["plain"]),
        compared(found["footnote with model"], found["plain with model"]),
    )


def compared(ours: list[Spent], plain: list[Spent]) -> dict[str, Any]:
    """Medians and their ratios, and the least and greatest ratio of a single turn."""
    by_turn = sorted(b.seconds / a.seconds for a, b in zip(ours, plain, strict=True))
    our_s, plain_s = (median([each.seconds for each in runs], 3) for runs in (ours, plain))
    our_mb, plain_mb = (median([each.peak_mb for each in runs], 1) for runs in (ours, plain))
    return {
        "times_faster": round(plain_s / our_s, 2),
        "times_faster_by_turn": [round(by_turn[0], 2), round(by_turn[-1], 2)],
        "memory_ratio": round(our_mb / plain_mb, 3),
        "footnote_s": our_s,
        "plain_stack_s": plain_s,
        "footnote_mb": our_mb,
        "plain_stack_mb": plain_mb,
        "turns": len(ours),
    }


def page_start(rounds: int = 5, home: Path | None = None) -> dict[str, float]:
    """Seconds from the start of the chat's process to its page, beside `import gradio`, and to a first answer."""
    ports = iter(range(PORT, PORT + rounds))
    env = environment(home)
    found = in_turns(
        {
            "gradio": lambda: (
                seconds_of(lambda: subprocess.run([sys.executable, "-c", "import gradio"], check=True)), 0.0,
            ),
            "chat": lambda: _chat_start(next(ports), env),
        },
        rounds,
    )  # fmt: skip
    page_s, gradio_s = [page for page, _ in found["chat"]], [seconds for seconds, _ in found["gradio"]]
    return {
        "beyond_import_s": median([a - b for a, b in zip(page_s, gradio_s, strict=True)]),
        "page_s": median(page_s),
        "import_gradio_s": median(gradio_s),
        "first_answer_s": median([answer for _, answer in found["chat"]]),
    }


def _chat_start(port: int, env: Mapping[str, str]) -> tuple[float, float]:
    """Seconds to the page, and to the answer of a question that is asked as soon as it is there."""
    address = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with subprocess.Popen(
        [FOOTNOTE, "ui", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(env)
    ) as chat:
        try:
            _await_page(chat, address)
            page_s = time.perf_counter() - began
            answer = _asked(address, QUESTION)
            answer_s = time.perf_counter() - began
        finally:
            chat.terminate()
    if "event: complete" not in answer or '"answered"' not in answer:
        raise RuntimeError(f"the chat gave no answer: {answer[:500]}")
    return page_s, answer_s


def _await_page(chat: subprocess.Popen[bytes], address: str) -> None:
    while chat.poll() is None:
        with suppress(httpx.TransportError):
            if httpx.get(f"{address}/", timeout=10).status_code == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"footnote ui ended with {chat.returncode} before its page was there")


def _asked(address: str, question: str) -> str:
    """What the endpoint /ask says, over plain HTTP: a call, and the events of its answer."""
    unrestricted = [question, None, None, False, None, None, None]
    call = httpx.post(f"{address}/gradio_api/call/ask", json={"data": unrestricted}, timeout=60).raise_for_status()
    return httpx.get(f"{address}/gradio_api/call/ask/{call.json()['event_id']}", timeout=120).raise_for_status().text


if __name__ == "__main__":
    main()
