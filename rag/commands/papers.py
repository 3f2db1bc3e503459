"""`footnote papers list | show`: the papers in the library."""

from __future__ import annotations

from typing import Annotated

import typer

from rag.commands.common import AsJson, Source, make_filter, print_json, write_label
from rag.errors import RagError
from rag.terminal import plain, printable

papers = typer.Typer(help="Look at the papers in the library.", no_args_is_help=True)


@papers.command("list")
def list_papers(source: Source = None, as_json: AsJson = False) -> None:
    """List the papers: id, place, title."""
    from rag import Assistant

    found = Assistant.open().papers(where=make_filter(source))
    if as_json:
        print_json(found)
        return
    for paper in found:
        typer.echo(plain(f"{paper.id}  {printable(paper.source)}:{paper.line}  {write_label(paper)}"))
    if not found:
        typer.echo("No papers. Run `footnote ingest PATHS`, or `footnote ingest` for the bundled seeds.", err=True)


@papers.command("show")
def show_paper(
    paper_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], as_json: AsJson = False
) -> None:
    """Show a paper: title, authors and what else is known, abstract, every place it was seen."""
    from rag import Assistant

    found = [paper for paper in Assistant.open().papers() if paper.id.startswith(paper_id.lower())]
    if len(found) != 1:
        raise RagError(
            f"{len(found) or 'No'} papers have an id that begins with {paper_id!r}; `footnote papers list` shows all."
        )
    paper = found[0]
    if as_json:
        print_json(paper)
        return
    appeared = f"{paper.venue} {paper.year or ''}".strip()
    details = (", ".join(paper.authors), appeared, paper.doi and f"doi:{paper.doi}", paper.url)
    head = "\n".join([write_label(paper), *filter(None, details)])
    places = "\n".join(f"  {printable(name)}:{line}" for name, line in paper.places)
    typer.echo(plain(f"{head}\n\n{paper.abstract}\n\nid {paper.id}, seen in\n{places}"))
