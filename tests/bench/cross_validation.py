"""Do tuned weights hold on questions that they were not tuned on? Five folds, weights chosen anew for each.

The weights that ship are not among those tried. Two things do know them: which 100 papers are ranked, and the score
of a paper's neighbours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from rag import Assistant, Passage, load_settings
from rag.answering.question import check_turns
from rag.evaluation.baselines import rerank
from rag.evaluation.questions import Question, read_questions, score_ranking
from rag.retrieval.ranking import retrieve
from rag.retrieval.signals import WEIGHTS

HERE = Path(__file__).parent
FOLDS = 5
TRIALS = 400
DEPTH = 100
# Weights at which each signal outweighs all others together: cosines are below 1, BM25 below 40 or so.
RULING = {"chunk": 2.0, "opening": 2.0, "sentence": 2.0, "sentences": 2.0, "bm25": 0.05, "late": 4.0, "neighbours": 1.0}
METRICS = ("hit@1", "hit@5", "mrr", "recall@10")
Ranking = tuple[Question, Sequence[Passage]]
Figures = list[Mapping[str, float]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--save", type=Path)
    given = arguments.parse_args()
    rankings = list(_rankings())
    trials = list(_trials())
    figures = [[score_ranking(question, rerank(found, weights)) for question, found in rankings] for weights in trials]
    folds = np.array([_fold(question.id) for question, _ in rankings])
    held_out: list[Mapping[str, float]] = [{}] * len(rankings)
    gaps = []
    for fold in range(FOLDS):
        tuned_on, asked = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        chosen = max(range(len(trials)), key=lambda trial: _worth([figures[trial][row] for row in tuned_on]))
        for row in asked:
            held_out[row] = figures[chosen][row]
        gaps.append(
            _worth([figures[chosen][row] for row in tuned_on]) - _worth([figures[chosen][row] for row in asked])
        )
    result = {
        "questions": len(rankings),
        "folds": FOLDS,
        "trials": TRIALS,
        "shipped_weights": _means([score_ranking(question, rerank(found, WEIGHTS)) for question, found in rankings]),
        "tuned_on_all": _means(max(figures, key=_worth)),
        "held_out": _means(held_out),
        "mean_gap": round(float(np.mean(gaps)), 4),
        "spread_of_trials": {
            name: [
                round(float(np.percentile([_means(each)[name] for each in figures], share)), 4) for share in (5, 50, 95)
            ]
            for name in METRICS
        },
    }
    print(json.dumps(result, indent=1))
    if given.save:
        given.save.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _rankings() -> Iterator[Ranking]:
    assistant = Assistant.open(load_settings())
    assistant.prepare()
    answering = assistant.answering
    library = answering.handle.filled()
    for question in read_questions(HERE / "questions.jsonl"):
        if question.answerable:
            turns = check_turns([turn.model_dump() for turn in question.history])
            query = answering.standalone(library, question.question, turns)
            yield question, retrieve(library, answering.model, query, k=DEPTH).passages


def _trials() -> Iterator[Mapping[str, float]]:
    """Every weight anywhere between nothing and what lets its signal rule; one in six signals left out."""
    drawing = np.random.default_rng(5)
    for _ in range(TRIALS):
        shares = drawing.uniform(0, 1, len(RULING)) * (drawing.random(len(RULING)) > 1 / 6)
        yield {name: most * float(share) for (name, most), share in zip(RULING.items(), shares, strict=True)}


def _fold(key: str) -> int:
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % FOLDS


def _worth(figures: Figures) -> float:
    means = _means(figures)
    return means["mrr"] + means["hit@5"] / 2 + means["recall@10"] / 2


def _means(figures: Figures) -> dict[str, float]:
    return {name: round(float(np.mean([row[name] for row in figures if name in row])), 4) for name in METRICS}


if __name__ == "__main__":
    main()
