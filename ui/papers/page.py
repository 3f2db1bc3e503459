"""The page of one paper: all that the library knows of it, and its neighbours; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from rag import Paper, Passage
from ui.html.escaping import element, inert, shortened
from ui.html.papers import abstract
from ui.papers.table import button

_LONGEST_HEADING = 300  # characters; the whole title of an absurd one unfolds below
_DOI = re.compile(r"10\.\d{4,9}/\S+")


def paper_page(paper: Paper, nearest: Sequence[Passage]) -> str:
    """A paper on a page of its own; the tab's script puts the focus on its heading."""
    heading = element("h2", inert(shortened(paper.label, _LONGEST_HEADING)), tabindex="-1")
    heading += (
        element("p", "Untitled; the label was made from its opening words.", "fn-made") if paper.label_is_made else ""
    )
    if len(paper.label) > _LONGEST_HEADING:
        whole = element("summary", "The whole title") + element("p", inert(paper.label), "fn-abstract")
        heading += element("details", whole)
    does = button("Ask about this paper", "fn-primary", data_do="ask", data_to=paper.id)
    content = button("Back to the list", "fn-quiet fn-to-list", data_do="back") + heading + _known(paper)
    told = element("section", element("h3", "Abstract") + abstract(paper, (), "fn-abstract"))
    content += element("div", does, "fn-papers-bar") + told + _places(paper) + _nearest(nearest)
    return element("article", content, "fn-paper", **{"data-opened": paper.id})


def gone() -> str:
    """In place of a paper that has left the library since its button was drawn."""
    said = element("h2", "This paper is not in the library any more", tabindex="-1")
    return element("article", button("Back to the list", "fn-quiet fn-to-list", data_do="back") + said, "fn-paper")


def _known(paper: Paper) -> str:
    """Authors, venue, year and links, where the source gives them."""
    said = [inert(bit) for bit in (", ".join(paper.authors), paper.venue, str(paper.year or "")) if bit]
    links = [_link(paper.url, paper.url)] if paper.url else []
    if _DOI.fullmatch(paper.doi):
        links.append(_link("https://doi.org/" + quote(paper.doi, safe="/()."), f"doi:{paper.doi}"))
    return "".join(element("p", " · ".join(bits), "fn-written") for bits in (said, links) if bits)


def _link(address: str, label: str) -> str:
    """A link where the address is one of the web; else its text."""
    try:
        web = urlsplit(address).scheme in ("http", "https")
    except ValueError:
        web = False
    if not web:
        return inert(label)
    return element("a", inert(label), href=address, target="_blank", rel="noopener noreferrer")


def _places(paper: Paper) -> str:
    items = "".join(element("li", f"{inert(source)}, line {line}") for source, line in paper.places)
    return element("section", element("h3", "Seen in") + element("ul", items))


def _nearest(nearest: Sequence[Passage]) -> str:
    if not nearest:
        return ""
    items = "".join(
        element(
            "li", button(inert(shortened(paper.label, _LONGEST_HEADING)), "fn-title", data_do="open", data_to=paper.id)
        )
        for paper in (passage.paper for passage in nearest)
    )
    return element("section", element("h3", "Nearest papers") + element("ol", items))
