"""A question file: read, checked line by line, and one answer scored against its question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from rag.answering.question import MOST_QUESTION_CHARS
from rag.corpus.lines import Unreadable, read_lines
from rag.errors import EvaluationError
from rag.evaluation import metrics
from rag.evaluation.results import ALL
from rag.text.sentences import find_sentences
from rag.types import Answer, Outcome, Paper, Passage

OFFTOPIC, UNANSWERABLE = "offtopic", "unanswerable"
DISLIKED = "disliked"  # of its answer a reader said that it is wrong, and nobody what is right
_WITHOUT_GOLD = (OFFTOPIC, UNANSWERABLE, DISLIKED)  # every other type has an answer in the library
_MRR_DEPTH = 20  # how many passages an answer carries
_MOST_SENTENCES = 6  # an answer that says everything says the facts as well
_MARKERS = re.compile(r"\s*\[\d+\]")
_Text = Annotated[str, StringConstraints(min_length=1)]
_Asked = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_QUESTION_CHARS)]


class PastTurn(BaseModel):
    """A turn of the conversation that a question follows."""

    model_config = ConfigDict(frozen=True, strict=True)

    role: Literal["user", "assistant"]
    content: str


class Question(BaseModel):
    """A line of a question file.

    Attributes:
        gold: Every place, as FILE:LINE, that states the answer.
        gold_mode: Whether any of these papers answers the question, or only all together.
        facts: Groups of alternatives; a complete answer has one of each group.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: _Text
    type: _Text
    question: _Asked
    history: tuple[PastTurn, ...] = ()
    gold: tuple[Annotated[str, StringConstraints(pattern=r"^.+:\d+$")], ...] = ()
    gold_mode: Literal["any", "all"] = "any"
    facts: tuple[Annotated[tuple[_Text, ...], Field(min_length=1)], ...] = ()

    @property
    def answerable(self) -> bool:
        """Whether the library is known to state the answer, and where."""
        return self.type not in _WITHOUT_GOLD

    @model_validator(mode="after")
    def _has_gold(self) -> Question:
        if self.type == ALL:
            raise ValueError(f'"{ALL}" stands for every type; name this one otherwise')
        if self.answerable and not self.gold:
            raise ValueError(f'a question of type "{self.type}" needs "gold", the places (FILE:LINE) of its answer')
        return self


@dataclass(frozen=True, slots=True)
class Score:
    """One answer by the rules; which figures exist depends on the question.

    Attributes:
        rank: Of the first gold paper in the ranking; None when it is not there, or there is none.
    """

    rank: int | None
    figures: Mapping[str, float]


def read_questions(path: Path) -> list[Question]:
    """The questions of a file of JSON lines.

    Raises:
        EvaluationError: The file cannot be read, or a line is no question; file and line are named.
    """
    found: dict[str, Question] = {}
    try:
        for number, line in enumerate(read_lines(path), start=1):
            if line.strip():
                question = _question(line, f"{path}:{number}")
                if question.id in found:
                    raise EvaluationError(f"{path}:{number}: the id {question.id!r} is taken; give it another.")
                found[question.id] = question
    except Unreadable as error:
        raise EvaluationError(f"{path}: {error}.") from error
    if not found:
        raise EvaluationError(f"{path}: there is no question in it; expected is one JSON object a line.")
    return list(found.values())


def score(question: Question, answer: Answer, ranking: Sequence[Passage]) -> Score:
    """One answer by the rules of the file.

    Args:
        ranking: The passages the answer was made from and those after them, best first.
    """
    refused = answer.outcome == Outcome.NOT_IN_CORPUS
    if question.type == OFFTOPIC:
        return Score(None, {"refused": refused})
    if question.type == UNANSWERABLE:
        return Score(None, {"not_answered": answer.outcome != Outcome.ANSWERED})
    if question.type == DISLIKED:  # neither right nor wrong, whatever becomes of it
        return Score(None, {"disliked_answered": float(answer.outcome == Outcome.ANSWERED)})
    cited = {citation.paper.id: citation.paper for citation in answer.citations}
    cited_gold = sum(_is_gold(question, paper) for paper in cited.values())
    relevant = 1 if question.gold_mode == "any" else count_gold(question, [each.paper for each in ranking])
    sentences = _count_sentences(answer.text)
    figures = ranking_figures(question, ranking) | {
        "citation_precision": cited_gold / len(cited) if cited else 0.0,
        "citation_recall": min(1.0, cited_gold / relevant),
        "sentences": sentences,
        "false_refusal": refused,
        "partial": answer.outcome == Outcome.PARTIAL,
    }
    complete = sentences <= _MOST_SENTENCES and all(
        any(alternative.casefold() in answer.text.casefold() for alternative in group) for group in question.facts
    )
    if question.facts:
        figures["facts"] = complete
    figures["correct"] = answer.outcome == Outcome.ANSWERED and cited_gold > 0 and complete
    return Score(first_rank(question, ranking), {name: float(value) for name, value in figures.items()})


def ranking_figures(question: Question, ranking: Sequence[Passage]) -> dict[str, float]:
    """How well a ranking finds the gold papers; empty where there are none."""
    if not question.answerable:
        return {}
    gains = [float(_is_gold(question, passage.paper)) for passage in ranking]
    if question.gold_mode == "any":
        return {
            "hit@1": metrics.hit(gains, 1),
            "hit@5": metrics.hit(gains, 5),
            "mrr": metrics.reciprocal_rank(gains, _MRR_DEPTH),
        }
    relevant = count_gold(question, [passage.paper for passage in ranking])
    return {
        **{f"recall@{k}": metrics.recall(gains, relevant, k) for k in (5, 10, 100)},
        "ndcg@10": metrics.ndcg(gains, [1.0] * relevant, 10),
    }


def first_rank(question: Question, ranking: Sequence[Passage]) -> int | None:
    """The 1-based rank of the first gold paper."""
    ranks = (rank for rank, passage in enumerate(ranking, start=1) if _is_gold(question, passage.paper))
    return next(ranks, None)


def count_gold(question: Question, papers: Iterable[Paper]) -> int:
    """Gold papers, found or not; places that are one of these papers count once."""
    gold = set(question.gold)
    found = {shared for paper in papers if (shared := frozenset(gold & _places(paper)))}
    return len(found) + len(gold.difference(*found))


def _question(line: str, where: str) -> Question:
    try:
        return Question.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        raise EvaluationError(f"{where}: {field + ': ' if field else ''}{said}; correct the line.") from error


def _is_gold(question: Question, paper: Paper) -> bool:
    return not _places(paper).isdisjoint(question.gold)


def _places(paper: Paper) -> set[str]:
    return {f"{source}:{line}" for source, line in paper.places}


def _count_sentences(text: str) -> int:
    return len(find_sentences(_MARKERS.sub("", text)))
