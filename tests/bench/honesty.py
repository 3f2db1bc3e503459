"""Scores honesty: answerable questions called partial, unanswerable ones caught, follow-ups found; and the thresholds.

The questions of honesty.jsonl are split by a hash of their id: rules were tuned on `questions` and `dev` alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rag import Answer, Assistant, Outcome, load_settings
from rag.answering import extractive
from rag.answering import unstated as requirements
from rag.answering.gate import share_of_papers
from rag.evaluation.questions import OFFTOPIC, UNANSWERABLE, Question, read_questions, score_answer
from rag.text import quantities

HERE = Path(__file__).parent
Answers = Sequence[tuple[Question, Answer]]
FIGURES = ("hit@1", "citation_precision", "citation_recall", "facts", "sentences", "partial", "false_refusal",
           "not_answered", "refused")  # fmt: skip
SWEEPS = (
    (requirements, "GENERIC_SHARE", (0.0, 0.01, 0.02, 0.05)),
    (requirements, "SAME_SPELLING", (0.7, 0.8, 0.9, 1.0)),
    (requirements, "NAMED_SHARE", (0.0, 0.1, 0.15, 0.2)),
    (quantities, "REACH", (2, 3, 5, 8)),
)
CHOICES = (
    ("_PAPER_MARGIN", (0.5, 0.65, 0.8)),
    ("_SENTENCE_MARGIN", (0.5, 0.6, 0.7)),
    ("_CONTEXT_WEIGHT", (0.0, 0.3, 0.6)),
    ("_STATED_BONUS", (0.0, 0.15, 0.3)),
    ("_REASON_BONUS", (0.0, 0.15, 0.3)),
    ("_IDEA_BONUS", (0.0, 0.2, 0.4)),
)


def read_sets() -> dict[str, list[Question]]:
    """The questions by set: `questions`, `dev`, `held_out`, `followups`."""
    sets: dict[str, list[Question]] = {"questions": read_questions(HERE / "questions.jsonl"), "dev": [], "held_out": []}
    for question in read_questions(HERE / "honesty.jsonl"):
        sets["dev" if hashlib.sha256(question.id.encode()).digest()[0] % 2 else "held_out"].append(question)
    return sets | {"followups": read_questions(HERE / "followups.jsonl")}


def figures(answers: Answers) -> dict[str, Any]:
    """Means over the questions that have a figure, and how many there are."""
    rows = [score_answer(question, answer, answer.passages).figures for question, answer in answers]
    return {
        "answerable": sum(question.answerable for question, _ in answers),
        "unanswerable": sum(question.type == UNANSWERABLE for question, _ in answers),
        **{
            name: round(float(np.mean([row[name] for row in rows if name in row])), 3)
            for name in FIGURES
            if any(name in row for row in rows)
        },
        "median_sentences": float(np.median([row["sentences"] for row in rows if "sentences" in row])),
    }


def rates(assistant: Assistant, answers: Answers) -> dict[str, str]:
    """Partial among answerable and caught among unanswerable questions, with the thresholds as they are now."""
    library = assistant.answering.handle.filled()
    counts: dict[str, list[bool]] = defaultdict(list)
    for question, answer in answers:
        if question.type == OFFTOPIC:
            continue
        papers = list({citation.number: citation.paper for citation in answer.citations}.values())
        lacks = requirements.unstated(
            question.question, papers, terms=library.lexical.terms, share=partial(share_of_papers, library)
        )
        refused = answer.outcome == Outcome.NOT_IN_CORPUS
        counts["partial" if question.answerable else "caught"].append(refused or bool(lacks.phrases))
    return {name: f"{sum(flags)}/{len(flags)}" for name, flags in sorted(counts.items())}


def chosen(assistant: Assistant) -> dict[str, Any]:
    """Facts, precision, recall and length of the answers with neighbouring values of the choice of sentences."""
    sets = read_sets()
    report: dict[str, Any] = {}
    for threshold, values in CHOICES:
        default = getattr(extractive, threshold)
        for value in values:
            setattr(extractive, threshold, value)
            report[f"{threshold}={value}"] = {
                name: {key: found[key] for key in ("facts", "citation_precision", "citation_recall", "sentences")}
                for name in ("questions", "dev", "followups")
                for found in [figures(_answered(assistant, [each for each in sets[name] if each.answerable]))]
            }
        setattr(extractive, threshold, default)
    return report


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    arguments.add_argument("--show", default="", help="print what went wrong in these sets")
    given = arguments.parse_args()
    assistant = Assistant.open(load_settings())
    assistant.prepare()
    answered = {name: _answered(assistant, questions) for name, questions in read_sets().items()}
    report: dict[str, Any] = {name: figures(answers) for name, answers in answered.items()}
    report["sweep"] = {}
    for module, threshold, values in SWEEPS:
        default = getattr(module, threshold)
        for value in values:
            setattr(module, threshold, value)
            report["sweep"][f"{threshold}={value}"] = {
                name: rates(assistant, answered[name]) for name in ("questions", "dev", "held_out")
            }
        setattr(module, threshold, default)
    report["choice"] = chosen(assistant)
    print(json.dumps(report, indent=1))
    for name in filter(None, given.show.split(",")):
        for question, answer in answered[name]:
            if (answer.outcome == Outcome.ANSWERED) != question.answerable:
                print(name, question.id, question.question, answer.outcome.value, answer.missing)
    if given.save:
        given.save.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _answered(assistant: Assistant, questions: Sequence[Question]) -> Answers:
    return [
        (each, assistant.answer(each.question, history=[turn.model_dump() for turn in each.history]))
        for each in questions
    ]


if __name__ == "__main__":
    main()
