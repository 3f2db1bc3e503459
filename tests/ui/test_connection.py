"""The page behind a network on which one connection is slower than another, as behind a lost packet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from conftest import QUESTION, SeedAssistant
from playwright.sync_api import Page, Request, expect

pytestmark = pytest.mark.browser

_ENDS = b'data: {"msg":"close_stream"'  # the server's word that a stream of answers is complete


@dataclass(slots=True)
class SlowNetwork:
    """Hands on what a server and its clients say, but holds the end of each stream of answers back for a while."""

    port: int  # of the server
    held_s: float
    held: int = 0  # times so far
    address: str = ""

    async def serve(self, ready: threading.Event, stop: threading.Event) -> None:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.close()

    async def _connect(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._hand_on(from_client, to_server), self._hand_on(from_server, to_client))

    async def _hand_on(self, said: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        try:
            while data := await said.read(65536):
                before, ends, after = data.partition(_ENDS)
                to.write(before)
                if ends:
                    self.held += 1
                    await asyncio.sleep(self.held_s)
                to.write(ends + after)
                await to.drain()
        finally:
            to.close()


@contextmanager
def slow_network(address: str, held_s: float) -> Iterator[SlowNetwork]:
    network = SlowNetwork(urlsplit(address).port or 80, held_s)
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(network.serve(ready, stop)), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield network
    finally:
        stop.set()
        thread.join(10)


def test_nothing_is_lost_when_the_end_of_a_stream_is_overtaken_by_the_next_answer(
    new_page: Callable[..., Page], page_address: str, assistant: SeedAssistant
) -> None:
    with slow_network(page_address, held_s=0.4) as network:
        page = new_page(network.address)
        open_streams = set[Request]()
        page.on("request", lambda asked: open_streams.add(asked) if "/queue/data" in asked.url else None)

        def ended(asked: Request) -> None:
            open_streams.discard(asked)

        page.on("requestfinished", ended)
        page.on("requestfailed", ended)  # Gradio hangs up when it hears the end
        page.get_by_role("tab", name="Papers").click()
        expect(page.get_by_role("table")).to_be_visible()
        search = page.get_by_role("textbox", name="Search titles and abstracts")
        for words in ("mismatch", "autoencoder"):
            found = len(assistant.papers(containing=words))
            search.fill("")
            search.press_sequentially(words, delay=60)
            expect(page.get_by_role("rowheader")).to_have_count(found)
        page.get_by_role("tab", name="Chat").click()
        question = page.get_by_role("textbox", name="Your question")
        question.fill(QUESTION)
        question.press("Enter")
        expect(page.get_by_role("log").get_by_role("button", name="Passport")).to_be_visible()
        expect(page.get_by_role("heading", name="You could ask next")).to_be_visible()
        assert network.held >= 3
        # And none stays open for that: a browser has six connections for all its tabs.
        page.wait_for_timeout(2 * network.held_s * 1000)
        assert not open_streams
