"""Papers side by side: what each says of its aim, its method, its result and of what is asked, in its own sentences."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from rag.answering.extractive import Reader
from rag.library.library import Library
from rag.library.records import EmbeddedPaper
from rag.models.embedding import EmbeddingModel
from rag.text.prompt_injection import instructions
from rag.text.sentence_roles import LEAST, ROLES, score_roles
from rag.types import Answer, Paper

MOST_PAPERS = 10
COLUMNS = (*ROLES, "asked")
NOT_STATED = "not stated in the abstract"

_CANDIDATES = 4  # of a column: enough that four columns never want the same sentence
_WEIGHTS = {"aim": 2.0}  # there is mostly one sentence for it, where other columns have a choice
_OPENS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Cell:
    """A sentence of a paper: `paper.abstract[start:end] == text`; or "" with the reason why there is none."""

    text: str = ""
    start: int = 0
    end: int = 0
    reason: str = NOT_STATED


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A paper.

    Attributes:
        number: Of its citation in the answer; None where the answer does not cite it.
        cells: By the names in `COLUMNS`.
    """

    paper: Paper
    number: int | None
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Papers side by side with regard to a question; those that the answer cites come first."""

    question: str
    rows: tuple[ComparisonRow, ...]


def compare_papers(answer: Answer, library: Library, model: EmbeddingModel, *, k: int, gate: float) -> Comparison:
    """Puts the papers of an answer side by side.

    Args:
        k: How many papers, where the answer cites fewer than two.
        gate: Least cosine with the question for a sentence to count as saying something on it.
    """
    question, numbers = answer.standalone_question or answer.question, _choose_papers(answer, k)
    records = {record.paper.id: record for record in library.reader.read_embedded(list(numbers))}
    reader = Reader(model.embed([question])[0], library.lexical.terms, library.lexical.idf)
    rows = []
    for key, number in numbers.items():
        if record := records.get(key):  # else it has left the library since
            quoted = {citation.start for citation in answer.citations if citation.paper.id == key}
            rows.append(_row(record, number, _score_for_question(question, record, reader, quoted, gate)))
    return Comparison(answer.question, tuple(rows))


def comparison_csv(comparison: Comparison) -> str:
    """The table for a spreadsheet: what would be read as a formula there is kept from being one."""
    text = io.StringIO()
    writer = csv.writer(text)
    places = [name for column in COLUMNS for name in (column, f"{column}_start", f"{column}_end")]
    writer.writerow(["citation", "paper", "paper_id", "source", "line", "question", *places])
    for row in comparison.rows:
        cells = [value for column in COLUMNS for value in _written(row.cells[column])]
        paper = row.paper
        given = ["" if row.number is None else row.number, paper.label, paper.id, paper.source, paper.line]
        writer.writerow([_harmless(value) for value in (*given, comparison.question, *cells)])
    return text.getvalue()


def _written(cell: Cell) -> tuple[str | int, ...]:
    return (cell.text, cell.start, cell.end) if cell.text else ("", "", "")


def _harmless(value: str | int) -> str | int:
    """See OWASP, CSV injection: an apostrophe in front makes it text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_OPENS_FORMULA) else value


def _choose_papers(answer: Answer, k: int) -> dict[str, int | None]:
    """Ids of the papers that the answer cites, with their numbers; fewer than two are filled up to k with the found."""
    chosen: dict[str, int | None] = {citation.paper.id: citation.number for citation in answer.citations}
    if len(chosen) < 2:
        found = [passage.paper.id for passage in answer.passages if passage.paper.id not in chosen]
        chosen |= dict.fromkeys(found[: max(0, k - len(chosen))])
    return dict(list(chosen.items())[:MOST_PAPERS])


def _score_for_question(
    question: str, record: EmbeddedPaper, reader: Reader, quoted: set[int], gate: float
) -> list[float]:
    """Scores how well each sentence answers the question; 0 for one that does not.

    Args:
        quoted: Offsets at which the answer's quotes of the paper begin. If there are any, only these sentences count.
    """
    near = record.sentence_vectors @ reader.vector >= gate
    does = [start in quoted for start, _ in record.sentences] if quoted else near
    scores = reader.scores(question, record)
    return [LEAST + max(0.0, score) if says else 0.0 for score, says in zip(scores, does, strict=True)]


def _row(record: EmbeddedPaper, number: int | None, asked: Sequence[float]) -> ComparisonRow:
    abstract = record.paper.abstract
    ordered = set(instructions(abstract))  # a paper states nothing in what it says to an assistant
    texts = ["" if span in ordered else abstract[slice(*span)] for span in record.sentences]
    scores: dict[str, Sequence[float]] = {
        **score_roles(texts),
        "asked": [score if text else 0.0 for score, text in zip(asked, texts, strict=True)],
    }
    chosen = choose_sentences(scores)
    cells = {}
    for column, place in chosen.items():
        if place is None:
            cells[column] = Cell(reason=_reason(column, scores, chosen))
        else:
            start, end = record.sentences[place]
            cells[column] = Cell(abstract[start:end], start, end, "")
    return ComparisonRow(record.paper, number, cells)


def choose_sentences(scores: Mapping[str, Sequence[float]]) -> dict[str, int | None]:
    """Chooses a sentence for each column, none twice, so that the sum of the scores is greatest."""
    columns = list(scores)
    weights = [_WEIGHTS.get(column, 1.0) for column in columns]
    wanted: list[list[int | None]] = []
    for column in columns:
        order = sorted(range(len(scores[column])), key=lambda place: -scores[column][place])[:_CANDIDATES]
        wanted.append([*(place for place in order if scores[column][place] >= LEAST), None])

    def worth(choice: tuple[int | None, ...]) -> float:
        taken = zip(columns, weights, choice, strict=True)
        return sum(weight * scores[column][place] for column, weight, place in taken if place is not None)

    best = max((choice for choice in product(*wanted) if _apart(choice)), key=worth)
    return dict(zip(columns, best, strict=True))


def _apart(choice: Sequence[int | None]) -> bool:
    taken = [place for place in choice if place is not None]
    return len(taken) == len(set(taken))


def _reason(column: str, scores: Mapping[str, Sequence[float]], chosen: Mapping[str, int | None]) -> str:
    """Why a column has no sentence: another shows the only one there is, or nothing is said."""
    held = {place: other for other, place in chosen.items() if place is not None}
    best = max(range(len(scores[column])), key=lambda place: scores[column][place], default=None)
    if best in held and scores[column][best] >= LEAST:
        return f"in the sentence under {held[best]}"
    return NOT_STATED
