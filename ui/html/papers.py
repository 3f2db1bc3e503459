"""What the page says of papers wherever it shows them: where one was found, its abstract, which ones are asked."""

from __future__ import annotations

from collections.abc import Sequence

from rag import Filter, Paper, instructions
from ui.html.escaping import element, highlighted, inert, papers

_SUSPECT = "This abstract contains text that reads like instructions to an assistant; it was treated as data."
_MADE_LABEL = "untitled; label made from its opening words"
_ANY_YEARS = (0, 9999)  # the ends of a range that is open


def abstract(paper: Paper, spans: Sequence[tuple[int, int]], css: str) -> str:
    """The abstract with these places marked, and with those that speak to an assistant marked in another way."""
    suspect = instructions(paper.abstract)
    warning = element("p", _SUSPECT, "fn-warning") if suspect else ""
    return warning + element("p", highlighted(paper.abstract, spans, suspect=suspect), css)


def about(paper: Paper) -> str:
    """Where the paper was found, and what its source says of it."""
    made = element("p", _MADE_LABEL, "fn-made") if paper.label_is_made else ""
    bits = [", ".join(paper.authors), paper.venue, str(paper.year or "")]
    written = " · ".join(inert(bit) for bit in bits if bit)
    place = f"{inert(paper.source)}, line {paper.line}"
    if paper.also_in:
        place += "; also in " + ", ".join(f"{inert(source)}, line {line}" for source, line in paper.also_in)
    return made + (element("p", written, "fn-written") if written else "") + element("p", place, "fn-place")


def scope_in_words(scope: Filter) -> str:
    """What a filter lets through, in plain words."""
    bits = []
    if scope.paper_ids:
        bits.append(papers(len(scope.paper_ids)))
    if scope.sources:
        bits.append("from " + ", ".join(scope.sources))
    if scope.years:
        bits.append(_years(*scope.years))
    if scope.venues:
        bits.append("in " + ", ".join(scope.venues))
    return " ".join(bits if scope.paper_ids else ["papers", *bits])


def _years(first: int, last: int) -> str:
    if first <= _ANY_YEARS[0]:
        return f"until {last}"
    if last >= _ANY_YEARS[1]:
        return f"since {first}"
    return f"of {first}" if first == last else f"of {first} to {last}"
