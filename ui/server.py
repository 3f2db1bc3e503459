"""The page as a web application that serves itself and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def sealed(page: gr.Blocks, listener: Listener) -> _Sealed:
    """The page as a web application.

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
        ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, **look(),
    )  # fmt: skip
    return _Sealed(app)


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
