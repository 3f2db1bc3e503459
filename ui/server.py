"""Serves the page on an address of our choice, and on no other."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from rag import ServeError

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI
    from starlette.types import Message, Receive, Scope, Send

# Streams of open tabs never end by themselves; Ctrl-C waits this long for them.
_GRACE_S = 1
# Gradio's page has scripts and styles of its own inline, and its HTML component compiles templates.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; object-src 'none'; form-action 'self'; frame-ancestors 'self'"
)


def bind(host: str, port: int) -> socket.socket:
    """Takes the address; port 0 takes any free one.

    Raises:
        ServeError: The port is taken or not allowed, or the host is no address of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            taken.listen()
        except OSError:
            taken.close()
            raise
    except OSError as error:
        raise ServeError(_reason(error, host, port)) from error
    return taken


def serve(page: gr.Blocks, taken: socket.socket, *, on_ready: Callable[[str], None]) -> None:
    """Serves until interrupted; `on_ready` is given the address once questions are accepted."""
    server(page, taken, on_ready=on_ready).run(sockets=[taken])


def server(page: gr.Blocks, taken: socket.socket, *, on_ready: Callable[[str], None]) -> uvicorn.Server:
    """The server, not yet running; its `should_exit` ends it.

    Gradio's own `launch()` is not used: it asks for its start page over HTTP, through a proxy where one is
    set in the environment, and looks for a free port on 127.0.0.1 only.
    """
    import gradio as gr
    from fastapi import FastAPI

    from ui.app import look

    # No address but the page's own: neither API pages, nor Gradio's log of runs, nor files from disk.
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page, path="", server_name=taken.getsockname()[0], server_port=taken.getsockname()[1],
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        footer_links=[], run_history=False, allowed_paths=[], show_error=False, max_file_size=1,
        ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, **look(),
    )  # fmt: skip
    config = uvicorn.Config(_Sealed(app), log_level="warning", timeout_graceful_shutdown=_GRACE_S)
    return _Announcing(config, lambda: on_ready(address(taken)))


def address(taken: socket.socket) -> str:
    """What to type into a browser on this machine."""
    host, port = taken.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Sealed:
    """Has the browser itself refuse whatever would reach out to another host."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY)]
            await send(message)

        await self._app(scope, receive, sealed)


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The streams of open tabs are cut here on purpose; that is no error to report.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; end what uses it, or choose another with --port N or RAG_PORT"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs an administrator; choose another with --port N or RAG_PORT"
    return f"{host} is no address of this machine ({error.strerror}); choose one with --host or RAG_HOST"
