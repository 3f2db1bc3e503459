"""`footnote`: puts the commands together, those of the entry points in "footnote.commands" too, and runs them."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from importlib.metadata import entry_points
from io import TextIOWrapper

import typer

from rag.commands.ask import ask
from rag.commands.cache import cache
from rag.commands.doctor import doctor
from rag.commands.eval import evaluate
from rag.commands.ingest import ingest
from rag.commands.papers import papers
from rag.commands.serve import serve
from rag.commands.verify import verify
from rag.errors import RagError
from rag.terminal import plain

app = typer.Typer(
    name="footnote",
    help="Ask your paper abstracts: every sentence of an answer carries a citation you can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(papers, name="papers")
app.add_typer(cache, name="cache")
app.command("verify")(verify)
app.command("eval")(evaluate)
app.command("serve")(serve)
for _entry in entry_points(group="footnote.commands"):
    _loaded = _entry.load()
    if isinstance(_loaded, typer.Typer):
        app.add_typer(_loaded, name=_entry.name)
    else:
        app.command(_entry.name)(_loaded)
for _command in (ask, ingest, doctor):
    app.command()(_command)


def main() -> None:
    """Runs the command line; an error of ours becomes one message on stderr and exit code 2."""
    # Python would look through all that was imported for garbage, again and again, and once more at the end.
    gc.set_threshold(50_000)
    atexit.register(gc.freeze)
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
