"""What the tabs of the page have in common: parts of the chat that the other tabs write to or read."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr


class Shared(NamedTuple):
    """Components of the page by what they hold.

    Attributes:
        tabs: `gr.Tabs(selected="chat")` as an event's output opens the chat; the others are "papers" and "map".
        scope: A `Filter | None`: the papers that the chat is restricted to; the chat shows it while it holds.
        cited: Ids of the papers that the answer in view cites, a tuple of str.
    """

    tabs: gr.Tabs
    scope: gr.State
    cited: gr.State
