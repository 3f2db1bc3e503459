"""Connects to Chroma, in a folder under RAG_HOME or on a server, and says its errors in our words."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.request import getproxies
from uuid import UUID

from rag.errors import LibraryDamaged, LibraryError, LibraryUnreachable
from rag.files import make_private_folder
from rag.loopback import is_this_machine
from rag.settings import Settings

if TYPE_CHECKING:
    import httpx
    from chromadb.api.client import Client

_FILE = "chroma.sqlite3"
_METADATA = """select id, key, coalesce(str_value, int_value, float_value, bool_value)
    from collections join collection_metadata on collection_id = id where name = ?"""
_CONNECT_S = 5.0
_REQUEST_S = 120.0  # the longest is a batch of papers on a slow disk
_FAILED_WITHIN = "Error executing plan"  # not a wrong request, but files that the engine cannot read
_NO_ROOM = ("disk is full", "No space left", "readonly database", "read-only", "Permission denied",
            "Not a directory", "No such file", "unable to open database", "disk I/O error", "File too large",
            "File exists")  # fmt: skip


def connect(settings: Settings) -> Client:
    """Opens a client for the caller alone, who closes it with `disconnect`.

    Where the folder is there but cannot be written, it is one that only reads.

    Raises:
        LibraryError: The folder cannot be used or the server does not answer.
    """
    import chromadb
    import httpx
    from chromadb.config import Settings as ChromaSettings

    quiet = ChromaSettings(anonymized_telemetry=False)
    if settings.chroma_url is None:
        folder = _folder(settings)
        try:
            with chroma_errors(settings):
                make_private_folder(folder)
                return cast("Client", chromadb.PersistentClient(_unshared(folder), settings=quiet))
        except _Unwritable as error:
            if not (folder / _FILE).is_file():
                raise
            return cast("Client", _ReadOnlyClient(folder / _FILE, error))
    with chroma_errors(settings):
        _check_server(settings)
        address = settings.chroma_url
        secure, port = address.scheme == "https", address.port or 8000
        try:
            client = cast("Client", chromadb.HttpClient(address.host or "", port, ssl=secure, settings=quiet))
        except ValueError as error:  # whatever goes wrong in its first request
            raise LibraryUnreachable(_unreachable(place(settings), str(error))) from error
        for session in _sessions(client):
            session.timeout = httpx.Timeout(_REQUEST_S, connect=_CONNECT_S)  # it has none
        return client


def disconnect(client: Client) -> None:
    """Closes a client with its connections, which Chroma leaves open."""
    if isinstance(client, _ReadOnlyClient):
        return
    sessions = _sessions(client)
    client.close()
    for session in sessions:
        session.close()


def place(settings: Settings) -> str:
    """Where the library is, for messages."""
    return f"the Chroma server at {settings.chroma_url}" if settings.chroma_url else str(_folder(settings))


def damaged(settings: Settings, reason: str) -> LibraryDamaged:
    """The error that says how to make a library again."""
    leave = "set RAG_COLLECTION to a new name" if settings.chroma_url else "move that folder away"
    return LibraryDamaged(
        f"The library in {place(settings)} is damaged ({reason}); run `footnote ingest --rebuild`. If that fails too,"
        f" {leave} and run `footnote ingest PATHS` to make it again from your files."
    )


@contextmanager
def chroma_errors(settings: Settings) -> Iterator[None]:
    """Turns what Chroma, its HTTP client and the file system raise into the errors of the library."""
    import httpx
    from chromadb.errors import ChromaError, InternalError

    where = place(settings)
    try:
        yield
    except OSError as error:
        raise _unwritable(where, error.strerror or str(error)) from error
    except httpx.HTTPError as error:
        raise LibraryUnreachable(_unreachable(where, str(error))) from error
    except (InternalError, sqlite3.DatabaseError) as error:
        reason = str(error)
        if settings.chroma_url is None and any(sign in reason for sign in _NO_ROOM):
            raise _unwritable(where, reason) from error
        if settings.chroma_url is None:
            raise damaged(settings, reason) from error
        raise LibraryError(f"{where} failed: {reason}; look into its log.") from error
    except ChromaError as error:
        if settings.chroma_url is None and str(error).startswith(_FAILED_WITHIN):
            raise damaged(settings, str(error)) from error
        raise LibraryError(f"{where} refused: {error}.") from error
    except BaseException as error:
        if settings.chroma_url and type(error) is Exception:  # what its client makes of an answer that it knows not
            raise LibraryError(f"{where} refused: {error}.") from error
        if type(error).__name__ != "PanicException":  # Chroma's engine is in Rust, which has no name for it here
            raise
        raise damaged(settings, str(error)) from error


def _ask_directly(host: str | None) -> None:
    """Has Chroma's client, which obeys the environment, ask a server on this machine without a proxy."""
    name = (host or "").strip("[]")
    if is_this_machine(name) and {"http", "https", "all"} & getproxies().keys():
        for variable in ("no_proxy", "NO_PROXY"):
            given = [each for each in os.environ.get(variable, "").split(",") if each]
            os.environ[variable] = ",".join(dict.fromkeys([*given, name]))


def _check_server(settings: Settings) -> None:
    """Asks the server for a sign of life: Chroma's own client waits for ever, and takes any server for Chroma's."""
    import httpx

    _ask_directly(settings.chroma_url.host if settings.chroma_url else None)
    reason = "the address is none"
    try:
        answer = httpx.get(f"{str(settings.chroma_url).rstrip('/')}/api/v2/heartbeat", timeout=_CONNECT_S)
        reason = f"what answers there, with status {answer.status_code}, is not Chroma"
        alive = answer.is_success and "nanosecond heartbeat" in answer.json()
    except ValueError:
        alive = False
    if not alive:
        raise LibraryUnreachable(_unreachable(place(settings), reason))


def _sessions(client: Client) -> list[httpx.Client]:
    """The connections of a client to a server, and of the one within it; Chroma has no public way to them."""
    within: Any = client._admin_client
    servers: list[Any] = [client._server, within._server]
    return [server._session for server in servers if hasattr(server, "_session")]


def _unreachable(where: str, reason: str) -> str:
    return f"{where} does not answer ({reason}); start it (`chroma run --path DIR --port N`) or correct RAG_CHROMA_URL."


class _Unwritable(LibraryError):
    """The folder of the library cannot be written."""


def _unwritable(where: str, reason: str) -> _Unwritable:
    return _Unwritable(
        f"The library in {where} cannot be written ({reason}); free some disk space or set RAG_HOME to a folder"
        " that can be written. What is in the library stays there."
    )


def _folder(settings: Settings) -> Path:
    return settings.home / "chroma"


_openings = 0
_openings_lock = threading.Lock()


def _unshared(folder: Path) -> str:
    """Another spelling of the folder for each client of this process.

    Chroma shares one engine among the clients of a spelling, and an engine does not see in its searches what another
    process added; a new spelling is a new engine that reads the folder afresh.
    """
    global _openings  # noqa: PLW0603 (Chroma's registry that this works around is global as well)
    with _openings_lock:
        _openings += 1
        digits = f"{_openings:b}"
    return str(folder) + "".join("/." if digit == "1" else "/" for digit in digits)  # a number, spelled in detours


class _ReadOnlyClient:
    """Stands in for a client of Chroma's where the folder cannot be written: Chroma writes whenever it is opened.

    It knows what a collection says of itself, from Chroma's file; papers and vectors are in the paper store.
    """

    def __init__(self, file: Path, why: LibraryError) -> None:
        self._file, self._why = file, why

    def get_collection(self, name: str, **_: object) -> ReadOnlyCollection:
        """The collection as the file has it now.

        Raises:
            NotFoundError: There is none of this name.
            LibraryError: The file cannot be read either.
        """
        from chromadb.errors import NotFoundError

        try:
            with closing(sqlite3.connect(f"{self._file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                rows = connection.execute(_METADATA, (name,)).fetchall()
        except sqlite3.Error:
            raise self._why from None
        if not rows:
            raise NotFoundError(name)
        return ReadOnlyCollection(UUID(rows[0][0]), name, {key: value for _, key, value in rows}, self._why)

    def __getattr__(self, name: str) -> NoReturn:
        """Raises the error that says why: all else writes, or needs Chroma."""
        raise self._why


@dataclass(frozen=True, slots=True)
class ReadOnlyCollection:
    """What a collection says of itself, where the folder cannot be written."""

    id: UUID
    name: str
    metadata: dict[str, str | int | float]
    why: LibraryError

    def __getattr__(self, name: str) -> NoReturn:
        """Raises the error that says why."""
        raise self.why
