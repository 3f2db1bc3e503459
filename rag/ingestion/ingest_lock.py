"""One ingest at a time: a lock in the home, and for a Chroma server a lease that its holder keeps renewing.

The lease is a collection of its own beside the library, empty but for its metadata: Chroma makes a name only once,
which decides between two who ask at the same moment. Clocks are never compared: who waits watches whether the holder
gives signs of life, and takes over from one that gives none for long.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from rag.errors import LibraryError
from rag.files import make_private_folder
from rag.ingestion.embed_papers import raise_if_set
from rag.library.chroma import chroma_errors, connect, disconnect, place
from rag.settings import Settings

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

Check = Callable[[], None]  # raises where another may be writing by now

LOCK_WAIT_S = 2.0
_LOOK_UP_S = 0.5  # how often who waits looks whether it is told to stop
_BEAT_S = 2.0
_STALE_S = 30.0  # without a beat; a server under load may be slow to take one


@contextmanager
def ingest_lock(
    settings: Settings, wait_s: float = LOCK_WAIT_S, stop: threading.Event | None = None
) -> Iterator[Check]:
    """Keeps all others from writing into the library until the block ends; gives what raises once it must not go on.

    Two syncs would plan against a library that the other is changing; on a server, also those of two homes.

    Args:
        stop: Once set, by any thread, the waiting ends, and what is given raises `CancelledError`.

    Raises:
        LibraryError: Another ingest is at work, or the server does not answer.
    """
    check_stop = partial(raise_if_set, stop)
    with chroma_errors(settings):
        make_private_folder(settings.home)
        lock = FileLock(settings.home / "sync.lock")
        _wait_for(lock, settings, wait_s, check_stop)
    try:
        with _lease(settings, wait_s, check_stop) if settings.chroma_url else nullcontext(check_stop) as check:
            yield check
    finally:
        lock.release()


def _wait_for(lock: FileLock, settings: Settings, wait_s: float, check_stop: Check) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        left_s = max(deadline - time.monotonic(), 0)
        try:
            lock.acquire(timeout=min(left_s, _LOOK_UP_S))
            return
        except Timeout as error:
            check_stop()
            if left_s <= _LOOK_UP_S:
                raise LibraryError(
                    f"Another ingest is at work on {place(settings)}; wait until it is done, then run this again."
                ) from error


def is_idle(settings: Settings) -> bool:
    """Whether no sync is at work from this home."""
    try:
        with ingest_lock(settings, 0):
            return True
    except LibraryError:
        return False


@contextmanager
def _lease(settings: Settings, wait_s: float, check_stop: Check) -> Iterator[Check]:
    """Holds the lease of the library; gives what raises an error once it is lost, or as `check_stop` does.

    Only for a caller that holds the lock of its home: it takes over at once what an earlier one of this home left.

    Args:
        wait_s: How long to wait for a holder that is alive; one that may be dead is watched for longer.
        check_stop: Raises once whoever asked for the lease wants it no more.

    Raises:
        LibraryError: Another ingest is at work, or the server does not answer.
    """
    client = connect(settings)
    held = _Lease(settings, client, check_stop)
    try:
        held.claim(wait_s)
        with _beating(held):
            yield held.check
    finally:
        with suppress(LibraryError):
            held.give_back()
        disconnect(client)


class _Lease:
    def __init__(self, settings: Settings, client: Client, check_stop: Check) -> None:
        self._settings, self._client, self._check_stop = settings, client, check_stop
        self._name = f"{settings.collection}.lease"  # no library's name has a dot
        self._holder = uuid.uuid4().hex
        self._left_here = settings.home / "lease"  # by it a home knows the lease that it left
        self._beats = 0
        self._mine: Collection | None = None

    def claim(self, wait_s: float) -> None:
        """Waits until the lease is there to take, and takes it."""
        before = self._left_here.read_text(encoding="utf-8") if self._left_here.exists() else ""
        with chroma_errors(self._settings):
            # Before it is taken: a kill in between leaves a note about nothing, not a lease that nobody knows.
            self._left_here.write_text(self._holder, encoding="utf-8")
        asked_at = seen_at = time.monotonic()
        seen: tuple[str, int] | None = None
        alive = False
        while not self._taken():
            self._check_stop()
            there = self._there()
            if there is None:
                continue
            said = str((there.metadata or {}).get("holder", "")), int((there.metadata or {}).get("beats", 0))
            now = time.monotonic()
            if said != seen:
                alive = alive or seen is not None
                seen, seen_at = said, now
            if said[0] == before or now - seen_at >= _STALE_S:
                self._remove(there)
            elif alive and now - asked_at >= wait_s:
                raise LibraryError(
                    f"Another ingest is at work on {place(self._settings)}, from another machine or another RAG_HOME;"
                    " wait until it is done, then run this again."
                )
            else:
                time.sleep(_BEAT_S / 4)
        self._sweep()

    def check(self) -> None:
        """Raises an error where another has taken the lease over; the server says so, no clock that may stand still."""
        self._check_stop()
        if not self._is_held():
            raise LibraryError(
                f"This ingest gave {place(self._settings)} no sign of life for {_STALE_S:.0f} s, and another has taken"
                " over. What is in the library stays there; run this again."
            )

    def beat(self) -> None:
        """Gives a sign of life."""
        if self._mine is None or not self._is_held():
            return
        self._beats += 1
        with chroma_errors(self._settings):
            self._mine.modify(metadata=self._metadata())

    def give_back(self) -> None:
        """Lets the next one in."""
        if self._mine is not None and self._is_held():
            self._remove(self._mine)
        self._left_here.unlink(missing_ok=True)

    def _is_held(self) -> bool:
        there = self._there()
        return there is not None and self._mine is not None and there.id == self._mine.id

    def _taken(self) -> bool:
        from chromadb.errors import ChromaError, UniqueConstraintError

        with chroma_errors(self._settings):
            try:
                self._mine = self._client.create_collection(
                    self._name, metadata=self._metadata(), embedding_function=None
                )
            except ChromaError as error:  # a server of one machine has no kind of its own for this
                if not (isinstance(error, UniqueConstraintError) or "already exists" in str(error)):
                    raise
        return self._mine is not None

    def _there(self) -> Collection | None:
        from chromadb.errors import NotFoundError

        with chroma_errors(self._settings):
            try:
                return self._client.get_collection(self._name, embedding_function=None)
            except NotFoundError:
                return None

    def _remove(self, there: Collection) -> None:
        """Removes this lease and no other: by a name of its own first, for the old one may be taken again by now."""
        from chromadb.errors import NotFoundError

        aside = f"{self._name}.{uuid.uuid4().hex}"
        with chroma_errors(self._settings), suppress(NotFoundError):
            there.modify(name=aside)
            self._client.delete_collection(aside)

    def _sweep(self) -> None:
        """Removes what was put aside by a process that was killed before it removed it."""
        from chromadb.errors import NotFoundError

        with chroma_errors(self._settings):
            for aside in self._client.list_collections():
                if aside.name.startswith(f"{self._name}."):
                    with suppress(NotFoundError):
                        self._client.delete_collection(aside.name)

    def _metadata(self) -> dict[str, str | int]:
        return {"holder": self._holder, "beats": self._beats}


@contextmanager
def _beating(held: _Lease) -> Iterator[None]:
    """Gives signs of life until the block ends."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_BEAT_S):
            with suppress(LibraryError):  # no answer; `check` and the next write say so
                held.beat()

    thread = threading.Thread(target=beat, name="footnote-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
