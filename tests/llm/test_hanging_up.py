"""Who no longer wants an answer costs no more: the connection to the language model is closed within a second."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from rag import AnswerStream, Assistant, Done, LLMError, Settings, Token
from rag.langchain.chain import AnswerChain, build_chain
from rag.llm.client import ChatModel
from tests import llm_server as server
from tests.conftest import comes_within, wait_for
from tests.llm.asking import assert_nothing_is_left
from tests.llm_server import ChatServer

QUESTION = "How many tasks does TimeArena have?"
ASKED = [{"role": "user", "content": "What is TimeArena?"}, {"role": "assistant", "content": "An environment [1]."}]
AT_MOST_S = 1.0
SILENT = [server.never_answers(), server.stalls(), server.stalls("It has 30"), server.stalls(keep_alive=True)]
NAMES = ["no status", "no word", "after a word", "comments only"]


@pytest.fixture(scope="module", autouse=True)
def _warm(seed_settings):
    Assistant.open(seed_settings).answer(QUESTION)  # what is slow only once is not what is timed here


def chain_of(settings: Settings, chat: ChatServer, **others: object) -> AnswerChain:
    chosen = {"llm_model": "tiny", "openai_base_url": chat.base_url, "llm_retries": 0, **others}
    return build_chain(Settings(_env_file=None, home=settings.home, **chosen))


def wait_for_request(chat: ChatServer) -> None:
    wait_for(lambda: chat.requests, what="the model is asked")
    time.sleep(0.2)  # what comes before the silence is read


def ends(thread: threading.Thread) -> bool:
    return comes_within(AT_MOST_S, lambda: not thread.is_alive())


def test_a_stream_that_is_closed_between_two_words_hangs_up(seed_settings):
    with ChatServer(server.drips("word ", 0.05)) as chat:
        events = chain_of(seed_settings, chat).stream(QUESTION)
        assert any(isinstance(event, Token) for event in events)  # stops at the first
        events.close()
        assert chat.settled(AT_MOST_S)
        assert list(events) == []
    assert_nothing_is_left()


@pytest.mark.parametrize("behaviour", SILENT, ids=NAMES)
def test_a_stream_that_another_thread_waits_for_is_cut(seed_settings, behaviour):
    with ChatServer(behaviour) as chat:
        events = chain_of(seed_settings, chat).stream(QUESTION)
        heard: list[object] = []
        reading = threading.Thread(target=lambda: heard.extend(events))
        reading.start()
        wait_for_request(chat)
        events.close()
        assert chat.settled(AT_MOST_S)
        assert ends(reading)
    assert not any(isinstance(event, Done) for event in heard)
    assert_nothing_is_left()


def test_a_stream_that_nobody_holds_any_more_hangs_up(seed_settings):
    with ChatServer(server.drips("word ", 0.05)) as chat:
        for event in chain_of(seed_settings, chat).stream(QUESTION):
            if isinstance(event, Token):
                break
        assert chat.settled(AT_MOST_S)


def test_what_is_closed_before_it_began_asks_nobody(seed_settings):
    with ChatServer("Yes.") as chat:
        events = chain_of(seed_settings, chat).stream(QUESTION)
        events.close()
        assert list(events) == []
    assert chat.requests == []


def test_closing_while_the_follow_up_is_spelled_out_asks_no_more(seed_settings):
    with ChatServer(server.never_answers(), "Yes.") as chat:
        events = chain_of(seed_settings, chat).stream({"question": "And how many?", "history": ASKED})
        reading = threading.Thread(target=lambda: list(events))
        reading.start()
        wait_for_request(chat)
        events.close()
        assert chat.settled(AT_MOST_S)
        assert ends(reading)
    assert len(chat.requests) == 1


def test_closing_from_many_threads_at_once_is_as_good_as_from_one(seed_settings):
    with ChatServer(server.stalls("It has 30")) as chat:
        events = chain_of(seed_settings, chat).stream(QUESTION)
        reading = threading.Thread(target=lambda: list(events))
        reading.start()
        wait_for_request(chat)
        closing = [threading.Thread(target=events.close) for _ in range(8)]
        for thread in closing:
            thread.start()
        for thread in (*closing, reading):
            assert ends(thread)
        assert chat.settled(AT_MOST_S)


def test_one_model_call_is_cut_by_its_task(seed_settings):
    async def run(chat: ChatServer) -> None:
        settings = Settings(_env_file=None, llm_model="tiny", openai_base_url=chat.base_url)
        task = asyncio.ensure_future(ChatModel.open(settings).complete([("user", "Why?")]))
        await asyncio.to_thread(wait_for_request, chat)
        task.cancel()
        assert await asyncio.to_thread(comes_within, AT_MOST_S, task.done)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(chat.settled, AT_MOST_S)

    with ChatServer(server.never_answers()) as chat:
        asyncio.run(run(chat))


# Asynchronously


def left_while_silent(leave: Callable[[AnswerChain], Awaitable[None]]) -> Callable[[AnswerChain, ChatServer], None]:
    """Has a chain asked in a task, which is cancelled once the model was asked."""

    async def run(chain: AnswerChain, chat: ChatServer) -> None:
        task = asyncio.ensure_future(leave(chain))
        while not chat.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        task.cancel()
        assert await asyncio.to_thread(comes_within, AT_MOST_S, task.done)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(chat.settled, AT_MOST_S)

    return lambda chain, chat: asyncio.run(run(chain, chat))


async def _stream_it(chain: AnswerChain) -> None:
    async for _ in chain.astream(QUESTION):
        pass


async def _invoke_it(chain: AnswerChain) -> None:
    await chain.ainvoke(QUESTION)


async def _batch_it(chain: AnswerChain) -> None:
    await chain.abatch([QUESTION])


@pytest.mark.parametrize("behaviour", SILENT, ids=NAMES)
@pytest.mark.parametrize("ask", [_stream_it, _invoke_it, _batch_it])
def test_a_task_that_is_cancelled_while_the_model_is_silent_hangs_up(seed_settings, behaviour, ask):
    with ChatServer(behaviour) as chat:
        left_while_silent(ask)(chain_of(seed_settings, chat), chat)
    assert_nothing_is_left()


def test_an_asynchronous_stream_that_is_left_or_given_up_on_hangs_up(seed_settings):
    async def left(chain: AnswerChain) -> None:
        events = chain.astream(QUESTION)
        with suppress(TimeoutError):
            while True:
                await asyncio.wait_for(anext(events), 1.5)  # the third is the word, and then comes nothing
        await events.aclose()

    with ChatServer(server.stalls("It has 30")) as chat:
        asyncio.run(left(chain_of(seed_settings, chat)))
        assert chat.settled(AT_MOST_S)
    with ChatServer(server.drips("word ", 0.05)) as chat:

        async def closed(chain: AnswerChain) -> None:
            events = chain.astream(QUESTION)
            async for event in events:
                if isinstance(event, Token):
                    await events.aclose()

        asyncio.run(closed(chain_of(seed_settings, chat)))
        assert chat.settled(AT_MOST_S)


def test_a_stream_of_anybody_ends_when_it_is_closed():
    closed = threading.Event()

    async def events():
        try:
            yield Token("one")
            yield Token("two")
        finally:
            closed.set()

    stream = AnswerStream(events())
    assert next(stream) == Token("one")
    stream.close()
    assert list(stream) == []
    assert closed.wait(AT_MOST_S)


def test_an_error_ends_a_stream_and_is_the_callers():
    async def events():
        yield Token("one")
        raise LLMError("It broke.")

    stream = AnswerStream(events())
    assert next(stream) == Token("one")
    with pytest.raises(LLMError, match="It broke"):
        next(stream)
    assert list(stream) == []


def test_a_forked_process_reads_streams_of_its_own():
    """A fork has none of its parent's threads, and so none of its event loops."""

    async def events():
        yield Token("one")

    assert list(AnswerStream(events())) == [Token("one")]
    if (child := os.fork()) == 0:
        os._exit(0 if list(AnswerStream(events())) == [Token("one")] else 1)
    assert os.waitpid(child, 0)[1] == 0
