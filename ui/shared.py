"""What the tabs share: components that one writes and another reads, options of events, and how errors are shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import gradio as gr

from rag import RagError

Handler = TypeVar("Handler", bound=Callable[..., Any])

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


@contextmanager
def errors_shown() -> Iterator[None]:
    """Shows the reader, or the program, an error of ours as its message; Gradio itself would say "Error"."""
    try:
        yield
    except RagError as error:
        raise gr.Error(str(error), print_exception=False) from error


def show_errors(handler: Handler) -> Handler:
    """An event's handler, plain, async or an async generator, whose errors of ours are shown."""

    @wraps(handler)
    async def generates(*given: Any, **named: Any) -> Any:
        with errors_shown():
            async for drawing in handler(*given, **named):
                yield drawing

    @wraps(handler)
    async def waits(*given: Any, **named: Any) -> Any:
        with errors_shown():
            return await handler(*given, **named)

    @wraps(handler)
    def runs(*given: Any, **named: Any) -> Any:
        with errors_shown():
            return handler(*given, **named)

    kinds = ((inspect.isasyncgenfunction, generates), (inspect.iscoroutinefunction, waits), (callable, runs))
    return next(wrapper for is_one, wrapper in kinds if is_one(handler))  # type: ignore[return-value]
