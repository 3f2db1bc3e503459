"""The papers of the library as a table, and the page of one paper."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag import Filter, Paper, RagError
from ui.html.escaping import draw_error, element
from ui.papers.browsing import Browsing, Desk, build_filter, build_listing
from ui.papers.view import draw_paper_page, draw_papers_table
from ui.shared import QUEUED, Shared, add_html, read_sent

if TYPE_CHECKING:
    from rag import Assistant

NEAREST = 6
_YEAR = re.compile(r"\s*\d{4}\s*", re.ASCII)
_MOST_CHOICES = 500  # of a filter: a browser does not list more in good time
_SCRIPT = "window.footnotePapers.attach(element, trigger, watch, ['show', 'act', 'restrict'])"


def add_papers_tab(assistant: Assistant, shared: Shared) -> None:
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
        view = add_html(opening, "fn-papers-view", js_on_load=_SCRIPT)
    shelf = _Shelf(assistant)
    filters = [words, sources, venues, first, last]
    changes = [words.change, sources.input, venues.input, first.change, last.change]
    view.show(shelf.show, desk, [*filters[1:], view], **QUEUED)
    # Not "always_last", under which Gradio sends for the last event what came with the first.
    view.act(shelf.act, desk, view, trigger_mode="multiple", **QUEUED)
    gr.on(changes, shelf.narrow, [desk, *filters], view, trigger_mode="always_last", **QUEUED)
    restricted = view.restrict(shelf.restrict, desk, [view, shared.scope, shared.tabs], **QUEUED)
    restricted.success(None, None, None, js="() => window.footnotePapers.toTheQuestion()", **QUEUED)


class _Shelf:
    """What the events of the tab call; all state is the reader's own `Desk`.

    A desk changes between two waits of the event loop, and the library is read in a thread: events neither undo nor
    hold up one another, and each ends with the view of all that has been done by then.
    """

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    async def show(self, desk: Desk) -> tuple[Any, ...]:
        """What can be filtered by, and the view, each time the tab is opened: the library may have changed."""
        return *(await asyncio.to_thread(self._read_choices)), await self._draw(desk)

    async def act(self, desk: Desk, done: gr.EventData) -> str:
        """After a button or a tick of the table or of a paper's page."""
        desk.now = desk.now.after(read_sent(done))
        return await self._draw(desk)

    async def narrow(self, desk: Desk, words: str, sources: Sequence[str], venues: Sequence[str], *years: str) -> str:
        """After a change of the search or of a filter."""
        where = Filter(tuple(sources or ()), (), _read_years(*years), tuple(venues or ()))
        desk.now = replace(desk.now, words=words, where=where, page=1, opened="")
        return await self._draw(desk)

    async def restrict(self, desk: Desk, done: gr.EventData) -> tuple[Any, ...]:
        """Opens the chat, restricted to the papers that are chosen, or to the one that is to be asked about."""
        said = read_sent(done)
        desk.now = desk.now.after(said)
        one = str(said.get("to")) if said.get("do") == "ask" else ""
        try:
            chosen = await asyncio.to_thread(self._choose, desk.now, one)
        except RagError as error:
            return draw_error(error), gr.skip(), gr.skip()
        return await self._draw(desk), chosen, gr.Tabs(selected="chat")

    async def _draw(self, desk: Desk) -> str:
        """What the reader sees at the end of an event, whatever has happened on the desk while it was made."""
        shown = None
        while shown is not desk.now:
            shown = desk.now
            view = await asyncio.to_thread(self._draw_shown, shown)
        return view

    def _read_choices(self) -> tuple[Any, ...]:
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

    def _choose(self, browsing: Browsing, one: str) -> Filter | None:
        library = self._assistant.papers()
        if any(paper.id == one for paper in library):
            return Filter(paper_ids=(one,))
        return build_filter(browsing, self._find(browsing), library)

    def _draw_shown(self, browsing: Browsing) -> str:
        try:
            if browsing.opened:
                return self._draw_paper(browsing.opened)
            library = self._assistant.papers()
            found = self._find(browsing) if browsing.narrows else library
            return draw_papers_table(build_listing(browsing, found, library))
        except RagError as error:
            return draw_error(error)

    def _find(self, browsing: Browsing) -> list[Paper]:
        return self._assistant.papers(where=browsing.where, containing=browsing.words)

    def _draw_paper(self, paper_id: str) -> str:
        found = self._assistant.papers(where=Filter(paper_ids=(paper_id,)))
        return draw_paper_page(found[0], self._assistant.similar(paper_id, NEAREST)) if found else draw_paper_page(None)


def _read_years(*typed: str) -> tuple[int, int] | None:
    """The first and the last year, either of which may be open; what is no year, or not one yet, is not there."""
    first, last = (int(text) if _YEAR.fullmatch(text or "") else None for text in typed)
    if first is None and last is None:
        return None
    return (first or 0, last or 9999)
