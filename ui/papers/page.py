"""The page of one paper: all that the library knows of it, and its neighbours; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from rag import Paper, Passage
from ui.html.escaping import button, element, escape
from ui.html.paper_parts import draw_abstract, draw_place, escape_details, shorten_heading

_BACK = button("Back to the list", "fn-quiet fn-to-list", data_do="back")
_DOI = re.compile(r"10\.\d{4,9}/\S+")


def draw_paper_page(paper: Paper, nearest: Sequence[Passage]) -> str:
    """A paper on a page of its own; the tab's script puts the focus on its heading."""
    title = shorten_heading(paper.label)
    heading = element("h2", escape(title), tabindex="-1")
    if paper.label_is_made:
        heading += element("p", "Untitled; the label was made from its opening words.", "fn-made")
    if title != paper.label:
        whole = element("summary", "The whole title") + element("p", escape(paper.label), "fn-abstract")
        heading += element("details", whole)
    does = button("Ask about this paper", "fn-primary", data_do="ask", data_to=paper.id)
    content = _BACK + heading + _draw_details(paper) + element("div", does, "fn-papers-bar")
    content += _draw_section("Abstract", draw_abstract(paper, ()))
    places = "".join(element("li", draw_place(source, line)) for source, line in paper.places)
    content += _draw_section("Seen in", element("ul", places))
    if nearest:
        content += _draw_section("Nearest papers", element("ol", "".join(map(_draw_near, nearest))))
    return element("article", content, "fn-paper", data_opened=paper.id)


def draw_missing_paper() -> str:
    """In place of a paper that has left the library since its button was drawn."""
    said = element("h2", "This paper is not in the library any more", tabindex="-1")
    return element("article", _BACK + said, "fn-paper")


def _draw_details(paper: Paper) -> str:
    """Authors, venue, year and links, where the source gives them."""
    links = [_draw_link(paper.url, paper.url)] if paper.url else []
    if _DOI.fullmatch(paper.doi):
        links.append(_draw_link("https://doi.org/" + quote(paper.doi, safe="/()."), f"doi:{paper.doi}"))
    return "".join(element("p", " · ".join(bits), "fn-written") for bits in (escape_details(paper), links) if bits)


def _draw_link(address: str, label: str) -> str:
    """A link where the address is one of the web; else its text."""
    try:
        web = urlsplit(address).scheme in ("http", "https")
    except ValueError:
        web = False
    if not web:
        return escape(label)
    return element("a", escape(label), href=address, target="_blank", rel="noopener noreferrer")


def _draw_section(heading: str, content: str) -> str:
    return element("section", element("h3", heading) + content)


def _draw_near(passage: Passage) -> str:
    title = escape(shorten_heading(passage.paper.label))
    return element("li", button(title, "fn-title", data_do="open", data_to=passage.paper.id))
