"""The command `footnote ui`: opens the library, fills it if it is empty, and serves the chat."""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from rag import Assistant, IngestReport


def ui(
    host: Annotated[str | None, typer.Option(help="Address to listen on; RAG_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; RAG_PORT otherwise.")] = None,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Whether to open the chat in the browser.")
    ] = False,
) -> None:
    """Serve the chat in the browser."""
    from rag import load_settings
    from ui.server import bind, serve

    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(**chosen)

    def announce(address: str) -> None:
        typer.echo(f"Footnote is at {address}")
        if open_browser:
            webbrowser.open(address)

    # The port first: learning that it is taken must not cost the time of an ingest.
    with bind(settings.host, settings.port) as taken:
        from rag import Assistant
        from ui.app import build_app

        assistant = Assistant.open(settings)
        try:
            with suppress(KeyboardInterrupt):
                prepare(assistant)
                serve(build_app(assistant), taken, on_ready=announce)
            typer.echo("Footnote has ended.", err=True)
        finally:
            assistant.close()


def prepare(assistant: Assistant) -> IngestReport | None:
    """Fills an empty library and loads the model, with a progress bar on stderr while papers are embedded."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading the seed abstracts", total=None, visible=False)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        return assistant.prepare(progress=progress)
