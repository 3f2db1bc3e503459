"""The page of one paper: all that the library knows of it, and its neighbours; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from rag import Paper, Passage
from ui.html.templates import fill

_DOI = re.compile(r"10\.\d{4,9}/\S+")


def draw_paper_page(paper: Paper | None, nearest: Sequence[Passage] = ()) -> str:
    """A paper on a page of its own; the tab's script puts the focus on its heading.

    Args:
        paper: None where it has left the library since its button was drawn.
    """
    return fill("papers/page.html", paper=paper, nearest=nearest, links=_list_links(paper) if paper else {})


def _list_links(paper: Paper) -> dict[str, str]:
    """Where the source says that the paper is: what is shown of each address, and the address where it can be one."""
    links = {paper.url: paper.url if _is_of_the_web(paper.url) else ""} if paper.url else {}
    if _DOI.fullmatch(paper.doi):
        links[f"doi:{paper.doi}"] = "https://doi.org/" + quote(paper.doi, safe="/().")
    return links


def _is_of_the_web(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https")
    except ValueError:
        return False
