"""Answers as JSON: exactly what they were."""

from __future__ import annotations

import pytest

from rag import Answer, Assistant, Outcome, Settings, StoredAnswerError, answer_from_json, answer_to_json


@pytest.mark.parametrize(
    "question", ["How many tasks does TimeArena have, and how good is GPT-4 at them?", "How do I bake sourdough?"]
)
def test_an_answer_comes_back_as_it_was(seed_settings: Settings, question: str) -> None:
    answer = Assistant.open(seed_settings).answer(question)
    again = answer_from_json(answer_to_json(answer))
    assert again == answer
    assert again.passages[0].paper == answer.passages[0].paper
    assert isinstance(again.outcome, Outcome)


@pytest.mark.parametrize("text", ["", "[]", '{"question": "x"}', "nonsense", '{"question": 1, "text": []}'])
def test_what_is_no_answer_is_refused(text: str) -> None:
    with pytest.raises(StoredAnswerError, match="no answer"):
        answer_from_json(text)


def test_unicode_and_odd_floats_survive() -> None:
    answer = Answer("\u202ex", "ä", "𝛼 [1]", Outcome.PARTIAL, timings_ms={"total": 0.1})
    assert answer_from_json(answer_to_json(answer)) == answer
