"""Reads JSON lines: objects with `abstract`, or with `title` and `text` as in BEIR's corpora, and with details."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rag.corpus.clean import clean_text
from rag.corpus.details import Entry, Stray, read_details
from rag.text.words import make_encodable


def read_jsonl(lines: Iterable[str]) -> Iterator[Entry | Stray]:
    """Reads the abstract of every line that has one; blank lines are skipped."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)[:60]
            yield Stray(number, f"it is not JSON ({reason})")
            continue
        yield _entry(row, number)


def _entry(row: object, number: int) -> Entry | Stray:
    if not isinstance(row, Mapping):
        return Stray(number, "it is not a JSON object")
    # `text` alone may be anything: BEIR's queries lie beside its corpus.
    name = "abstract" if "abstract" in row else "text" if "title" in row else ""
    if not isinstance(row.get(name), str):
        return Stray(number, 'it has no "abstract", nor a "title" with a "text"')
    abstract = clean_text(make_encodable(row[name]))
    if not abstract:
        return Stray(number, "its abstract is empty")
    return Entry(_title(row), abstract, number, read_details(row))


def _title(row: Mapping[str, Any]) -> str:
    title = row.get("title")
    return clean_text(make_encodable(title)) if isinstance(title, str) else ""
