"""The commands `footnote user add | remove | list`: who may log in to the chat."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

user = typer.Typer(help="Who may log in to the chat (RAG_UI_AUTH).", no_args_is_help=True)

File = Annotated[Path | None, typer.Option("--file", help="File of users; RAG_UI_AUTH otherwise.")]
Name = Annotated[str, typer.Argument(help="The user's name.")]


@user.command()
def add(name: Name, file: File = None) -> None:
    """Add a user, or give one another password; it is asked for, or read from a pipe."""
    from ui.server.accounts import check_name, hash_password, read_accounts, write_accounts

    path, name = _file(file), check_name(name)
    accounts = read_accounts(path)
    is_new = name not in accounts
    accounts[name] = hash_password(_password())
    write_accounts(path, accounts)
    typer.echo(f"{name} {'was added to' if is_new else 'has another password in'} {path}.")
    if file is not None:
        typer.echo(f"Set RAG_UI_AUTH={path} for `footnote ui`.")


@user.command()
def remove(name: Name, file: File = None) -> None:
    """Remove a user, who is out at the next click."""
    from rag import RagError
    from ui.server.accounts import read_accounts, write_accounts

    path = _file(file)
    accounts = read_accounts(path)
    if name not in accounts:
        raise RagError(f"{path}: there is no user {name!r}; `footnote user list` shows them.")
    del accounts[name]
    write_accounts(path, accounts)
    typer.echo(f"{name} was removed from {path}.")


@user.command("list")
def list_users(file: File = None) -> None:
    """List the users."""
    from ui.server.accounts import read_accounts

    for name in sorted(read_accounts(_file(file))):
        typer.echo(name)


def _file(given: Path | None) -> Path:
    from rag import RagError, load_settings

    path = given.absolute() if given else load_settings().ui_auth
    if path is None:
        raise RagError("There is no file of users; name one with --file or RAG_UI_AUTH.")
    return path


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
