"""Files and folders as given -> every abstract with all places where it stands; and which files could not be read."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rag.corpus import SUFFIXES, Entry, Unreadable, find_files, fingerprint, read_file
from rag.corpus.details import NOTHING_KNOWN, Details
from rag.errors import CorpusError
from rag.resources import bundled
from rag.types import Skipped

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
class Reading:
    """What the files say.

    Attributes:
        places: Of every abstract, by paper id, in the order of reading.
        abstracts: Text by paper id.
        paths: Files that were read to the end.
        gone: Files and folders known before that are missing, and files that have become unreadable.
        skipped: Every file and line that yielded nothing, with the reason.
    """

    places: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))
    abstracts: dict[str, str] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    fruitless: set[str] = field(default_factory=set)
    skipped: list[Skipped] = field(default_factory=list)


def read_sources(roots: Iterable[str], known: Mapping[str, str], known_roots: Collection[str] = ()) -> Reading:
    """Reads every file below the roots.

    Args:
        roots: Canonical paths of files and folders.
        known: Name by canonical path of every file that the library has papers of.
        known_roots: Roots of earlier syncs, also those that gave no paper.

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
        entries = list(read_file(_on_disk(path)))
    except Unreadable as error:
        if is_known:
            _report_gone(reading, path, name, str(error))
        else:
            reading.fruitless.add(path)
            reading.skipped.append(Skipped(name.encode("utf-8", "backslashreplace").decode(), str(error)))
        return
    reading.paths.add(path)
    for entry in entries:
        if not isinstance(entry, Entry):
            reading.skipped.append(Skipped(f"{name}:{entry.line}", entry.reason))
            continue
        letters = fingerprint(entry.abstract)
        if not letters:
            reading.skipped.append(Skipped(f"{name}:{entry.line}", "the abstract has no letters"))
            continue
        paper_id = hashlib.sha256(letters.encode()).hexdigest()[:16]
        reading.places[paper_id].append(Place(path, name, entry.line, entry.title, entry.details))
        reading.abstracts.setdefault(paper_id, entry.abstract)


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
