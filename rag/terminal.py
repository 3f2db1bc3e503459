"""The terminal: a progress bar, and text from papers and models without the control characters it obeys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text without control characters other than new lines and tabs."""
    return _CONTROLS.sub("", text)


def printable(name: str) -> str:
    """A file name on one line."""
    return plain(name.replace("\n", "\\n"))


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar until the block ends; gives the function to call with (done, total).

    Away from a terminal there is no bar before the first call: what fails at once is told in one line.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    class Rate(ProgressColumn):
        def render(self, task: Task) -> str:
            speed = task.finished_speed or task.speed
            return f"{speed:.1f}/s" if speed else ""

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), TextColumn("left"), console=Console(stderr=True))
    task = bar.add_task(title, total=None)

    def update(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    if bar.console.is_terminal:
        bar.start()
    try:
        yield update
    finally:
        if bar.live.is_started:
            bar.stop()
