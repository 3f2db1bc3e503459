"""The page as a web application that serves itself and nothing else."""

from __future__ import annotations

import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from rag import names_this_machine
from ui.server.events import EventRefused, Tabs, read_event
from ui.server.login import Login, identify_browser, make_owner_cookie

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI
    from starlette.types import Message, Receive, Scope, Send

    from rag import Listener

PLOTLY_ADDRESS = f"plotly-{version('plotly')}.min.js"  # a new version, a new address: browsers keep it for good
# Gradio's page has scripts and styles of its own inline, and its HTML component compiles templates.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
# What the page and gradio_client ask for. Gradio has more: uploads, files, logs, profiles, links to stored states.
_SERVED = re.compile(
    rf"/((config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|{re.escape(PLOTLY_ADDRESS)})?|(assets|static)/.+"
    r"|gradio_api/(app_id|info|queue/(join|data)|run/predict|cancel|reset|component_server"
    r"|call/(ask|search)(/(?P<event>\w+))?|heartbeat/(?P<tab>[\w-]+))/?)"
)
_ASSET = re.compile(r"/(assets|static|theme\.css|favicon\.ico)")
_SEALS = (
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_STATIC = Path(__file__).parents[1] / "static"
_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_SYSTEM_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def build_web_app(page: gr.Blocks, listener: Listener, *, users: Path | None = None) -> _WebApp:
    """The page with its headers, allowed addresses and login.

    Args:
        users: The file of those who may log in; without it only this machine is served, and everybody on it.

    Gradio's own `launch()` is not used: it asks for its start page over HTTP, through a proxy where one is
    set in the environment, and looks for a free port on 127.0.0.1 only.
    """
    import gradio as gr
    from fastapi import FastAPI

    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    tabs = Tabs(end=lambda tab: page.state_holder.session_data.pop(tab, None))
    login = Login(users, on_leaving=tabs.end_all_of) if users else None
    _add_plotly_script(web)  # before Gradio, which answers for every other address
    if login:
        login.serve(web)
    # No address but the page's own: neither API pages, nor Gradio's log of runs, nor files from disk.
    app = gr.mount_gradio_app(
        web, page, path="", server_name=listener.host, server_port=listener.port,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        footer_links=[], run_history=False, allowed_paths=[], show_error=False, max_file_size=1,
        ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False,
        auth_dependency=login.user if login else None, **_read_look(),
    )  # fmt: skip
    page.has_launched = True  # without it Gradio checks no path of a file that it is told to read
    return _WebApp(app, page, tabs, login)


class _WebApp:
    """Serves those who may be served what the page needs, and has the browser refuse whatever would reach out."""

    def __init__(self, app: FastAPI, page: gr.Blocks, tabs: Tabs, login: Login | None) -> None:
        self._app, self._page, self._tabs, self._login = app, page, tabs, login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if answer := self._refuse(scope):
            await answer(scope, receive, send)
            return
        try:
            receive = await self._check_event(scope, receive)
        except EventRefused as refused:
            await JSONResponse({"detail": str(refused)}, refused.status)(scope, receive, send)
            return
        cookies: list[tuple[bytes, bytes]] = []
        if scope["path"] == "/":
            cookie = make_owner_cookie(_read_header(scope, b"cookie"))
            cookies = [(b"set-cookie", cookie.encode())] if cookie else []

        is_asset = _ASSET.match(scope["path"]) is not None

        async def send_sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                if not any(name.lower() == b"cache-control" for name, _ in headers) and not is_asset:
                    headers = [*headers, (b"cache-control", b"no-store")]  # it is this reader's
                message["headers"] = [*headers, *_SEALS, *cookies]
            await send(message)

        # uvicorn has heeded what a proxy says that it trusts; Gradio believes anybody.
        plain = [(name, value) for name, value in scope["headers"] if not name.startswith(b"x-forwarded-")]
        await self._app({**scope, "headers": plain}, receive, send_sealed)

    def _refuse(self, scope: Scope) -> Response | None:
        """The answer to a request that the page is not given; None where it is."""
        host, origin, path = _read_header(scope, b"host"), _read_header(scope, b"origin"), scope["path"]
        if self._login is None and not names_this_machine(host):
            return PlainTextResponse("Only this machine is served; the Host header says otherwise.", 403)
        if origin and urlsplit(origin).netloc != host:  # Gradio lets pages of other origins in
            return PlainTextResponse("Only this page itself is served; the Origin header says otherwise.", 403)
        if self._login and (path == "/login" or (path == "/logout" and scope.get("method") == "POST")):
            return None
        if not _SERVED.fullmatch(path):
            return PlainTextResponse("There is nothing here.", 404)
        if self._login and self._login.user(HTTPConnection(scope)) is None:
            return RedirectResponse("login", 303) if path == "/" else PlainTextResponse("Log in first.", 401)
        return None

    async def _check_event(self, scope: Scope, receive: Receive) -> Receive:
        """What the request's body is read from from here on.

        Raises:
            EventRefused: Gradio is not to see the request.
        """
        path = _SERVED.fullmatch(scope["path"])
        if path is None:  # the page that logs in or out
            return receive
        request = HTTPConnection(scope)
        browser = identify_browser(request)
        if scope["method"] == "POST":
            event, receive = await read_event(receive)
            if (tab := event.get("session_hash")) is not None:
                self._tabs.admit(str(tab), browser)
        elif path["tab"]:
            self._tabs.admit(path["tab"], browser)
        elif scope["path"].rstrip("/").endswith("/queue/data"):
            tab = request.query_params.get("session_hash", "")
            if not self._tabs.knows(tab, browser) or not _has_stream(self._page, tab):
                raise EventRefused("There is no such tab; load the page again.", 404)
        elif path["event"] and not _has_stream(self._page, path["event"]):
            raise EventRefused("There is no such event.", 404)
        return receive


def _has_stream(page: gr.Blocks, key: str) -> bool:
    """Whether Gradio has something to tell under a tab's hash, or an event's id; it raises where it has not."""
    queue = page._queue
    return key in queue.pending_messages_per_session or any(
        key in events for events in queue.pending_event_ids_session.values()
    )


def _read_header(scope: Scope, name: bytes) -> str:
    return b"; ".join(value for key, value in scope["headers"] if key == name).decode("latin-1")


def _add_plotly_script(app: FastAPI) -> None:
    """Serves the script that draws the map, a file of the plotly package; the slow package is never imported."""
    from fastapi.responses import FileResponse

    package = find_spec("plotly")
    assert package is not None  # noqa: S101 (a dependency)
    script = Path(next(iter(package.submodule_search_locations or ()))) / "package_data" / "plotly.min.js"
    kept = {"cache-control": "public, max-age=31536000, immutable"}

    @app.get(f"/{PLOTLY_ADDRESS}", include_in_schema=False)
    async def plotly_script() -> FileResponse:
        return FileResponse(script, media_type="text/javascript", headers=kept)


def _read_look() -> dict[str, Any]:
    """Theme, style and script of the page, by the names Gradio's launch and mount functions give them."""
    import gradio as gr

    scripts = (path.read_text(encoding="utf-8") for path in sorted(_STATIC.glob("*.js")))
    return {
        "theme": gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=_SYSTEM_FONTS, font_mono=_SYSTEM_MONO),
        "css_paths": sorted(_STATIC.glob("*.css")),
        "head": "".join(f"<script>{script}</script>" for script in scripts),
    }
