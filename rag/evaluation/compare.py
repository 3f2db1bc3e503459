"""Two results side by side: what got better and worse, question by question, and whether that is more than noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.errors import EvaluationError
from rag.evaluation import metrics
from rag.evaluation.metrics import Difference
from rag.evaluation.results import Result, Row

Verdict = Literal["better", "worse", "more", "fewer", "within noise"]

_SIGNIFICANT = 0.05
_LOWER_IS_BETTER = {"false_refusal", "partial", "latency_ms", "search_ms"}
_NEITHER_IS_BETTER = {"sentences", "disliked_answered"}
_NOT_LISTED = {
    "latency_ms",
    "search_ms",
    "sentences",
    "disliked_answered",
    "mrr",
    "mrr@10",
    "hit@1",
    "hit@5",
}  # the rank says these
RANK = "rank"


@dataclass(frozen=True, slots=True)
class Compared:
    """A metric over the questions that both results have."""

    metric: str
    change: Difference
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """A question whose figure is another one; None is a rank below all that were looked at."""

    id: str
    type: str
    metric: str
    before: float | None
    after: float | None
    better: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to think of the difference, and what it is made of.

    Attributes:
        warnings: Why the two may not be comparable.
    """

    warnings: tuple[str, ...]
    metrics: tuple[Compared, ...]
    changes: tuple[Change, ...]


def compare(before: Result, after: Result) -> Comparison:
    """The second result against the first, over the questions that both have.

    Raises:
        EvaluationError: They have no question in common.
    """
    later = {row.id: row for row in after.rows}
    pairs = [(row, later[row.id]) for row in before.rows if row.id in later]
    if not pairs:
        raise EvaluationError("The two results have no question in common; compare results of the same questions.")
    return Comparison(
        warnings=tuple(_warnings(before, after, len(pairs))),
        metrics=tuple(_compared(pairs)),
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


def _compared(pairs: Sequence[tuple[Row, Row]]) -> Iterator[Compared]:
    names = dict.fromkeys(name for one, _ in pairs for name in one.figures)
    for name in names:
        both = [(one.figures[name], other.figures[name]) for one, other in pairs
                if name in one.figures and name in other.figures]  # fmt: skip
        if both:
            change = metrics.difference([one for one, _ in both], [other for _, other in both])
            yield Compared(name, change, _verdict(name, change))


def _verdict(name: str, change: Difference) -> Verdict:
    if change.p >= _SIGNIFICANT:
        return "within noise"
    more = change.difference > 0
    if name in _NEITHER_IS_BETTER:
        return "more" if more else "fewer"
    return "better" if more != (name in _LOWER_IS_BETTER) else "worse"


def _changes(one: Row, other: Row) -> Iterator[Change]:
    if one.rank != other.rank:
        better = other.rank is not None and (one.rank is None or other.rank < one.rank)
        yield Change(one.id, one.type, RANK, one.rank, other.rank, better)
    for name, before in one.figures.items():
        after = other.figures.get(name, before)
        if name not in _NOT_LISTED and after != before:
            yield Change(one.id, one.type, name, before, after, (after > before) != (name in _LOWER_IS_BETTER))
