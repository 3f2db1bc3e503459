"""What the tabs of the page have in common: components that one writes and another reads, and how events are made."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

# Options of an event that programs do not see, and that covers nothing while it runs.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Any number at a time; through the queue all the same, else Gradio tells nobody that a state has changed.
QUEUED: dict[str, Any] = {"concurrency_limit": None, **PRIVATE}
UNQUEUED: dict[str, Any] = {"queue": False, **PRIVATE}


class Shared(NamedTuple):
    """Components of the page by what they hold.

    Attributes:
        tabs: `gr.Tabs(selected="chat")` as an event's output opens the chat; the others: "compare", "papers", "map".
        scope: A `Filter | None`: the papers that the chat is restricted to; the chat shows it while it holds.
        cited: Ids of the papers that the answer in view cites, a tuple of str.
        compared: The HTML of the compare tab, which renders it.
    """

    tabs: gr.Tabs
    scope: gr.State
    cited: gr.State
    compared: gr.HTML


def add_html(content: str, elem_id: str | None = None, **options: Any) -> Any:
    """A component for safe HTML of ours, which Gradio's own style leaves alone."""
    return gr.HTML(content, elem_id=elem_id, apply_default_css=False, **options)


def read_sent(event: gr.EventData) -> dict[str, Any]:
    """What the browser sent with an event; anything may come from there."""
    return event._data if isinstance(event._data, dict) else {}
