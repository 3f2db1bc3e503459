"""What a ranking is measured against: trivial baselines, and itself with signals left out or weighed otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.retrieval.signals import WEIGHTS, fuse_signals
from rag.text.sentences import find_sentences
from rag.types import Answer, Citation, Outcome, Passage

Weights = Mapping[str, float]

BASELINES: Mapping[str, Weights] = {"plain cosine": {"cosine": 1.0}, "plain BM25": {"bm25": 1.0}}
_FIRST_SENTENCES = 3


def list_ablations(weights: Weights = WEIGHTS) -> dict[str, Weights]:
    """Each signal alone, left out, and at half and twice its weight: is it needed, and is its weight on a plateau?

    Those that a baseline is alone already are not repeated.
    """
    found: dict[str, Weights] = {}
    for name, weight in weights.items():
        if {name: 1.0} not in BASELINES.values():
            found[f"{name} alone"] = {name: 1.0}
        found[f"without {name}"] = {other: value for other, value in weights.items() if other != name}
        found[f"{name} x 0.5"] = {**weights, name: weight / 2}
        found[f"{name} x 2"] = {**weights, name: weight * 2}
    return found


def rerank(passages: Sequence[Passage], weights: Weights) -> list[Passage]:
    """The same passages in the order of other weights; ties go by id, for the given order is the full system's."""
    return sorted(passages, key=lambda passage: (-fuse_signals(passage.signals, weights), passage.paper.id))


def quote_opening(question: str, ranking: Sequence[Passage]) -> Answer:
    """The answer that takes no thought: the first sentences of the first paper, cited; nothing is ever refused."""
    paper = ranking[0].paper if ranking else None
    spans = find_sentences(paper.abstract)[:_FIRST_SENTENCES] if paper else []
    citations = tuple(Citation(1, paper, paper.abstract[start:end], start, end) for start, end in spans if paper)
    return Answer(
        question=question,
        standalone_question=question,
        text=" ".join(f"{citation.quote} [1]" for citation in citations),
        outcome=Outcome.ANSWERED,
        citations=citations,
        passages=tuple(ranking),
    )
