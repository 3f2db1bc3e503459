"""Files -> abstracts: which files hold any, how each format is read, and why a file could not be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rag.corpus.clean import clean_text, fingerprint
from rag.corpus.text import Entry, StrayTitle, read_text
from rag.errors import CorpusError

__all__ = ["Entry", "StrayTitle", "Unreadable", "clean_text", "find_files", "fingerprint", "made_label", "read_file"]

SUFFIXES = (".txt",)
_LABEL_CHARS = 72


class Unreadable(Exception):
    """A file that yields no abstract, with the reason in words."""


def find_files(path: Path) -> list[Path]:
    """The file itself, or every text file below a folder, in the order of their names.

    Raises:
        CorpusError: There is no such file or folder, or it cannot be looked into.
    """
    try:
        if path.is_dir():
            return sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if path.exists():
            return [path]
    except OSError as error:
        raise CorpusError(f"{path}: it cannot be looked into ({error.strerror}); check its permissions.") from error
    raise CorpusError(f"{path}: there is no such file or folder; check the path.")


def read_file(path: Path) -> Iterator[Entry | StrayTitle]:
    """The abstracts of one file, in order.

    Raises:
        Unreadable: The file is empty, is not UTF-8, holds no abstract, or cannot be opened.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise Unreadable(f"its kind is not known; abstracts are read from {', '.join(SUFFIXES)} files")
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("its name is not UTF-8; rename it") from error
    found = False
    try:
        if path.stat().st_size == 0:
            raise Unreadable("it is empty")
        with path.open("rb") as file:
            for entry in read_text(_lines(file)):
                found = found or isinstance(entry, Entry)
                yield entry
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror})") from error
    if not found:
        raise Unreadable(
            "it holds no abstract; expected is each on one line, as `Abstract: ...` or under the line of its title"
        )


def _lines(file: BinaryIO) -> Iterator[str]:
    for number, raw in enumerate(file, start=1):
        if b"\0" in raw:
            raise Unreadable(f"it is not text (line {number} has a zero byte)")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"it is not UTF-8 (line {number}); save it as UTF-8") from error


def made_label(abstract: str) -> str:
    """A readable name for a paper without a title: the opening words of its abstract."""
    if len(abstract) <= _LABEL_CHARS:
        return abstract
    return abstract[:_LABEL_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:–—-(") + "…"
