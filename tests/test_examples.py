"""The example questions: made from the library at hand, and answered by it."""

from __future__ import annotations

import dataclasses

import pytest

from rag import Assistant, Outcome, Paper
from rag.examples import example_questions


@pytest.fixture(scope="module")
def assistant(seed_settings) -> Assistant:
    return Assistant.open(seed_settings)


def paper(title: str) -> Paper:
    return Paper(id="0" * 16, title=title, label=title or "…", abstract="It is so.", source="a.txt", line=1)


def test_the_library_answers_its_own_examples(assistant):
    questions = assistant.example_questions()
    assert len(questions) == len(set(questions)) == 4
    for question in questions:
        answer = assistant.answer(question)
        assert answer.outcome == Outcome.ANSWERED
        named = question.split()[2].strip("?,")
        if question.startswith(("What is", "What does", "How does")):
            assert named in answer.citations[0].paper.label + answer.citations[0].paper.abstract


def test_they_are_the_same_whatever_the_order_of_the_papers(assistant):
    papers = assistant.papers()
    assert example_questions(papers, 4) == example_questions(papers[::-1], 4) == assistant.example_questions()


def test_another_library_has_other_examples():
    questions = example_questions([paper("KiteBench: Flying Kites on Long Tails"), paper("On Bees")], 4)
    assert questions == ["What is KiteBench?"]


@pytest.mark.parametrize("papers", [[], [paper("")], [paper("Bees and flowers"), paper("of the and: to")]])
def test_a_library_that_names_nothing_has_none(papers):
    assert example_questions(papers, 4) == []


@pytest.mark.parametrize("k", [0, 1, 2, 10])
def test_there_are_never_more_than_asked_for(assistant, k):
    assert len(example_questions(assistant.papers(), k)) <= k


def test_markup_in_a_title_gets_into_no_question():
    hostile = [paper(f"<script>X{n}: An attack on {{}} and %s") for n in range(4)]
    assert not any("<" in question for question in example_questions(hostile, 4))


def test_an_empty_library_has_no_examples(settings):
    assert Assistant.open(settings).example_questions() == []
    assert dataclasses.is_dataclass(Paper)
