"""Flips a byte at seeded places of every file under RAG_HOME, one at a time: nothing is shown that was not ingested.

After every flip a process of its own opens the library, answers questions and reads a kept conversation; then the files
are as they were again. What it says is compared with what an undamaged home says: the same (the byte is read by nobody,
or what it spoilt was made again), refused in words, or different. Of what is ours (models, papers, lexical index,
conversations) nothing may be different; of Chroma's files no quote may differ from the abstract that was ingested.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from rag import Answer, Assistant, Citation, Outcome, Paper, Passage, RagError, Settings  # noqa: E402
from tests.bench.measuring import SEED, Target, conclude  # noqa: E402
from ui.conversations.conversation import Exchange, State  # noqa: E402
from ui.conversations.history import History  # noqa: E402

QUESTIONS = ("How many tasks does TimeArena have?", "What is objective mismatch in model-based reinforcement learning?")
OWNER = "a" * 64
OURS = ("models", "papers", "lexical", "conversations.sqlite3")


def look(home: Path) -> dict[str, Any]:
    """What a process says that opens the home now."""
    settings = Settings(_env_file=None, home=home, auto_ingest=False)  # type: ignore[call-arg]
    try:
        assistant = Assistant.open(settings)
        answers = [assistant.answer(question) for question in QUESTIONS]
        told = {
            "answers": [answer.text for answer in answers],
            "quotes": [(each.paper.id, each.quote) for answer in answers for each in answer.citations],
            "papers": sorted((paper.id, paper.abstract, paper.label) for paper in assistant.papers()),
        }
        assistant.close()
    except RagError as error:
        told = {"refused": str(error)}
    try:
        history = History(home)
        found = history.find_conversations(OWNER)
        told["conversations"] = {
            one.title: ["refused" if "damaged" in each.error else repr(each)
                        for each in history.read_exchanges(OWNER, one.id)] for one in found
        }  # fmt: skip
    except RagError as error:
        told["conversations"] = f"refused: {error}"
    return told


def apart(work: Callable[[Path], dict[str, Any]], home: Path) -> dict[str, Any]:
    """What a process makes of a home that has opened nothing yet."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8") as pipe:
            try:
                json.dump(work(home), pipe)
            except BaseException:  # noqa: BLE001  whatever it is, the parent counts it as a fault
                json.dump({"traceback": traceback.format_exc()[-1_500:]}, pipe)
            pipe.flush()
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return dict(json.loads(text)) if text else {"traceback": f"it ended with status {status}"}


def flip(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place)
        byte = opened.read(1)[0]
        opened.seek(place)
        opened.write(bytes([byte ^ 0x55]))


def judge(
    told: dict[str, Any], expected: dict[str, Any], ingested: dict[str, str], *, is_ours: bool
) -> tuple[str, str]:
    """What a flip led to, and why where that is a fault."""
    if "traceback" in told:
        return "fault", str(told["traceback"])
    for paper_id, quote in told.get("quotes", ()):
        if quote not in ingested.get(paper_id, ""):
            return "fault", f"a quote that is not in its abstract: {quote!r}"
    if "refused" in told or str(told["conversations"]).startswith("refused"):
        return "refused", ""
    if told == expected:
        return "same", ""
    kept = expected["conversations"]
    refused = {title: ["refused"] if told["conversations"].get(title) == ["refused"] else kept[title] for title in kept}
    if told == {**expected, "conversations": refused}:
        return "refused", ""
    differs = next(key for key in expected if told.get(key) != expected[key])
    return ("fault" if is_ours else "different"), f"other {differs} than before"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--only", help="files of this name under RAG_HOME, or in this folder there")
    parser.add_argument("--places", type=int, default=20, help="of each file")
    given = parser.parse_args()
    dice = random.Random(SEED)  # noqa: S311  places, no secrets
    counts: dict[str, Counter[str]] = {}
    faults: list[str] = []
    unnoticed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        whole, home = Path(name) / "whole", Path(name) / "home"
        apart(make, home)
        apart(look, home)  # what it makes at its first look, it makes now
        shutil.copytree(home, whole)
        expected = apart(look, home)
        assert expected["quotes"], expected
        ingested = {paper_id: abstract for paper_id, abstract, _ in expected["papers"]}
        for file in sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file()):
            if given.only and file.parts[0] != given.only:
                continue
            size = (whole / file).stat().st_size
            is_ours = file.parts[0] in OURS
            tally = counts.setdefault(file.parts[0], Counter())
            for place in sorted(dice.sample(range(size), min(given.places, size))):
                flip(home / file, place)
                outcome, why = judge(apart(look, home), expected, ingested, is_ours=is_ours)
                tally[outcome] += 1
                if outcome == "fault":
                    faults.append(f"{file} at {place}: {why}")
                    print(faults[-1], flush=True)
                elif outcome == "different":
                    unnoticed.append(f"{file} at {place}: {why}")
                restore(whole, home)
    figures = {"places": given.places, "outcomes": counts, "faults": faults, "different": unnoticed}
    conclude(figures, [Target("faults after flipped bytes", len(faults), 0)], given.save)


def make(home: Path) -> dict[str, Any]:
    """A library of the seeds, its model, and a conversation."""
    assistant = Assistant.open(Settings(_env_file=None, home=home))  # type: ignore[call-arg]
    assistant.prepare()
    assistant.close()
    abstract = "Worlds are hard. We model 41 % of them."
    world = Paper("0123456789abcdef", "World models", "World models", abstract, "a.txt", 12)
    history = History(home)
    for number in range(30):
        answer = Answer(
            f"What {number}?", f"What {number}?", "Worlds are hard. [1]", Outcome.ANSWERED,
            (Citation(1, world, abstract[:16], 0, 16),), (Passage(world, 1.0, 0, 16),),
        )  # fmt: skip
        history.add(OWNER, None, Exchange(f"What {number}?", state=State.DONE, text=answer.text, answer=answer))
    return {}


def restore(whole: Path, home: Path) -> None:
    """Makes the home as it was: what differs in size or time is copied, what is new is removed."""
    for path in [path for path in home.rglob("*") if path.is_file()]:
        if not (whole / path.relative_to(home)).exists():
            path.unlink()
    for path in [path for path in whole.rglob("*") if path.is_file()]:
        other = home / path.relative_to(whole)
        if not other.exists() or other.read_bytes() != path.read_bytes():
            other.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, other)


if __name__ == "__main__":
    main()
