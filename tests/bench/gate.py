"""Where the gate of evidence belongs: answerable questions refused and questions from elsewhere refused, gate by gate."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag import Assistant, Outcome, load_settings
from rag.answering.question import check_turns
from rag.evaluation.questions import OFFTOPIC, UNANSWERABLE, read_questions
from rag.retrieval.ranking import retrieve

HERE = Path(__file__).parent
GATES = (0.30, 0.32, 0.34, 0.345, 0.35, 0.355, 0.36, 0.365, 0.37, 0.38, 0.40)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    given = arguments.parse_args()
    assistant = Assistant.open(load_settings())
    inside: list[float] = []  # evidence for questions that the library answers
    outside: list[float] = []  # and for those from elsewhere
    for question in read_questions(HERE / "questions.jsonl"):
        if question.type != UNANSWERABLE:
            history = [turn.model_dump() for turn in question.history]
            found = _evidence(assistant, question.question, history)
            (outside if question.type == OFFTOPIC else inside).append(found)
    elsewhere = [line for line in (HERE / "offtopic.txt").read_text("utf-8").splitlines() if line]
    answers = {line: assistant.answer(line) for line in elsewhere}
    outside += [_evidence(assistant, line, []) for line in elsewhere]
    passed = [line for line, answer in answers.items() if answer.outcome != Outcome.NOT_IN_CORPUS]
    figures = {
        "answerable": len(inside),
        "elsewhere": len(outside),
        "everyday_questions_refused": f"{len(elsewhere) - len(passed)}/{len(elsewhere)}",
        "not_refused": passed,
        "gates": {
            f"{gate:.3f}": {"false_refusals": sum(e < gate for e in inside), "refused": sum(e < gate for e in outside)}
            for gate in GATES
        },
    }
    print(json.dumps(figures, indent=1))
    if given.save:
        given.save.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def _evidence(assistant: Assistant, question: str, history: Sequence[Mapping[str, str]]) -> float:
    answering, library = assistant.answering, assistant.answering.handle.filled()
    query = answering.standalone(library, question, check_turns(history))
    return retrieve(library, answering.model, query, k=1).evidence


if __name__ == "__main__":
    main()
