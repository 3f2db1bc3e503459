"""The command `footnote ui`: opens the library, fills it if it is empty, and serves the chat."""

from __future__ import annotations

import os
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import uvicorn


def ui(
    host: Annotated[str | None, typer.Option(help="Address to listen on; RAG_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; RAG_PORT otherwise.")] = None,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Whether to open the chat in the browser.")
    ] = False,
) -> None:
    """Serve the chat in the browser."""
    from rag import Listener, check_proxies, load_settings

    chosen = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = load_settings(**chosen)
    check_proxies()  # Gradio makes an HTTP client when it is imported

    def announce(address: str) -> None:
        typer.echo(f"Footnote is at {address}")
        if open_browser:
            webbrowser.open(address)

    # The port first: learning that it is taken must not cost the time of an ingest.
    with (
        Listener(
            settings.host, settings.port, settings=("RAG_HOST", "RAG_PORT"), proxies=settings.trusted_proxies
        ) as listener,
        TemporaryDirectory(prefix="footnote-") as folder,
    ):
        os.environ["GRADIO_TEMP_DIR"] = folder  # its default is another's to read, and stays
        _check_who_may_enter(listener.is_loopback, settings.ui_auth)
        from rag import Assistant
        from ui.app import build_app
        from ui.server.web_app import build_web_app

        assistant = Assistant.open(settings)
        faults: list[BaseException] = []

        def prepare(server: uvicorn.Server) -> None:
            try:
                assistant.prepare()  # with a progress bar where the library is empty
            except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that waits for it
                faults.append(error)
                server.should_exit = True

        def started(address: str) -> None:
            announce(address)
            # The page is there before the models are; a question that is asked meanwhile waits.
            threading.Thread(target=prepare, args=(server,), name="footnote-prepare", daemon=True).start()

        try:
            app = build_web_app(build_app(assistant), listener, users=settings.ui_auth)
            server = listener.server(app, on_ready=started)
            with suppress(KeyboardInterrupt):
                listener.run(server)
            if faults:
                raise faults[0]
            typer.echo("Footnote has ended.", err=True)
        finally:
            assistant.close()


def _check_who_may_enter(is_loopback: bool, users: Path | None) -> None:
    """Makes sure that nobody unknown is served on an address that others can reach.

    Raises:
        RagError: There is no file of users, or nobody in it.
    """
    from rag import ServeError
    from ui.server.accounts import read_accounts

    if users is None and not is_loopback:
        raise ServeError(
            "Any address but this machine's own needs users who log in: `footnote user add NAME --file FILE`, then set"
            " RAG_UI_AUTH=FILE."
        )
    if users is not None and not read_accounts(users):
        raise ServeError(f"{users}: there is no user in it; add one with `footnote user add NAME`.")
