"""The papers of a library as an accessible table, a page at a time; pure."""

from __future__ import annotations

from rag import Paper
from ui.html.escaping import button, element, escape, shorten
from ui.html.paper_parts import count_papers, draw_place
from ui.papers.browsing import Listing

_LONGEST_LABEL = 240  # characters of a title in the table; the paper's page has the whole of it
_COLUMNS = {"title": "Title", "source": "Source", "year": "Year", "venue": "Venue"}


def draw_papers_table(listing: Listing) -> str:
    """The table with what stands above and below it."""
    if not listing.total:
        empty = (
            "The library is empty. Run `footnote ingest` with your files, or ask a question, which reads in examples."
        )
        return element("p", escape(empty), "fn-papers-note")
    content = _draw_bar(listing) + (_draw_table(listing) + _draw_pages(listing) if listing.found else "")
    return element("div", content, "fn-listing", data_ticks=str(listing.browsing.ticks))


def _draw_bar(listing: Listing) -> str:
    """What is found, and what can be done with it."""
    browsing, found = listing.browsing, count_papers(listing.found)
    if not listing.found:
        said = "No paper has all these words" if browsing.words.strip() else "No paper passes the filters"
        said += f"; the library has {count_papers(listing.total)}."
    elif browsing.narrows:
        said = f"{found} of {listing.total:,}"
    else:
        said = f"{found} in the library"
    ticked = len(browsing.ticked)
    said += f", {ticked:,} ticked" if ticked else ""
    content = element("p", said, "fn-count", role="status")
    if listing.chosen:
        these = "this paper" if listing.chosen == 1 else f"these {count_papers(listing.chosen)}"
        content += button(f"Restrict the chat to {these}", "fn-primary", data_do="restrict")
    else:
        content += element("p", "Search, filter or tick papers to restrict the chat to them.", "fn-hint")
    if ticked:
        content += button("Untick all", "fn-quiet", data_do="untick")
    return element("div", content, "fn-papers-bar")


def _draw_table(listing: Listing) -> str:
    known = {"year": listing.has_year, "venue": listing.has_venue}
    shown = [name for name in _COLUMNS if known.get(name, True)]
    box = _draw_checkbox("Tick all papers on this page", data_every="true")
    heads = element("th", box, "fn-tick", scope="col", role="columnheader")
    heads += "".join(_draw_head(name, listing) for name in shown)
    caption = element("caption", f"Papers {listing.first:,} to {listing.first + len(listing.papers) - 1:,}")
    rows = "".join(_draw_row(paper, listing, shown) for paper in listing.papers)
    head = element("thead", element("tr", heads, role="row"), role="rowgroup")
    # The roles are those of the elements; without them a table that the style makes cards of on a phone is none.
    return element("table", caption + head + element("tbody", rows, role="rowgroup"), "fn-papers-table", role="table")


def _draw_head(name: str, listing: Listing) -> str:
    browsing = listing.browsing
    sorted_by = browsing.order == name
    way = ("descending" if browsing.descending else "ascending") if sorted_by else "none"
    arrow = element("span", ("↓" if browsing.descending else "↑") if sorted_by else "↕", aria_hidden="true")
    label = button(f"{_COLUMNS[name]} {arrow}", "fn-sort", data_do="sort", data_to=name)
    return element("th", label, f"fn-col-{name}", scope="col", role="columnheader", aria_sort=way)


def _draw_row(paper: Paper, listing: Listing, shown: list[str]) -> str:
    label = shorten(paper.label, _LONGEST_LABEL)
    ticked = "true" if paper.id in listing.browsing.ticked else "false"
    box = _draw_checkbox(f"Tick: {label}", data_paper=paper.id, data_ticked=ticked)
    opens = button(escape(label), "fn-title", data_do="open", data_to=paper.id)
    made = element("span", "untitled; its opening words", "fn-made") if paper.label_is_made else ""
    others = len(paper.also_in)
    more = f", and {others:,} other place{'s' * (others > 1)}" if others else ""
    said = {
        "source": f"{draw_place(paper.source, paper.line)}{more}",
        "year": str(paper.year or ""),
        "venue": escape(shorten(paper.venue, _LONGEST_LABEL)),
    }
    cells = element("td", box, "fn-tick", role="cell")
    cells += element("th", opens + made, "fn-col-title", scope="row", role="rowheader")
    cells += "".join(element("td", said[name], f"fn-col-{name}", role="cell") for name in shown if name != "title")
    return element("tr", cells, role="row")


def _draw_checkbox(label: str, **told: str) -> str:
    """A browser forgets the attribute `checked` once a box was clicked; the tab's script sets it from ours."""
    return element("label", element("input", "", type="checkbox", aria_label=label, **told), "fn-box")


def _draw_pages(listing: Listing) -> str:
    """Two buttons, never disabled, which would lose the focus at either end."""
    number = listing.number

    def turn(label: str, to: int) -> str:
        there = {} if 1 <= to <= listing.pages else {"aria_disabled": "true"}
        return button(label, data_do="page", data_to=str(to), **there)

    place = element("span", f"Page {number:,} of {listing.pages:,}")
    content = turn("Previous", number - 1) + place + turn("Next", number + 1)
    return element("nav", content, "fn-pages", aria_label="Pages of the table")
