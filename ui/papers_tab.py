"""The papers of the library as a table, and the page of one paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter, RagError
from ui.browsing import Browsing, listing, scope
from ui.markup import element, inert
from ui.paper_page import gone, paper_page
from ui.papers_table import papers_table

if TYPE_CHECKING:
    from rag import Assistant
    from ui.shared import Shared

NEAREST = 6
_MOST_CHOICES = 500  # of a filter: a browser does not list more in good time
_SCRIPT = "window.footnotePapers.attach(element, trigger, watch, ['show', 'act', 'tick', 'restrict'])"


def papers_tab(assistant: Assistant, shared: Shared) -> None:
    """Fills the tab that is open in the page's layout, and connects its events."""
    browsing = gr.State(Browsing())
    with gr.Column(elem_id="fn-papers"):
        with gr.Row(elem_id="fn-papers-filters"):
            words = gr.Textbox(label="Search titles and abstracts", lines=1, max_lines=1, elem_id="fn-papers-words")
            sources = gr.Dropdown([], label="Source", multiselect=True, value=[])
            venues = gr.Dropdown([], label="Venue", multiselect=True, value=[], visible=False)
            # Text, for gr.Number shows an empty year as 0.
            first = gr.Textbox(label="From year", lines=1, max_lines=1, visible=False)
            last = gr.Textbox(label="To year", lines=1, max_lines=1, visible=False)
        opening = element("p", "Reading the library…", "fn-papers-note")
        view = gr.HTML(opening, elem_id="fn-papers-view", apply_default_css=False, js_on_load=_SCRIPT)
    shelf = _Shelf(assistant)
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    filters = [words, sources, venues, first, last]
    changes = [words.change, sources.input, venues.input, first.change, last.change]
    view.show(shelf.choices, browsing, [*filters[1:], browsing, view], **hidden)
    view.act(shelf.act, browsing, [browsing, view], trigger_mode="multiple", **hidden)
    view.tick(shelf.act, browsing, [browsing, view], trigger_mode="always_last", **hidden)
    gr.on(
        changes, shelf.narrow, [browsing, *filters], [browsing, view],
        trigger_mode="always_last", **hidden,
    )  # fmt: skip
    restricted = view.restrict(shelf.restrict, browsing, [browsing, view, shared.scope, shared.tabs], **hidden)
    restricted.success(None, None, None, js="() => window.footnotePapers.toTheQuestion()", **hidden)


class _Shelf:
    """What the events of the tab call; all state is the reader's own `Browsing`."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def choices(self, browsing: Browsing) -> tuple[Any, ...]:
        """What can be filtered by, and the view, each time the tab is opened: the library may have changed."""
        try:
            library = self._assistant.papers()
        except RagError:
            library = []  # the view says what is wrong
        sources = sorted({source for paper in library for source, _ in paper.places})
        venues = sorted({paper.venue for paper in library if paper.venue})
        dated = any(paper.year for paper in library)
        return (
            gr.update(choices=sources[:_MOST_CHOICES], visible=len(sources) > 1),
            gr.update(choices=venues[:_MOST_CHOICES], visible=bool(venues)),
            gr.update(visible=dated),
            gr.update(visible=dated),
            browsing,
            self._view(browsing),
        )

    def act(self, browsing: Browsing, done: gr.EventData) -> tuple[Browsing, str]:
        """After a button or a tick of the table or of a paper's page."""
        browsing = browsing.after(_said(done))
        return browsing, self._view(browsing)

    def narrow(
        self, browsing: Browsing, words: str, sources: Sequence[str], venues: Sequence[str], *years: str
    ) -> tuple[Browsing, str]:
        """After a change of the search or of a filter."""
        where = Filter(tuple(sources or ()), (), _range(*years), tuple(venues or ()))
        browsing = replace(browsing, words=words, where=where, page=1, opened="")
        return browsing, self._view(browsing)

    def restrict(self, browsing: Browsing, done: gr.EventData) -> tuple[Any, ...]:
        """Opens the chat, restricted to the papers that are chosen, or to the one that is to be asked about."""
        said = _said(done)
        browsing = browsing.after(said)
        try:
            library = self._assistant.papers()
            found = self._assistant.papers(where=browsing.where, containing=browsing.words)
        except RagError as error:
            return browsing, _error(error), gr.skip(), gr.skip()
        one = next((paper for paper in library if said.get("do") == "ask" and paper.id == said.get("to")), None)
        chosen = Filter(paper_ids=(one.id,)) if one else scope(browsing, found, library)
        return browsing, self._view(browsing), chosen, gr.Tabs(selected="chat")

    def _view(self, browsing: Browsing) -> str:
        try:
            if browsing.opened:
                return self._paper(browsing.opened)
            library = self._assistant.papers()
            narrows = browsing.narrows
            found = self._assistant.papers(where=browsing.where, containing=browsing.words) if narrows else library
            return papers_table(listing(browsing, found, library))
        except RagError as error:
            return _error(error)

    def _paper(self, paper_id: str) -> str:
        found = self._assistant.papers(where=Filter(paper_ids=(paper_id,)))
        return paper_page(found[0], self._assistant.similar(paper_id, NEAREST)) if found else gone()


def _said(done: gr.EventData) -> dict[str, Any]:
    """What the browser sent; anything may come from there."""
    return done._data if isinstance(done._data, dict) else {}


def _error(error: RagError) -> str:
    return element("p", inert(str(error)), "fn-error")


def _range(*typed: str) -> tuple[int, int] | None:
    """The first and the last year, either of which may be open; what is no year, or not one yet, is not there."""
    first, last = (int(text) if re.fullmatch(r"\s*\d{4}\s*", text or "", re.ASCII) else None for text in typed)
    if first is None and last is None:
        return None
    return (first or 0, last or 9999)
