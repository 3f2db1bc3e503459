"""The page as a web application that serves itself and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse

from rag import names_this_machine
from ui.accounts import admits, read_accounts
from ui.owner import new_cookie

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI
    from starlette.types import Message, Receive, Scope, Send

    from rag import Listener

# Gradio's page has scripts and styles of its own inline, and its HTML component compiles templates.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; object-src 'none'; form-action 'self'; frame-ancestors 'self'"
)


def sealed(page: gr.Blocks, listener: Listener, *, users: Path | None = None) -> _Sealed:
    """The page as a web application.

    Args:
        users: The file of those who may log in; without it only this machine is served, and everybody on it.

    Gradio's own `launch()` is not used: it asks for its start page over HTTP, through a proxy where one is
    set in the environment, and looks for a free port on 127.0.0.1 only.
    """
    import gradio as gr
    from fastapi import FastAPI

    from ui.app import look
    from ui.plotly_file import serve_plotly

    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    serve_plotly(web)  # before Gradio, which answers for every other address
    # No address but the page's own: neither API pages, nor Gradio's log of runs, nor files from disk.
    app = gr.mount_gradio_app(
        web, page, path="", server_name=listener.host, server_port=listener.port,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        footer_links=[], run_history=False, allowed_paths=[], show_error=False, max_file_size=1,
        ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, auth=_login(users) if users else None,
        **look(),
    )  # fmt: skip
    return _Sealed(app, anybody=users is None)


def _login(users: Path) -> Callable[[str, str], Awaitable[bool]]:
    """Whether a name and a password are those of a user; the file is read each time, so that changes hold at once."""
    one_at_a_time = asyncio.Semaphore(2)  # a try costs time and memory on purpose

    async def may_enter(name: str, password: str) -> bool:
        async with one_at_a_time:
            return await asyncio.to_thread(lambda: admits(read_accounts(users), name, password))

    return may_enter


class _Sealed:
    """Has the browser itself refuse whatever would reach out to another host, and gives it the token of its owner."""

    def __init__(self, app: FastAPI, *, anybody: bool) -> None:
        self._app, self._anybody = app, anybody

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (why := self._refusal(scope)):
            await PlainTextResponse(why, 403)(scope, receive, send)
            return
        cookies: list[tuple[bytes, bytes]] = []
        if scope["type"] == "http" and scope["path"] == "/":
            cookie = new_cookie(_header(scope, b"cookie"))
            cookies = [(b"set-cookie", cookie.encode())] if cookie else []

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY), *cookies]
            await send(message)

        await self._app(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> str:
        """Why a request is not served; "" where it is. Gradio alone lets pages of other origins in."""
        host, origin = _header(scope, b"host"), _header(scope, b"origin")
        if self._anybody and not names_this_machine(host):
            return "Only this machine is served; the Host header says otherwise."
        if origin and urlsplit(origin).netloc != host:
            return "Only this page itself is served; the Origin header says otherwise."
        return ""


def _header(scope: Scope, name: bytes) -> str:
    return b"; ".join(value for key, value in scope["headers"] if key == name).decode("latin-1")
