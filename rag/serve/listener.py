"""An address of this machine that is taken for serving, and the web application that is served there."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self

from rag.errors import ServeError
from rag.loopback import is_this_machine

if TYPE_CHECKING:
    import uvicorn

App = Callable[..., Awaitable[None]]  # as ASGI has it: scope, receive, send
# Streams of open tabs never end by themselves; Ctrl-C waits this long for them.
_GRACE_S = 1


class Listener:
    """A socket that listens; a context manager that closes it.

    Attributes:
        address: What to type on this machine to reach it.
        is_loopback: Whether no other machine can reach it.
    """

    def __init__(self, host: str, port: int, *, settings: tuple[str, str]) -> None:
        """Takes the address; port 0 takes any free one.

        Args:
            settings: The variables that choose host and port, for error messages.

        Raises:
            ServeError: The port is taken or not allowed, or the host is no address of this machine.
        """
        try:
            self._socket = _listening(host, port)
        except (OSError, UnicodeError) as error:  # the latter for a name that IDNA does not allow
            raise ServeError(_reason(error, host, port, *settings)) from error
        self.host, self.port = self._socket.getsockname()[:2]
        self.is_loopback = is_this_machine(self.host)
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound
        self.address = f"http://[{reached}]:{self.port}" if ":" in reached else f"http://{reached}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def serve(self, app: App, *, on_ready: Callable[[str], None]) -> None:
        """Serves until interrupted; `on_ready` is given the address once requests are accepted."""
        self.run(self.server(app, on_ready=on_ready))

    def run(self, server: uvicorn.Server) -> None:
        """Serves until the server's `should_exit` is set, or until interrupted."""
        server.run(sockets=[self._socket])

    def server(self, app: App, *, on_ready: Callable[[str], None]) -> uvicorn.Server:
        """The server, not yet running."""
        import uvicorn

        address = self.address

        class Announcing(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    on_ready(address)

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # Open streams are cut here on purpose; that is no error to report.
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
                await super().shutdown(sockets)

        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S)
        return Announcing(config)


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    taken = socket.socket(family, kind, protocol)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen()
    except OSError:
        taken.close()
        raise
    return taken


def _reason(error: OSError | UnicodeError, host: str, port: int, host_setting: str, port_setting: str) -> str:
    if isinstance(error, UnicodeError):
        return f"{host[:80]} is no name of a machine; choose one with --host or {host_setting}"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken; end what uses it, or choose another with --port N or {port_setting}"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs an administrator; choose another with --port N or {port_setting}"
    return f"{host} is no address of this machine ({error.strerror}); choose one with --host or {host_setting}"
