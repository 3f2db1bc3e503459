"""Questions to go on with after an answer, made from the papers behind it; every one can be answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from rag.answering.gate import find_unknown_terms
from rag.explore.example_questions import ask_about_subject, is_question
from rag.library.library import Library
from rag.library.records import EmbeddedPaper
from rag.models.embedding import EmbeddingModel
from rag.text.names import SIGN_OF_A_NAME, find_names, find_own_name
from rag.text.prompt_injection import find_statements
from rag.text.sentence_roles import LEAST, score_roles
from rag.text.words import find_content_words, fold
from rag.types import Answer, Filter, Paper

_CITED, _NEAR = 3, 10  # papers that questions are made from
_NEAR_MARGIN = 0.65  # of the best paper's score, for another to be near it
_MOST_TRIED = 8  # questions embedded, 3 ms each
_SHARED_BY = range(2, 12)  # papers that have a name worth asking for: not one, and not half the library


class _Idea(NamedTuple):
    """A question and the paper that is to answer it."""

    question: str
    paper: Paper


def find_follow_ups(
    answer: Answer,
    library: Library,
    model: EmbeddingModel,
    *,
    k: int,
    gate: float,
    asked: Sequence[str] = (),
    where: Filter | None = None,
) -> list[str]:
    """Finds up to k questions to go on with; each stands alone, and none was asked before.

    Args:
        gate: Least cosine of a paper's best sentence with a question that it answers.
        asked: Earlier questions of the conversation.
        where: The papers that the chat is restricted to.
    """
    cited = list({citation.paper.id: citation.paper for citation in answer.citations}.values())[:_CITED]
    if not cited:
        return []
    seen = {paper.id for paper in cited}
    least = _NEAR_MARGIN * max((passage.score for passage in answer.passages), default=0.0)
    near = [found.paper for found in answer.passages if found.paper.id not in seen and found.score >= least][:_NEAR]
    if where:
        cited, near = where.among(cited), where.among(near)
    records = {
        record.paper.id: record for record in library.reader.read_embedded([paper.id for paper in (*cited, *near)])
    }
    before = {_gist(question) for question in (answer.question, answer.standalone_question, *asked)}
    ideas: dict[frozenset[str], _Idea] = {}
    for idea in _ideas(answer, library, cited, near, records):
        known = idea.paper.id in records and not find_unknown_terms(library, idea.question)
        if known and _gist(idea.question) not in before:
            ideas.setdefault(_gist(idea.question), idea)
        if len(ideas) == _MOST_TRIED:
            break
    tried = list(ideas.values())
    vectors = model.embed([idea.question for idea in tried]) if tried else ()
    answered = (
        idea.question
        for idea, vector in zip(tried, vectors, strict=True)
        if float((records[idea.paper.id].vectors @ vector).max()) >= gate
    )
    return list(islice(answered, max(0, k)))


def _ideas(
    answer: Answer,
    library: Library,
    cited: Sequence[Paper],
    near: Sequence[Paper],
    records: Mapping[str, EmbeddedPaper],
) -> Iterator[_Idea]:
    """The best first, and not two of a kind in a row."""
    kinds = [
        [idea for paper in cited for idea in _on_what_was_left_out(answer, paper, records)],
        [idea for paper in near for idea in _on_a_neighbour(paper)],
        [idea for paper in cited for idea in _on_shared_names(answer, library, paper)],
    ]
    for place in range(max(map(len, kinds))):
        yield from (kind[place] for kind in kinds if place < len(kind))


def _on_what_was_left_out(answer: Answer, paper: Paper, records: Mapping[str, EmbeddedPaper]) -> Iterator[_Idea]:
    """How a cited paper's work works, or what came of it, where the abstract says so and the answer does not."""
    name = find_own_name(paper)
    if not name or paper.id not in records:
        return
    stated = set(find_statements(paper.abstract))
    spans = [span for span in records[paper.id].sentences if span in stated]
    scores = score_roles([paper.abstract[start:end] for start, end in spans])
    quoted = {(citation.start, citation.end) for citation in answer.citations if citation.paper.id == paper.id}
    for role, question in (("result", "What results does {} report?"), ("method", "How does {} work?")):
        said = {span for span, score in zip(spans, scores[role], strict=True) if score >= LEAST}
        if said and not said & quoted:
            yield _Idea(question.format(name), paper)


def _on_a_neighbour(paper: Paper) -> Iterator[_Idea]:
    """What a paper that was found, but not cited, is about."""
    if is_question(paper.title.strip()):
        yield _Idea(paper.title.strip(), paper)
    elif name := find_own_name(paper):
        yield _Idea(f"What is {name}?", paper)
    elif question := ask_about_subject(paper):
        yield _Idea(question, paper)


def _on_shared_names(answer: Answer, library: Library, paper: Paper) -> Iterator[_Idea]:
    """What a cited abstract names, a few others have too, and neither question nor answer mentions."""
    mentioned = fold(f"{answer.question} {answer.text} {find_own_name(paper)}")
    for _, name in find_names(paper.abstract):
        terms = library.lexical.terms_of(name)
        shared = min((library.lexical.frequency(term) for term in terms), default=0)
        distinct = SIGN_OF_A_NAME.search(name, 1) and len(name) > 2
        if distinct and shared in _SHARED_BY and fold(name) not in mentioned:
            yield _Idea(f"Which papers mention {name}?", paper)


def _gist(question: str) -> frozenset[str]:
    """What two questions have in common that are the same but for their function words."""
    return frozenset(map(fold, find_content_words(question)))
