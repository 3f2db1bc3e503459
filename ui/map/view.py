"""The map of the library as data and safe HTML: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rag import Paper, PaperMap, visible
from ui.html.escaping import button, element, escape, shorten
from ui.html.paper_parts import count_papers, draw_made_label, draw_place
from ui.server.web_app import PLOTLY_ADDRESS

_LONGEST_LABEL = 161  # characters of a title on the map, with an ellipsis
_LONGEST_OPENING = 401  # of the sentence shown of a paper
_GRID = 10_000  # places are sent as whole numbers
_TOOLS = (("select", "Select by box"), ("lasso", "Select by lasso"), ("pan", "Move"))
_VIEWS = (("in", "Zoom in"), ("out", "Zoom out"), ("whole", "Whole map"))


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
    tools = "".join(button(label, data_tool=name, aria_pressed=str(name == "select").lower()) for name, label in _TOOLS)
    views = "".join(button(label, data_view=name) for name, label in _VIEWS)
    picture = (
        element("div", "", "fn-map-plot", role="img", aria_label="Map of the papers")
        + '<div class="fn-map-tip" aria-hidden="true" hidden></div>'
    )
    topics = (
        element("h3", "Topics")
        + element("p", "Press one or several to select their papers.", "fn-map-hint")
        + '<ul class="fn-map-topics"></ul>'
    )
    listed = (
        '<label class="fn-map-find">Find a paper by its title<input type="search" autocomplete="off"></label>'
        '<p class="fn-map-found" role="status"></p><ul class="fn-map-papers"></ul>'
    )
    chosen = (
        '<p class="fn-map-count" role="status">No paper selected.</p>'
        + button("Ask only these", data_do="ask", disabled="disabled")
        + button("Clear selection", data_do="clear", disabled="disabled")
    )
    bar = element("div", tools + views, "fn-map-tools", role="group", aria_label="What the mouse does on the map")
    bar += element("div", chosen, "fn-map-chosen", role="group", aria_label="Selection")
    main = element("div", picture, "fn-map-picture") + '<div class="fn-map-card"></div>'
    columns = element("div", main, "fn-map-main") + element("div", topics + listed, "fn-map-side")
    content = (
        element("p", "Making the map…", "fn-map-what", role="status")
        + element("div", bar, "fn-map-bar")
        + element("div", columns, "fn-map-columns")
    )
    return element("section", content, "fn-map fn-map-waiting", data_script=PLOTLY_ADDRESS)


def draw_marks(cited: Sequence[str], papers: Mapping[str, Paper]) -> str:
    """How many papers of the answer in view are on the map, in words; their ids are for `map.js`."""
    known = [paper_id for paper_id in cited if paper_id in papers]
    if not known:
        return ""
    text = f"{count_papers(len(known))} of the current answer {'is' if len(known) == 1 else 'are'} marked with a ring."
    return element("p", text, "fn-map-marks", data_ids=" ".join(known))


def draw_map_card(paper: Paper) -> str:
    """A paper that was clicked: title, place, opening sentence, and the way to ask about it."""
    content = (
        element("h3", escape(paper.label), tabindex="-1")
        + draw_made_label(paper)
        + element("p", draw_place(paper.source, paper.line), "fn-place")
        + element("p", escape(_cut_opening(paper.abstract)), "fn-abstract")
        + button("Ask about this paper", data_ask=paper.id)
    )
    return element("article", content, "fn-card", aria_label="The paper that was chosen")


def _cut_opening(abstract: str) -> str:
    """The first sentence, roughly: it is shown, not cited."""
    end = min((found for mark in (". ", "? ", "! ") if (found := abstract.find(mark, 40)) > 0), default=len(abstract))
    return shorten(visible(abstract[: end + 1]), _LONGEST_OPENING)
