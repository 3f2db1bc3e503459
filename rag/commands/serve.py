"""The command `footnote serve`: opens the library, fills it if it is empty, and serves the API."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from rag.errors import ServeError


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; RAG_API_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; RAG_API_PORT otherwise.")] = None,
) -> None:
    """Serve answers to other chat clients, as OpenAI's API does."""
    from rag import Assistant, Listener, load_settings

    chosen = {name: value for name, value in (("api_host", host), ("api_port", port)) if value is not None}
    settings = load_settings(**chosen)
    # The port first: learning that it is taken must not cost the time of an ingest.
    names = ("RAG_API_HOST", "RAG_API_PORT")
    with Listener(settings.api_host, settings.api_port, settings=names, proxies=settings.trusted_proxies) as listener:
        if not listener.is_loopback and settings.api_key is None:
            raise ServeError(
                f"Other machines reach {settings.api_host}, so clients must have a key: set RAG_API_KEY to a long"
                " random text, e.g. from `openssl rand -hex 24`; or leave the address at 127.0.0.1."
            )
        from rag.serve.app import build_api

        assistant = Assistant.open(settings)
        try:
            with suppress(KeyboardInterrupt):
                assistant.prepare()  # with a progress bar where the library is empty
                listener.serve(build_api(assistant), on_ready=lambda address: typer.echo(f"The API is at {address}/v1"))
            typer.echo("The API has ended.", err=True)
        finally:
            assistant.close()
