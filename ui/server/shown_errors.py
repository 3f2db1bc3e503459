"""Errors of ours reach the reader, or the program, as their message; Gradio itself would say "Error"."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

import gradio as gr

from rag import RagError

Handler = TypeVar("Handler", bound=Callable[..., Any])


@contextmanager
def errors_shown() -> Iterator[None]:
    """Shows an error of ours instead of raising it on as a failure of the page."""
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
