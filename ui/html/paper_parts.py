"""What the page says of papers wherever it shows them: where one was found, its abstract, which ones are asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rag import Citation, Filter, Paper, instructions
from ui.html.escaping import element, escape, highlight, shorten

_SUSPECT = "This abstract contains text that reads like instructions to an assistant; it was treated as data."
_MADE_LABEL = "untitled; label made from its opening words"
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


def draw_abstract(paper: Paper, spans: Sequence[tuple[int, int]], css: str = "fn-abstract") -> str:
    """The abstract with these places marked, and with those that speak to an assistant marked in another way."""
    suspect = instructions(paper.abstract)
    warning = element("p", _SUSPECT, "fn-warning") if suspect else ""
    return warning + element("p", highlight(paper.abstract, spans, suspect=suspect), css)


def draw_origin(paper: Paper) -> str:
    """Where the paper was found, and what its source says of it."""
    written = " · ".join(escape_details(paper))
    place = draw_place(paper.source, paper.line)
    if paper.also_in:
        place += "; also in " + ", ".join(draw_place(source, line) for source, line in paper.also_in)
    written = element("p", written, "fn-written") if written else ""
    return draw_made_label(paper) + written + element("p", place, "fn-place")


def escape_details(paper: Paper) -> list[str]:
    """Authors, venue and year, as far as the source gives them."""
    return [escape(each) for each in (", ".join(paper.authors), paper.venue, str(paper.year or "")) if each]


def draw_place(source: str, line: int) -> str:
    """A place of a paper's abstract in the files."""
    return f"{escape(source)}, line {line}"


def draw_made_label(paper: Paper) -> str:
    """Says of an untitled paper that the label is ours."""
    return element("p", _MADE_LABEL, "fn-made") if paper.label_is_made else ""


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
