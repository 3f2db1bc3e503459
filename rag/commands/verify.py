"""`footnote verify`: checks an evidence passport against the library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rag.commands.common import AsJson, print_check, print_json
from rag.errors import PassportError


def verify(
    path: Annotated[Path, typer.Argument(help="A passport, as `footnote ask --passport` or the chat makes it.")],
    ranking: Annotated[
        bool, typer.Option("--ranking", help="Also search again, and tell what is found today.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check an evidence passport against the library: exit code 1 when something in it does not hold."""
    from rag.assistant import Assistant

    report = Assistant.open().verify(_read_passport(path), ranking=ranking)
    if as_json:
        print_json({"passed": report.passed, "checks": report.checks})
    else:
        for check in report.checks:
            print_check(check.passed, f"{check.name:<8}", check.detail)
    if not report.passed:
        raise typer.Exit(1)


def _read_passport(path: Path) -> str:
    """The text of the file; of one too large to be a passport, a little more than a passport may have."""
    from rag.share.passports.data import MOST_BYTES

    try:
        if path.exists() and not path.is_file():
            raise PassportError(f"{path}: this is no file; a passport is one that the chat or `--passport` has made.")
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1).decode("utf-8")
    except OSError as error:
        raise PassportError(f"{path}: it cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise PassportError(f"{path}: this is no passport: it is not UTF-8 text.") from error
