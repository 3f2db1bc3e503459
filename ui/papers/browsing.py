"""What a reader looks at in the papers tab: search, filters, order, page and ticks; plain data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rag import Filter, Paper

PAGE = 25  # papers of a page of the table

_ORDERS: Mapping[str, Callable[[Paper], Any]] = {
    "title": lambda paper: paper.label.casefold(),
    "source": lambda paper: (paper.source, paper.line),
    "year": lambda paper: paper.year or 0,
    "venue": lambda paper: paper.venue.casefold(),
}
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Browsing:
    """Where a reader is in the library.

    Attributes:
        words: What is searched for in titles and abstracts.
        where: Sources, years and venues that are chosen; no paper ids.
        order: The column that the table goes by.
        page: Counted from 1.
        ticked: Ids of papers, also of those that other pages or searches show.
        ticks: How many changes of ticks the browser had counted when it told these.
        opened: Id of the paper whose page is open; "" for the table.
    """

    words: str = ""
    where: Filter = field(default_factory=Filter)
    order: str = "source"
    descending: bool = False
    page: int = 1
    ticked: frozenset[str] = frozenset()
    ticks: int = 0
    opened: str = ""

    @property
    def narrows(self) -> bool:
        """Whether search or filters leave anything out."""
        return bool(self.words.strip()) or self.where != Filter()

    def after(self, said: Mapping[str, Any]) -> Browsing:
        """After what the browser says was done; what makes no sense changes nothing.

        Args:
            said: `boxes` has those of the page by paper id, ticked or not, and `ticks` how many changes of ticks there
                were; `do` is what a button does, `to` its column or page.
        """
        now = self._with_boxes(said.get("boxes"), said.get("ticks"))
        match said.get("do"), said.get("to"):
            case "sort", str(column) if column in _ORDERS:
                again = column == self.order and not self.descending
                return replace(now, order=column, descending=again, page=1)
            case "page", str(number) if number.isascii() and number.isdigit():
                return replace(now, page=max(1, int(number[:9])))
            case "open", str(key) if _ID.fullmatch(key):
                return replace(now, opened=key)
            case "back", _:
                return replace(now, opened="")
            case "untick", _:
                return replace(now, ticked=frozenset())
        return now

    def ordered(self, papers: Sequence[Paper]) -> list[Paper]:
        """The papers in the order of the table."""
        return sorted(papers, key=_ORDERS[self.order], reverse=self.descending)

    def _with_boxes(self, boxes: object, ticks: object) -> Browsing:
        """What was told after fewer changes than are known is on its way from before, and out of date."""
        if not isinstance(boxes, Mapping) or type(ticks) is not int or ticks < self.ticks:
            return self
        page = {key: ticked for key, ticked in list(boxes.items())[:PAGE] if _ID.fullmatch(str(key))}
        on = {key for key, ticked in page.items() if ticked is True}
        return replace(self, ticked=(self.ticked - page.keys()) | on, ticks=ticks)


@dataclass(slots=True)
class Desk:
    """Where the reader of one browser tab is; one object for as long as the tab is open."""

    now: Browsing = field(default_factory=Browsing)


@dataclass(frozen=True, slots=True)
class Listing:
    """What the table shows.

    Attributes:
        papers: Those of this page.
        number: This page, counted from 1.
        pages: How many there are, at least 1.
        found: How many papers search and filters leave.
        total: How many the library has.
        has_year, has_venue: Whether the library knows any.
    """

    browsing: Browsing
    papers: Sequence[Paper]
    number: int
    pages: int
    found: int
    total: int
    has_year: bool
    has_venue: bool

    @property
    def first(self) -> int:
        """The place of the page's first paper among those found, counted from 1."""
        return (self.number - 1) * PAGE + 1

    @property
    def chosen(self) -> int:
        """How many papers the chat would be restricted to; 0 where there is nothing to choose."""
        return len(self.browsing.ticked) or (self.found if self.browsing.narrows else 0)


def build_listing(browsing: Browsing, found: Sequence[Paper], library: Sequence[Paper]) -> Listing:
    """The page of those found that the reader is at, or the last one there is."""
    pages = max(1, -(-len(found) // PAGE))
    number = min(browsing.page, pages)
    shown = browsing.ordered(found)[(number - 1) * PAGE : number * PAGE]
    has_year, has_venue = any(paper.year for paper in library), any(paper.venue for paper in library)
    return Listing(browsing, shown, number, pages, len(found), len(library), has_year, has_venue)


def build_filter(browsing: Browsing, found: Sequence[Paper], library: Sequence[Paper]) -> Filter | None:
    """The ticked papers, else those found, as a filter; None where that is all of the library, or nothing of it.

    A choice that is just what sources, years and venues admit is told as these, so that papers to come count too.
    """
    there = {paper.id for paper in library}
    chosen = browsing.ticked & there if browsing.ticked else {paper.id for paper in found}
    if not chosen or chosen == there:
        return None
    if chosen == {paper.id for paper in browsing.where.among(library)}:
        return browsing.where
    return Filter(paper_ids=tuple(sorted(chosen)))
