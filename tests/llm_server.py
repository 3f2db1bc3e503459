"""A real HTTP server that speaks the OpenAI chat protocol and behaves, well or badly, as a script says."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.conftest import comes_within

PROMPT_TOKENS, CACHED_TOKENS = 120, 20


@dataclass
class Exchange:
    """One request, and the means to answer it.

    Attributes:
        closed_early: Whether the client hung up before the answer was complete.
    """

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    closed_early: bool = False
    handler: BaseHTTPRequestHandler = field(repr=False, kw_only=True)
    stopping: threading.Event = field(repr=False, kw_only=True)

    @property
    def prompt(self) -> str:
        """All that the model was told, as one text."""
        return "\n".join(message["content"] for message in self.body["messages"])

    def start(self, status: int, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.handler.send_response(status)
        for name, value in {"Content-Type": content_type, "Connection": "close", **(headers or {})}.items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def write(self, text: str) -> None:
        self.handler.wfile.write(text.encode())
        self.handler.wfile.flush()

    def start_stream(self) -> None:
        self.start(200, "text/event-stream")

    def event(self, event: object) -> None:
        self.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n")

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> None:
        self.event(self._completion([{"index": 0, "delta": delta, "finish_reason": finish}]))

    def done(self, completion_tokens: int | None) -> None:
        if completion_tokens is not None and self.body.get("stream_options", {}).get("include_usage"):
            self.event({**self._completion([]), "usage": _usage(completion_tokens)})
        self.event("[DONE]")

    def wait(self, seconds: float) -> None:
        """Sleeps; notes when the client hangs up meanwhile, and then ends the exchange."""
        deadline = time.monotonic() + seconds
        while not self.stopping.is_set() and time.monotonic() < deadline:
            if select.select([self.handler.connection], [], [], 0.02)[0] and not self.handler.connection.recv(1):
                raise BrokenPipeError("the client hung up")

    def _completion(self, choices: list[dict[str, Any]], kind: str = "chat.completion.chunk") -> dict[str, Any]:
        model = self.body.get("model", "")
        return {"id": "chatcmpl-1", "object": kind, "created": 0, "model": model, "choices": choices}

    def whole(self, text: str, finish: str, completion_tokens: int) -> None:
        """The answer to a request that asked for no stream."""
        message = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        self.start(200, "application/json")
        completion = self._completion([message], "chat.completion")
        self.write(json.dumps({**completion, "usage": _usage(completion_tokens)}))


Behaviour = Callable[[Exchange], None]


class ChatServer:
    """Serves on a free port while used as a context manager.

    Args:
        script: What to do with each request in turn; the last behaviour repeats. A plain string is said.

    Attributes:
        requests: Every exchange so far, in order of arrival.
    """

    def __init__(self, *script: Behaviour | str) -> None:
        self.requests: list[Exchange] = []
        self._script = [says(step) if isinstance(step, str) else step for step in script or ("Nothing to say.",)]
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False  # so that closing waits for them and none outlives its test
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self) -> str:
        return f"http://{self.host}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def settled(self, within_s: float = 2.0) -> bool:
        """Waits until a client that hung up was noticed; whether one was."""
        return comes_within(within_s, lambda: any(exchange.closed_early for exchange in self.requests))

    def _next(self, exchange: Exchange) -> Behaviour:
        with self._lock:
            self.requests.append(exchange)
            return self._script[min(len(self.requests), len(self._script)) - 1]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                headers = {name.lower(): value for name, value in self.headers.items()}
                exchange = Exchange(self.path, headers, body, handler=self, stopping=server._stopping)
                behave = server._next(exchange)
                if self.path != "/v1/chat/completions":
                    behave = fails(404, message=f"no such path: {self.path}")
                try:
                    behave(exchange)
                except (BrokenPipeError, ConnectionResetError):
                    exchange.closed_early = True

            def log_message(self, *_: object) -> None:
                """Says nothing: the test's output is not the place."""

        return Handler


def says(
    *pieces: str, finish: str = "stop", usage: bool = True, pause_s: float = 0.0, role_first: bool = True
) -> Behaviour:
    """Answers well, in these pieces."""

    def behave(exchange: Exchange) -> None:
        if not exchange.body.get("stream"):
            exchange.whole("".join(pieces), finish, len(pieces))
            return
        exchange.start_stream()
        if role_first:
            exchange.chunk({"role": "assistant", "content": ""})
        for piece in pieces:
            exchange.chunk({"content": piece})
            if pause_s:
                exchange.wait(pause_s)
        exchange.chunk({}, finish)
        exchange.done(len(pieces) if usage else None)

    return behave


def cites_wrongly() -> Behaviour:
    """Answers with markers in every form, of which some name no passage."""
    return says("It is so [1", "]. It is not [9", "9]. Both【1】hold [", "1](http://evil.example/).")


def fails(
    status: int,
    message: str = "it went wrong",
    code: str | None = None,
    param: str | None = None,
    **headers: str,
) -> Behaviour:
    """Refuses with this status; `retry_after="1"` becomes the header Retry-After."""

    def behave(exchange: Exchange) -> None:
        exchange.start(status, "application/json", {name.replace("_", "-"): v for name, v in headers.items()})
        error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
        exchange.write(json.dumps({"error": error}))

    return behave


def wrong_key() -> Behaviour:
    return fails(401, "Incorrect API key provided: sk-te*****cret.", "invalid_api_key")


def unknown_model() -> Behaviour:
    return fails(404, "The model does not exist or you do not have access to it.", "model_not_found")


def too_many_requests(retry_after: str = "0") -> Behaviour:
    return fails(429, "Rate limit reached.", "rate_limit_exceeded", retry_after=retry_after)


def too_long() -> Behaviour:
    message = "This model's maximum context length is 4096 tokens, however you requested 9000 tokens."
    return fails(400, message, "context_length_exceeded", "messages")


def cuts(*pieces: str, hard: bool = True) -> Behaviour:
    """Breaks off after these pieces: in the middle of a chunk of the transfer, or as if all had been said."""

    def behave(exchange: Exchange) -> None:
        if hard:
            exchange.handler.protocol_version = "HTTP/1.1"
            exchange.start(200, "text/event-stream", {"Transfer-Encoding": "chunked"})
            exchange.write("ffff\r\n")
        else:
            exchange.start_stream()
        for piece in pieces:
            exchange.chunk({"content": piece})

    return behave


def stalls(*pieces: str, keep_alive: bool = False, seconds: float = 30.0) -> Behaviour:
    """Falls silent after these pieces, but for comments that only keep the connection alive."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        for piece in pieces:
            exchange.chunk({"content": piece})
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not exchange.stopping.is_set():
            exchange.wait(0.05)
            if keep_alive:
                exchange.write(": still here\n\n")

    return behave


def never_answers(seconds: float = 30.0) -> Behaviour:
    """Takes the request and sends nothing, not even a status."""
    return lambda exchange: exchange.wait(seconds)


def drips(piece: str, pause_s: float, count: int = 10_000) -> Behaviour:
    """Says the same piece again and again, slowly."""
    return says(*([piece] * count), pause_s=pause_s)


def invalid_json(*pieces: str) -> Behaviour:
    return _streams([*pieces, '{"choices": [{"delta"'])


def no_choices() -> Behaviour:
    """Chunks without choices or with none, between which the answer is all the same."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.event({"id": "1", "object": "chat.completion.chunk", "choices": []})
        exchange.chunk({"content": "All is well [1]."})
        exchange.event({"id": "1", "object": "chat.completion.chunk"})
        exchange.chunk({}, "stop")
        exchange.done(4)

    return behave


def in_blocks(thought: str, *texts: str) -> Behaviour:
    """Writes lists of typed blocks where a string is due, its thoughts among them, as some servers do."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": thought}]}]})
        for text in texts:
            exchange.chunk({"content": [{"type": "text", "text": text}]})
        exchange.chunk({"content": ""}, "stop")
        exchange.done(len(texts))

    return behave


def counts_with(usage: object, text: str) -> Behaviour:
    """Says a text, and then what it took in another form than OpenAI's."""
    said = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
    return _streams([json.dumps(said), json.dumps({"choices": [], "usage": usage}), "[DONE]"])


def only_no_choices() -> Behaviour:
    return _streams([{"id": "1", "object": "chat.completion.chunk", "choices": []}, "[DONE]"])


def error_in_stream(*pieces: str, message: str = "the engine died", code: object = None) -> Behaviour:
    """Reports an error as a JSON object in a stream that began with status 200."""
    return _streams([*pieces, {"error": {"message": message, "type": "server_error", "code": code}}])


def empty() -> Behaviour:
    return says()


def reasons_only(finish: str = "stop") -> Behaviour:
    """Thinks in a field of its own, and never says anything."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        for thought in ("Hmm, ", "let me ", "see."):
            exchange.chunk({"content": None, "reasoning_content": thought})
        exchange.chunk({}, finish)
        exchange.done(3)

    return behave


def talks_forever(size: int = 100_000_000) -> Behaviour:
    """Says this many characters, whatever the limit it was given: more than a socket's buffers take."""
    return says(*(["all work and no play " * 50] * (size // 1_050 + 1)))


def web_page() -> Behaviour:
    """Answers as a server does whose chat protocol is at another path."""

    def behave(exchange: Exchange) -> None:
        exchange.start(200, "text/html")
        exchange.write("<!doctype html><title>Welcome</title><p>This is a web page.")

    return behave


def redirects(to: str) -> Behaviour:
    """Sends the client elsewhere, with all that it said."""

    def behave(exchange: Exchange) -> None:
        exchange.start(307, "text/plain", {"Location": to})

    return behave


def _streams(events: Iterable[object]) -> Behaviour:
    """Streams these events as they are, a plain word as a piece of text."""

    def behave(exchange: Exchange) -> None:
        exchange.start_stream()
        for event in events:
            if isinstance(event, str) and not event.startswith(("[DONE]", "{")):
                exchange.chunk({"content": event})
            else:
                exchange.event(event)

    return behave


def _usage(completion_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion_tokens,
        "total_tokens": PROMPT_TOKENS + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
    }
