"""What the page says of papers wherever it shows them, in words; the HTML around it is in `paper_parts.html`."""

from __future__ import annotations

from collections.abc import Iterable

from rag import Citation, Filter, Paper
from ui.html.escaping import shorten

_LONGEST_HEADING = 300  # characters of a title
_ANY_YEARS = (0, 9999)  # the ends of a range that is open


def count_papers(count: int) -> str:
    """A number of papers in words, e.g. "1 paper"."""
    return f"{count:,} paper" if count == 1 else f"{count:,} papers"


def group_by_number(citations: Iterable[Citation]) -> dict[int, list[Citation]]:
    """The citations of each paper together, in the order of the papers' numbers."""
    found: dict[int, list[Citation]] = {}
    for citation in citations:
        found.setdefault(citation.number, []).append(citation)
    return dict(sorted(found.items()))


def shorten_heading(label: str) -> str:
    """A paper's label as a heading has room for it."""
    return shorten(label, _LONGEST_HEADING)


def list_details(paper: Paper) -> list[str]:
    """Authors, venue and year, as far as the source gives them."""
    return list(filter(None, (", ".join(paper.authors), paper.venue, str(paper.year or ""))))


def describe_filter(scope: Filter) -> str:
    """What a filter lets through, in plain words."""
    bits = []
    if scope.paper_ids:
        bits.append(count_papers(len(scope.paper_ids)))
    if scope.sources:
        bits.append("from " + ", ".join(scope.sources))
    if scope.years:
        bits.append(_describe_years(*scope.years))
    if scope.venues:
        bits.append("in " + ", ".join(scope.venues))
    return " ".join(bits if scope.paper_ids else ["papers", *bits])


def _describe_years(first: int, last: int) -> str:
    if first <= _ANY_YEARS[0]:
        return f"until {last}"
    if last >= _ANY_YEARS[1]:
        return f"since {first}"
    return f"of {first}" if first == last else f"of {first} to {last}"
