"""What an answer costs: tokens counted or estimated, their price, and how several answers add up."""

from __future__ import annotations

import json

import pytest

import rag.llm.client
from rag import Assistant, LLMError, Outcome, Settings, SettingsError, Usage, load_settings
from rag.prices import Price, add_price
from tests import llm_server as server
from tests.command import inside
from tests.llm_server import ChatServer

QUESTION = "How many tasks does TimeArena have?"
GOOD = "TimeArena has 30 real-world tasks in cooking, household activities and laboratory work [1]."
ASKED = [{"role": "user", "content": "What is TimeArena?"}, {"role": "assistant", "content": "An environment [1]."}]
PRICES = '{"tiny": {"prompt": 2, "cached": 0.5, "completion": 10}}'
PAID = Usage(1234, 210, price=0.00075)
KEPT = Usage(500, 50, price=0.0, cached=True)


@pytest.fixture
def assistant(seed_settings):
    def opened(chat: ChatServer, **settings: object) -> Assistant:
        chosen = {"llm_model": "tiny", "openai_base_url": chat.base_url, "llm_retries": 0, "llm_prices": PRICES}
        return Assistant.open(Settings(_env_file=None, home=seed_settings.home, **{**chosen, **settings}))

    return opened


# Adding up


def test_parts_add_up_and_one_that_is_estimated_makes_the_whole_an_estimate():
    whole = Usage(10, 2, 5, price=0.5) + Usage(100, 20, 1, price=0.25, estimated=True)
    assert whole == Usage(110, 22, 6, estimated=True, price=0.75)


def test_a_part_without_a_price_leaves_that_of_the_whole_unknown_but_nothing_costs_nothing():
    assert (PAID + Usage(1, 1)).price is None
    assert PAID + Usage() == Usage() + PAID == PAID
    assert sum([PAID, Usage(), PAID], Usage()).price == 0.0015


def test_what_came_from_the_cache_does_not_count_beside_what_was_paid_for():
    assert PAID + KEPT == KEPT + PAID == PAID
    twice = KEPT + KEPT
    assert twice == Usage(1000, 100, price=0.0, cached=True)
    assert Usage(1, 1) + KEPT == Usage(1, 1)


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(), ""),
        (PAID, "1,234 + 210 tokens, $0.0008"),
        (Usage(1234, 210), "1,234 + 210 tokens"),
        (Usage(9, 1, estimated=True, price=0.00001), "9 + 1 tokens, under $0.0001 (estimated)"),
        (Usage(9, 1, price=0.0), "9 + 1 tokens, $0"),
        (Usage(9, 1, price=1234.5), "9 + 1 tokens, $1,234.5000"),
        (KEPT, "500 + 50 tokens, from the cache"),
    ],
)
def test_it_is_told_in_a_few_words(usage, told):
    assert str(usage) == told


# Prices


def test_tokens_the_server_had_in_its_cache_have_a_price_of_their_own():
    [price] = load_settings(llm_prices=PRICES).llm_prices
    assert price == Price("tiny", prompt=2, cached=0.5, completion=10)
    million = Usage(1_000_000, 1_000_000, cached_tokens=400_000)
    assert add_price(million, "tiny", [price]).price == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 10)
    assert add_price(Usage(0, 0, cached_tokens=9), "tiny", [price]).price >= 0


def test_cached_tokens_cost_as_much_as_others_where_nothing_else_is_said():
    [price] = load_settings(llm_prices='{"m": {"prompt": 2, "completion": 10}}').llm_prices
    assert price.cached == 2


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gpt-5-mini", True), ("gpt-5-mini-2025-08-07", True), ("gpt-5-mini-20250807", True),
        ("gpt-5", False), ("gpt-5-mini-high", False), ("my-gpt-5-mini", False), ("gpt-5-mini-2025", False),
    ],
)  # fmt: skip
def test_a_price_is_for_the_model_of_that_name_whatever_its_date(model, known):
    prices = load_settings(llm_prices='{"gpt-5-mini": {"prompt": 1, "completion": 1}}').llm_prices
    assert (add_price(Usage(1, 1), model, prices).price is not None) is known


def test_a_name_with_a_date_that_has_a_price_of_its_own_keeps_it():
    table = {"m": {"prompt": 1, "completion": 1}, "m-2025-01-01": {"prompt": 3, "completion": 3}}
    prices = load_settings(llm_prices=json.dumps(table)).llm_prices
    assert add_price(Usage(1_000_000, 0), "m-2025-01-01", prices).price == 3


def test_no_price_is_made_up():
    assert Settings(_env_file=None).llm_prices == ()
    assert add_price(Usage(1, 1), "gpt-5-mini", ()).price is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("free", "no JSON; write"),
        ("[" * 100_000, "no JSON; write"),
        ("[1]", "no JSON object; write"),
        ('{"m": 3}', "'m' must have prompt and completion"),
        ('{"m": {"prompt": 1}}', "'m' must have prompt and completion"),
        ('{"m": {"prompt": 1, "completion": 1, "output": 2}}', "'m' must have prompt and completion"),
        ('{"m": {"prompt": -1, "completion": 1}}', "price prompt of 'm' must be a number from 0"),
        ('{"m": {"prompt": 1, "completion": NaN}}', "price completion of 'm' must be a number from 0"),
        ('{"m": {"prompt": 1, "completion": Infinity}}', "price completion of 'm' must be a number"),
        (f'{{"m": {{"prompt": 1{"0" * 400}, "completion": 1}}}}', "price prompt of 'm' must be a number"),
        ('{"m": {"prompt": true, "completion": 1}}', "price prompt of 'm' must be a number"),
        ('{"m": {"prompt": "1", "completion": 1}}', "price prompt of 'm' must be a number"),
    ],
)
def test_a_table_that_is_not_as_it_should_be_is_an_error_that_says_where(written, said, monkeypatch):
    monkeypatch.setenv("RAG_LLM_PRICES", written)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith("RAG_LLM_PRICES: ")
    assert said in str(caught.value)


# Of answers


def test_an_answer_knows_its_price(assistant):
    with ChatServer(server.says(GOOD, " ")) as chat:
        usage = assistant(chat).answer(QUESTION).usage
    assert usage == Usage(120, 2, cached_tokens=20, price=pytest.approx((100 * 2 + 20 * 0.5 + 2 * 10) / 1e6))


def test_the_question_that_was_written_anew_is_paid_for_as_well(assistant):
    with ChatServer(QUESTION, GOOD) as chat:
        usage = assistant(chat).answer("How many tasks does it have?", history=ASKED).usage
    assert usage == Usage(240, 2, cached_tokens=40, price=pytest.approx(2 * (200 + 10 + 10) / 1e6))


def test_an_answer_that_was_cut_has_an_estimated_price(assistant):
    with ChatServer(server.cuts(GOOD, " It is")) as chat:
        answer = assistant(chat).answer(QUESTION)
    assert answer.cut
    assert answer.usage.estimated
    assert answer.usage.completion_tokens == len(answer.text) // 4 + 1
    assert answer.usage.price > 0


def test_what_was_thought_before_a_fault_is_paid_for_and_so_is_the_next_try(assistant, monkeypatch):
    monkeypatch.setattr(rag.llm.client, "_FIRST_PAUSE_S", 0.01)
    with ChatServer(server.cuts("<think>", "hm " * 40), GOOD) as chat:
        answer = assistant(chat, llm_retries=1).answer(QUESTION)
    assert answer.text == GOOD
    assert answer.usage.estimated
    assert answer.usage.completion_tokens == len("<think>" + "hm " * 40) // 4 + 1 + 1


def test_a_rewriting_that_failed_half_way_is_paid_for(assistant):
    with ChatServer(server.cuts("How many ta"), GOOD) as chat:
        usage = assistant(chat).answer("How many tasks does it have?", history=ASKED).usage
    assert usage.estimated
    assert usage.completion_tokens == 1 + len("How many ta") // 4 + 1


def test_an_error_says_what_was_spent_all_the_same(assistant):
    with ChatServer(QUESTION, server.reasons_only()) as chat, pytest.raises(LLMError) as caught:
        assistant(chat).answer("How many tasks does it have?", history=ASKED)
    assert caught.value.usage.prompt_tokens == 240
    assert caught.value.usage.completion_tokens == 1 + 3
    with ChatServer(server.wrong_key()) as chat, pytest.raises(LLMError) as caught:
        assistant(chat).answer(QUESTION)
    assert caught.value.usage == Usage()


def test_a_question_that_no_model_was_asked_costs_nothing(assistant):
    with ChatServer(GOOD) as chat:
        answer = assistant(chat).answer("Who won the 1998 football world cup?")
    assert (answer.outcome, answer.usage) == (Outcome.NOT_IN_CORPUS, Usage())


def test_the_command_line_says_what_an_answer_took(seed_settings, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(seed_settings.home))
    assert inside("ask", QUESTION).err == ""
    with ChatServer(GOOD) as chat:
        for name, value in (("RAG_LLM_MODEL", "tiny"), ("OPENAI_BASE_URL", chat.base_url), ("RAG_LLM_PRICES", PRICES)):
            monkeypatch.setenv(name, value)
        assert inside("ask", QUESTION).err == "120 + 1 tokens, $0.0002\n"
