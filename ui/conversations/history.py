"""Conversations kept under RAG_HOME: every question with its answer and evidence, for its owner alone."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rag import (
    Answer,
    Filter,
    Outcome,
    RagError,
    StoredAnswerError,
    answer_from_json,
    answer_to_json,
    make_private_folder,
)
from ui.conversations.conversation import Exchange, State
from ui.html.escaping import shorten

_WILD = re.compile(r"[\\%_]")  # in a pattern of LIKE
_FILE = "conversations.sqlite3"
_VERSION = 1  # of the tables
_LONGEST_TITLE = 120
_COPY = " (copy)"
_MOST_WORDS, _LONGEST_WORD = 10, 100  # of a search
_MOST_LISTED = 200  # conversations shown at a time; a search finds the others
_MOST_CONVERSATIONS, _MOST_EXCHANGES = 1_000, 500  # of an owner, and of a conversation
_SCHEMA = """
CREATE TABLE IF NOT EXISTS conversation (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, is_named INTEGER NOT NULL, changed REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS of_owner ON conversation (owner, changed);
CREATE TABLE IF NOT EXISTS exchange (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    question TEXT NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL, answer TEXT NOT NULL, error TEXT NOT NULL,
    model_failed INTEGER NOT NULL, scope TEXT NOT NULL, liked INTEGER, reason TEXT NOT NULL,
    seal INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS of_conversation ON exchange (conversation);
"""
# SQLite sees damage to its own books, but none to what it keeps. States change without a seal, after a kill.
_SEALED = ("question", "text", "answer", "error", "model_failed", "scope", "liked", "reason")
_DAMAGED = "What was kept of this is damaged on the disk. Ask again."
_OF_OWNER = "SELECT id, title, changed FROM conversation c WHERE owner = ?"
_HAS_WORD = (
    " AND (title LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM exchange WHERE conversation = c.id"
    " AND (question LIKE ? ESCAPE '\\' OR text LIKE ? ESCAPE '\\')))"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation by name; `changed` in seconds since the epoch."""

    id: str
    title: str
    changed: float


class History:
    """The conversations of all owners in one SQLite file; safe to use from threads and from several processes.

    Nothing is found without its owner: a wrong one sees what somebody sees who has no conversation of that id.
    """

    def __init__(self, home: Path) -> None:
        """Opens the file, made where it is missing.

        An answer that was being written when its server was killed is marked as cut.

        Raises:
            RagError: The file cannot be written, or is none of ours.
        """
        self._path = home / _FILE
        with self._connect() as connection:
            is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
            if not is_new and connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                raise RagError(
                    f"The conversations in {self._path} are of another version of Footnote; move the file away to start"
                    " anew."
                )
            connection.executescript(_SCHEMA)
            if not connection.execute("SELECT 1 FROM pragma_table_info('exchange') WHERE name = 'seal'").fetchone():
                connection.execute("ALTER TABLE exchange ADD COLUMN seal INTEGER")  # an earlier version had none
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("UPDATE exchange SET state = ? WHERE state = ?", (State.CUT, State.RUNNING))

    def find_conversations(self, owner: str, search: str = "") -> list[Listed]:
        """The owner's conversations that have all these words in title, questions or answers, newest first."""
        words = [_make_pattern(word[:_LONGEST_WORD]) for word in search.split()[:_MOST_WORDS]]  # SQLite has its limits
        query = _OF_OWNER + _HAS_WORD * len(words) + " ORDER BY changed DESC LIMIT ?"
        values = (owner, *(word for word in words for _ in range(3)), _MOST_LISTED)
        return [Listed(*row) for row in self._run(query, *values)]

    def read_title(self, owner: str, conversation: str | None) -> str:
        """What the conversation is called; "" where the owner has none of this id."""
        rows = self._run("SELECT title FROM conversation WHERE id = ? AND owner = ?", conversation, owner)
        return str(rows[0]["title"]) if rows else ""

    def read_exchanges(self, owner: str, conversation: str) -> list[Exchange]:
        """The exchanges of a conversation, oldest first; none where the owner has no conversation of this id."""
        rows = self._run(
            "SELECT e.* FROM exchange e JOIN conversation c ON c.id = e.conversation"
            " WHERE c.id = ? AND c.owner = ? ORDER BY e.id",
            conversation, owner,
        )  # fmt: skip
        return [_restore(row) for row in rows]

    def read_states(self, owner: str, conversation: str) -> list[tuple[int, State]]:
        """Id and state of every exchange, oldest first: what tells whether another tab has changed anything."""
        rows = self._run(
            "SELECT e.id, e.state FROM exchange e JOIN conversation c ON c.id = e.conversation"
            " WHERE c.id = ? AND c.owner = ? ORDER BY e.id",
            conversation, owner,
        )  # fmt: skip
        return [(row["id"], _read_state(row)) for row in rows]

    def add(self, owner: str, conversation: str | None, exchange: Exchange) -> str:
        """Keeps a new exchange and gives it its id; its conversation is made where there is none.

        Returns:
            The id of the conversation.

        Raises:
            RagError: The conversation is another owner's, or there are too many.
        """
        conversation = conversation or secrets.token_urlsafe(12)
        exchange.question = _replace_halves(exchange.question)
        with self._connect() as connection:
            _make_sure_of_room(connection, owner, conversation)
            connection.execute(
                "INSERT INTO conversation VALUES (?, ?, ?, FALSE, ?)"
                " ON CONFLICT (id) DO UPDATE SET changed = excluded.changed, title = CASE"
                " WHEN is_named OR EXISTS (SELECT 1 FROM exchange WHERE conversation = excluded.id) THEN title"
                " ELSE excluded.title END WHERE owner = excluded.owner",
                (conversation, owner, _make_title(exchange.question), time.time()),
            )
            kept = connection.execute("SELECT owner FROM conversation WHERE id = ?", (conversation,)).fetchone()
            if kept["owner"] != owner:
                raise RagError("There is no such conversation; start a new one.")
            exchange.id = connection.execute(
                "INSERT INTO exchange VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (conversation, exchange.question, *_store(exchange)),
            ).lastrowid
        return conversation

    def save(self, owner: str, exchange: Exchange) -> None:
        """Keeps what has become of an exchange; nothing happens where it was deleted meanwhile."""
        self._run(
            "UPDATE exchange SET state = ?, text = ?, answer = ?, error = ?, model_failed = ?, scope = ?, liked = ?,"
            " reason = ?, seal = ? WHERE id = ? AND conversation IN (SELECT id FROM conversation WHERE owner = ?)",
            *_store(exchange), exchange.id, owner,
        )  # fmt: skip

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Gives a conversation another title; an empty one changes nothing."""
        if title := _make_title(title):
            query = "UPDATE conversation SET title = ?, is_named = TRUE WHERE id = ? AND owner = ?"
            self._run(query, title, conversation, owner)

    def branch(self, owner: str, conversation: str, *, before: int) -> str | None:
        """A copy of a conversation up to an exchange, without it; None where nothing comes before it."""
        kept = [exchange for exchange in self.read_exchanges(owner, conversation) if (exchange.id or 0) < before]
        copy, title = None, self.read_title(owner, conversation)
        for exchange in kept:
            copy = self.add(owner, copy, exchange)
        if copy and title:
            self.rename(owner, copy, f"{title[: _LONGEST_TITLE - len(_COPY)]}{_COPY}")
        return copy

    def remove(self, owner: str, exchange: Exchange) -> None:
        """Removes an exchange for good."""
        query = "DELETE FROM exchange WHERE id = ? AND conversation IN (SELECT id FROM conversation WHERE owner = ?)"
        self._run(query, exchange.id, owner)

    def delete(self, owner: str, conversation: str) -> None:
        """Removes a conversation for good, also from the free pages of the file."""
        self._run("DELETE FROM conversation WHERE id = ? AND owner = ?", conversation, owner)
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def _run(self, query: str, *values: object) -> list[sqlite3.Row]:
        """The rows of one statement, in a transaction of its own."""
        with self._connect() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction: SQLite's own locks keep threads and processes apart."""
        try:
            make_private_folder(self._path.parent)
            if not self._path.exists():
                self._path.touch(mode=0o600)
            connection = sqlite3.connect(self._path, timeout=10)
            connection.row_factory = sqlite3.Row
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")  # what is acknowledged outlives the process
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA secure_delete = ON")
                with connection:
                    yield connection
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            raise RagError(
                f"The conversations in {self._path} cannot be read or written ({error}); make room or correct its"
                " permissions, or move the file away to start anew."
            ) from error


def _make_sure_of_room(connection: sqlite3.Connection, owner: str, conversation: str) -> None:
    """Makes sure that one who asks without end does not fill the disk.

    Raises:
        RagError: The conversation is full, or it is a new one and its owner has too many.
    """
    of_owner = "SELECT count(*), coalesce(max(id = ?), 0) FROM conversation WHERE owner = ?"
    conversations, is_known = connection.execute(of_owner, (conversation, owner)).fetchone()
    if not is_known and conversations >= _MOST_CONVERSATIONS:
        raise RagError(f"You have {conversations:,} conversations, the most that are kept; delete some of them first.")
    of_conversation = "SELECT count(*) FROM exchange WHERE conversation = ?"
    if connection.execute(of_conversation, (conversation,)).fetchone()[0] >= _MOST_EXCHANGES:
        raise RagError(f"This conversation has {_MOST_EXCHANGES:,} questions, the most that are kept; start a new one.")


def _make_title(text: str) -> str:
    """The beginning of a text, on one line."""
    return shorten(" ".join(_replace_halves(text).split()), _LONGEST_TITLE)


def _replace_halves(text: str) -> str:
    """Half a character, which a browser can send, cannot be kept."""
    return text.encode("utf-8", "replace").decode()


def _make_pattern(word: str) -> str:
    """A pattern of LIKE for a word anywhere in a text."""
    return "%" + _WILD.sub(r"\\\g<0>", _replace_halves(word)) + "%"


def _store(exchange: Exchange) -> tuple[object, ...]:
    """The columns behind the question; without an answer what was found is kept as an answer without text."""
    found = exchange.answer
    if found is None and exchange.passages is not None:
        found = Answer(
            exchange.question, exchange.question, "", Outcome.NOT_IN_CORPUS, passages=exchange.passages,
            usage=exchange.usage, searches=exchange.searches, searched=exchange.searched,
        )  # fmt: skip
    stored = (
        exchange.text, answer_to_json(found) if found else "", exchange.error, int(exchange.model_failed),
        json.dumps(asdict(exchange.scope)) if exchange.scope else "",
        None if exchange.liked is None else int(exchange.liked), exchange.reason,
    )  # fmt: skip
    return (exchange.state, *stored, _make_seal(exchange.question, *stored))


def _make_seal(*stored: object) -> int:
    """A checksum of the sealed columns."""
    return zlib.crc32(json.dumps(stored).encode())


def _read_state(row: sqlite3.Row) -> State:
    return State(row["state"]) if row["state"] in set(State) else State.FAILED


def _restore(row: sqlite3.Row) -> Exchange:
    if row["seal"] not in (None, _make_seal(*(row[name] for name in _SEALED))):
        exchange = Exchange(row["question"], id=row["id"])
        exchange.fail(_DAMAGED)
        return exchange
    exchange = Exchange(row["question"], id=row["id"], state=_read_state(row), text=row["text"], error=row["error"])
    exchange.reason, exchange.model_failed = row["reason"], bool(row["model_failed"])
    exchange.liked = None if row["liked"] is None else bool(row["liked"])
    if row["scope"]:
        exchange.scope = Filter(**{name: tuple(kept) for name, kept in json.loads(row["scope"]).items() if kept})
    if row["answer"]:
        try:
            found = answer_from_json(row["answer"])
        except StoredAnswerError as broken:  # of a later version; its text is still there to read
            exchange.fail(str(broken))
            return exchange
        exchange.usage, exchange.searches, exchange.searched = found.usage, found.searches, found.searched
        if exchange.state is State.DONE:
            exchange.answer = found
        else:
            exchange.passages = found.passages
    return exchange
