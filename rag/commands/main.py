"""The command line: footnote ingest | ask | verify | papers | eval | cache | serve | doctor; the rest is in `ui`."""

from __future__ import annotations

import atexit
import gc
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import entry_points
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rag.commands.eval import evaluate
from rag.commands.serve import serve
from rag.commands.verify import check_free, verify, write
from rag.errors import LLMError, RagError
from rag.terminal import json_text, plain, printable

if TYPE_CHECKING:
    from rag.types import Answer, Filter, IngestReport, Paper

app = typer.Typer(
    name="footnote",
    help="Ask your paper abstracts: every sentence of an answer carries a citation you can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
papers_app = typer.Typer(help="Look at the papers in the library.", no_args_is_help=True)
app.add_typer(papers_app, name="papers")
cache_app = typer.Typer()
app.add_typer(cache_app, name="cache")
app.command("verify")(verify)
app.command("eval")(evaluate)
app.command("serve")(serve)
for _entry in entry_points(group="footnote.commands"):
    _loaded = _entry.load()
    if isinstance(_loaded, typer.Typer):
        app.add_typer(_loaded, name=_entry.name)
    else:
        app.command(_entry.name)(_loaded)

_NEAR_MISSES = 5
Source = Annotated[list[str] | None, typer.Option("--source", "-s", help="Only papers from this file; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Runs the command line; an error of ours becomes one message on stderr and exit code 2."""
    _spare_the_collector()
    # NumPy's products are small; its own threads would wait for each other, and stand in the way of other questions.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # Letters that a terminal cannot show, and bytes in a pipe that are none, are no reason to stop.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except RagError as error:
        typer.secho(f"error: {plain(str(error))}", fg=typer.colors.RED, err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `footnote papers list | head`
        sys.stderr.close()
        sys.exit(0)


def _spare_the_collector() -> None:
    """Python looks through all that was imported for garbage, again and again, and once more at the end."""
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)


@app.command()
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
        check_free(passport)
    text = sys.stdin.read() if question == "-" else question
    try:
        answer = _told(text, source, extractive=extractive, silent=as_json)
    except LLMError as error:
        raise RagError(f"{error} {_other_way(question)}") from error
    typer.echo(json_text(asdict(answer)) if as_json else _footnotes(answer))
    if answer.usage.total_tokens:
        typer.secho(str(answer.usage), dim=True, err=True)
    if passport:
        from rag import Assistant

        write(passport, Assistant.open().passport(answer, where=_filter(source)))
    if answer.cut:
        said = f"The answer was cut: {answer.notices[-1]} {_other_way(question)}"
        typer.secho(plain(said), fg=typer.colors.YELLOW, err=True)
        raise typer.Exit(2)


def _told(question: str, source: list[str] | None, *, extractive: bool, silent: bool) -> Answer:
    """The answer, told as it comes."""
    from rag import Assistant, Done, Notice, Retrieved, Token

    answer: Answer | None = None
    for event in Assistant.open().stream(question, where=_filter(source), extractive=extractive):
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


@app.command()
def ingest(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders; without any, those known already.")
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
    from rag.progress import progress_bar

    try:
        with progress_bar("Ingesting") as progress:
            report = Assistant.open().ingest(paths or (), prune=prune, rebuild=rebuild, progress=progress, ray=ray)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed again, it would interrupt the ending, with a traceback
        kept = "The library is as it was" if rebuild else "What was ingested so far is kept"
        typer.echo(f"Interrupted. {kept}; run this again to {'begin anew' if rebuild else 'go on'}.", err=True)
        raise
    typer.echo(json_text(asdict(report)) if as_json else _summary(report))
    if paths and report.skipped and not (report.added or report.changed or report.unchanged or report.merged):
        raise typer.Exit(2)


@papers_app.command("list")
def list_papers(source: Source = None, as_json: AsJson = False) -> None:
    """List the papers: id, place, title."""
    from rag import Assistant

    found = Assistant.open().papers(where=_filter(source))
    if as_json:
        typer.echo(json_text([asdict(paper) for paper in found]))
        return
    for paper in found:
        typer.echo(plain(f"{paper.id}  {paper.source}:{paper.line}  {_label(paper)}"))
    if not found:
        typer.echo("No papers. Run `footnote ingest PATHS`, or `footnote ingest` for the bundled seeds.", err=True)


@papers_app.command("show")
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
        typer.echo(json_text(asdict(paper)))
        return
    places = "\n".join(f"  {name}:{line}" for name, line in paper.places)
    head = "\n".join([_label(paper), *_details(paper)])
    typer.echo(plain(f"{head}\n\n{paper.abstract}\n\nid {paper.id}, seen in\n{places}"))


@app.command()
def doctor() -> None:
    """Say what is configured, what is missing, and how to mend it."""
    from rag.commands.doctor import examine

    findings = list(examine())
    for finding in findings:
        mark = typer.style("ok  ", fg=typer.colors.GREEN) if finding.ok else typer.style("FAIL", fg=typer.colors.RED)
        typer.echo(f"{mark}  {finding.what:<16} {plain(finding.detail)}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(2)


@cache_app.callback(invoke_without_command=True)
def show_cache(context: typer.Context) -> None:
    """Look at the answers of the language model that are kept on disk, or remove them."""
    from rag import load_settings
    from rag.llm.cache import AnswerCache

    if context.invoked_subcommand is None:
        settings = load_settings()
        kept = AnswerCache.of(settings).contents()
        state = "" if settings.llm_cache else "; it is switched off (RAG_LLM_CACHE)"
        typer.echo(f"{_answers(kept.answers)}, {kept.size_bytes / 1000:,.0f} kB, in {settings.home}{state}")


@cache_app.command("clear")
def clear_cache() -> None:
    """Remove them all: every question goes to the language model again."""
    from rag import load_settings
    from rag.llm.cache import AnswerCache

    typer.echo(f"{_answers(AnswerCache.of(load_settings()).clear().answers)} removed.")


def _other_way(question: str) -> str:
    """What to type where the language model fails."""
    return f"(Without the language model: footnote ask --extractive {shlex.quote(' '.join(question.split()))})"


def _filter(sources: list[str] | None) -> Filter | None:
    from rag import Filter

    return Filter(sources=tuple(sources)) if sources else None


def _footnotes(answer: Answer) -> str:
    """What stands below the text: the cited papers with their quotes, or the near misses."""
    lines = ["", ""]
    cited = {citation.number: citation.paper for citation in answer.citations}
    for number, paper in cited.items():
        lines.append(f"[{number}] {_label(paper)} ({_places(paper)})")
        if answer.model:
            lines += [f"    “{each.quote}”" for each in answer.citations if each.number == number]
    if not cited and answer.passages:
        lines.append("The nearest papers, none of which is cited:")
        lines += [f"  - {_label(p.paper)} ({_places(p.paper)})" for p in answer.passages[:_NEAR_MISSES]]
    if unsaid := [term for term in answer.unknown_terms if term not in answer.text]:
        lines.append(f"Nowhere in the library: {', '.join(unsaid)}")
    if answer.missing and answer.model:
        lines.append(f"Missing: {'; '.join(answer.missing)}")
    lines += _doubts(answer)
    if answer.removed_markers:
        lines.append(f"Markers of the model that name no passage, removed: {' '.join(answer.removed_markers)}")
    return plain("\n".join(lines))


def _answers(count: int) -> str:
    return "1 answer" if count == 1 else f"{count:,} answers"


def _doubts(answer: Answer) -> Iterator[str]:
    """What the support ledger has to say of the sentences of a model."""
    for claim in answer.claims:
        sentence = answer.text[claim.start : claim.end]
        if claim.attributed:
            yield f"Cited by Footnote, not by the model, from [{claim.citations[0]}]: “{sentence}”"
        elif claim.problems:
            yield f"{claim.verdict.value.capitalize()}: “{sentence}” {'; '.join(claim.problems)}"


def _label(paper: Paper) -> str:
    return f"{paper.label} [untitled]" if paper.label_is_made else paper.label


def _details(paper: Paper) -> Iterator[str]:
    """Who wrote it, where and when it appeared, where it is to be had; a line each, where known."""
    yield from filter(None, (", ".join(paper.authors), f"{paper.venue} {paper.year or ''}".strip()))
    yield from filter(None, (paper.doi and f"doi:{paper.doi}", paper.url))


def _places(paper: Paper) -> str:
    first, *others = (f"{source}:{line}" for source, line in paper.places)
    return f"{first}, also in {', '.join(others)}" if others else first


def _summary(report: IngestReport) -> str:
    counts = ", ".join(
        f"{getattr(report, name)} {name}" for name in ("added", "changed", "unchanged", "removed", "merged")
    )
    lines = [f"{report.total} papers in the library: {counts}; {report.embedded} texts embedded."]
    lines += [f"skipped {printable(skip.source)}: {skip.reason}" for skip in report.skipped]
    if report.kept:
        lines.append(f"{report.kept} papers of files that are gone or unreadable are kept; --prune removes them.")
    return plain("\n".join(lines))
