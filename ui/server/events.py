"""Looks at an event of the page before Gradio does: how long it is, that it names no file, and whose tab it is from."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import Message, Receive

MOST_BYTES = 1_048_576  # of an event; the longest that the page sends is a question, of a program a list of papers
_SLOWEST_S = 30  # for an event to arrive whole
_MOST_TABS = 1_000  # of one browser; a tab that has ended must be loaded again
_MOST_ENDED = 100_000  # remembered, so that nobody takes over what is still being written in one


class EventRefused(Exception):
    """An event that Gradio is not given.

    Attributes:
        status: Of the response: 400, 403, 408 or 413.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


async def read_event(receive: Receive) -> tuple[dict[str, Any], Receive]:
    """The event in a request's body, and what hands the body on as it came.

    Raises:
        EventRefused: It is too long or too slow, no JSON object, holds a file or text that cannot be written as UTF-8,
            or the browser has gone.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_SLOWEST_S):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise EventRefused(f"This is longer than {MOST_BYTES:,} bytes.", 413)
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise EventRefused(f"This did not arrive whole within {_SLOWEST_S} seconds.", 408) from None
    whole = bytes(body)
    return _parse(whole), _hand_on(whole, receive)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise EventRefused("This is not JSON.") from None
    if not isinstance(event, dict):
        raise EventRefused("This is not a JSON object.")
    for each in _walk(event):
        # The page takes no files. Gradio would read, copy or fetch whatever such an object names.
        if isinstance(each, dict) and ("path" in each or "meta" in each):
            raise EventRefused("This page takes no files.")
        if isinstance(each, str) and not _is_encodable(each):
            raise EventRefused("This has half of a surrogate pair in it.")
    return event


def _walk(event: object) -> Iterator[object]:
    """Everything in a JSON value at any depth, keys too."""
    left = [event]
    while left:
        each = left.pop()
        yield each
        if isinstance(each, dict):
            left += each.keys()
            left += each.values()
        elif isinstance(each, list):
            left += each


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hand_on(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def handed_on() -> Message:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

    return handed_on


class Tabs:
    """Which browser each tab belongs to: the hash that Gradio knows a tab by is no secret, and opens nothing alone.

    Args:
        end: Has what Gradio keeps of a tab deleted; called with the tab's hash when it may be used no more.
    """

    def __init__(self, end: Callable[[str], object]) -> None:
        self._end = end
        self._browsers: dict[str, str] = {}  # by hash
        self._of: dict[str, OrderedDict[str, None]] = {}  # hashes, the one used last at the end, by browser
        self._ended: OrderedDict[str, None] = OrderedDict()

    def knows(self, tab: str, browser: str) -> bool:
        """Whether the browser has used this tab."""
        return self._browsers.get(tab) == browser

    def admit(self, tab: str, browser: str) -> None:
        """Lets the browser that used a tab first go on with it.

        Raises:
            EventRefused: It is another's.
        """
        if tab in self._ended or self._browsers.setdefault(tab, browser) != browser:
            raise EventRefused("This tab has ended, or belongs to another browser; load the page again.", 403)
        own = self._of.setdefault(browser, OrderedDict())
        own[tab] = None
        own.move_to_end(tab)
        if len(own) > _MOST_TABS:
            self._end_tab(own.popitem(last=False)[0])

    def end_all_of(self, browser: str) -> None:
        """Ends the tabs of a browser whose user has logged out."""
        for tab in self._of.pop(browser, ()):
            self._end_tab(tab)

    def _end_tab(self, tab: str) -> None:
        del self._browsers[tab]
        self._ended[tab] = None
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)
        self._end(tab)
