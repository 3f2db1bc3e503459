"""The result of a run: what was asked of which library with which settings, every question's figures, and the sums."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, JsonValue, ValidationError

from rag.errors import EvaluationError
from rag.evaluation import metrics
from rag.evaluation.metrics import Difference, Estimate
from rag.files import replace_file

ALL = "all"  # the group of every question
_STATISTICS: Mapping[str, tuple[tuple[str, metrics.Statistic], ...]] = {
    "latency_ms": (("latency_p50_ms", metrics.median), ("latency_p95_ms", metrics.p95)),  # of answer()
    "search_ms": (("search_p50_ms", metrics.median), ("search_p95_ms", metrics.p95)),
    "sentences": (("sentences", metrics.mean), ("sentences_median", metrics.median)),
}
_DECIMALS = 4
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Row(BaseModel, frozen=True):
    """One question.

    Attributes:
        rank: Rank of the first relevant paper, from 1; None when none was found.
        outcome: Outcome of the answer; "" where none was asked for.
        figures: Value by metric; which metrics there are depends on the question.
    """

    id: str
    type: str
    rank: int | None
    outcome: str
    figures: dict[str, _Finite]


class Source(BaseModel, frozen=True):
    """The questions, or the papers of the library: their hash, and how many there are."""

    name: str
    hash: str
    count: int


class Result(BaseModel, frozen=True):
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


def hash_files(*files: Path) -> str:
    """16 hex digits of the files' bytes.

    Raises:
        EvaluationError: One cannot be opened.
    """
    made = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as opened:
                made.update(hashlib.file_digest(opened, "sha256").digest())
        except OSError as error:
            raise EvaluationError(f"{file}: it cannot be opened ({error.strerror}).") from error
    return made.hexdigest()[:16]


def summarise(rows: Sequence[Row]) -> dict[str, dict[str, Estimate]]:
    """Every metric over all questions that have it, then by type where there are several."""
    groups = {ALL: list(rows)}
    types = dict.fromkeys(row.type for row in rows)
    if len(types) > 1:
        groups |= {type_: [row for row in rows if row.type == type_] for type_ in types}
    return {group: _summarise_group(members) for group, members in groups.items()}


def save_result(result: Result, path: Path) -> None:
    """Writes the result as JSON; the file is the old one or the new one, never half of it.

    Raises:
        EvaluationError: It cannot be written.
    """
    path = path.resolve()  # a link stays one
    try:
        replace_file(path, write_json(result) + "\n")
    except OSError as error:
        raise EvaluationError(f"{path}: the result cannot be written ({error.strerror}).") from error


def check_writable(path: Path) -> None:
    """Makes sure, before minutes of work, that their result can be saved.

    Raises:
        EvaluationError: It cannot.
    """
    path = path.resolve()
    if (path.exists() and not path.is_file()) or not os.access(path.parent, os.W_OK):
        raise EvaluationError(f"{path}: the result cannot be written there; name a file in a folder that exists.")


def load_result(path: Path) -> Result:
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


def write_json(result: Result) -> str:
    """The result as JSON, indented and its floats rounded, so that changes of a file can be read."""
    rounded = json.loads(result.model_dump_json(), parse_float=lambda digits: round(float(digits), _DECIMALS))
    return json.dumps(rounded, ensure_ascii=False, indent=1)


def _summarise_group(rows: Sequence[Row]) -> dict[str, Estimate]:
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.figures.items():
            columns.setdefault(name, []).append(value)
    return {
        shown: metrics.estimate(values, statistic)
        for name, values in columns.items()
        for shown, statistic in _STATISTICS.get(name, ((name, metrics.mean),))
    }
