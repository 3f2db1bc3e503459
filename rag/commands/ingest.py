"""`footnote ingest`: brings the library in step with files, and says what became of them."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.common import AsJson, print_json
from rag.terminal import plain, printable

if TYPE_CHECKING:
    from rag.types import IngestReport

_COUNTS = ("added", "changed", "unchanged", "removed", "merged")


def ingest(
    paths: Annotated[
        list[str] | None,  # a Path of "" is that of the current folder
        typer.Argument(metavar="[PATHS]...", help="Files and folders; without any, those known already."),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the papers of files that are gone or unreadable.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Embed every paper of the library again, e.g. with another model.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="Embed on a Ray cluster: auto, host:port, local."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the library in step with files of abstracts: text, or JSON lines."""
    from rag import Assistant
    from rag.terminal import progress_bar

    try:
        with progress_bar("Ingesting") as progress:
            report = Assistant.open().ingest(paths or (), prune=prune, rebuild=rebuild, progress=progress, ray=ray)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed again, it would interrupt the ending, with a traceback
        kept = "The library is as it was" if rebuild else "What was ingested so far is kept"
        typer.echo(f"Interrupted. {kept}; run this again to {'begin anew' if rebuild else 'go on'}.", err=True)
        raise
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    if paths and report.skipped and not (report.added or report.changed or report.unchanged or report.merged):
        raise typer.Exit(2)


def _print_report(report: IngestReport) -> None:
    counts = ", ".join(f"{getattr(report, name)} {name}" for name in _COUNTS)
    lines = [f"{report.total} papers in the library: {counts}; {report.embedded} texts embedded."]
    lines += [f"skipped {printable(skip.source)}: {skip.reason}" for skip in report.skipped]
    if report.kept:
        lines.append(f"{report.kept} papers of files that are gone or unreadable are kept; --prune removes them.")
    typer.echo(plain("\n".join(lines)))
