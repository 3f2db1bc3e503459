"""The papers beside Chroma in one SQLite file: vectors packed for scoring, columns for filters; never the only copy."""

from __future__ import annotations

import os
import sqlite3
import uuid
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from rag.errors import LibraryError
from rag.library.paper_rows import TABLES, Papers, State, StoreDamaged, insert, remove
from rag.library.records import EmbeddedPaper

_VERSION = 2  # of the tables; a file of another is made again
_BUSY_S = 30.0  # how long a page of papers that another process writes may take
_CACHE_KB = 64_000  # a connection's, at most: what filters look at, and the chunks, of 100,000 papers
_MOST_IDLE = 4  # connections that are kept, with their caches, for who reads next
# Of the moment or the machine, and no sign of damage; that the file is gone is one.
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}


class PaperStore:
    """One file, or one in memory; safe to share between threads, each read or change has a connection of its own."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        weakref.finalize(self, _close_all, self._idle)
        if path is None:  # of one connection alone, for which the threads wait
            self._idle.put(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))

    @classmethod
    def find(cls, folder: Path, origin: str) -> PaperStore | None:
        """The store in a folder, if there is a sound one that was made from this collection."""
        for path in sorted(folder.glob("*.sqlite3")):
            store = cls(path)
            with suppress(StoreDamaged):
                if store.state.origin == origin:
                    return store
        return None

    @classmethod
    def make(cls, folder: Path | None, origin: str) -> PaperStore:
        """An empty store, in memory without a folder; others in the folder are removed.

        Who still has one of these open keeps it until the end, so a new one has a new name.

        Raises:
            sqlite3.OperationalError: It cannot be written.
        """
        made = uuid.uuid4().hex
        if folder is not None:
            for left in folder.glob("*.sqlite3*"):
                left.unlink(missing_ok=True)
            (folder / f"{made}.sqlite3").touch()
        store = cls(folder / f"{made}.sqlite3" if folder else None)
        with store._connection() as connection:
            connection.executescript(
                f"pragma page_size = 4096; pragma journal_mode = wal; pragma user_version = {_VERSION};"
                f" begin; {TABLES} commit;"
            )
            connection.execute("insert into state values (?, ?, 0, '', -1, 0)", (origin, made))
        return store

    def discard(self) -> None:
        """Takes a damaged file out of the way; who still has it open keeps it.

        Raises:
            OSError: It cannot be removed.
        """
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    @property
    def state(self) -> State:
        """What the store holds now, whoever changed it."""
        with self.reading() as papers:
            return papers.state

    @contextmanager
    def reading(self) -> Iterator[Papers]:
        """The papers as they are at one moment, whatever is written meanwhile.

        Raises:
            StoreDamaged: The file is not what was written, or gone.
            LibraryError: It cannot be read now.
        """
        try:
            with self._connection() as connection:
                if connection.execute("pragma user_version").fetchone() != (_VERSION,):
                    raise StoreDamaged("it is of another version")
                connection.execute("begin")
                try:
                    yield Papers(connection)
                finally:
                    connection.execute("rollback")
        except sqlite3.Error as error:
            is_there = self.path is None or self.path.exists()
            if is_there and getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
                raise LibraryError(f"{self.path} cannot be read now ({error}); ask again.") from error
            raise StoreDamaged(str(error)) from error

    def change(self, papers: Sequence[EmbeddedPaper], gone: Iterable[str]) -> None:
        """Adds or replaces papers and removes those that are gone, all of them or, killed in between, none.

        Raises:
            sqlite3.OperationalError: It cannot be written.
        """
        with self._writing() as connection:
            connection.execute("update state set touched = touched + 1")
            ((touched,),) = connection.execute("select touched from state")
            gone = list(gone)
            remove(connection, [*gone, *(each.paper.id for each in papers)])
            connection.executemany("insert or replace into removed values (?, ?)", [(key, touched) for key in gone])
            for each in papers:
                insert(connection, each, touched)
            if papers:
                connection.execute("update state set dimension = ?", (papers[0].vectors.shape[1],))

    def complete(self, generation: str, revision: int) -> None:
        """Notes which state of the library is complete here, and moves all of it into the one file."""
        with self._writing() as connection:
            connection.execute("update state set generation = ?, revision = ?", (generation, revision))
        with self._connection() as connection:
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("rollback")
                raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self.path is None:
            connection = self._idle.get()
        else:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = _connected(self.path)
        try:
            yield connection
        finally:
            if self._idle.qsize() < _MOST_IDLE:
                self._idle.put(connection)
            else:
                connection.close()


def _connected(path: Path) -> sqlite3.Connection:
    try:
        if os.access(path.parent, os.W_OK):
            return _connected_as(path, "mode=rw")
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NO_ROOM:
            raise
    # Where nothing can be written SQLite cannot keep its books beside the file, and would not open it.
    return _connected_as(path, "immutable=1")


def _connected_as(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("pragma schema_version")  # the first that reads
    except sqlite3.Error:
        connection.close()
        raise
    connection.execute("pragma synchronous = normal")
    connection.execute(f"pragma cache_size = -{_CACHE_KB}")
    return connection


def _close_all(idle: SimpleQueue[sqlite3.Connection]) -> None:
    while not idle.empty():
        idle.get_nowait().close()
