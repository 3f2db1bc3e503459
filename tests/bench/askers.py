"""Answers per second of one process, without a language model, when 1, 4 or 16 ask at once.

The benchmark's questions on the bundled seeds, each asker taking the next when its last is answered: as threads that
call `answer()`, and as asyncio tasks that await the chain's `ainvoke`. All ways in turns, medians over the turns; the
percentiles are of a single answer, from asking to having it. Every answer is compared with the one that a single asker
got before: all of it but the times must be equal. To be run with OPENBLAS_NUM_THREADS=1, which `footnote` sets for itself.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rag import Answer, Assistant, load_settings
from rag.evaluation.questions import read_questions
from rag.langchain.chain import AnswerChain
from tests.bench.measuring import ROOT, Target, conclude, in_turns, median, percentiles_ms

ASKERS = (1, 4, 16)
Asked = tuple[Answer, float]  # and the seconds until it was there


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--home", type=Path, help="a RAG_HOME with the seeds; one is made otherwise")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    questions = [each.question for each in read_questions(ROOT / "tests" / "bench" / "questions.jsonl")]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home=given.home or Path(folder) / "home", llm_model=None)
        assistant = Assistant.open(settings)
        assistant.prepare()
        figures = measured(assistant, questions[: given.questions], given.rounds)
        assistant.close()
    differing = sum(figures[f"{kind}: {askers}"]["differing"] for askers in ASKERS for kind in ("threads", "tasks"))
    conclude(figures, [Target("answers that differ from a single asker's", differing, 0)], given.save)


def measured(assistant: Assistant, questions: list[str], rounds: int) -> dict[str, Any]:
    alone = {question: _timeless(assistant.answer(question)) for question in questions}
    ways: dict[str, Callable[[], tuple[list[Asked], float]]] = {}
    for askers in ASKERS:
        ways[f"threads: {askers}"] = partial(_threads, assistant, questions, askers)
        ways[f"tasks: {askers}"] = partial(_tasks, assistant, questions, askers)
    found = in_turns(ways, rounds)
    figures: dict[str, Any] = {}
    for name, turns in found.items():
        answers = [asked for turn, _ in turns for asked in turn]
        figures[name] = {
            "answers_per_s": median([len(turn) / seconds for turn, seconds in turns], 1),
            **{key: value for key, value in percentiles_ms([spent for _, spent in answers]).items() if key != "p99_ms"},
            "differing": sum(_timeless(answer) != alone[answer.question] for answer, _ in answers),
        }
    one = figures["threads: 1"]["answers_per_s"]
    ratios = {name: round(each["answers_per_s"] / one, 2) for name, each in figures.items()}
    return {"times_one_thread": ratios, **figures, "questions": len(questions), "turns": rounds,
            "openblas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "as many as cores")}  # fmt: skip


def _threads(assistant: Assistant, questions: list[str], askers: int) -> tuple[list[Asked], float]:
    def ask(question: str) -> Asked:
        began = time.perf_counter()
        return assistant.answer(question), time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(askers) as pool:
        answers = list(pool.map(ask, questions))
    return answers, time.perf_counter() - began


def _tasks(assistant: Assistant, questions: list[str], askers: int) -> tuple[list[Asked], float]:
    left, answers, chain = iter(questions), [], AnswerChain(assistant.answering)

    async def asker() -> None:
        for question in left:  # all askers share what is left
            began = time.perf_counter()
            answer = await chain.ainvoke({"question": question})
            answers.append((answer, time.perf_counter() - began))

    async def all_askers() -> None:
        await asyncio.gather(*(asker() for _ in range(askers)))

    began = time.perf_counter()
    asyncio.run(all_askers())
    return answers, time.perf_counter() - began


def _timeless(answer: Answer) -> Answer:
    return replace(answer, timings_ms={})


if __name__ == "__main__":
    main()
