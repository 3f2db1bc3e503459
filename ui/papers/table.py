"""The papers of a library as an accessible table, a page at a time; pure."""

from __future__ import annotations

from ui.html.templates import fill
from ui.papers.browsing import Listing

_LONGEST_LABEL = 240  # characters of a title in the table; the paper's page has the whole of it
_COLUMNS = {"title": "Title", "source": "Source", "year": "Year", "venue": "Venue"}


def draw_papers_table(listing: Listing) -> str:
    """The table with what stands above and below it."""
    known = {"year": listing.has_year, "venue": listing.has_venue}
    columns = {name: head for name, head in _COLUMNS.items() if known.get(name, True)}
    return fill("papers/table.html", listing=listing, columns=columns, longest=_LONGEST_LABEL)
