"""The tables of the paper store: reads papers from their rows and writes them."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rag.library.candidates import Candidates, Runs
from rag.library.records import EmbeddedPaper, StoredPaper, pack, paper_json, read_stored, unpack
from rag.models.late_interaction import Bits, unpack_signs
from rag.types import Filter, Paper

_PAGE = 10_000  # papers whose chunks are read at once: some 20 MB
_SEAL_BYTES = 4
_LATEST_YEAR = 9_999  # four digits are a year; SQLite takes no number of any size
# Vectors, signs and texts lie apart: a search reads the vectors of some hundred papers and the texts of the best few,
# and what filters look at stays small enough to be kept in memory.
TABLES = """
    create table state (origin text, made text, touched integer, generation text, revision integer, dimension integer);
    create table papers (
        number integer primary key, paper_id text not null unique, source text not null, line integer not null,
        year integer, venue text not null, revision integer not null, touched integer not null
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


class Papers:
    """The papers of a store at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __iter__(self) -> Iterator[Paper]:
        """All papers, read again at each pass."""
        return self.papers()

    @property
    def state(self) -> State:
        """What the store holds."""
        row = self._connection.execute("select * from state").fetchone()
        if row is None:
            raise StoreDamaged("it says nothing of itself")
        return State(*row)

    def ids(self, where: Filter | None = None) -> list[str]:
        """Ids of all papers, or of those that a filter admits, in the order of sources and lines."""
        condition, values = _condition(where or Filter())
        query = f"select paper_id from papers where {condition} order by source, line"  # noqa: S608 (no value is in it)
        return [key for (key,) in self._connection.execute(query, values)]

    def revisions(self) -> dict[str, int]:
        """The number of the sync that wrote each paper, by the paper's id."""
        return dict(self._connection.execute("select paper_id, revision from papers"))

    def count(self, where: Filter | None = None) -> int:
        """How many papers there are, or a filter admits."""
        condition, values = _condition(where or Filter())
        query = f"select count(*) from papers where {condition}"  # noqa: S608 (as above)
        if where and where.sources and where == Filter(sources=where.sources):  # in the index alone
            query = f"select count(distinct number) from places where source in ({_THESE})"  # noqa: S608 (as above)
        return int(self._connection.execute(query, values).fetchone()[0])

    def admitted(self, paper_ids: Iterable[str], where: Filter) -> set[str]:
        """Ids of the papers among these that the filter admits."""
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
        """Reads the vectors of these papers; papers that are not there are left out."""
        query = f"""select paper_id, chunks.vectors, sentences.vectors from {_ASKED} join chunks using (number)
            join sentences using (number)"""  # noqa: S608 (as above)
        rows = self._connection.execute(query, (json.dumps(paper_ids),)).fetchall()
        chunks, sentences = self._runs(row[1] for row in rows), self._runs(row[2] for row in rows)
        return Candidates(tuple(key for key, *_ in rows), chunks, sentences)

    def chunk_vectors(self, where: Filter) -> Iterator[tuple[list[str], Runs]]:
        """The chunks of all papers that a filter admits, with the papers' ids, a page at a time."""
        condition, values = _condition(where)
        query = f"select paper_id, vectors from papers join chunks using (number) where {condition}"  # noqa: S608 (as above)
        found = self._connection.execute(query, values)
        while rows := found.fetchmany(_PAGE):
            yield [key for key, _ in rows], self._runs(packed for _, packed in rows)

    def signs(self, paper_ids: Sequence[str]) -> list[Bits]:
        """The signs of the papers' token vectors, shapes `(tokens, d)`."""
        query = f"select paper_id, signs from {_ASKED} join tokens using (number)"  # noqa: S608 (as above)
        found = dict(self._connection.execute(query, (json.dumps(paper_ids),)))
        dimension = self.state.dimension
        return [unpack_signs(_unsealed(found[key]), dimension) for key in paper_ids]

    def read_embedded(self, paper_ids: Sequence[str]) -> list[EmbeddedPaper]:
        """Reads these papers, in their order; papers that are not there are left out."""
        query = f"""select paper_id, chunks.vectors, sentences.vectors, signs, said from {_ASKED}
            join chunks using (number) join sentences using (number) join tokens using (number)
            join texts using (number)"""  # noqa: S608 (as above)
        rows = {key: row for key, *row in self._connection.execute(query, (json.dumps(paper_ids),))}
        dimension = self.state.dimension
        return [_embedded(key, rows[key], dimension) for key in paper_ids if key in rows]

    def read_stored(self, paper_ids: Sequence[str]) -> list[StoredPaper]:
        """As `read_embedded`, without the vectors."""
        query = """select paper_id, said from papers join texts using (number)
            where paper_id in (select value from json_each(?))"""
        rows = dict(self._connection.execute(query, (json.dumps(paper_ids),)))
        return [_stored(key, _unsealed(rows[key])) for key in paper_ids if key in rows]

    def papers(self, where: Filter | None = None) -> Iterator[Paper]:
        """All papers, or those that a filter admits, in the order of sources and lines."""
        condition, values = _condition(where or Filter())
        query = f"""select paper_id, said from papers join texts using (number)
            where {condition} order by source, line"""  # noqa: S608 (as above)
        return (_stored(key, _unsealed(text)).paper for key, text in self._connection.execute(query, values))

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


def remove(connection: sqlite3.Connection, paper_ids: Sequence[str]) -> None:
    """Takes papers out of all tables, as far as they are there."""
    keys = [(key,) for key in paper_ids]
    for table in ("chunks", "sentences", "tokens", "texts", "places"):
        found = "(select number from papers where paper_id = ?)"
        connection.executemany(f"delete from {table} where number = {found}", keys)  # noqa: S608 (names of ours)
    connection.executemany("delete from papers where paper_id = ?", keys)


def insert(connection: sqlite3.Connection, embedded: EmbeddedPaper, touched: int) -> None:
    """Puts a paper that is not there into all tables."""
    paper = embedded.paper
    row = (paper.id, paper.source, paper.line, paper.year, paper.venue, embedded.revision, touched)
    number = connection.execute("insert into papers values (null, ?, ?, ?, ?, ?, ?, ?)", row).lastrowid
    for table, content in (
        ("chunks", pack(embedded.chunk_vectors)),
        ("sentences", pack(embedded.sentence_vectors)),
        ("tokens", embedded.packed_tokens),
        ("texts", paper_json(embedded).encode()),
    ):
        connection.execute(f"insert into {table} values (?, ?)", (number, _sealed(content)))  # noqa: S608 (names of ours)
    places = {(source, number) for source, _ in paper.places}
    connection.executemany("insert into places values (?, ?)", sorted(places))
    connection.execute("delete from removed where paper_id = ?", (paper.id,))


def _sealed(content: bytes) -> bytes:
    """Adds a checksum: SQLite sees damage to its own books, but none to what it keeps."""
    return content + zlib.crc32(content).to_bytes(_SEAL_BYTES, "little")


def _unsealed(blob: bytes) -> bytes:
    content = blob[:-_SEAL_BYTES]
    if zlib.crc32(content).to_bytes(_SEAL_BYTES, "little") != blob[-_SEAL_BYTES:]:
        raise StoreDamaged("a paper in it is not what was written")
    return content


def _stored(paper_id: str, text: bytes) -> StoredPaper:
    try:
        return read_stored(paper_id, text.decode())
    except (KeyError, ValueError, TypeError) as error:
        raise StoreDamaged(f"a paper in it cannot be read: {error}") from error


def _embedded(paper_id: str, row: Sequence[bytes], dimension: int) -> EmbeddedPaper:
    chunks, sentences, signs, text = map(_unsealed, row)
    stored = _stored(paper_id, text)
    vectors = unpack(chunks + sentences, dimension)
    return EmbeddedPaper(stored.paper, stored.places, stored.chunks, stored.sentences, vectors, signs)
