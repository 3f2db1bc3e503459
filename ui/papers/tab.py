"""The papers of the library as a table, and the page of one paper."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter, Paper, RagError
from ui.html.escaping import element, inert
from ui.papers.browsing import Browsing, Desk, listing, scope
from ui.papers.page import gone, paper_page
from ui.papers.table import papers_table

if TYPE_CHECKING:
    from rag import Assistant
    from ui.shared import Shared

NEAREST = 6
_MOST_CHOICES = 500  # of a filter: a browser does not list more in good time
_SCRIPT = "window.footnotePapers.attach(element, trigger, watch, ['show', 'act', 'restrict'])"


def papers_tab(assistant: Assistant, shared: Shared) -> None:
    """Fills the tab that is open in the page's layout, and connects its events."""
    desk = gr.State(Desk())  # each browser tab gets a copy
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
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
    filters = [words, sources, venues, first, last]
    changes = [words.change, sources.input, venues.input, first.change, last.change]
    view.show(shelf.choices, desk, [*filters[1:], view], **private)
    # Not "always_last", under which Gradio sends for the last event what came with the first.
    view.act(shelf.act, desk, view, trigger_mode="multiple", **private)
    gr.on(changes, shelf.narrow, [desk, *filters], view, trigger_mode="always_last", **private)
    restricted = view.restrict(shelf.restrict, desk, [view, shared.scope, shared.tabs], **private)
    restricted.success(None, None, None, js="() => window.footnotePapers.toTheQuestion()", **private)


class _Shelf:
    """What the events of the tab call; all state is the reader's own `Desk`.

    A desk changes between two waits of the event loop, and the library is read in a thread: events neither undo nor
    hold up one another, and each ends with the view of all that has been done by then.
    """

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    async def choices(self, desk: Desk) -> tuple[Any, ...]:
        """What can be filtered by, and the view, each time the tab is opened: the library may have changed."""
        return *(await asyncio.to_thread(self._choices)), await self._view(desk)

    async def act(self, desk: Desk, done: gr.EventData) -> str:
        """After a button or a tick of the table or of a paper's page."""
        desk.now = desk.now.after(_said(done))
        return await self._view(desk)

    async def narrow(self, desk: Desk, words: str, sources: Sequence[str], venues: Sequence[str], *years: str) -> str:
        """After a change of the search or of a filter."""
        where = Filter(tuple(sources or ()), (), _range(*years), tuple(venues or ()))
        desk.now = replace(desk.now, words=words, where=where, page=1, opened="")
        return await self._view(desk)

    async def restrict(self, desk: Desk, done: gr.EventData) -> tuple[Any, ...]:
        """Opens the chat, restricted to the papers that are chosen, or to the one that is to be asked about."""
        said = _said(done)
        desk.now = desk.now.after(said)
        one = str(said.get("to")) if said.get("do") == "ask" else ""
        try:
            chosen = await asyncio.to_thread(self._chosen, desk.now, one)
        except RagError as error:
            return _error(error), gr.skip(), gr.skip()
        return await self._view(desk), chosen, gr.Tabs(selected="chat")

    async def _view(self, desk: Desk) -> str:
        """What the reader sees at the end of an event, whatever has happened on the desk while it was made."""
        shown = None
        while shown is not desk.now:
            shown = desk.now
            view = await asyncio.to_thread(self._drawn, shown)
        return view

    def _choices(self) -> tuple[Any, ...]:
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
        )

    def _chosen(self, browsing: Browsing, one: str) -> Filter | None:
        library = self._assistant.papers()
        if any(paper.id == one for paper in library):
            return Filter(paper_ids=(one,))
        return scope(browsing, self._found(browsing), library)

    def _drawn(self, browsing: Browsing) -> str:
        try:
            if browsing.opened:
                return self._paper(browsing.opened)
            library = self._assistant.papers()
            return papers_table(listing(browsing, self._found(browsing) if browsing.narrows else library, library))
        except RagError as error:
            return _error(error)

    def _found(self, browsing: Browsing) -> list[Paper]:
        return self._assistant.papers(where=browsing.where, containing=browsing.words)

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
