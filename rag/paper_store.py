"""The papers beside Chroma in one SQLite file: vectors packed for scoring, columns for filters; never the only copy."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np

from rag.candidates import Candidates, Runs
from rag.late import Bits, unpack_signs
from rag.records import Head, Record, Said, read_said, unpack
from rag.types import Filter, Paper

_VERSION = 1  # of the tables; a file of another is made again
_SEAL_BYTES = 4
_BUSY_S = 30.0  # how long a page of papers that another process writes may take
# Vectors, signs and texts lie apart: a search reads the vectors of some hundred papers and the texts of the best few,
# and what filters look at stays small enough to be kept in memory.
_TABLES = """
    create table state (origin text, made text, touched integer, generation text, revision integer, dimension integer);
    create table papers (
        number integer primary key, paper_id text not null unique, source text not null, line integer not null,
        year integer, venue text not null, touched integer not null
    );
    create table chunks (number integer primary key, vectors blob not null);
    create table sentences (number integer primary key, vectors blob not null);
    create table tokens (number integer primary key, signs blob not null);
    create table texts (number integer primary key, said blob not null);
    create table places (source text not null, number integer not null, primary key (source, number)) without rowid;
    create table removed (paper_id text primary key, touched integer not null) without rowid;
    create index by_place on papers (source, line, paper_id);
    create index by_year on papers (year, number, paper_id);
    create index by_venue on papers (venue, number, paper_id);
    create index by_touch on papers (touched, paper_id);
    create index by_number on places (number);
"""
_CACHE_KB = 64_000  # a connection's, at most: what filters look at, and the chunks, of 100,000 papers
_LATEST_YEAR = 9_999  # four digits are a year; SQLite takes no number of any size


_THESE = "select value from json_each(?)"
# Paper by paper: SQLite would sort the ids first, which takes three times as long as to look them up.
_ASKED = "json_each(?) as asked cross join papers on paper_id = asked.value"


class StoreDamaged(Exception):
    """The file is not what was written; it is derived, so make it again."""


@dataclass(frozen=True, slots=True)
class State:
    """What a store holds.

    Attributes:
        origin: The collection that it was made from.
        made: Of this very file; another one counts anew.
        touched: One more with every change.
        generation: Of the library that all of it was read from; "" while that is not complete.
        revision: The last sync whose changes are all in it; -1 before any.
        dimension: Of the vectors; 0 while there are none.
    """

    origin: str
    made: str
    touched: int
    generation: str
    revision: int
    dimension: int


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
                f" begin; {_TABLES} commit;"
            )
            connection.execute("insert into state values (?, ?, 0, '', -1, 0)", (origin, made))
        return store

    def discard(self) -> None:
        """Takes a damaged file out of the way; who still has it open keeps it."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    @property
    def state(self) -> State:
        """As it is now, whoever changed it."""
        with self.reading() as papers:
            return papers.state

    @contextmanager
    def reading(self) -> Iterator[Papers]:
        """The papers as they are at one moment, whatever is written meanwhile.

        Raises:
            StoreDamaged: The file is not what was written, or gone.
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
            raise StoreDamaged(str(error)) from error

    def change(self, heads: Sequence[Head], gone: Iterable[str]) -> None:
        """Adds or replaces papers and removes those that are gone, all of them or, killed in between, none.

        Raises:
            sqlite3.OperationalError: It cannot be written.
        """
        with self._writing() as connection:
            connection.execute("update state set touched = touched + 1")
            ((touched,),) = connection.execute("select touched from state")
            gone = list(gone)
            _remove(connection, [*gone, *(head.said.paper.id for head in heads)])
            connection.executemany("insert or replace into removed values (?, ?)", [(key, touched) for key in gone])
            for head in heads:
                _insert(connection, head, touched)
            if heads:
                connection.execute("update state set dimension = ?", (heads[0].dimension,))

    def complete(self, generation: str, revision: int) -> None:
        """Says what it now holds all of, and leaves all of it in the one file."""
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
            self._idle.put(connection)


class Papers:
    """The papers of a store at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def state(self) -> State:
        """What the store holds."""
        row = self._connection.execute("select * from state").fetchone()
        if row is None:
            raise StoreDamaged("it says nothing of itself")
        return State(*row)

    def ids(self, where: Filter | None = None) -> list[str]:
        """Of all papers, or of those that a filter admits, in the order of sources and lines."""
        condition, values = _condition(where or Filter())
        query = f"select paper_id from papers where {condition} order by source, line"  # noqa: S608 (no value is in it)
        return [key for (key,) in self._connection.execute(query, values)]

    def count(self, where: Filter | None = None) -> int:
        """How many papers there are, or a filter admits."""
        condition, values = _condition(where or Filter())
        query = f"select count(*) from papers where {condition}"  # noqa: S608 (as above)
        if where and where.sources and where == Filter(sources=where.sources):  # in the index alone
            query = f"select count(distinct number) from places where source in ({_THESE})"  # noqa: S608 (as above)
        return int(self._connection.execute(query, values).fetchone()[0])

    def admitted(self, paper_ids: Iterable[str], where: Filter) -> set[str]:
        """Those of the papers that the filter admits."""
        condition, values = _condition(where, of_few=True)
        query = f"select paper_id from {_ASKED} where {condition}"  # noqa: S608 (as above)
        return {key for (key,) in self._connection.execute(query, (json.dumps(list(paper_ids)), *values))}

    def has_source(self, source: str) -> bool:
        """Whether any paper is from there."""
        query = "select exists (select 1 from places where source in (select value from json_each(?)))"
        return bool(self._connection.execute(query, (json.dumps([source]),)).fetchone()[0])

    def sources(self) -> list[str]:
        """The names of all sources, each found from the one before it."""
        query = """with recursive each(source) as (
                select min(source) from places union all
                select (select min(source) from places where source > each.source) from each where source is not null
            ) select source from each where source is not null"""
        return [source for (source,) in self._connection.execute(query)]

    def candidates(self, paper_ids: Sequence[str]) -> Candidates:
        """These papers with all their vectors; those that are not there are left out."""
        query = f"""select paper_id, chunks.vectors, sentences.vectors from {_ASKED} join chunks using (number)
            join sentences using (number)"""  # noqa: S608 (as above)
        rows = self._connection.execute(query, (json.dumps(paper_ids),)).fetchall()
        chunks, sentences = self._runs(row[1] for row in rows), self._runs(row[2] for row in rows)
        return Candidates(tuple(key for key, *_ in rows), chunks, sentences)

    def chunk_vectors(self, where: Filter) -> tuple[list[str], Runs]:
        """The chunks of all papers that a filter admits, with the papers' ids."""
        condition, values = _condition(where)
        query = f"select paper_id, vectors from papers join chunks using (number) where {condition}"  # noqa: S608 (as above)
        rows = self._connection.execute(query, values).fetchall()
        return [key for key, _ in rows], self._runs(packed for _, packed in rows)

    def signs(self, paper_ids: Sequence[str]) -> list[Bits]:
        """The signs of the papers' token vectors, see `Record.token_signs`."""
        query = f"select paper_id, signs from {_ASKED} join tokens using (number)"  # noqa: S608 (as above)
        found = dict(self._connection.execute(query, (json.dumps(paper_ids),)))
        dimension = self.state.dimension
        return [unpack_signs(_unsealed(found[key]), dimension) for key in paper_ids]

    def records(self, paper_ids: Sequence[str]) -> list[Record]:
        """These papers in their order, with all there is of them; those that are not there are left out."""
        query = f"""select paper_id, chunks.vectors, sentences.vectors, signs, said from {_ASKED}
            join chunks using (number) join sentences using (number) join tokens using (number)
            join texts using (number)"""  # noqa: S608 (as above)
        rows = {key: row for key, *row in self._connection.execute(query, (json.dumps(paper_ids),))}
        dimension = self.state.dimension
        return [_record(key, rows[key], dimension) for key in paper_ids if key in rows]

    def papers(self, where: Filter | None = None) -> Iterator[Paper]:
        """All papers, or those that a filter admits, in the order of sources and lines."""
        condition, values = _condition(where or Filter())
        query = f"""select paper_id, said from papers join texts using (number)
            where {condition} order by source, line"""  # noqa: S608 (as above)
        return (_said(key, _unsealed(text)).paper for key, text in self._connection.execute(query, values))

    def changed_since(self, touched: int) -> tuple[list[str], list[str]]:
        """Ids of papers added or replaced since the store was touched so often, and of those removed."""
        changed, removed = (
            [key for (key,) in self._connection.execute(f"select paper_id from {table} where touched > ?", (touched,))]  # noqa: S608 (names of ours)
            for table in ("papers", "removed")
        )
        return changed, removed

    def _runs(self, sealed: Iterable[bytes]) -> Runs:
        dimension, packed = max(self.state.dimension, 1), list(map(_unsealed, sealed))
        counts = np.array([len(each) // dimension for each in packed], dtype=np.intp)
        return Runs(unpack(b"".join(packed), dimension), counts)


def _connected(path: Path) -> sqlite3.Connection:
    # Where nothing can be written SQLite cannot keep its books beside the file, and would not open it.
    mode = "mode=rw" if os.access(path.parent, os.W_OK) else "immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("pragma synchronous = normal")
    connection.execute(f"pragma cache_size = -{_CACHE_KB}")
    return connection


def _close_all(idle: SimpleQueue[sqlite3.Connection]) -> None:
    while not idle.empty():
        idle.get_nowait().close()


def _condition(where: Filter, *, of_few: bool = False) -> tuple[str, list[str | int]]:
    """A filter in SQL, with its values.

    Args:
        of_few: Whether it is looked up paper by paper, rather than in the indexes.
    """
    conditions = ["true"]
    values: list[str | int] = []
    if where.paper_ids:
        conditions.append(f"paper_id in ({_THESE})")
        values.append(json.dumps(where.paper_ids))
    if where.sources:
        named = "select 1" if of_few else "select number"
        of_these = f"{named} from places where source in ({_THESE})"
        conditions.append(f"exists ({of_these} and number = papers.number)" if of_few else f"number in ({of_these})")
        values.append(json.dumps(where.sources))
    if where.venues:
        conditions.append(f"venue in ({_THESE})")
        values.append(json.dumps(where.venues))
    if where.years is not None:
        conditions.append("year between ? and ?")
        values += [min(max(year, 0), _LATEST_YEAR) for year in where.years]
    return " and ".join(conditions), values


def _remove(connection: sqlite3.Connection, paper_ids: Sequence[str]) -> None:
    keys = [(key,) for key in paper_ids]
    for table in ("chunks", "sentences", "tokens", "texts", "places"):
        found = "(select number from papers where paper_id = ?)"
        connection.executemany(f"delete from {table} where number = {found}", keys)  # noqa: S608 (names of ours)
    connection.executemany("delete from papers where paper_id = ?", keys)


def _insert(connection: sqlite3.Connection, head: Head, touched: int) -> None:
    paper, dimension = head.said.paper, head.dimension
    of_chunks = len(head.said.chunks) * dimension
    row = (paper.id, paper.source, paper.line, paper.year, paper.venue, touched)
    number = connection.execute("insert into papers values (null, ?, ?, ?, ?, ?, ?)", row).lastrowid
    connection.execute("insert into chunks values (?, ?)", (number, _sealed(head.vectors[:of_chunks])))
    connection.execute("insert into sentences values (?, ?)", (number, _sealed(head.vectors[of_chunks:])))
    connection.execute("insert into tokens values (?, ?)", (number, _sealed(head.tokens)))
    connection.execute("insert into texts values (?, ?)", (number, _sealed(head.text.encode())))
    places = {(source, number) for source, _ in paper.places}
    connection.executemany("insert into places values (?, ?)", sorted(places))
    connection.execute("delete from removed where paper_id = ?", (paper.id,))


def _sealed(content: bytes) -> bytes:
    """With a checksum behind it: SQLite sees damage to its own books, but none to what it keeps."""
    return content + zlib.crc32(content).to_bytes(_SEAL_BYTES, "little")


def _unsealed(blob: bytes) -> bytes:
    content = blob[:-_SEAL_BYTES]
    if zlib.crc32(content).to_bytes(_SEAL_BYTES, "little") != blob[-_SEAL_BYTES:]:
        raise StoreDamaged("a paper in it is not what was written")
    return content


def _said(paper_id: str, text: bytes) -> Said:
    try:
        return read_said(paper_id, text.decode())
    except (KeyError, ValueError, TypeError) as error:
        raise StoreDamaged(f"a paper in it cannot be read: {error}") from error


def _record(paper_id: str, row: Sequence[bytes], dimension: int) -> Record:
    chunks, sentences, signs, text = map(_unsealed, row)
    said = _said(paper_id, text)
    vectors = unpack(chunks + sentences, dimension)
    return Record(said.paper, said.places, said.chunks, said.sentences, vectors, signs)
