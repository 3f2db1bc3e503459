"""The language model, over real HTTP: what it says, what it costs, and how each of its faults is told."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from types import AsyncGeneratorType

import pytest

import rag.llm.client
from rag.errors import LLMError
from rag.llm.client import ChatModel
from rag.settings import Settings
from rag.types import Usage
from tests import llm_server as server
from tests.conftest import ROOT, wait_for
from tests.llm.asking import assert_nothing_is_left, complete, stream
from tests.llm_server import ChatServer

KEY = "sk-test-secret-0123456789"
MESSAGES = [("system", "Be brief."), ("user", "Why?")]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(rag.llm.client, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(rag.llm.client, "_FAREWELL_S", 0.2)


def model(chat: ChatServer | str, **settings: object) -> ChatModel:
    url = chat if isinstance(chat, str) else chat.base_url
    chosen = {
        "llm_model": "tiny",
        "openai_api_key": KEY,
        "openai_base_url": url,
        "llm_timeout_s": 20,
        **settings,
    }
    return ChatModel.open(Settings(_env_file=None, **chosen))


def failure(chat: ChatServer | str, **settings: object) -> tuple[list[object], LLMError]:
    """The pieces that came before the error, and the error."""
    pieces: list[object] = []
    with pytest.raises(LLMError) as caught:
        for piece in stream(model(chat, **settings), MESSAGES):
            pieces.append(piece)
    assert KEY not in str(caught.value)
    return pieces, caught.value


def test_an_answer_arrives_in_pieces_and_last_what_it_took():
    with ChatServer(server.says("It is ", "so [1].")) as chat:
        assert list(stream(model(chat), MESSAGES)) == ["It is ", "so [1].", Usage(120, 2, cached_tokens=20)]
        assert complete(model(chat), MESSAGES) == ("It is so [1].", Usage(120, 2, cached_tokens=20))


def test_the_request_says_what_the_settings_say_and_nothing_about_this_machine():
    with ChatServer("Yes.") as chat:
        complete(model(chat, llm_temperature=0.5, llm_max_tokens=99), MESSAGES)
    [asked] = chat.requests
    assert asked.body == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "temperature": 0.5,
        "max_tokens": 99,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["host"] == chat.host == model(chat).host
    assert not [name for name in asked.headers if name.startswith(("x-", "openai"))]


def test_pieces_arrive_while_the_model_is_still_writing():
    was_read = threading.Event()

    def waits_for_the_reader(exchange: server.Exchange) -> None:
        exchange.start_stream()
        exchange.chunk({"content": "one"})
        assert was_read.wait(300)
        exchange.chunk({"content": "two"}, "stop")

    with ChatServer(waits_for_the_reader) as chat:
        pieces = stream(model(chat), MESSAGES)
        assert next(pieces) == "one"
        was_read.set()
        assert next(pieces) == "two"
        pieces.close()


def test_who_hangs_up_leaves_nothing_to_the_garbage_collector():
    def suspended() -> list[str]:
        kept = [each for each in gc.get_objects() if type(each) is AsyncGeneratorType and each.ag_frame]
        return [each.__qualname__ for each in kept]

    gc.collect()
    gc.disable()
    try:
        with ChatServer(server.says("one ", "two ", "three", pause_s=0.1)) as chat:
            pieces = stream(model(chat), MESSAGES)
            assert next(pieces) == "one "
            before = suspended()
            pieces.close()
            assert_nothing_is_left()
            wait_for(lambda: not suspended(), what="the end of all generators")
    finally:
        gc.enable()
    assert "AsyncStream.__stream__" in before


def test_without_a_count_from_the_server_the_usage_is_estimated():
    with ChatServer(server.says("It is so.", usage=False)) as chat:
        assert complete(model(chat), MESSAGES)[1] == Usage(4, 3, estimated=True)


@pytest.mark.parametrize(
    ("counted", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 2}, Usage(9, 2)),
        ({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}}, Usage(9, 2)),
        ({"prompt_tokens": "9", "completion_tokens": "2"}, Usage(4, 3, estimated=True)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(4, 3, estimated=True)),
        ({}, Usage(4, 3, estimated=True)),
    ],
)
def test_a_count_that_is_none_is_not_believed(counted: object, usage: Usage):
    with ChatServer(server.counts_with(counted, "It is so.")) as chat:
        assert complete(model(chat), MESSAGES) == ("It is so.", usage)


def test_an_answer_in_blocks_is_their_text_without_the_thoughts():
    with ChatServer(server.in_blocks("Hmm.", "It is ", "so.")) as chat:
        assert complete(model(chat), MESSAGES)[0] == "It is so."


def test_a_server_without_keys_gets_a_placeholder():
    with ChatServer("Yes.") as chat:
        complete(model(chat, openai_api_key=None), MESSAGES)
    assert chat.requests[0].headers["authorization"] == "Bearer not-needed"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "set OPENAI_API_KEY .* or OPENAI_BASE_URL"),
        ({"openai_api_key": "  "}, "set OPENAI_API_KEY"),
        ({"openai_api_key": "sk-“quoted”"}, "characters that no key has"),
        ({"llm_model": None}, "set RAG_LLM_MODEL"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_asked(settings, said, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(LLMError, match=said):
        ChatModel.open(Settings(_env_file=None, **{"llm_model": "tiny", **settings}))


def test_without_an_address_openai_is_asked_with_its_own_name_of_the_limit():
    chosen = ChatModel.open(Settings(_env_file=None, llm_model="tiny", openai_api_key=KEY))
    assert chosen.host == "api.openai.com"
    assert chosen._limit_option() == "max_completion_tokens"


def test_the_environment_of_other_tools_changes_nothing(monkeypatch):
    for name in ("OPENAI_PROXY", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "OPENAI_API_BASE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "somebody-else")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer another\nX-Team: red")
    monkeypatch.setenv("LC_OUTPUT_VERSION", "v1")
    with ChatServer("Yes.") as chat:
        assert complete(model(chat), MESSAGES)[0] == "Yes."
    headers = chat.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "somebody-else" not in str(headers)
    assert "x-team" not in headers


@pytest.mark.parametrize(
    ("behaviour", "said", "transient"),
    [
        (server.wrong_key(), "does not accept the key: check OPENAI_API_KEY", False),
        (server.fails(403), "does not let this key use tiny", False),
        (server.unknown_model(), "does not know the model tiny: check RAG_LLM_MODEL", False),
        (server.too_long(), "too long for tiny .* lower RAG_LLM_CONTEXT_TOKENS", False),
        (server.fails(413), "too long for tiny", False),
        (server.fails(400, "Bad thing."), "refused the request .400.. It said: Bad thing.", False),
        (server.fails(429, "Pay.", "insufficient_quota"), "no credit left", False),
        (server.too_many_requests(), "too many requests: ask again later", True),
        (server.fails(500), "failed: ask again later .500.", True),
        (server.fails(503), "failed: ask again later .503.", True),
        (server.web_page(), "not as a chat server does .* mostly ends in /v1", False),
        (
            server.redirects("http://127.0.0.1:9/v1"),
            "sends us elsewhere: set OPENAI_BASE_URL .* .307.",
            False,
        ),
        (server.cuts(), "broke off before it said anything", True),
        (server.cuts(hard=False), "not as a chat server does", False),
        (server.invalid_json(), "not as a chat server does", False),
        (server.only_no_choices(), "broke off before it said anything", True),
        (server.error_in_stream(code=503), "failed: ask again later .503.. It said: the engine died", True),
        (
            server.error_in_stream(code="overloaded"),
            "reported an error, ask again later. .* engine died",
            True,
        ),
        (server.error_in_stream(message="exceeds the context window"), "too long for tiny", False),
        (server.empty(), "gave an empty answer", False),
        (server.says("  ", "\n"), "gave an empty answer", False),
        (server.reasons_only(), "gave an empty answer: .* thinks first, raise RAG_LLM_MAX_TOKENS", False),
        (server.reasons_only("length"), "raise RAG_LLM_MAX_TOKENS .now 700.", False),
        (server.says("<think>Hmm", "...", finish="length"), "gave an empty answer: .* thinks first", False),
    ],
)
def test_a_fault_before_the_first_word_is_told_in_one_line(behaviour, said, transient):
    with ChatServer(behaviour) as chat:
        pieces, error = failure(chat, llm_retries=1)
    assert not "".join(piece for piece in pieces if isinstance(piece, str)).strip()
    assert re.search(said, str(error)), str(error)
    assert chat.host in str(error)
    assert "\n" not in str(error)
    assert error.transient is transient


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (server.cuts("It is", " so"), "broke off in the middle of the answer"),
        (server.cuts("It is", " so", hard=False), "broke off in the middle of the answer"),
        (server.stalls("It is", " so"), "sent nothing for 1.5 s: ask again, or raise RAG_LLM_TIMEOUT_S"),
        (server.error_in_stream("It is", " so", code=503), "failed: ask again later"),
        (server.invalid_json("It is", " so"), "not as a chat server does"),
    ],
)
def test_a_fault_in_the_middle_keeps_what_was_said_and_is_not_tried_again(behaviour, said):
    with ChatServer(behaviour, "Another answer.") as chat:
        # Only the silence is waited for; a busy machine may take longer than that to say anything.
        pieces, error = failure(chat, **({"llm_timeout_s": 1.5} if "sent nothing" in said else {}))
    assert pieces == ["It is", " so", Usage(4, 3, estimated=True)]
    assert said in str(error)
    assert len(chat.requests) == 1


@pytest.mark.parametrize(("finish", "said"), [("length", "cut at 700 tokens: raise"), ("content_filter", "withheld")])
def test_an_answer_cut_by_a_limit_still_says_what_it_took(finish, said):
    with ChatServer(server.says("It is", finish=finish)) as chat:
        pieces, error = failure(chat)
    assert pieces == ["It is", Usage(120, 1, cached_tokens=20)]
    assert said in str(error)
    assert not error.transient


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        ([server.fails(500), server.fails(502), "Yes."], 3),
        ([server.too_many_requests("0"), "Yes."], 2),
        ([server.cuts(), "Yes."], 2),
        ([server.error_in_stream(code=529), "Yes."], 2),
    ],
)
def test_a_passing_fault_is_tried_again_before_the_first_word(script, requests):
    with ChatServer(*script) as chat:
        assert complete(model(chat, llm_retries=2), MESSAGES)[0] == "Yes."
    assert len(chat.requests) == requests


@pytest.mark.parametrize(
    ("behaviour", "retries", "requests"),
    [
        (server.fails(500), 2, 3),
        (server.fails(500), 0, 1),
        (server.wrong_key(), 2, 1),
        (server.empty(), 2, 1),
    ],
)
def test_tries_are_bounded_and_only_for_faults_that_pass(behaviour, retries, requests):
    with ChatServer(behaviour) as chat:
        failure(chat, llm_retries=retries)
    assert len(chat.requests) == requests


def test_the_server_says_how_long_to_wait():
    with ChatServer(server.too_many_requests("0.3"), "Yes.") as chat:
        start = time.monotonic()
        assert complete(model(chat), MESSAGES)[0] == "Yes."
        assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("write", [lambda: "60", lambda: formatdate(time.time() + 60, usegmt=True)])
def test_a_wait_beyond_the_deadline_is_not_waited_for(write):
    with ChatServer(server.too_many_requests(write()), "Yes.") as chat:
        start = time.monotonic()
        _, error = failure(chat, llm_deadline_s=30)
        assert time.monotonic() - start < 25
    assert len(chat.requests) == 1
    assert 30 < int(str(error).split("again in ")[1].split()[0]) <= 60
    assert error.transient


@pytest.mark.parametrize("behaviour", [server.never_answers(), server.stalls(), server.stalls(keep_alive=True)])
def test_silence_ends_within_the_timeout_and_hangs_up(behaviour):
    with ChatServer(behaviour) as chat:
        start = time.monotonic()
        pieces, error = failure(chat, llm_timeout_s=0.3)
        assert time.monotonic() - start < 20
        assert chat.settled()
    assert pieces == []
    assert "sent nothing for 0.3 s" in str(error)
    assert len(chat.requests) == 1


def test_a_slow_drip_ends_within_the_deadline():
    with ChatServer(server.drips("x", 0.05)) as chat:
        start = time.monotonic()
        pieces, error = failure(chat, llm_timeout_s=0.4, llm_deadline_s=0.6)
        assert time.monotonic() - start < 20
        assert chat.settled()
    *pieces, usage = pieces
    assert set(pieces) == {"x"}
    assert usage == Usage(4, len(pieces) // 4 + 1, estimated=True)
    assert "did not finish within 0.6 s: ask again, or raise RAG_LLM_DEADLINE_S" in str(error)


def test_an_answer_that_is_complete_does_not_wait_for_the_end_of_the_stream():
    def never_ends(exchange: server.Exchange) -> None:
        exchange.start_stream()
        exchange.chunk({"content": "All is said."})
        exchange.chunk({}, "stop")
        exchange.wait(30)

    with ChatServer(never_ends) as chat:
        start = time.monotonic()
        text, usage = complete(model(chat), MESSAGES)
        assert time.monotonic() - start < 20
    assert text == "All is said."
    assert usage.estimated


def test_closing_the_stream_hangs_up_and_leaves_nothing():
    with ChatServer(server.drips("x", 0.05)) as chat:
        pieces = stream(model(chat), MESSAGES)
        assert next(pieces) == "x"
        pieces.close()
        assert chat.settled()
    assert_nothing_is_left()


def test_a_server_that_does_not_stop_is_stopped():
    with ChatServer(server.talks_forever()) as chat:
        pieces, error = failure(chat, llm_max_tokens=100)
        assert chat.settled()
    *pieces, usage = pieces
    assert len("".join(map(str, pieces))) == 1_600
    assert usage == Usage(4, 401, estimated=True)
    assert "wrote 1,600 characters and would not stop" in str(error)


def test_chunks_without_choices_do_no_harm():
    with ChatServer(server.no_choices()) as chat:
        assert complete(model(chat), MESSAGES)[0] == "All is well [1]."


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (("<think>hm [1]</think>\n\nYes",), "Yes"),
        (("\n<th", "ink>hm", "</thi", "nk>", " Yes", " <b"), "Yes <b"),
        (("<thin", "g> is <think>"), "<thing> is <think>"),
        (("<", "b"), "<b"),
        (("<",), "<"),
        (("<thinking>hm</think> hm</thinking>\nYes",), "Yes"),
        (
            (
                "Hm [1]. Let me see.\n</th",
                "ink>\n\nYes",
            ),
            "Yes",
        ),
        (("It closes its thoughts with `</think>` always.",), "It closes its thoughts with `</think>` always."),
        (("Between <think> and </think> it thinks.",), "Between <think> and </think> it thinks."),
    ],
)
def test_what_a_model_thinks_aloud_first_is_left_out(pieces, text):
    with ChatServer(server.says(*pieces)) as chat:
        assert complete(model(chat), MESSAGES)[0].strip() == text


def test_thoughts_that_are_closed_with_nothing_behind_them_are_no_answer():
    with ChatServer(server.says("Hm, let me see.", "</think>\n")) as chat:
        _, error = failure(chat)
    assert "gave an empty answer" in str(error)


@pytest.mark.parametrize(
    ("refusals", "missing", "there"),
    [
        ([("Unsupported value: 'temperature'", "temperature")], "temperature", "max_tokens"),
        (
            [("Use 'max_completion_tokens' instead of 'max_tokens'.", None)],
            "max_tokens",
            "max_completion_tokens",
        ),
        ([("Extra inputs are not permitted: stream_options", None)], "stream_options", "max_tokens"),
        ([("max_tokens?", None), ("max_completion_tokens?", None)], "max_completion_tokens", "temperature"),
    ],
)
def test_a_server_that_refuses_an_option_is_asked_without_it_from_then_on(refusals, missing, there):
    script = [server.fails(400, message, param=param) for message, param in refusals]
    with ChatServer(*script, "Yes.") as chat:
        chosen = model(chat, llm_retries=0)
        assert complete(chosen, MESSAGES)[0] == "Yes."
        assert complete(chosen, MESSAGES)[0] == "Yes."
    assert len(chat.requests) == len(refusals) + 2
    assert missing in chat.requests[len(refusals) - 1].body
    for asked in chat.requests[len(refusals) :]:
        assert missing not in asked.body
        assert there in asked.body


def test_a_prompt_goes_to_no_other_host():
    with (
        ChatServer("Yes.") as elsewhere,
        ChatServer(server.redirects(f"{elsewhere.base_url}/chat/completions")) as chat,
    ):
        failure(chat)
    assert elsewhere.requests == []


def test_no_server_and_no_such_host_are_told_apart(network_attempts):
    with ChatServer() as gone:
        url = gone.base_url
    _, error = failure(url, llm_retries=1)
    assert "No connection to 127.0.0.1" in str(error)
    assert "is it running, and is OPENAI_BASE_URL right?" in str(error)
    assert error.transient
    _, error = failure("http://no-such-host.invalid/v1", llm_retries=0)
    assert "No connection to no-such-host.invalid (" in str(error)


def test_a_key_the_server_repeats_is_not_passed_on():
    with ChatServer(server.fails(400, f"Bad key {KEY}")) as chat:
        _, error = failure(chat)
    assert "Bad key ***" in str(error)


def test_it_can_be_asked_inside_a_running_event_loop():
    async def within(chosen: ChatModel) -> str:
        return "".join(piece for piece in stream(chosen, MESSAGES) if isinstance(piece, str))

    with ChatServer("Yes.") as chat:
        assert asyncio.run(within(model(chat))) == "Yes."


def test_several_threads_can_ask_one_model():
    with ChatServer(*[server.says(str(n), " and ", str(n), pause_s=0.02) for n in range(8)]) as chat:
        chosen, answers = model(chat), []
        threads = [threading.Thread(target=lambda: answers.append(complete(chosen, MESSAGES)[0])) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [f"{n} and {n}" for n in range(8)]


def test_the_module_costs_no_heavy_import():
    script = "import sys, rag.llm.client; print({'openai', 'httpx2', 'langchain_core'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == "set()\n"


def test_a_limit_on_tokens_a_minute_is_waited_for_and_not_taken_for_a_prompt_that_is_too_long():
    message = "Too many tokens, please wait before trying again."
    with ChatServer(server.fails(429, message, retry_after="0"), "It is so [1].") as chat:
        assert complete(model(chat), MESSAGES)[0] == "It is so [1]."
        assert len(chat.requests) == 2
    with ChatServer(server.fails(429, message, retry_after="600")) as chat:
        _, error = failure(chat)
    assert (error.transient, error.is_overlong) == (True, False)
    assert "ask again in 600 s" in str(error)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_prompt_that_is_too_long_is_known_by_status_and_words(status):
    with ChatServer(server.fails(status, "Too many tokens in the prompt.")) as chat:
        _, error = failure(chat)
    assert error.is_overlong


@pytest.mark.parametrize("asked", ["1" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_wait_without_end_is_a_day(asked):
    with ChatServer(server.too_many_requests(asked)) as chat:
        _, error = failure(chat)
    assert "ask again in 86400 s" in str(error)
