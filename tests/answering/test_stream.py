"""Stopping to read an answer hangs up on the language model at once, also while it says nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from rag import AnswerEvent, AnswerStream, Assistant, LLMError, PromptError, Settings, Token, read_events
from tests import llm_server as server
from tests.conftest import Python, comes_within
from tests.llm_server import ChatServer

QUESTION = "How many tasks does TimeArena have?"


def with_model(settings: Settings, chat: ChatServer) -> Assistant:
    chosen = {"llm_model": "tiny", "openai_base_url": chat.base_url}
    return Assistant.open(Settings(_env_file=None, home=settings.home, **chosen))  # type: ignore[arg-type]


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("behaviour", [server.never_answers(), server.stalls(), server.stalls("It has 30")])
def test_stop_hangs_up_while_the_model_is_silent(seed_settings: Settings, behaviour: server.Behaviour) -> None:
    async def stopped(assistant: Assistant, chat: ChatServer) -> list[object]:
        stop, heard = asyncio.Event(), []

        async def listen() -> None:
            async for event in read_events(assistant.astream(QUESTION), stop=stop):
                heard.append(event)

        listening = asyncio.create_task(listen())
        await until(lambda: chat.requests)
        await asyncio.sleep(0.3)
        stop.set()
        assert await asyncio.to_thread(comes_within, 1.0, listening.done)
        return heard

    with ChatServer(behaviour) as chat:
        heard = asyncio.run(stopped(with_model(seed_settings, chat), chat))
        assert chat.settled(1.0)
    assert heard


def test_a_listener_that_is_cancelled_hangs_up_while_the_model_is_silent(seed_settings: Settings) -> None:
    async def cancelled(assistant: Assistant) -> None:
        async def listen(heard: asyncio.Event) -> None:
            async for event in read_events(assistant.astream(QUESTION)):
                if isinstance(event, Token):
                    heard.set()

        heard = asyncio.Event()
        listening = asyncio.create_task(listen(heard))
        await heard.wait()
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening

    with ChatServer(server.stalls("It has 30")) as chat:
        asyncio.run(cancelled(with_model(seed_settings, chat)))
        assert chat.settled(1.0)


def test_a_reader_that_was_on_its_way_when_another_thread_closed_meets_the_end() -> None:
    hanging_up = threading.Event()

    async def events() -> AsyncGenerator[AnswerEvent, None]:
        try:
            yield Token("one")
            await asyncio.Event().wait()
        finally:
            hanging_up.set()
            await asyncio.sleep(0.2)  # which takes a moment

    stream = AnswerStream(events())
    assert next(stream) == Token("one")
    stream.close()
    assert hanging_up.wait(60)
    # Past the check that `next` makes first.
    assert asyncio.run_coroutine_threadsafe(stream._read(), stream._loop).result(60) is None
    with pytest.raises(StopIteration):
        next(stream)


def test_what_is_wrong_with_the_settings_of_the_model_is_raised_before_the_first_event(
    seed_settings: Settings, tmp_path: Path
) -> None:
    chosen = {"llm_model": "tiny", "openai_base_url": "http://127.0.0.1:9/v1", "prompts": tmp_path / "none"}
    assistant = Assistant.open(Settings(_env_file=None, home=seed_settings.home, **chosen))  # type: ignore[arg-type]
    with pytest.raises(PromptError):
        assistant.stream(QUESTION)
    assert assistant.stream(QUESTION, extractive=True).answer().citations


def test_nothing_is_imported_in_the_event_loop_when_a_model_is_asked(python: Python) -> None:
    code = """
import sys
from rag import load_settings
from rag.llm.client import ChatModel

model = ChatModel.open(load_settings(llm_model="tiny", openai_base_url="http://127.0.0.1:9/v1"))
model.load()
before = set(sys.modules)
model._client(model._connection()).chat.completions
print(sorted(name for name in set(sys.modules) - before if name.startswith(("openai", "httpx"))))
print(model._certificates is model._certificates)
"""
    out, err = python(code).communicate(timeout=120)
    assert (out, err) == ("[]\nTrue\n", "")


def test_certificates_that_cannot_be_read_are_an_error_of_ours(
    seed_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with ChatServer("TimeArena has 30 tasks [1].") as chat, pytest.raises(LLMError):
        with_model(seed_settings, chat).answer(QUESTION)


def test_lulls_are_told_and_lose_nothing() -> None:
    async def events() -> AsyncGenerator[str, None]:
        yield "one"
        await go_on.wait()
        yield "two"

    async def read() -> list[str | None]:
        heard: list[str | None] = []
        async for event in read_events(events(), lull_s=0.01):
            heard.append(event)
            if heard.count(None) == 3:
                go_on.set()
        return heard

    go_on = asyncio.Event()
    heard = asyncio.run(read())
    assert [event for event in heard if event] == ["one", "two"]
    assert heard[1:4] == [None, None, None]
