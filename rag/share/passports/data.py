"""The data in a passport: made of an answer, written to JSON and read back, with the digest that shows a change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import PassportError
from rag.share.provenance import describe_origin, hash_papers
from rag.types import Answer, Filter, Paper

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from rag.settings import Settings

MOST_BYTES = 32 << 20  # an answer with twenty abstracts takes some 100 kB
OPENING = '<script type="application/json" id="footnote-passport">'
CLOSING = "</script>"
# What could end the element early, or begin a comment in it; JSON reads these as the characters themselves.
_INERT = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


@dataclass(frozen=True, slots=True)
class Passport:
    """An answer and where it comes from.

    Attributes:
        made: When the passport was made, ISO 8601 in UTC.
        library_hash: Hash of the papers that the library held then.
        embedding_model: Name of the model behind the ranking.
        where: What the question was restricted to.
        layout: Number of the page's layout; a page that shows the same data otherwise has another one.
    """

    made: str
    footnote: str
    library_hash: str
    library_papers: int
    embedding_model: str
    settings: dict[str, Any]
    where: Filter | None
    answer: Answer
    layout: Literal[1] = 1

    @property
    def digest(self) -> str:
        """SHA-256 of all data, in hex digits."""
        return hashlib.sha256(_adapter().dump_json(self)).hexdigest()


def make_passport(
    answer: Answer, settings: Settings, papers: Iterable[Paper], *, where: Filter | None = None
) -> Passport:
    """The answer with where it comes from: no key, and no path of this machine.

    Args:
        papers: All of the library.
        where: What the question was restricted to.
    """
    ids = [paper.id for paper in papers]
    origin = describe_origin(settings)
    commit = f" ({origin['commit']})" if origin["commit"] else ""
    return Passport(
        made=origin["made"],
        footnote=f"{origin['footnote']}{commit}",
        library_hash=hash_papers(ids),
        library_papers=len(ids),
        embedding_model=origin["model"],
        settings=origin["settings"],
        where=where,
        answer=answer,
    )


def write_element(passport: Passport) -> str:
    """The data and their digest as an element that no browser runs, and that nothing in them can close."""
    text = f'{{"digest":"{passport.digest}","passport":{_adapter().dump_json(passport).decode()}}}'
    return OPENING + text.translate(_INERT) + CLOSING


def read_page(text: str) -> tuple[Passport, str]:
    """The data of a page, and the digest that it states.

    Raises:
        PassportError: The page carries none, or not those of a passport.
    """
    if len(text) > MOST_BYTES:
        raise PassportError(f"This is no passport: it is larger than {MOST_BYTES:,} bytes.")
    if text.count(OPENING) != 1:
        raise PassportError("This is no passport: it has no data of Footnote; name a file that Footnote made as one.")
    carried = text.partition(OPENING)[2].partition(CLOSING)[0]
    try:
        envelope = json.loads(carried)
        stated, inner = str(envelope["digest"]), envelope["passport"]
        if inner["layout"] != 1:
            raise PassportError("This passport was made by a later version of Footnote; check it with that one.")
        return _adapter().validate_json(json.dumps(inner)), stated
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise PassportError(f"This is no passport, or a damaged one: its data cannot be read ({reason}).") from error


@cache
def _adapter() -> TypeAdapter[Passport]:
    from pydantic import TypeAdapter

    return TypeAdapter(Passport)
