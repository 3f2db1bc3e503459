"""The formats of files that abstracts are read from; a new one is a reader of its own and a line in `_FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rag.corpus.details import Entry, Stray
from rag.corpus.jsonl import read_jsonl
from rag.corpus.lines import PACKINGS, Unreadable, read_lines
from rag.corpus.text import read_text
from rag.errors import CorpusError


class _Format(NamedTuple):
    """How a file's lines are read, and what to tell whoever has a file without an abstract."""

    read: Callable[[Iterable[str]], Iterator[Entry | Stray]]
    expected: str


_FORMATS: Mapping[str, _Format] = {
    ".txt": _Format(read_text, "each on one line, as `Abstract: ...` or under the line of its title"),
    ".jsonl": _Format(read_jsonl, 'on each line a JSON object with "abstract", or with "title" and "text"'),
}
SUFFIXES = tuple(f"{kind}{packing}" for kind in _FORMATS for packing in PACKINGS)


def find_files(path: Path) -> list[Path]:
    """Lists the file itself, or every file of a known kind below a folder, in the order of their names.

    Raises:
        CorpusError: There is no such file or folder, or it cannot be looked into.
    """
    try:
        if path.is_dir():
            return sorted(file for file in path.rglob("*") if _kind(file) and file.is_file())
        if path.exists():
            return [path]
    except OSError as error:
        raise CorpusError(f"{path}: it cannot be looked into ({error.strerror}); check its permissions.") from error
    raise CorpusError(f"{path}: there is no such file or folder; check the path.")


def read_file(path: Path) -> Iterator[Entry | Stray]:
    """Reads the abstracts of one file, in order.

    Raises:
        Unreadable: The file is empty, is not UTF-8, is damaged, holds no abstract, or cannot be opened.
    """
    kind = _kind(path)
    if not kind:
        raise Unreadable(f"its kind is not known; abstracts are read from {', '.join(SUFFIXES)} files")
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("its name is not UTF-8; rename it") from error
    found = False
    for entry in _FORMATS[kind].read(read_lines(path)):
        found = found or isinstance(entry, Entry)
        yield entry
    if not found:
        raise Unreadable(f"it holds no abstract; expected is {_FORMATS[kind].expected}")


def _kind(path: Path) -> str:
    """The suffix of the format, without that of the packing; "" where it is not known."""
    name = path.name.lower()
    return next((kind for kind in _FORMATS for packing in PACKINGS if name.endswith(kind + packing)), "")
