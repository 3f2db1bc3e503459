"""The example questions: made from the library at hand, and answered by it."""

from __future__ import annotations

import dataclasses

import pytest

from rag import Assistant, Outcome, Paper
from rag.explore.example_questions import make_example_questions


@pytest.fixture(scope="module")
def assistant(seed_settings) -> Assistant:
    return Assistant.open(seed_settings)


def paper(title: str, abstract: str = "It is so.") -> Paper:
    return Paper(id="0" * 16, title=title, label=title or "…", abstract=abstract, source="a.txt", line=1)


def test_the_library_answers_its_own_examples(assistant):
    questions = assistant.example_questions()
    assert len(questions) == len(set(questions)) == 4
    for question in questions:
        assert assistant.answer(question).outcome == Outcome.ANSWERED, question


def test_they_are_the_same_whatever_the_order_of_the_papers(assistant):
    papers = assistant.papers()
    assert make_example_questions(papers, 4) == make_example_questions(papers[::-1], 4) == assistant.example_questions()


def test_another_library_has_other_examples():
    kites = paper("KiteBench: Flying Kites on Long Tails", "KiteBench has 40 kites.")
    assert make_example_questions([kites, paper("On Bees")], 4) == ["What is KiteBench?"]


@pytest.mark.parametrize(
    ("title", "abstract", "question"),
    [
        ("Do bees sleep at night?", "They do.", "Do bees sleep at night?"),
        ("effects of cooling on boundary layers .", "It cools.", "What are the effects of cooling on boundary layers?"),
        ("The Sleep of Honey Bees", "It is long.", ""),
        (
            "Sleep of Bees in Bayesian Hives",
            "The Bayesian hive.",
            "What is known about sleep of bees in Bayesian hives?",
        ),
        ("Bees prevent induction of sleep", "It is so.", ""),
        ("Attention: A Survey of Heads", "We survey attention.", ""),
        ("", "We introduce HiveBench, a benchmark of hives.", "What is HiveBench?"),
        ("Waggle: Dances of Bees", "We present Waggle.", "What is Waggle?"),
    ],
)
def test_a_question_is_what_a_title_asks_or_names(title, abstract, question):
    assert make_example_questions([paper(title, abstract)], 1) == ([question] if question else [])


@pytest.mark.parametrize("papers", [[], [paper("")], [paper("Bees and flowers"), paper("of the and: to")]])
def test_a_library_that_names_nothing_has_none(papers):
    assert make_example_questions(papers, 4) == []


@pytest.mark.parametrize("k", [0, 1, 2, 10])
def test_there_are_never_more_than_asked_for(assistant, k):
    assert len(make_example_questions(assistant.papers(), k)) <= k


def test_markup_in_a_title_gets_into_no_question():
    hostile = [paper(f"<script>X{n}: An attack on {{}} and %s") for n in range(4)]
    assert not any("<" in question for question in make_example_questions(hostile, 4))


def test_an_empty_library_has_no_examples(settings):
    assert Assistant.open(settings).example_questions() == []
    assert dataclasses.is_dataclass(Paper)
