"""A question file: read and checked line by line; and an answer or a ranking scored against its question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from rag.answering.question import MOST_QUESTION_CHARS
from rag.corpus.lines import Unreadable, read_lines
from rag.errors import EvaluationError
from rag.evaluation import metrics
from rag.evaluation.results import ALL, Row
from rag.markers.citation_forms import MARKER
from rag.text.sentences import find_sentences
from rag.types import Answer, Outcome, Paper, Passage

OFFTOPIC, UNANSWERABLE = "offtopic", "unanswerable"
DISLIKED = "disliked"  # of its answer a reader said that it is wrong, and nobody what is right
_WITHOUT_GOLD = (OFFTOPIC, UNANSWERABLE, DISLIKED)  # every other type has an answer in the library
_MRR_DEPTH = 20  # how many passages an answer carries
_MOST_SENTENCES = 6  # an answer that says everything says the facts as well
_MARKERS = re.compile(rf"\s?{MARKER.pattern}")
_Text = Annotated[str, StringConstraints(min_length=1)]
_Asked = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_QUESTION_CHARS)]


class PastTurn(BaseModel, frozen=True, strict=True):
    """A turn of the conversation that a question follows."""

    role: Literal["user", "assistant"]
    content: str


class Question(BaseModel, frozen=True):
    """A line of a question file.

    Attributes:
        gold: Every place, as FILE:LINE, that states the answer.
        gold_mode: Whether any of these papers answers the question, or only all together.
        facts: Groups of alternatives; a complete answer has one of each group.
    """

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


def read_questions(path: Path) -> list[Question]:
    """The questions of a file of JSON lines.

    Raises:
        EvaluationError: The file cannot be read, or a line is no question; file and line are named.
    """
    found: dict[str, Question] = {}
    for number, line in read_numbered_lines(path):
        question = _read_question(line, f"{path}:{number}")
        if question.id in found:
            raise EvaluationError(f"{path}:{number}: the id {question.id!r} is taken; give it another.")
        found[question.id] = question
    if not found:
        raise EvaluationError(f"{path}: there is no question in it; expected is one JSON object a line.")
    return list(found.values())


def read_numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers.

    Raises:
        EvaluationError: The file cannot be read.
    """
    try:
        yield from ((number, line) for number, line in enumerate(read_lines(path), start=1) if line.strip())
    except Unreadable as error:
        raise EvaluationError(f"{path}: {error}.") from error


def score_answer(question: Question, answer: Answer, ranking: Sequence[Passage]) -> Row:
    """The figures of one answer by the rules of the file; which there are depends on the question.

    Args:
        ranking: The passages the answer was made from and those after them, best first.
    """
    rank = None
    if question.type == OFFTOPIC:
        figures: dict[str, float] = {"refused": answer.outcome == Outcome.NOT_IN_CORPUS}
    elif question.type == UNANSWERABLE:
        figures = {"not_answered": answer.outcome != Outcome.ANSWERED}
    elif question.type == DISLIKED:  # neither right nor wrong, whatever becomes of it
        figures = {"disliked_answered": answer.outcome == Outcome.ANSWERED}
    else:
        rank = metrics.first_rank(_gains(question, ranking))
        figures = score_ranking(question, ranking) | _score_text(question, answer, ranking)
    return Row(id=question.id, type=question.type, rank=rank, outcome=answer.outcome.value, figures=figures)


def _score_text(question: Question, answer: Answer, ranking: Sequence[Passage]) -> dict[str, float]:
    cited = {citation.paper.id: citation.paper for citation in answer.citations}
    cited_gold = sum(_is_gold(question, paper) for paper in cited.values())
    relevant = 1 if question.gold_mode == "any" else _count_gold(question, ranking)
    sentences = len(find_sentences(_MARKERS.sub("", answer.text)))
    text = answer.text.casefold()
    said = all(any(alternative.casefold() in text for alternative in group) for group in question.facts)
    complete = sentences <= _MOST_SENTENCES and said
    return {
        "citation_precision": cited_gold / len(cited) if cited else 0.0,
        "citation_recall": min(1.0, cited_gold / relevant),
        "sentences": sentences,
        "false_refusal": answer.outcome == Outcome.NOT_IN_CORPUS,
        "partial": answer.outcome == Outcome.PARTIAL,
        **({"facts": complete} if question.facts else {}),
        "correct": answer.outcome == Outcome.ANSWERED and cited_gold > 0 and complete,
    }


def score_ranking(question: Question, ranking: Sequence[Passage]) -> dict[str, float]:
    """How well a ranking finds the gold papers; empty where there are none."""
    if not question.answerable:
        return {}
    gains = _gains(question, ranking)
    if question.gold_mode == "any":
        return {
            "hit@1": metrics.hit(gains, 1),
            "hit@5": metrics.hit(gains, 5),
            "mrr": metrics.reciprocal_rank(gains, _MRR_DEPTH),
        }
    relevant = _count_gold(question, ranking)
    return {
        **{f"recall@{k}": metrics.recall(gains, relevant, k) for k in (5, 10, 100)},
        "ndcg@10": metrics.ndcg(gains, [1.0] * relevant, 10),
    }


def _read_question(line: str, where: str) -> Question:
    try:
        return Question.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        raise EvaluationError(f"{where}: {field + ': ' if field else ''}{said}; correct the line.") from error


def _gains(question: Question, ranking: Sequence[Passage]) -> list[float]:
    return [float(_is_gold(question, passage.paper)) for passage in ranking]


def _is_gold(question: Question, paper: Paper) -> bool:
    return not _places(paper).isdisjoint(question.gold)


def _count_gold(question: Question, ranking: Iterable[Passage]) -> int:
    """Gold papers, found or not; places that are one of the papers found count once."""
    gold = set(question.gold)
    found = {shared for passage in ranking if (shared := frozenset(gold & _places(passage.paper)))}
    return len(found) + len(gold.difference(*found))


def _places(paper: Paper) -> set[str]:
    return {f"{source}:{line}" for source, line in paper.places}
