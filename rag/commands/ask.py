"""`footnote ask`: prints an answer as it comes, with its citations, and writes its evidence passport."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.common import AsJson, Source, make_filter, print_json, write_label, write_places
from rag.errors import LLMError, PassportError, RagError
from rag.terminal import plain

if TYPE_CHECKING:
    from rag.types import Answer

_NEAR_MISSES = 5


def ask(
    question: Annotated[str, typer.Argument(help='The question; "-" reads it from standard input.')],
    source: Source = None,
    extractive: Annotated[
        bool, typer.Option("--extractive", help="Quote the papers, without the language model that is configured.")
    ] = False,
    passport: Annotated[
        Path | None, typer.Option("--passport", help="Also write an evidence passport, as a new HTML file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the library, with citations."""
    if passport:
        _check_free(passport)
    text = sys.stdin.read() if question == "-" else question
    try:
        answer = _print_stream(text, source, extractive=extractive, silent=as_json)
    except LLMError as error:
        raise RagError(f"{error} {_other_way(question)}") from error
    if as_json:
        print_json(answer)
    else:
        typer.echo(plain("\n".join(["", "", *_footnotes(answer)])))
    if answer.usage.total_tokens:
        typer.secho(str(answer.usage), dim=True, err=True)
    if passport:
        from rag import Assistant

        _write_new(passport, Assistant.open().passport(answer, where=make_filter(source)))
    if answer.cut:
        said = f"The answer was cut: {answer.notices[-1]} {_other_way(question)}"
        typer.secho(plain(said), fg=typer.colors.YELLOW, err=True)
        raise typer.Exit(2)


def _print_stream(question: str, source: list[str] | None, *, extractive: bool, silent: bool) -> Answer:
    """Prints the answer as it comes, and what is to be known beside it on standard error."""
    from rag import Assistant, Done, Notice, Retrieved, Token

    answer: Answer | None = None
    for event in Assistant.open().stream(question, where=make_filter(source), extractive=extractive):
        if isinstance(event, Notice):
            typer.secho(plain(event.text), dim=True, err=True)
        elif isinstance(event, Retrieved) and event.searches:
            typer.secho(plain(f"Also searched for: {'; '.join(event.searches)}"), dim=True, err=True)
        elif isinstance(event, Token) and not silent:
            typer.echo(plain(event.text), nl=False)
            sys.stdout.flush()
        elif isinstance(event, Done):
            answer = event.answer
    assert answer is not None  # noqa: S101 (every stream ends with Done)
    return answer


def _other_way(question: str) -> str:
    """What to type where the language model fails."""
    return f"(Without the language model: footnote ask --extractive {shlex.quote(' '.join(question.split()))})"


def _footnotes(answer: Answer) -> Iterator[str]:
    """What stands below the text: the cited papers with their quotes or the near misses, and what is to be doubted."""
    cited = {citation.number: citation.paper for citation in answer.citations}
    for number, paper in cited.items():
        yield f"[{number}] {write_label(paper)} ({write_places(paper)})"
        if answer.model:
            yield from (f"    “{each.quote}”" for each in answer.citations if each.number == number)
    if not cited and answer.passages:
        yield "The nearest papers, none of which is cited:"
        near = (passage.paper for passage in answer.passages[:_NEAR_MISSES])
        yield from (f"  - {write_label(paper)} ({write_places(paper)})" for paper in near)
    if unsaid := [term for term in answer.unknown_terms if term not in answer.text]:
        yield f"Nowhere in the library: {', '.join(unsaid)}"
    if answer.missing and answer.model:
        yield f"Missing: {'; '.join(answer.missing)}"
    for claim in answer.claims:
        sentence = answer.text[claim.start : claim.end]
        if claim.attributed:
            yield f"Cited by Footnote, not by the model, from [{claim.citations[0]}]: “{sentence}”"
        elif claim.problems:
            yield f"{claim.verdict.value.capitalize()}: “{sentence}” {'; '.join(claim.problems)}"
    if answer.removed_markers:
        yield f"Markers of the model that name no passage, removed: {' '.join(answer.removed_markers)}"


def _check_free(path: Path) -> None:
    """Says before an answer is made that its passport could not be written.

    Raises:
        PassportError: There is such a file, or no such folder.
    """
    if path.exists() or path.is_symlink():
        raise PassportError(f"{path}: it is there already, and a passport replaces no file; name another.")
    if not path.parent.is_dir():
        raise PassportError(f"{path}: there is no folder {path.parent}; make it, or name another.")


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise PassportError(f"{path}: the passport cannot be written ({error.strerror}); name another file.") from error
