"""Questions to go on with: answerable, standing alone, and none twice."""

from __future__ import annotations

import re

import pytest

from rag import Assistant, Filter, Outcome
from tests.conftest import write_titled

QUESTIONS = (
    "What Go strength does VideoWorld reach, and how big is the model that does it?",
    "Do nets lose old skills less when what they practised lately comes up often?",
    '"Objective mismatch": what does it mean in model-based RL and what does it mean for RLHF?',
    "Which web-agent papers report MiniWoB or MiniWoB++ results, and what were the numbers?",
)


@pytest.fixture(scope="module")
def assistant(seed_settings) -> Assistant:
    return Assistant.open(seed_settings)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_follow_up_is_answered_and_stands_alone(assistant, question):
    followed = assistant.follow_ups(assistant.answer(question))
    assert 1 <= len(followed) <= 3
    assert len(set(followed)) == len(followed)
    for each in followed:
        assert assistant.answer(each).outcome is not Outcome.NOT_IN_CORPUS, each
        assert not re.search(r"\b(?:it|its|this|these|they|them)\b", each)
        assert each.endswith("?")


def test_nothing_is_suggested_that_was_asked_before(assistant):
    answer = assistant.answer(QUESTIONS[0])
    first = assistant.follow_ups(answer)
    assert "How does VideoWorld work?" in first
    again = assistant.follow_ups(answer, asked=[each.upper().rstrip("?") for each in first])
    assert not set(first) & set(again)
    assert QUESTIONS[0] not in first


def test_what_the_answer_said_is_not_asked_for(assistant):
    asked = assistant.answer("What results does VideoWorld report?")
    assert "What results does VideoWorld report?" not in assistant.follow_ups(asked, 10)


@pytest.mark.parametrize("k", [-1, 0, 1, 2])
def test_there_are_never_more_than_asked_for(assistant, k):
    assert len(assistant.follow_ups(assistant.answer(QUESTIONS[0]), k)) <= max(0, k)


def test_an_answer_that_found_nothing_leads_nowhere(assistant):
    answer = assistant.answer("How do I bake sourdough bread?")
    assert answer.outcome is Outcome.NOT_IN_CORPUS
    assert assistant.follow_ups(answer) == []


def test_a_restricted_chat_is_led_to_no_other_paper(assistant):
    answer = assistant.answer(QUESTIONS[0])
    only = Filter(paper_ids=(answer.citations[0].paper.id,))
    followed = assistant.follow_ups(answer, where=only)
    assert followed
    assert all("VideoWorld" in question for question in followed)


def test_an_answer_about_papers_that_are_gone_has_none(assistant, tmp_path, settings):
    answer = assistant.answer(QUESTIONS[0])
    other = Assistant.open(settings)
    other.ingest([write_titled(tmp_path / "a.txt", [("On Bees", "Bees fly far and wide over the meadows. " * 5)])])
    assert other.follow_ups(answer) == []


def test_a_hostile_title_is_suggested_as_no_question(tmp_path, settings):
    assistant = Assistant.open(settings)
    title = "Is <script>alert(1)</script> a kite?"
    assistant.ingest([write_titled(tmp_path / "a.txt", [
        ("Kites of Paper", "Kites of paper fly high over the hills in strong winds. " * 3),
        (title, "Kites of cloth fly high over the hills in strong winds. " * 3),
    ])])  # fmt: skip
    assert all("<" not in each for each in assistant.follow_ups(assistant.answer("How high do kites of paper fly?"), 9))
