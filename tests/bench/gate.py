"""Where the gate of evidence belongs: answerable questions refused and questions from elsewhere refused, gate by gate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rag import Assistant, Outcome, load_settings
from rag.chain import evidence
from rag.evaluation.questions import OFFTOPIC, UNANSWERABLE, read_questions

HERE = Path(__file__).parent
GATES = (0.30, 0.32, 0.33, 0.34, 0.345, 0.35, 0.36, 0.37, 0.38, 0.40)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    given = arguments.parse_args()
    assistant = Assistant.open(load_settings())
    inside: list[float] = []  # evidence for questions that the library answers
    outside: list[float] = []  # and for those from elsewhere
    for question in read_questions(HERE / "questions.jsonl"):
        if question.type != UNANSWERABLE:
            answer = assistant.answer(question.question, history=[turn.model_dump() for turn in question.history])
            (outside if question.type == OFFTOPIC else inside).append(evidence(answer.passages))
    elsewhere = [line for line in (HERE / "offtopic.txt").read_text("utf-8").splitlines() if line]
    answers = {line: assistant.answer(line) for line in elsewhere}
    outside += [evidence(answer.passages) for answer in answers.values()]
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


if __name__ == "__main__":
    main()
