"""Two results side by side: what got better and worse, question by question, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rag.errors import EvaluationError
from rag.evaluation.metrics import Difference, compare_figures
from rag.evaluation.results import Result, Row

Verdict = Literal["better", "worse", "more", "fewer", "within noise"]

_SIGNIFICANT = 0.05
_LOWER_IS_BETTER = {"false_refusal", "partial", "latency_ms", "search_ms"}
_NEITHER_IS_BETTER = {"sentences", "disliked_answered"}
RANK = "rank"
_SAID_BY_RANK = {"mrr", "mrr@10", "hit@1", "hit@5"}
_NOT_LISTED = _SAID_BY_RANK | _NEITHER_IS_BETTER | {"latency_ms", "search_ms"}


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """A metric over the questions that both results have."""

    metric: str
    change: Difference
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class ChangedQuestion:
    """A question whose figure is another one; None is a rank below all that were looked at."""

    id: str
    type: str
    metric: str
    before: float | None
    after: float | None
    better: bool


@dataclass(frozen=True, slots=True)
class ResultDifference:
    """What to think of the difference, and what it is made of.

    Attributes:
        warnings: Why the two may not be comparable.
    """

    warnings: tuple[str, ...]
    metrics: tuple[MetricDifference, ...]
    changes: tuple[ChangedQuestion, ...]


def compare_results(before: Result, after: Result) -> ResultDifference:
    """The second result against the first, over the questions that both have.

    Raises:
        EvaluationError: They have no question in common.
    """
    later = {row.id: row for row in after.rows}
    pairs = [(row, later[row.id]) for row in before.rows if row.id in later]
    if not pairs:
        raise EvaluationError("The two results have no question in common; compare results of the same questions.")
    found = compare_figures([one.figures for one, _ in pairs], [other.figures for _, other in pairs])
    return ResultDifference(
        warnings=tuple(_warnings(before, after, len(pairs))),
        metrics=tuple(MetricDifference(name, change, _verdict(name, change)) for name, change in found.items()),
        changes=tuple(change for pair in pairs for change in _changes(*pair)),
    )


def _warnings(before: Result, after: Result, shared: int) -> Iterator[str]:
    if before.questions.hash != after.questions.hash:
        yield "The questions differ: a question of the same id may ask something else."
    if before.corpus.hash != after.corpus.hash:
        yield f"The libraries differ: {before.corpus.count} papers before, {after.corpus.count} after."
    if before.model != after.model:
        yield f"The embedding models differ: {before.model} before, {after.model} after."
    if left := len(before.rows) + len(after.rows) - 2 * shared:
        yield f"{left} questions are in one of the two only, and are left out."


def _verdict(name: str, change: Difference) -> Verdict:
    if change.p >= _SIGNIFICANT:
        return "within noise"
    more = change.difference > 0
    if name in _NEITHER_IS_BETTER:
        return "more" if more else "fewer"
    return "better" if more != (name in _LOWER_IS_BETTER) else "worse"


def _changes(one: Row, other: Row) -> Iterator[ChangedQuestion]:
    if one.rank != other.rank:
        better = other.rank is not None and (one.rank is None or other.rank < one.rank)
        yield ChangedQuestion(one.id, one.type, RANK, one.rank, other.rank, better)
    for name, before in one.figures.items():
        after = other.figures.get(name, before)
        if name not in _NOT_LISTED and after != before:
            yield ChangedQuestion(one.id, one.type, name, before, after, (after > before) != (name in _LOWER_IS_BETTER))
