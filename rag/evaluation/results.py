"""The result of a run: what was asked of which library with which settings, every question's figures, and the sums."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from rag.errors import EvaluationError
from rag.evaluation import metrics
from rag.evaluation.metrics import Difference, Estimate
from rag.files import replace_file
from rag.share.provenance import library_hash
from rag.types import Paper

ALL = "all"  # the group of every question
_STATISTICS: Mapping[str, tuple[tuple[str, metrics.Statistic], ...]] = {
    "latency_ms": (("latency_p50_ms", metrics.median), ("latency_p95_ms", metrics.p95)),  # of answer()
    "search_ms": (("search_p50_ms", metrics.median), ("search_p95_ms", metrics.p95)),
    "sentences": (("sentences", metrics.mean), ("sentences_median", metrics.median)),
}
_DECIMALS = 4
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Row(_Part):
    """One question.

    Attributes:
        rank: Of the first relevant paper; None when none was found.
        outcome: Of the answer; "" where none was asked for.
        figures: By metric; which there are depends on the question.
    """

    id: str
    type: str
    rank: int | None
    outcome: str
    figures: dict[str, _Finite]


class Source(_Part):
    """The questions, or the library: its hash, and how many there are."""

    name: str
    hash: str
    count: int


class Result(_Part):
    """What `footnote eval` measured.

    Attributes:
        summary: By group of questions ("all", then every type) and metric.
        baselines: By name and metric, the figures of something trivial beside the full system's (`before`).
        ablation: The same for the ranking with signals left out, alone, or weighed otherwise.
        notes: What a reader of the figures should know.
    """

    format: Literal[1] = 1
    made: str
    footnote: str
    commit: str | None
    settings: dict[str, JsonValue]
    model: str
    corpus: Source
    questions: Source
    split: str
    notes: list[str]
    summary: dict[str, dict[str, Estimate]]
    baselines: dict[str, dict[str, Difference]]
    ablation: dict[str, dict[str, Difference]]
    rows: list[Row]


def summarise(rows: Sequence[Row]) -> dict[str, dict[str, Estimate]]:
    """Every metric over all questions that have it, then by type."""
    groups = {ALL: list(rows)}
    for row in rows:
        groups.setdefault(row.type, []).append(row)
    if len(groups) == 2:  # one type: it says what "all" says
        groups = {ALL: list(rows)}
    return {group: _estimates(members) for group, members in groups.items()}


def beside(rows: Sequence[Row], others: Sequence[Mapping[str, float]]) -> dict[str, Difference]:
    """How other figures of the same questions differ, by metric."""
    pairs = _columns([row.figures for row in rows], others)
    return {name: metrics.difference(before, after) for name, (before, after) in pairs.items()}


def corpus_of(papers: Iterable[Paper], name: str) -> Source:
    """The library by its papers: the same papers give the same hash in any order and from any files."""
    ids = [paper.id for paper in papers]
    return Source(name=name, hash=library_hash(ids), count=len(ids))


def save(result: Result, path: Path) -> None:
    """Writes the result as JSON; the file is the old one or the new one, never half of it.

    Raises:
        EvaluationError: It cannot be written.
    """
    path = path.resolve()  # a link stays one
    try:
        replace_file(path, as_json(result) + "\n")
    except OSError as error:
        raise EvaluationError(f"{path}: the result cannot be written ({error.strerror}).") from error


def check_writable(path: Path) -> None:
    """Says before minutes of work that their result could not be saved."""
    path = path.resolve()
    if (path.exists() and not path.is_file()) or not os.access(path.parent, os.W_OK):
        raise EvaluationError(f"{path}: the result cannot be written there; name a file in a folder that exists.")


def load(path: Path) -> Result:
    """A saved result.

    Raises:
        EvaluationError: It cannot be read, or is none.
    """
    try:
        return Result.model_validate_json(path.read_bytes())
    except OSError as error:
        raise EvaluationError(f"{path}: it cannot be read ({error.strerror}).") from error
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise EvaluationError(
            f"{path}: it is no result of this version ({field}: {fault['msg']}); make it with `footnote eval --save`."
        ) from error


def as_json(result: Result) -> str:
    """Indented, floats rounded: a file whose changes can be read."""
    return _rounded(result).model_dump_json(indent=1)


def _rounded(result: Result) -> Result:
    def walk(value: object) -> object:
        if isinstance(value, float):
            return round(value, _DECIMALS)
        if isinstance(value, dict):
            return {name: walk(each) for name, each in value.items()}
        return [walk(each) for each in value] if isinstance(value, list) else value

    return Result.model_validate(walk(result.model_dump()))


def _estimates(rows: Sequence[Row]) -> dict[str, Estimate]:
    found = {}
    for name, (values, _) in _columns([row.figures for row in rows], [row.figures for row in rows]).items():
        for shown, statistic in _STATISTICS.get(name, ((name, metrics.mean),)):
            found[shown] = metrics.estimate(values, statistic)
    return found


def _columns(
    first: Sequence[Mapping[str, float]], second: Sequence[Mapping[str, float]]
) -> dict[str, tuple[list[float], list[float]]]:
    """The values of every metric that both have, question by question."""
    columns: dict[str, tuple[list[float], list[float]]] = {}
    for before, after in zip(first, second, strict=True):
        for name in before:
            if name in after:
                values = columns.setdefault(name, ([], []))
                values[0].append(before[name])
                values[1].append(after[name])
    return columns
