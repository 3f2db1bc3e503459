"""Files and folders as given -> every abstract with all places where it stands; and which files could not be read."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rag.bundled import bundled
from rag.corpus import SUFFIXES, Entry, Read, Unreadable, find_files, fingerprint, read_file
from rag.corpus.details import NOTHING_KNOWN, Details
from rag.errors import CorpusError
from rag.types import Skipped

_LONGEST = 200_000  # characters of an abstract: three times those of a long article; papers are held and written whole
SEEDS = "seeds:"  # stands for the folder of the bundled seeds, which moves with the installation


@dataclass(frozen=True, slots=True)
class Place:
    """Where an abstract was read.

    Attributes:
        path: Absolute path of the file; `seeds:NAME` for a bundled one.
        name: What the file is called in `Paper.source`.
        title: The title the abstract had there, "" if none.
        details: What else is said of the paper there.
    """

    path: str
    name: str
    line: int
    title: str
    details: Details = NOTHING_KNOWN


@dataclass(frozen=True, slots=True)
class Found:
    """An abstract that was read, with every place where it stands, in the order of reading."""

    paper_id: str
    abstract: str
    places: tuple[Place, ...]


class Reading:
    """What the files say: what was read lies in a temporary file, for it may be larger than the memory.

    Attributes:
        paths: Files that were read to the end.
        gone: Files and folders known before that are missing, and files that have become unreadable.
        fruitless: New files that could not be read.
        skipped: Every file and line that yielded nothing, with the reason.
    """

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.gone: set[str] = set()
        self.fruitless: set[str] = set()
        self.skipped: list[Skipped] = []
        # Without a name it is a file of SQLite's own that goes with the connection. Another thread may read it.
        self._rows = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._rows.execute(
            "CREATE TABLE entry"
            " (paper_id TEXT, path TEXT, name TEXT, line INTEGER, title TEXT, details TEXT, abstract TEXT)"
        )
        self._rows.execute("CREATE INDEX by_paper ON entry (paper_id)")

    def add(self, path: str, name: str, entries: Iterable[Read]) -> None:
        """Takes what a file holds: all of it, or nothing where it turns out to be unreadable.

        Raises:
            Unreadable: As `entries` raises it.
        """
        skipped: list[Skipped] = []
        try:
            self._rows.execute("BEGIN")
            try:
                self._rows.executemany(
                    "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(path, name, entries, skipped)
                )
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite has done so itself where there was no room
                    self._rows.execute("ROLLBACK")
                raise
            self._rows.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise CorpusError(
                f"{name}: what was read cannot be kept in the folder for temporary files ({error}); make room there, or"
                " set SQLITE_TMPDIR to another folder, and run this again."
            ) from error
        self.paths.add(path)
        self.skipped += skipped

    def paper_ids(self) -> list[str]:
        """Of every abstract, in the order of reading."""
        rows = self._rows.execute("SELECT paper_id FROM entry GROUP BY paper_id ORDER BY min(rowid)")
        return [paper_id for (paper_id,) in rows]

    def __contains__(self, paper_id: str) -> bool:
        """Whether an abstract was read."""
        return self._rows.execute("SELECT 1 FROM entry WHERE paper_id = ?", (paper_id,)).fetchone() is not None

    def papers(self, paper_ids: Sequence[str]) -> list[Found]:
        """Those of these abstracts that were read, in the order given."""
        marks = ",".join("?" * len(paper_ids))
        rows = self._rows.execute(f"SELECT * FROM entry WHERE paper_id IN ({marks}) ORDER BY rowid", paper_ids)  # noqa: S608 (marks alone)
        places: dict[str, list[Place]] = defaultdict(list)
        abstracts: dict[str, str] = {}
        for paper_id, path, name, line, title, details, abstract in rows:
            places[paper_id].append(Place(path, name, line, title, Details.from_row(json.loads(details))))
            abstracts.setdefault(paper_id, abstract)
        return [Found(key, abstracts[key], tuple(places[key])) for key in paper_ids if key in abstracts]


def _rows(path: str, name: str, entries: Iterable[Read], skipped: list[Skipped]) -> Iterator[tuple[str | int, ...]]:
    for entry in entries:
        if not isinstance(entry, Entry):
            skipped.append(Skipped(f"{name}:{entry.line}", entry.reason))
            continue
        if len(entry.abstract) > _LONGEST:
            skipped.append(
                Skipped(f"{name}:{entry.line}", f"it has more than {_LONGEST:,} characters, as no abstract has")
            )
            continue
        letters = fingerprint(entry.abstract)
        if not letters:
            skipped.append(Skipped(f"{name}:{entry.line}", "the abstract has no letters"))
            continue
        paper_id = hashlib.sha256(letters.encode()).hexdigest()[:16]
        yield paper_id, path, name, entry.line, entry.title, json.dumps(entry.details.as_row()), entry.abstract


def read_sources(
    roots: Iterable[str],
    known: Mapping[str, str],
    known_roots: Collection[str] = (),
    check: Callable[[], None] = lambda: None,
) -> Reading:
    """Reads every file below the roots.

    Args:
        roots: Canonical paths of files and folders.
        known: Name by canonical path of every file that the library has papers of.
        known_roots: Roots of earlier syncs, also those that gave no paper.
        check: Called before every file; what it raises ends the reading.

    Raises:
        CorpusError: A root neither exists nor is known.
    """
    reading, names = Reading(), dict(known)
    for root in roots:
        below = {path for path in known if path == root or path.startswith(_as_folder(root))}
        try:
            files = find_files(_on_disk(root))
        except CorpusError:
            if not below and root not in known_roots:
                raise
            files = []
            reading.gone.add(root)
            if not below:
                reading.skipped.append(Skipped(root, "it is no longer there; --prune forgets it"))
        if not files and root not in reading.gone:
            reading.skipped.append(Skipped(root, f"there is no {' or '.join(SUFFIXES)} file in it"))
        found = {canonical(file): file for file in files}
        for path in sorted(below - found.keys()):
            _report_gone(reading, path, names[path], f"it is no longer at {path}")
        for path in sorted(found.keys() - reading.paths - reading.gone):
            check()
            _read_one(reading, path, names.setdefault(path, _name(path, names)), is_known=path in known)
    return reading


def canonical(path: str | Path) -> str:
    """One spelling of a path for good; bundled seeds keep theirs when the installation moves."""
    text = str(path)
    if text.startswith(SEEDS):
        return text
    given = Path(os.path.expanduser(path)).absolute()
    # A link to a file keeps its own name: stores of data sets name the file it leads to by its content.
    resolved = given.resolve() if os.path.isdir(given) else given.parent.resolve() / given.name
    seeds = bundled("seeds").resolve()
    if not resolved.is_relative_to(seeds):
        return str(resolved)
    return SEEDS if resolved == seeds else SEEDS + resolved.relative_to(seeds).as_posix()


def _read_one(reading: Reading, path: str, name: str, *, is_known: bool) -> None:
    try:
        reading.add(path, name, read_file(_on_disk(path)))
    except Unreadable as error:
        if is_known:
            _report_gone(reading, path, name, str(error))
        else:
            reading.fruitless.add(path)
            reading.skipped.append(Skipped(name.encode("utf-8", "backslashreplace").decode(), str(error)))


def _report_gone(reading: Reading, path: str, name: str, reason: str) -> None:
    reading.gone.add(path)
    reading.skipped.append(Skipped(name, reason))


def _on_disk(path: str) -> Path:
    return bundled("seeds") / path.removeprefix(SEEDS) if path.startswith(SEEDS) else Path(path)


def _as_folder(root: str) -> str:
    return root if root == SEEDS else root.rstrip("/") + "/"


def _name(path: str, names: Mapping[str, str]) -> str:
    """The file's name, with as many of its folders as it takes to differ from every other file's."""
    parts = Path(path.removeprefix(SEEDS)).parts
    taken = set(names.values())
    shown = ("/".join(parts[-length:]) for length in range(1, len(parts) + 1))
    return next((name for name in shown if name not in taken), path)
