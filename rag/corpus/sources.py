"""Reads the files and folders that were given, and notes which of them could not be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from rag.corpus.duplicates import Reading
from rag.corpus.formats import SUFFIXES, find_files, read_file
from rag.corpus.lines import Unreadable
from rag.errors import CorpusError
from rag.files import bundled
from rag.types import Skipped

SEEDS = "seeds:"  # stands for the folder of the bundled seeds, which moves with the installation


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
        folder = root if root == SEEDS else root.rstrip("/") + "/"
        below = {path for path in known if path == root or path.startswith(folder)}
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
        found = {canonical_path(file): file for file in files}
        for path in sorted(below - found.keys()):
            _report_gone(reading, path, names[path], f"it is no longer at {path}")
        for path in sorted(found.keys() - reading.paths - reading.gone):
            check()
            _read_one(reading, path, names.setdefault(path, _name(path, names)), is_known=path in known)
    return reading


def canonical_path(path: str | Path) -> str:
    """One spelling of a path for good; bundled seeds keep theirs when the installation moves.

    Raises:
        CorpusError: It is empty.
    """
    text = str(path)
    if not text.strip():
        raise CorpusError("A path is empty, which would be the current folder: name the folder, or `.` for this one.")
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


def _name(path: str, names: Mapping[str, str]) -> str:
    """The file's name, with as many of its folders as it takes to differ from every other file's."""
    parts = Path(path.removeprefix(SEEDS)).parts
    taken = set(names.values())
    shown = ("/".join(parts[-length:]) for length in range(1, len(parts) + 1))
    return next((name for name in shown if name not in taken), path)
