"""A run in the making: every question's figures, and those of the baselines and ablations for the same question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rag.evaluation import metrics, questions, results, variants
from rag.evaluation.questions import Question
from rag.evaluation.results import Result, Row
from rag.settings import Settings
from rag.share.provenance import origin
from rag.types import Answer, Passage

_QUERY = "query"  # the type of every question of a BEIR folder
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Gains:
    """How relevant papers are to a query.

    Attributes:
        by_paper: By paper id; documents with the same abstract are one paper and have the greatest of their gains.
        absent: Gains of relevant documents that the library does not hold.
    """

    by_paper: Mapping[str, float]
    absent: tuple[float, ...]

    @classmethod
    def of(cls, by_document: Mapping[str, float], paper_of: Mapping[str, str]) -> Gains:
        """From the gains of documents, and the paper of each document that the library holds."""
        by_paper: dict[str, float] = {}
        for document, gain in by_document.items():
            if (paper := paper_of.get(document)) is not None:
                by_paper[paper] = max(gain, by_paper.get(paper, 0.0))
        absent = tuple(gain for document, gain in by_document.items() if document not in paper_of and gain > 0)
        return cls(by_paper, absent)

    def figures(self, ranking: Sequence[Passage]) -> dict[str, float]:
        """The figures of a ranking; cutoffs are in their names."""
        gains = self._along(ranking)
        ideal = [gain for gain in (*self.by_paper.values(), *self.absent) if gain > 0]
        return {
            "ndcg@10": metrics.ndcg(gains, ideal, 10),
            "hit@1": metrics.hit(gains, 1),
            "mrr@10": metrics.reciprocal_rank(gains, 10),
            **{f"recall@{k}": metrics.recall(gains, len(ideal), k) for k in (5, 10, 100)},
        }

    def first_rank(self, ranking: Sequence[Passage]) -> int | None:
        """The 1-based rank of the first relevant paper."""
        return next((rank for rank, gain in enumerate(self._along(ranking), start=1) if gain > 0), None)

    def _along(self, ranking: Sequence[Passage]) -> list[float]:
        return [self.by_paper.get(passage.paper.id, 0.0) for passage in ranking]


@dataclass(slots=True)
class Measured:
    """The rows of a run so far, with the figures of every variant beside them."""

    ablation: bool
    rows: list[Row] = field(default_factory=list)
    baselines: dict[str, list[Figures]] = field(default_factory=dict)
    ablations: dict[str, list[Figures]] = field(default_factory=dict)

    def add_answer(self, question: Question, answer: Answer, ranking: Sequence[Passage], latency_ms: float) -> None:
        """Scores an answer, the baselines' answers, and the ranking with other weights."""
        score = questions.score(question, answer, ranking)
        figures = {**score.figures, "latency_ms": latency_ms}
        outcome = answer.outcome.value
        self.rows.append(Row(id=question.id, type=question.type, rank=score.rank, outcome=outcome, figures=figures))
        for name, weights in variants.BASELINES.items():
            other = variants.reranked(ranking, weights)
            answered = variants.opening_answer(question.question, other)
            self.baselines.setdefault(name, []).append(questions.score(question, answered, other).figures)
        self._ablate(ranking, lambda other: questions.ranking_figures(question, other))

    def add_ranking(self, key: str, gains: Gains, ranking: Sequence[Passage], search_ms: float) -> None:
        """Scores a ranking, and the same with other weights."""
        figures = {**gains.figures(ranking), "search_ms": search_ms}
        self.rows.append(Row(id=key, type=_QUERY, rank=gains.first_rank(ranking), outcome="", figures=figures))
        for name, weights in variants.BASELINES.items():
            self.baselines.setdefault(name, []).append(gains.figures(variants.reranked(ranking, weights)))
        self._ablate(ranking, gains.figures)

    def result(
        self,
        settings: Settings,
        *,
        corpus: results.Source,
        source: results.Source,
        split: str = "",
        notes: list[str],
    ) -> Result:
        """Everything in sums, with its origin."""
        return Result.model_validate(
            {
                **origin(settings),
                "corpus": corpus,
                "questions": source,
                "split": split,
                "notes": notes,
                "summary": results.summarise(self.rows),
                "baselines": {name: results.beside(self.rows, other) for name, other in self.baselines.items()},
                "ablation": {name: results.beside(self.rows, other) for name, other in self.ablations.items()},
                "rows": self.rows,
            }
        )

    def _ablate(self, ranking: Sequence[Passage], figures: Callable[[Sequence[Passage]], Figures]) -> None:
        for name, weights in variants.ablations().items() if self.ablation else ():
            self.ablations.setdefault(name, []).append(figures(variants.reranked(ranking, weights)))
