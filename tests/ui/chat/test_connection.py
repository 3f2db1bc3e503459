"""The page behind a network on which one connection is slower than another, as behind a lost packet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from tests.ui.conftest import QUESTION, SeedAssistant

pytestmark = pytest.mark.browser

_ENDS = b'data: {"msg":"close_stream"'  # the server's word that a stream of answers is complete


@dataclass(slots=True)
class SlowNetwork:
    """Hands on what a server and its clients say, some of it late.

    Attributes:
        ends_s: How much later the end of a stream of answers is.
        joins_s: How much later it is that an event has been taken on.
    """

    port: int  # of the server
    ends_s: float
    joins_s: float
    held: int = 0  # times so far
    address: str = ""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, ready: threading.Event, stop: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.close()

    def break_off(self) -> None:
        """Ends all connections at once; new ones are served."""
        assert self._loop is not None
        for each in list(self._open):
            self._loop.call_soon_threadsafe(each.transport.abort)

    async def _connect(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        joining = asyncio.Event()
        self._open |= {to_client, to_server}
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(
                self._ask(from_client, to_server, joining), self._answer(from_server, to_client, joining)
            )
        self._open -= {to_client, to_server}

    async def _ask(self, said: asyncio.StreamReader, to: asyncio.StreamWriter, joining: asyncio.Event) -> None:
        try:
            while data := await said.read(65536):
                line = data.partition(b"\r\n")[0]
                if b"/queue/join" in line:
                    joining.set()
                elif line.endswith(b"HTTP/1.1"):
                    joining.clear()
                to.write(data)
                await to.drain()
        finally:
            to.close()

    async def _answer(self, said: asyncio.StreamReader, to: asyncio.StreamWriter, joining: asyncio.Event) -> None:
        try:
            while data := await said.read(65536):
                if joining.is_set():
                    await asyncio.sleep(self.joins_s)
                before, ends, after = data.partition(_ENDS)
                to.write(before)
                if ends:
                    self.held += 1
                    await asyncio.sleep(self.ends_s)
                to.write(ends + after)
                await to.drain()
        finally:
            to.close()


@contextmanager
def slow_network(address: str, *, ends_s: float, joins_s: float) -> Iterator[SlowNetwork]:
    network = SlowNetwork(urlsplit(address).port or 80, ends_s, joins_s)
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(network.serve(ready, stop)), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield network
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.parametrize(("ends_s", "joins_s"), [(0.4, 0), (0, 0.05), (0, 0.4)], ids=["ends", "joins", "slow joins"])
def test_nothing_is_lost_where_one_connection_is_slower_than_another(
    new_page: Callable[..., Page], page_address: str, assistant: SeedAssistant, ends_s: float, joins_s: float
) -> None:
    with slow_network(page_address, ends_s=ends_s, joins_s=joins_s) as network:
        page = new_page(network.address)
        open_streams = set[Request]()
        page.on("request", lambda asked: open_streams.add(asked) if "/queue/data" in asked.url else None)

        def ended(asked: Request) -> None:
            open_streams.discard(asked)

        page.on("requestfinished", ended)
        page.on("requestfailed", ended)  # Gradio hangs up when it hears the end

        def ask() -> None:
            question = page.get_by_role("textbox", name="Your question")
            question.fill(QUESTION)
            question.press("Enter")

        answers = page.get_by_role("log").get_by_role("button", name="Passport")
        page.get_by_role("tab", name="Papers").click()
        expect(page.get_by_role("table")).to_be_visible()
        search = page.get_by_role("textbox", name="Search titles and abstracts")
        for words in ("autoencoder", "mismatch"):
            found = len(assistant.papers(containing=words))
            search.fill("")
            search.press_sequentially(words, delay=60)
            expect(page.get_by_role("rowheader")).to_have_count(found)
        page.get_by_role("tab", name="Chat").click()
        ask()
        expect(answers).to_have_count(1)
        expect(page.get_by_role("heading", name="You could ask next")).to_be_visible()
        assert network.held >= 3
        # And no stream stays open for that: a browser has six connections for all its tabs.
        page.wait_for_timeout(1000)
        assert not open_streams
        network.break_off()
        page.wait_for_timeout(1000)
        ask()
        expect(answers).to_have_count(2)
