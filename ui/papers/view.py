"""The papers of a library as an accessible table, a page at a time, and the page of one paper; pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from rag import Paper, Passage
from ui.html.templates import fill
from ui.papers.browsing import Listing

_LONGEST_LABEL = 240  # characters of a title in the table; the paper's page has the whole of it
_COLUMNS = {"title": "Title", "source": "Source", "year": "Year", "venue": "Venue"}


def draw_papers_table(listing: Listing) -> str:
    """The table with what stands above and below it."""
    known = {"year": listing.has_year, "venue": listing.has_venue}
    columns = {name: head for name, head in _COLUMNS.items() if known.get(name, True)}
    return fill("papers/table.html", listing=listing, columns=columns, longest=_LONGEST_LABEL)


def draw_paper_page(paper: Paper | None, nearest: Sequence[Passage] = ()) -> str:
    """A paper on a page of its own; the tab's script puts the focus on its heading.

    Args:
        paper: None where it has left the library since its button was drawn.
    """
    return fill("papers/page.html", paper=paper, nearest=nearest, links=_list_links(paper) if paper else {})


def _list_links(paper: Paper) -> dict[str, str]:
    """Where the source says that the paper is: what is shown of each address, and the address where it can be one."""
    links = {paper.url: paper.url if _is_of_the_web(paper.url) else ""} if paper.url else {}
    if paper.doi.startswith("10."):
        links[f"doi:{paper.doi}"] = "https://doi.org/" + quote(paper.doi, safe="/().")
    return links


def _is_of_the_web(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https")
    except ValueError:
        return False
