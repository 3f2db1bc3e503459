"""Files -> abstracts: which files hold any, how each format is read, and why a file could not be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from rag.corpus.clean import clean_text, fingerprint
from rag.corpus.jsonl import StrayLine, read_jsonl
from rag.corpus.lines import PACKINGS, Unreadable, read_lines
from rag.corpus.text import Entry, StrayTitle, read_text
from rag.errors import CorpusError

__all__ = [
    "Entry",
    "StrayLine",
    "StrayTitle",
    "Unreadable",
    "clean_text",
    "find_files",
    "fingerprint",
    "made_label",
    "read_file",
]

Read = Entry | StrayLine | StrayTitle
_READERS: Mapping[str, Callable[[Iterable[str]], Iterator[Read]]] = {".txt": read_text, ".jsonl": read_jsonl}
_EXPECTED = {
    ".txt": "each on one line, as `Abstract: ...` or under the line of its title",
    ".jsonl": 'on each line a JSON object with "abstract", or with "title" and "text"',
}
SUFFIXES = tuple(f"{kind}{packing}" for kind in _READERS for packing in PACKINGS)
_LABEL_CHARS = 72


def find_files(path: Path) -> list[Path]:
    """The file itself, or every file of a known kind below a folder, in the order of their names.

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


def read_file(path: Path) -> Iterator[Read]:
    """The abstracts of one file, in order.

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
    for entry in _READERS[kind](read_lines(path)):
        found = found or isinstance(entry, Entry)
        yield entry
    if not found:
        raise Unreadable(f"it holds no abstract; expected is {_EXPECTED[kind]}")


def _kind(path: Path) -> str:
    """The suffix of the format, without that of the packing; "" where it is not known."""
    name = path.name.lower()
    return next((kind for kind in _READERS for packing in PACKINGS if name.endswith(kind + packing)), "")


def made_label(abstract: str) -> str:
    """A readable name for a paper without a title: the opening words of its abstract."""
    if len(abstract) <= _LABEL_CHARS:
        return abstract
    return abstract[:_LABEL_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:–—-(") + "…"
