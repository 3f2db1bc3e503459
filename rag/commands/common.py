"""What several commands share: their options, and how papers, checks and JSON are printed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rag.terminal import plain, printable

if TYPE_CHECKING:
    from rag.types import Filter, Paper

Source = Annotated[list[str] | None, typer.Option("--source", "-s", help="Only papers from this file; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MARKS = {True: ("ok  ", typer.colors.GREEN), False: ("FAIL", typer.colors.RED), None: ("note", None)}


def make_filter(sources: list[str] | None) -> Filter | None:
    """The filter that `--source` asks for."""
    from rag import Filter

    return Filter(sources=tuple(sources)) if sources else None


def print_json(value: object) -> None:
    """Prints a value, or a dataclass, as JSON; on a terminal in ASCII: characters beyond may be commands to it."""
    typer.echo(json.dumps(value, ensure_ascii=sys.stdout.isatty(), indent=2, default=asdict))


def print_check(passed: bool | None, name: str, detail: str) -> None:
    """Prints a line that begins with ok, FAIL or, where there is nothing to pass, note."""
    mark, colour = _MARKS[passed]
    typer.echo(f"{typer.style(mark, fg=colour)}  {name} {plain(detail)}")


def write_label(paper: Paper) -> str:
    """The title; of an untitled paper, the words in its place, marked as such."""
    return f"{paper.label} [untitled]" if paper.label_is_made else paper.label


def write_places(paper: Paper) -> str:
    """Where the paper was read, as FILE:LINE, and where else it stands."""
    first, *others = (f"{printable(source)}:{line}" for source, line in paper.places)
    return f"{first}, also in {', '.join(others)}" if others else first
