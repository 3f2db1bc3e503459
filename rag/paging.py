"""A long row of things a page at a time (itertools.batched, from Python 3.12 on)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")


def pages(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in order, so many at a time; the last page may be shorter."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page
