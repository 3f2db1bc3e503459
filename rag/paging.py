"""A long row of things a page at a time (itertools.batched, from Python 3.12 on)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")


def pages(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """The items in order, so many at a time; the last page may be shorter."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def pages_within(items: Iterable[_Item], *limits: tuple[Callable[[_Item], int], int]) -> Iterator[list[_Item]]:
    """The items in order, as many at a time as keep every sum within its limit; one that alone is over it is a page.

    Args:
        limits: What an item counts, and the most that a page may have of it.
    """
    page: list[_Item] = []
    sums = [0] * len(limits)
    for item in items:
        counts = [count(item) for count, _ in limits]
        after = [there + more for there, more in zip(sums, counts, strict=True)]
        if page and any(there > most for there, (_, most) in zip(after, limits, strict=True)):
            yield page
            page, after = [], counts
        page.append(item)
        sums = after
    if page:
        yield page
