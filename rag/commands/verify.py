"""`footnote verify`: checks a passport against the library; and the file that `footnote ask --passport` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.errors import PassportError
from rag.terminal import json_text, plain

_COLOURS = {True: typer.colors.GREEN, False: typer.colors.RED, None: None}
_MARKS = {True: "ok  ", False: "FAIL", None: "note"}


def verify(
    path: Annotated[Path, typer.Argument(help="A passport, as `footnote ask --passport` or the chat makes it.")],
    ranking: Annotated[
        bool, typer.Option("--ranking", help="Also search again, and tell what is found today.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check an evidence passport against the library: exit code 1 when something in it does not hold."""
    from dataclasses import asdict

    from rag.assistant import Assistant

    report = Assistant.open().verify(_read(path), ranking=ranking)
    if as_json:
        typer.echo(json_text({"passed": report.passed, "checks": [asdict(check) for check in report.checks]}))
    else:
        for check in report.checks:
            mark = typer.style(_MARKS[check.passed], fg=_COLOURS[check.passed])
            typer.echo(f"{mark}  {check.name:<8} {plain(check.detail)}")
    if not report.passed:
        raise typer.Exit(1)


def check_free(path: Path) -> None:
    """Says before an answer is written that its passport could not be.

    Raises:
        PassportError: There is such a file, or no such folder.
    """
    if path.exists() or path.is_symlink():
        raise PassportError(f"{path}: it is there already, and a passport replaces no file; name another.")
    if not path.parent.is_dir():
        raise PassportError(f"{path}: there is no folder {path.parent}; make it, or name another.")


def write(path: Path, text: str) -> None:
    """Writes a passport into a new file.

    Raises:
        PassportError: It cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise PassportError(f"{path}: the passport cannot be written ({error.strerror}); name another file.") from error


def _read(path: Path) -> str:
    from rag.share.passports.carried import MOST_BYTES

    try:
        with path.open("rb") as file:
            found = file.read(MOST_BYTES + 1)
        return found.decode("utf-8")
    except OSError as error:
        raise PassportError(f"{path}: it cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise PassportError(f"{path}: this is no passport: it is not UTF-8 text.") from error
