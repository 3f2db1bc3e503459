"""Passages are chosen to the room that the model's context has: whole, best first, and at least one."""

from __future__ import annotations

import re

import pytest

from rag import Answer, Assistant, Paper, Passage, Settings, SettingsError, Turn
from rag.llm.context_window import check_room, fit_passages, prompt_room
from rag.llm.prompts import load_prompts
from tests import llm_server as server
from tests.command import inside
from tests.llm_server import ChatServer

QUESTION = "How many tasks does TimeArena have?"


def passage(abstract: str, name: str = "a") -> Passage:
    return Passage(Paper(name * 16, "", name, abstract, "a.txt", 1), 1.0, 0, 5)


def asking(passages):
    return [("user", " ".join(each.paper.abstract for each in passages))]


def answer_with(settings: Settings, question: str = QUESTION, **others: object) -> tuple[Answer, str]:
    with ChatServer("TimeArena has 30 real-world tasks [1].") as chat:
        chosen = {"llm_model": "tiny", "openai_base_url": chat.base_url, "llm_retries": 0, **others}
        answer = Assistant.open(Settings(_env_file=None, home=settings.home, **chosen)).answer(question)
    [asked] = chat.requests
    return answer, asked.prompt


def abstracts_in(prompt: str) -> list[str]:
    return re.findall(r'<passage number="\d+">\n.*\n(.*)\n</passage>', prompt)


def test_passages_are_taken_whole_and_best_first_as_long_as_they_fit():
    three = [passage("One. " * 80), passage("Two. " * 80), passage("Six. " * 80)]  # 100 tokens each
    assert fit_passages(three, 1_000, asking) == three
    assert fit_passages(three, 250, asking) == three[:2]
    assert fit_passages(three, 120, asking) == three[:1]


def test_a_short_one_does_not_pass_before_a_better_one_that_is_long():
    long = [passage("One. " * 80), passage("Two. " * 800), passage("Six.")]
    assert fit_passages(long, 500, asking) == long[:1]


def test_the_first_is_cut_at_the_end_of_a_sentence_where_it_alone_is_too_long():
    whole = passage("First it is so. Then it is not so. " * 50)
    [cut] = fit_passages([whole, passage("Another.")], 100, asking)
    assert whole.paper.abstract.startswith(cut.paper.abstract)
    assert 250 < len(cut.paper.abstract) < 400
    assert cut.paper.abstract.endswith("so.")
    [least] = fit_passages([whole], 1, asking)
    assert least.paper.abstract == "First it is so."


def test_an_abstract_of_a_megabyte_is_cut_in_no_time():
    [cut] = fit_passages([passage("It is so. " * 100_000)], 500, asking)
    assert len(cut.paper.abstract) < 2_000


def test_other_scripts_take_a_token_a_character():
    chinese = [passage("我们提出一种新的方法。" * 10), passage("它很好。" * 10)]
    assert fit_passages(chinese, 150, asking) == chinese[:1]
    assert fit_passages(chinese, 170, asking) == chinese


@pytest.mark.parametrize(("context", "fewest", "most"), [(4096, 6, 6), (8192, 6, 6), (2048, 1, 3), (1900, 1, 2)])
def test_the_prompt_and_the_longest_answer_fit_into_the_context(seed_settings, context, fewest, most):
    answer, prompt = answer_with(seed_settings, llm_context_tokens=context)
    given = abstracts_in(prompt)
    assert fewest <= len(given) <= most
    assert len(prompt) / 4 + 700 <= context
    assert [passage.paper.abstract[:50] for passage in answer.passages[: len(given)]] == [each[:50] for each in given]
    assert len(answer.passages) == 20


def test_more_passages_are_given_where_the_model_reads_more(seed_settings):
    _, prompt = answer_with(seed_settings, llm_context_tokens=16_000, llm_passages=20)
    assert len(abstracts_in(prompt)) == 20


def test_a_quote_from_a_paper_that_was_cut_is_an_offset_into_its_whole_abstract(seed_settings):
    answer, prompt = answer_with(
        seed_settings, QUESTION + " Please." * 110, llm_context_tokens=1650, llm_expand_below=0
    )
    [given] = abstracts_in(prompt)
    [citation] = answer.citations
    assert citation.paper == answer.passages[0].paper
    assert len(given) < len(citation.paper.abstract)
    assert citation.paper.abstract.startswith(given)
    assert citation.paper.abstract[citation.start : citation.end] == citation.quote


def test_settings_that_leave_no_room_for_a_question_are_named(seed_settings, monkeypatch):
    settings = Settings(_env_file=None, llm_context_tokens=4096, llm_max_tokens=4000)
    assert prompt_room(settings) == 96
    with pytest.raises(SettingsError, match=r"RAG_LLM_CONTEXT_TOKENS=4096 leaves 96 tokens .* RAG_LLM_MAX_TOKENS=4000"):
        check_room(settings, load_prompts())
    check_room(Settings(_env_file=None), load_prompts())
    with ChatServer(server.says("ready")) as chat:
        monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
        monkeypatch.setenv("RAG_LLM_MODEL", "tiny")
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        monkeypatch.setenv("RAG_LLM_MAX_TOKENS", "8000")
        code, out, err = inside("ask", QUESTION)
        assert (code, out) == (2, "")
        assert err.startswith("error: RAG_LLM_CONTEXT_TOKENS=4096 leaves 0 tokens")
        assert chat.requests == []
        assert "FAIL  prompts" in inside("doctor").out
        assert inside("ask", "--extractive", QUESTION).code == 0


def test_the_oldest_turns_are_left_out_where_a_follow_up_has_no_room_for_all(seed_settings):
    history = [Turn("user", f"Turn {n}: " + "what is TimeArena " * 200) for n in range(8)]
    few = {"llm_context_tokens": 2_000, "llm_max_tokens": 400}
    with ChatServer("How many tasks does TimeArena have?", "It has 30 [1].") as chat:
        ask(seed_settings, chat, history, **few)
        condense, _ = chat.requests
    told = [n for n in range(8) if f"Turn {n}: " in condense.prompt]
    assert told == list(range(told[0], 8)), "the last ones, in their order"
    assert 1 < len(told) < 8
    assert len(condense.prompt) / 4 <= 1_600
    with ChatServer("How many tasks does TimeArena have?", "It has 30 [1].") as chat:
        ask(seed_settings, chat, history, llm_context_tokens=16_000)
        assert all(f"Turn {n}: " in chat.requests[0].prompt for n in range(8))


def ask(seed_settings, chat, history, **few):
    chosen = {"llm_model": "tiny", "openai_base_url": chat.base_url, "llm_retries": 0, "llm_expand_below": 0, **few}
    settings = Settings(_env_file=None, home=seed_settings.home, **chosen)
    Assistant.open(settings).answer("And how many tasks does it have?", history=history)
