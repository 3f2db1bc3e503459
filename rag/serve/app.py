"""The web application: POST /v1/chat/completions and GET /v1/models, over an assistant's chain."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from rag.answering.stream import drain, read_events
from rag.errors import Busy, RagError
from rag.serve import protocol
from rag.serve.guard import check_caller, check_type
from rag.serve.protocol import MODEL, MarkdownEscaper, RequestError
from rag.turnstile import Turnstile
from rag.types import AnswerEvent, Done, Token

if TYPE_CHECKING:
    from rag.assistant import Assistant

MOST_BODY_BYTES = 1_000_000
AT_ONCE, WAITING = 8, 64  # questions answered at the same time, and those that wait; more are turned away
# A response begins with the first word, so that a fault before it has a status of its own; but a client is not
# left without a sign for longer than this.
_PATIENCE_S = 10.0
_SLOWEST_S = 30  # for a body to arrive whole
_MOST_DRAINED_BYTES = 32 * MOST_BODY_BYTES
_UNEXPECTED = "Something went wrong that should not have; the details are in the server's log."
T = TypeVar("T")
log = logging.getLogger(__name__)


def build_api(assistant: Assistant) -> Starlette:
    """The application; with a key in the settings it serves those who send it, else this machine alone."""
    api = _Api(assistant)
    routes = [
        Route("/v1/chat/completions", api.complete, methods=["POST"]),
        Route("/v1/models", api.models),
        Route("/v1/models/{model:path}", api.model),
    ]
    handlers: Mapping[Any, Any] = {
        RequestError: _told,
        HTTPException: _told_of_route,
        ClientDisconnect: _told_nobody,
        Exception: _told_of_bug,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


class _Api:
    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        key = assistant.settings.api_key
        self._key = key.get_secret_value() if key else None
        self._turnstile = Turnstile(AT_ONCE, WAITING)
        self._started = int(time.time())

    async def models(self, request: Request) -> Response:
        check_caller(request.headers, self._key)
        return _json({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        check_caller(request.headers, self._key)
        protocol.check_model(request.path_params["model"])
        return _json(self._model())

    async def complete(self, request: Request) -> Response:
        check_caller(request.headers, self._key)
        check_type(request.headers)
        asked = protocol.read_request(await _body(request))
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": MODEL}
        events = read_events(self._events(asked), _PATIENCE_S)
        if not asked.streamed:
            return _json(protocol.make_completion(head, await _unless_gone(request, drain(events))))
        try:
            opening = await _unless_gone(request, _read_opening(events))
        except BaseException:
            await events.aclose()
            raise
        lines = _lines(opening, events, head, with_usage=asked.with_usage)
        return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def _events(self, asked: protocol.Request) -> AsyncGenerator[AnswerEvent, None]:
        """The events of the answer, with an error of ours as the client is told."""
        try:
            async with (
                self._turnstile.passed(),
                aclosing(self._assistant.astream(asked.question, history=asked.history)) as events,
            ):
                async for event in events:
                    if isinstance(event, Token | Done):  # all that a client is told of
                        yield event
        except Busy as error:
            raise RequestError("Too many questions are waiting; ask again later.", status=429, retry=True) from error
        except RagError as error:
            raise protocol.make_error(error) from error

    def _model(self) -> dict[str, Any]:
        return {"id": MODEL, "object": "model", "created": self._started, "owned_by": MODEL}


async def _read_opening(events: AsyncGenerator[AnswerEvent | None, None]) -> AnswerEvent | None:
    """The first event; None where nothing has come for a while."""
    async for event in events:
        return event
    raise RuntimeError("a stream of events ended without Done")


async def _lines(
    event: AnswerEvent | None,
    events: AsyncGenerator[AnswerEvent | None, None],
    head: Mapping[str, Any],
    *,
    with_usage: bool,
) -> AsyncGenerator[str, None]:
    """The answer as server-sent events, with comments in between where nothing else is to be said.

    Args:
        event: The first of the events.
        events: The others.
    """

    def told(chunk: Mapping[str, Any]) -> str:
        return f"data: {json.dumps({**chunk, 'usage': chunk.get('usage')} if with_usage else chunk)}\n\n"

    text = MarkdownEscaper()
    try:
        yield told(protocol.make_chunk(head, {"role": "assistant", "content": ""}))
        while not isinstance(event, Done):
            if event is None:
                yield ": still at work\n\n"
            elif isinstance(event, Token) and (shown := text.feed(event.text)):
                yield told(protocol.make_chunk(head, {"content": shown}))
            event = await anext(events)
        if rest := text.rest():
            yield told(protocol.make_chunk(head, {"content": rest}))
        yield told(protocol.make_last_chunk(head, event.answer))
        if with_usage:
            yield told(protocol.make_usage_chunk(head, event.answer))
        yield "data: [DONE]\n\n"
    except RequestError as error:
        yield f"data: {json.dumps(error.body)}\n\n"
    except Exception:
        log.exception("A question failed")
        yield f"data: {json.dumps(RequestError(_UNEXPECTED, status=500).body)}\n\n"
    finally:
        await events.aclose()


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of the work, which is cancelled when the client hangs up.

    Raises:
        ClientDisconnect: It did.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def _body(request: Request) -> bytes:
    """The body; what is too much of it is read and dropped, so that the client hears why before it is cut off.

    Raises:
        RequestError: It is too long, or takes too long.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(_SLOWEST_S):
            async for part in request.stream():
                size += len(part)
                if size <= MOST_BODY_BYTES:
                    parts.append(part)
                elif size > _MOST_DRAINED_BYTES:
                    break
    except TimeoutError:
        raise RequestError(f"The body did not arrive whole within {_SLOWEST_S} s.", status=408) from None
    if size > MOST_BODY_BYTES:
        raise RequestError(f"The body has more than {MOST_BODY_BYTES:,} bytes.", status=413)
    return b"".join(parts)


def _json(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # In ASCII, for a text may have lone surrogates, which UTF-8 has not.
    return Response(json.dumps(content), status, {"Cache-Control": "no-store", **(headers or {})}, "application/json")


async def _told(_: Request, error: RequestError) -> Response:
    headers = {}
    if error.status >= 429:  # OpenAI's client asks again by itself unless it is told that this is no use
        headers["x-should-retry"] = "true" if error.retry else "false"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _json(error.body, error.status, headers)


async def _told_of_route(request: Request, error: HTTPException) -> Response:
    message = f"{request.method} {request.url.path}: {error.detail}."
    return await _told(request, RequestError(message, status=error.status_code))


async def _told_nobody(*_: object) -> Response:
    return Response(status_code=499)  # nginx's word for a client that has hung up


async def _told_of_bug(request: Request, _: Exception) -> Response:
    return await _told(request, RequestError(_UNEXPECTED, status=500))
