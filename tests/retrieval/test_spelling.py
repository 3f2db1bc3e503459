"""Misspelt words of a question are read as the library's; words of the language and other names are left alone."""

from __future__ import annotations

import pytest

from rag import Assistant, Notice, Outcome
from rag.evaluation.questions import read_questions
from rag.retrieval.spelling import find_slips, mend
from tests.conftest import ROOT

KNOWN = {"grokking", "what", "benchmark", "Mistral", "Zürich"}


def meant(question: str) -> dict[str, str]:
    return dict(find_slips(question, lambda word: word in KNOWN, lambda _: ["about: " + " ".join(sorted(KNOWN))]))


@pytest.mark.parametrize("typed", ["groking", "grokkking", "grokknig", "rgokking", "Grokikng", "rokking"])
def test_a_letter_swapped_missing_or_too_many_is_mended(typed):
    assert meant(f"what is {typed}?") == {typed: "grokking"}
    assert mend(f"what is {typed}? ({typed})", {typed: "grokking"}) == "what is grokking? (grokking)"


@pytest.mark.parametrize(
    "typed",
    [
        "Mixtral",
        "grocking",
        "benchmarking",
        "bench",
        "gpt4",
        "grokkign-like",
        "grkking5",
        "grokkin",
        "grokkings",
        "GROking",
    ],
)
def test_another_letter_and_what_is_no_plain_word_are_left_alone(typed):
    assert meant(f"what is {typed}?") == {}


def test_an_accent_is_no_slip_and_a_word_within_another_is_not_touched():
    assert meant("Zurich") == {}, "the index finds it without its accent"
    assert mend("regroking groking", {"groking": "grokking"}) == "regroking grokking"
    assert mend("a (b+ c", {}) == "a (b+ c"


def test_an_answer_says_how_a_word_was_read_and_is_that_of_the_right_spelling(seed_settings):
    assistant = Assistant.open(seed_settings)
    *_, done = events = list(assistant.stream("What is groking?"))
    told = "“groking” was read as “grokking”."
    assert [event.text.lower() for event in events if isinstance(event, Notice)] == [told]
    assert [notice.lower() for notice in done.answer.notices] == [told]
    assert done.answer.question == "What is groking?"
    assert done.answer.text == assistant.answer("What is grokking?").text
    assert done.answer.unknown_terms == ()


def test_words_of_the_language_that_no_paper_has_are_not_bent_to_one_that_it_has(seed_settings):
    assistant = Assistant.open(seed_settings)
    for question in ("How do plants make sugar?", "Who may reply?", "Is it quiet there?", "What is Mixtral?"):
        assert assistant.answer(question).notices == (), question
    assert assistant.answer("How do plants make sugar from sunlight?").outcome == Outcome.NOT_IN_CORPUS


def test_questions_without_misspelt_words_are_not_changed(seed_settings):
    """Of all questions of the bench one has a misspelt word."""
    assistant = Assistant.open(seed_settings)
    answering = assistant.answering
    from rag.retrieval.ranking import Query, retrieve

    library = answering.handle.filled()
    changed = {
        question.id: retrieve(library, answering.model, Query(question.question), k=1).slips
        for question in read_questions(ROOT / "tests" / "bench" / "questions.jsonl")
    }
    assert {key: dict(slip) for key, slip in changed.items() if slip} == {"A094": {"benchmrk": "benchmark"}}
