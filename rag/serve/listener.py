"""An address of this machine that is taken for serving, and the web application that is served there."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Self

from rag.errors import ServeError
from rag.loopback import is_this_machine

if TYPE_CHECKING:
    import uvicorn

App = Callable[..., Awaitable[None]]  # as ASGI has it: scope, receive, send
# Streams of open tabs never end by themselves; Ctrl-C waits this long for them.
_GRACE_S = 1
_SLOWEST_HEAD_S = 30  # for the head of a request to arrive whole


class Listener:
    """A socket that listens; a context manager that closes it.

    Attributes:
        address: What to type on this machine to reach it.
        is_loopback: Whether no other machine can reach it.
    """

    def __init__(self, host: str, port: int, *, settings: tuple[str, str], proxies: Sequence[str] = ()) -> None:
        """Takes the address; port 0 takes any free one.

        Args:
            settings: The variables that choose host and port, for error messages.
            proxies: Addresses and networks that are believed who asks, and how (X-Forwarded-For and -Proto).

        Raises:
            ServeError: The port is taken or not allowed, or the host is no address of this machine.
        """
        try:
            self._socket = _listening(host, port)
        except (OSError, UnicodeError) as error:  # the latter for a name that IDNA does not allow
            raise ServeError(_reason(error, host, port, *settings)) from error
        self._proxies = list(proxies)
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
        from uvicorn.protocols.http.auto import AutoHTTPProtocol

        address = self.address

        class Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # one of two classes, whichever there is
            """Hangs up where the head of a request is not there in time: uvicorn itself would wait for ever."""

            def connection_made(self, transport: asyncio.Transport) -> None:
                super().connection_made(transport)
                self.waiting = self.loop.call_later(_SLOWEST_HEAD_S, self.hang_up)

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                if self.is_answering():
                    self.waiting.cancel()

            def on_response_complete(self) -> None:
                super().on_response_complete()
                self.waiting.cancel()
                self.waiting = self.loop.call_later(_SLOWEST_HEAD_S, self.hang_up)

            def connection_lost(self, exc: Exception | None) -> None:
                self.waiting.cancel()
                super().connection_lost(exc)

            def is_answering(self) -> bool:
                return self.cycle is not None and not self.cycle.response_complete

            def hang_up(self) -> None:
                is_other = self.transport.get_protocol() is not self  # as for a web socket
                if not is_other and not self.is_answering():
                    self.transport.close()

        class Announcing(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    on_ready(address)

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                # Open streams are cut here on purpose; that is no error to report.
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
                await super().shutdown(sockets)

        # Its default believes whatever asks from this machine: who tries passwords would have a new address each time.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S,
            http=Impatient, proxy_headers=bool(self._proxies), forwarded_allow_ips=self._proxies,
        )  # fmt: skip
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
