"""A folder in BEIR's format: its files, its queries, how relevant each document is to them, and a ranking's figures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag.corpus.lines import PACKINGS
from rag.errors import EvaluationError
from rag.evaluation import metrics
from rag.evaluation.questions import read_numbered_lines
from rag.evaluation.results import Row
from rag.text.words import make_encodable
from rag.types import Passage

_TEST = "test"
_COLUMNS = 3  # query-id, corpus-id, score
_QUERY = "query"  # the type of every query's row


@dataclass(frozen=True, slots=True)
class Collection:
    """The files of one split.

    Attributes:
        split: "" where the folder names none.
    """

    corpus: Path
    queries: Path
    qrels: Path
    split: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A query with the gain of every document that was judged for it, by document id; at least one is above 0."""

    id: str
    text: str
    gains: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PaperGains:
    """How relevant papers are to a query.

    Attributes:
        by_paper: By paper id; documents with the same abstract are one paper and have the greatest of their gains.
        ideal: All gains above 0, also those of documents that the library does not hold.
    """

    by_paper: Mapping[str, float]
    ideal: Sequence[float]

    @classmethod
    def of(cls, by_document: Mapping[str, float], paper_of: Mapping[str, str]) -> PaperGains:
        """From the gains of documents, and the paper of each document that the library holds."""
        by_paper: dict[str, float] = {}
        absent = []
        for document, gain in by_document.items():
            if (paper := paper_of.get(document)) is not None:
                by_paper[paper] = max(gain, by_paper.get(paper, 0.0))
            else:
                absent.append(gain)
        return cls(by_paper, [gain for gain in (*by_paper.values(), *absent) if gain > 0])

    def score_ranking(self, ranking: Sequence[Passage]) -> dict[str, float]:
        """The figures of a ranking; cutoffs are in their names."""
        gains = self._along(ranking)
        return {
            "ndcg@10": metrics.ndcg(gains, self.ideal, 10),
            "hit@1": metrics.hit(gains, 1),
            "mrr@10": metrics.reciprocal_rank(gains, 10),
            **{f"recall@{k}": metrics.recall(gains, len(self.ideal), k) for k in (5, 10, 100)},
        }

    def make_row(self, query_id: str, ranking: Sequence[Passage], search_ms: float) -> Row:
        """The row of a query in a result."""
        figures = {**self.score_ranking(ranking), "search_ms": search_ms}
        rank = metrics.first_rank(self._along(ranking))
        return Row(id=query_id, type=_QUERY, rank=rank, outcome="", figures=figures)

    def _along(self, ranking: Sequence[Passage]) -> list[float]:
        return [self.by_paper.get(passage.paper.id, 0.0) for passage in ranking]


def find_collection(folder: Path, split: str | None = None) -> Collection:
    """The files of a split; without a name, the only one there is, or the one called test.

    Raises:
        EvaluationError: A file is missing, or there is no such split; those that there are are named.
    """
    try:
        there = sorted(file for file in (*folder.iterdir(), *folder.glob("qrels/*.tsv")) if file.is_file())
    except OSError as error:
        raise EvaluationError(f"{folder}: it cannot be looked into ({error.strerror}).") from error
    by_name = {file.relative_to(folder).as_posix(): file for file in there}
    # The split is looked up among the files that there are: no path is made of what a user typed.
    qrels = [name for name in by_name if name.startswith("qrels") and name.endswith(".tsv")]
    splits = {name.removeprefix("qrels").removesuffix(".tsv").strip("_/"): by_name[name] for name in qrels}
    chosen = split if split is not None else next((name for name in ("", _TEST, *splits) if name in splits), "")
    if split == _TEST and _TEST not in splits:
        chosen = ""  # a folder without splits has the test split in `qrels.tsv`
    if chosen not in splits:
        known = ", ".join(name or _TEST for name in splits) or "none; put qrels.tsv or qrels/test.tsv there"
        raise EvaluationError(f"{folder}: there are no judgements for {split or _TEST!r}; splits: {known}.")
    queries = by_name.get(f"queries_{chosen}.jsonl") or by_name.get("queries.jsonl")
    corpus = next((by_name[name] for end in PACKINGS if (name := f"corpus.jsonl{end}") in by_name), None)
    if queries is None or corpus is None:
        missing = "queries.jsonl" if queries is None else "corpus.jsonl (or .gz, .xz)"
        raise EvaluationError(f"{folder}: there is no {missing}; a BEIR folder has one.")
    return Collection(corpus, queries, splits[chosen], chosen)


def read_judged(collection: Collection) -> list[Judged]:
    """The queries of the split for which any document is relevant, in the order of the file.

    Raises:
        EvaluationError: A file cannot be read, or a line is not as it should be; file and line are named.
    """
    gains = _read_qrels(collection.qrels)
    texts = dict(_read_queries(collection.queries))
    unknown = [query for query in gains if query not in texts]
    if unknown:
        raise EvaluationError(
            f"{collection.qrels}: {len(unknown)} judged queries, e.g. {unknown[0]!r}, are not in"
            f" {collection.queries.name}; add them, or remove their judgements."
        )
    found = [Judged(key, text, gains[key]) for key, text in texts.items() if max(gains.get(key, {0: 0}).values()) > 0]
    if not found:
        raise EvaluationError(f"{collection.qrels}: no document is relevant to any query; check the scores.")
    return found


def find_document_lines(corpus: Path) -> dict[str, int]:
    """The line number of every document; lines that are no documents are left to the ingest to report."""
    found: dict[str, int] = {}
    for number, row in _read_rows(corpus, strict=False):
        found.setdefault(str(row.get("_id")), number)
    return found


def _read_qrels(path: Path) -> dict[str, dict[str, float]]:
    gains: dict[str, dict[str, float]] = {}
    for place, (number, line) in enumerate(read_numbered_lines(path)):
        cells = line.rstrip("\r\n").split("\t")
        if place == 0 and not _is_number(cells[-1]):
            continue  # the heading
        if len(cells) != _COLUMNS or not _is_number(cells[-1]):
            raise EvaluationError(
                f"{path}:{number}: expected are query id, document id and score with tabs between; correct the line."
            )
        query, document, gain = cells
        gains.setdefault(query, {})[document] = float(gain)
    return gains


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_queries(path: Path) -> Iterator[tuple[str, str]]:
    for number, row in _read_rows(path, strict=True):
        key, text = row.get("_id"), row.get("text")
        if not isinstance(key, str | int) or not isinstance(text, str) or not text.strip():
            raise EvaluationError(f'{path}:{number}: a query has an "_id" and a "text"; correct the line.')
        yield str(key), make_encodable(text.strip())


def _read_rows(path: Path, *, strict: bool) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in read_numbered_lines(path):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if strict:
                raise EvaluationError(f"{path}:{number}: it is not JSON; correct the line.") from error
            continue
        if isinstance(row, dict):
            yield number, row
        elif strict:
            raise EvaluationError(f"{path}:{number}: it is not a JSON object; correct the line.")
