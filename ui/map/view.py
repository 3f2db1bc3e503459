"""The map of the library as data and safe HTML: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag import Paper, PaperMap, visible
from ui.html.escaping import element, shorten
from ui.html.paper_parts import count_papers
from ui.html.templates import fill
from ui.server.web_app import PLOTLY_ADDRESS

_LONGEST_LABEL = 161  # characters of a title on the map, with an ellipsis
_LONGEST_OPENING = 401  # of the sentence shown of a paper
_GRID = 10_000  # places are sent as whole numbers


def build_map_points(found: PaperMap, papers: Mapping[str, Paper]) -> dict[str, Any]:
    """What the browser draws the map from: plain values, and titles that it puts on the page as text only."""
    shown = [number for number, paper_id in enumerate(found.paper_ids) if paper_id in papers]
    return {
        "papers": found.papers,
        "topics": [{"name": topic.name, "size": topic.size} for topic in found.topics],
        "ids": [found.paper_ids[number] for number in shown],
        "x": [round(found.places[number][0] * _GRID) for number in shown],
        "y": [round(found.places[number][1] * _GRID) for number in shown],
        "topic": [found.topic_of[number] for number in shown],
        "labels": [shorten(visible(papers[found.paper_ids[number]].label), _LONGEST_LABEL) for number in shown],
    }


def draw_map_frame() -> str:
    """The tab before there is a map; `map.js` fills it in."""
    return fill("map/frame.html", plotly=PLOTLY_ADDRESS)


def draw_marks(cited: Sequence[str], papers: Mapping[str, Paper]) -> str:
    """How many papers of the answer in view are on the map, in words; their ids are for `map.js`."""
    known = [paper_id for paper_id in cited if paper_id in papers]
    if not known:
        return ""
    text = f"{count_papers(len(known))} of the current answer {'is' if len(known) == 1 else 'are'} marked with a ring."
    return element("p", text, "fn-map-marks", data_ids=" ".join(known))


def draw_map_card(paper: Paper) -> str:
    """A paper that was clicked: title, place, opening sentence, and the way to ask about it."""
    return fill("map/card.html", paper=paper, opening=_cut_opening(paper.abstract))


def _cut_opening(abstract: str) -> str:
    """The first sentence, roughly: it is shown, not cited."""
    end = min((found for mark in (". ", "? ", "! ") if (found := abstract.find(mark, 40)) > 0), default=len(abstract))
    return shorten(visible(abstract[: end + 1]), _LONGEST_OPENING)
