"""What a file says of a paper: an entry with title, abstract and details. Malformed details are dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from rag.corpus.clean import clean_text
from rag.text.words import make_encodable, visible

_MOST_AUTHORS = 5_000  # the longest lists of physics have some 5,000
_LONGEST_NAME_CHARS = 200
_LONGEST_VENUE_CHARS = 300
_LONGEST_URL_CHARS = 2_000
_LONGEST_DOI_CHARS = 300
_VENUES = ("venue", "booktitle", "journal")
_BETWEEN_AUTHORS = re.compile(r";|,? and ", re.IGNORECASE)
_LONGEST_AUTHORS_CHARS = 200_000
_YEAR = re.compile(r"[12]\d{3}", re.ASCII)
_DOI = re.compile(r"10\.\d{4,9}/\S+", re.ASCII)
_DOI_ADDRESS = re.compile(r"(?:https?://(?:dx\.|www\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
_NOT_IN_ADDRESSES = re.compile(r"""[\s<>"'\\^`{|}]""")


@dataclass(frozen=True, slots=True)
class Details:
    """Details of a paper, as the fields of `Paper`; empty where the source gives none that can be read."""

    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str = ""
    url: str = ""
    doi: str = ""

    def as_row(self) -> dict[str, Any]:
        """What is known, for JSON; `from_row` reads it."""
        return {name: list(value) if name == "authors" else value for name, value in asdict(self).items() if value}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Details:
        """What `as_row` gave, unchecked: 100,000 of them are read when a library opens."""
        return cls(**{**row, "authors": tuple(row.get("authors", ()))}) if row else NOTHING_KNOWN


NOTHING_KNOWN = Details()


@dataclass(frozen=True, slots=True)
class Entry:
    """An abstract as found: `line` is the 1-based line of its text; `title` is "" where there is none."""

    title: str
    abstract: str
    line: int
    details: Details = NOTHING_KNOWN


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that should belong to an abstract and does not, with the reason in words."""

    line: int
    reason: str


def read_details(row: Mapping[str, Any]) -> Details:
    """Reads the details in a JSON object; a malformed value counts as none, and the paper is kept."""
    return Details(
        authors=_authors(row.get("authors")),
        year=_year(row.get("year")),
        venue=next((found for name in _VENUES if (found := _line(row.get(name), _LONGEST_VENUE_CHARS))), ""),
        url=web_address(row.get("url")),
        doi=_doi(row.get("doi")),
    )


def merge_details(each: Iterable[Details]) -> Details:
    """Merges the details of several places of a paper: of each field the first that is known."""
    known: dict[str, Any] = {}
    for details in each:
        known = asdict(details) | {name: value for name, value in known.items() if value}
    return Details(**known)


def web_address(value: object) -> str:
    """The address, or "" where it is not one of http or https that can be put into a link."""
    if not isinstance(value, str) or len(value) > _LONGEST_URL_CHARS:
        return ""
    address = value.strip()
    try:
        parts = urlsplit(address)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    is_plain = address == visible(make_encodable(address)) and not _NOT_IN_ADDRESSES.search(address)
    return address if is_whole and is_plain else ""


def _authors(value: object) -> tuple[str, ...]:
    """The authors' names, each once: the lists of some exports repeat themselves."""
    if isinstance(value, str):
        value = _BETWEEN_AUTHORS.split(" ".join(value[:_LONGEST_AUTHORS_CHARS].split()))
    given = value if isinstance(value, list) else []
    names = (_line(name, _LONGEST_NAME_CHARS) for name in given[:_MOST_AUTHORS])
    return tuple(dict.fromkeys(name for name in names if name))


def _year(value: object) -> int | None:
    text = str(value).strip() if isinstance(value, str | int) else ""  # a Boolean is an int, but reads "True"
    return int(text) if _YEAR.fullmatch(text) else None


def _doi(value: object) -> str:
    text = _line(value, _LONGEST_URL_CHARS)
    if address := _DOI_ADDRESS.match(text):
        text = text[address.end() :]
        text = unquote(text) if address[0].lower().startswith("http") else text
    return text if _DOI.fullmatch(text) and text == visible(text) and len(text) <= _LONGEST_DOI_CHARS else ""


def _line(value: object, longest_chars: int) -> str:
    """The text on one line, cleaned for reading; "" where it is none or longer than any of its kind."""
    if not isinstance(value, str) or len(value) > 4 * longest_chars:  # mark-up may go
        return ""
    text = clean_text(make_encodable(value))
    return text if len(text) <= longest_chars else ""
