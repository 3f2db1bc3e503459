"""Finds duplicates: an abstract that stands in several places, in one file or in several, is one paper."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rag.corpus.details import NOTHING_KNOWN, Details, Entry, Stray, merge_details
from rag.errors import CorpusError
from rag.types import Paper, Skipped

_LONGEST = 200_000  # characters of an abstract: three times those of a long article; papers are held and written whole
_LABEL_CHARS = 72


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
class FoundPaper:
    """An abstract with every place where it stands, as read from files or from the library."""

    paper_id: str
    abstract: str
    places: tuple[Place, ...]

    @property
    def paper(self) -> Paper:
        """The paper that these places show; made at every call."""
        return make_paper(self.paper_id, self.abstract, self.places)


class Reading:
    """What the files say, with copies of an abstract put together; in a temporary file, for it may exceed the memory.

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

    def add(self, path: str, name: str, entries: Iterable[Entry | Stray]) -> None:
        """Adds the abstracts of a file: all of them, or none where it turns out to be unreadable.

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
        """Ids of all papers, in the order of reading."""
        rows = self._rows.execute("SELECT paper_id FROM entry GROUP BY paper_id ORDER BY min(rowid)")
        return [paper_id for (paper_id,) in rows]

    def __contains__(self, paper_id: str) -> bool:
        """Whether an abstract was read."""
        return self._rows.execute("SELECT 1 FROM entry WHERE paper_id = ?", (paper_id,)).fetchone() is not None

    def papers(self, paper_ids: Sequence[str]) -> list[FoundPaper]:
        """Those of these papers that were read, in the order given."""
        marks = ",".join("?" * len(paper_ids))
        rows = self._rows.execute(f"SELECT * FROM entry WHERE paper_id IN ({marks}) ORDER BY rowid", paper_ids)  # noqa: S608 (marks alone)
        places: dict[str, list[Place]] = defaultdict(list)
        abstracts: dict[str, str] = {}
        for paper_id, path, name, line, title, details, abstract in rows:
            places[paper_id].append(Place(path, name, line, title, Details.from_row(json.loads(details))))
            abstracts.setdefault(paper_id, abstract)
        return [FoundPaper(key, abstracts[key], tuple(places[key])) for key in paper_ids if key in abstracts]


def _rows(
    path: str, name: str, entries: Iterable[Entry | Stray], skipped: list[Skipped]
) -> Iterator[tuple[str | int, ...]]:
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


def fingerprint(text: str) -> str:
    """Letters and digits only, case folded: equal for copies of a text that differ in mark-up and spacing."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())


def make_paper(paper_id: str, abstract: str, places: Sequence[Place]) -> Paper:
    """Makes the paper of these places; its title, year and so on are the first that any of them gives."""
    title = next((place.title for place in places if place.title), "")
    details = places[0].details if len(places) == 1 else merge_details(place.details for place in places)
    first, *others = ((place.name, place.line) for place in places)
    return Paper(
        id=paper_id,
        title=title,
        label=title or make_label(abstract),
        abstract=abstract,
        source=first[0],
        line=first[1],
        also_in=tuple(others),
        authors=details.authors,
        year=details.year,
        venue=details.venue,
        url=details.url,
        doi=details.doi,
    )


def make_label(abstract: str) -> str:
    """Makes a label for a paper without a title: the opening words of its abstract."""
    if len(abstract) <= _LABEL_CHARS:
        return abstract
    return abstract[:_LABEL_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:–—-(") + "…"
