"""Scores answer() on the question set by the rules of its README, and the gate on questions from elsewhere."""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rag import Answer, Assistant, Outcome, load_settings
from rag.chain import evidence
from rag.chunking import sentence_spans

HERE = Path(__file__).parent
Question = Mapping[str, Any]


def read_questions() -> list[Question]:
    return [json.loads(line) for line in (HERE / "questions.jsonl").read_text("utf-8").splitlines()]


def score(question: Question, answer: Answer) -> dict[str, float]:
    """The figures of one answer; which of them exist depends on the question's type."""
    figures: dict[str, float] = {"latency_ms": answer.timings_ms["total"], "sentences": len(_sentences(answer.text))}
    refused = answer.outcome == Outcome.NOT_IN_CORPUS
    if question["type"] == "offtopic":
        return figures | {"refused": refused}
    if question["type"] == "unanswerable":
        return figures | {"not_answered": answer.outcome != Outcome.ANSWERED}
    verbatim = all(c.paper.abstract[c.start : c.end] == c.quote and c.quote in answer.text for c in answer.citations)
    gold = {f"{place}" for place in question["gold"]}
    is_gold = [bool(gold & _places(passage.paper)) for passage in answer.passages]
    cited = {citation.paper.id: citation.paper for citation in answer.citations}
    cited_gold = sum(bool(gold & _places(paper)) for paper in cited.values())
    rank = is_gold.index(True) + 1 if True in is_gold else 0
    if question["gold_mode"] == "any":
        figures |= {"hit@1": rank == 1, "hit@5": 0 < rank <= 5, "mrr": 1 / rank if rank else 0.0}
        recall = float(cited_gold > 0)
    else:
        distinct = _distinct(gold, answer)
        figures["recall@10"] = sum(is_gold[:10]) / distinct
        recall = cited_gold / distinct
    complete = _complete(question["facts"], answer.text) and figures["sentences"] <= 6
    answered = answer.outcome == Outcome.ANSWERED
    return figures | {
        "precision": cited_gold / len(cited) if cited else 0.0,
        "recall": recall,
        "facts": complete,
        "correct": answered and cited_gold > 0 and complete,
        "false_refusal": refused,
        "partial": answer.outcome == Outcome.PARTIAL,
        "verbatim": verbatim,
    }


def _distinct(gold: set[str], answer: Answer) -> int:
    """Gold papers, a place and its duplicates counted once."""
    papers = {frozenset(gold & _places(passage.paper)) for passage in answer.passages if gold & _places(passage.paper)}
    found = set().union(*papers) if papers else set()
    return len(papers) + len(gold - found)


def _places(paper: Any) -> set[str]:
    return {f"{source}:{line}" for source, line in paper.places}


def _complete(facts: Sequence[Sequence[str]], text: str) -> bool:
    return all(any(alternative.lower() in text.lower() for alternative in group) for group in facts)


def _sentences(text: str) -> list[str]:
    without_markers = re.sub(r"\s*\[\d+\]", "", text)
    return [without_markers[start:end] for start, end in sentence_spans(without_markers)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    arguments.add_argument("--show", default="", help="print answers of these types or ids")
    given = arguments.parse_args()
    assistant = Assistant.open(load_settings())
    assistant.prepare()
    assistant.answer("What is in-context learning?")  # warm
    by_type: dict[str, list[dict[str, float]]] = defaultdict(list)
    rows = []
    inside: list[float] = []  # evidence for questions that the library answers
    outside: list[float] = []  # and for those from elsewhere
    for question in read_questions():
        answer = assistant.answer(question["question"], history=question["history"])
        figures = score(question, answer)
        by_type[question["type"]].append(figures)
        if question["type"] != "unanswerable":
            (outside if question["type"] == "offtopic" else inside).append(evidence(answer.passages))
        rows.append(
            {"id": question["id"], **{name: float(value) for name, value in figures.items() if name != "latency_ms"}}
        )
        if given.show and (question["type"] in given.show or question["id"] in given.show):
            missing = [group for group in question["facts"] if not _complete([group], answer.text)]
            print(f"\n## {question['id']} {question['question']}\n{answer.outcome} | missing {missing}\n{answer.text}")
            for citation in {c.number: c for c in answer.citations}.values():
                gold = " *" if set(question["gold"]) & _places(citation.paper) else ""
                print(f"   [{citation.number}] {citation.paper.label[:90]}{gold}")
    elsewhere = [line for line in (HERE / "offtopic.txt").read_text("utf-8").splitlines() if line]
    others = [assistant.answer(line) for line in elsewhere]
    refused = [answer.outcome == Outcome.NOT_IN_CORPUS for answer in others]
    outside += [evidence(answer.passages) for answer in others]
    summary = summarise(by_type) | {"offtopic_elsewhere_refused": f"{sum(refused)}/{len(refused)}"}
    gates = {
        f"{gate:.3f}": {"false_refusals": sum(e < gate for e in inside), "refused": sum(e < gate for e in outside)}
        for gate in (0.30, 0.32, 0.33, 0.34, 0.345, 0.35, 0.36, 0.37, 0.38, 0.40)
    }
    summary |= {"gates": {"answerable": len(inside), "elsewhere": len(outside)} | gates}
    print(json.dumps(summary, indent=1))
    print("not refused:", [line for line, gone in zip(elsewhere, refused, strict=True) if not gone])
    if given.save:
        given.save.write_text(json.dumps({"summary": summary, "questions": rows}, indent=1) + "\n", "utf-8")


def summarise(by_type: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Means over all questions that have a figure, then by type."""
    everything = [figures for rows in by_type.values() for figures in rows]
    latencies = [figures["latency_ms"] for figures in everything]
    overall = {
        name: round(float(np.mean([figures[name] for figures in everything if name in figures])), 4)
        for name in ("hit@1", "hit@5", "mrr", "recall@10", "precision", "recall", "facts", "correct", "verbatim",
                     "sentences", "false_refusal", "partial", "refused", "not_answered")
    }  # fmt: skip
    return {
        **overall,
        "latency_p50_ms": round(float(np.percentile(latencies, 50)), 1),
        "latency_p95_ms": round(float(np.percentile(latencies, 95)), 1),
        "by_type": {
            kind: {
                name: round(float(np.mean([row[name] for row in rows])), 3) for name in rows[0] if name != "latency_ms"
            }
            for kind, rows in by_type.items()
        },
    }


if __name__ == "__main__":
    main()
