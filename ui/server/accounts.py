"""Who may log in: a file of `user:hash` lines, with what is needed to check a password and not to learn it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag import SettingsError, replace_file

if TYPE_CHECKING:
    from pwdlib import PasswordHash

SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# Argon2id, by pwdlib; a line that asks for more than 1 GB of memory or 99 rounds is none.
_LINE = re.compile(r"\$argon2id\$v=19\$m=\d{1,6},t=\d{1,2},p=\d{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}")
# As earlier versions wrote it.
_SCRYPT = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]{16,88})\$([A-Za-z0-9+/=]{40,88})")
_MOST_MEMORY = 256_000_000  # bytes; a line of scrypt that asks for more is refused


def read_accounts(path: Path) -> dict[str, str]:
    """The users' hashes by name.

    Raises:
        SettingsError: The file cannot be read, or others can, or a line of it is none that `footnote user add` writes.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        is_open = os.name == "posix" and path.stat().st_mode & 0o077
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the users cannot be read ({error}); correct its path or permissions.") from error
    if is_open:
        raise SettingsError(f"{path}: others than its owner can read or write the users; `chmod 600 {path}`.")
    accounts = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, kept = line.strip().partition(":")
        if not _NAME.fullmatch(name) or not (_LINE.fullmatch(kept) or _SCRYPT.fullmatch(kept)):
            raise SettingsError(
                f"{path}:{number}: this is no line of `footnote user add`; remove it and add the user again."
            )
        accounts[name] = kept
    return accounts


def write_accounts(path: Path, accounts: Mapping[str, str]) -> None:
    """Replaces the file at once, readable for its owner alone.

    Raises:
        SettingsError: It cannot be written.
    """
    text = "".join(f"{name}:{kept}\n" for name, kept in sorted(accounts.items()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text, private=True)
    except OSError as error:
        raise SettingsError(f"{path}: the users cannot be written ({error}); choose another file.") from error


def check_name(name: str) -> str:
    """The name.

    Raises:
        SettingsError: It is none that a user can have.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name!r} is no user name: it has up to 64 letters, digits and the signs . _ @ -")
    return name


def hash_password(password: str) -> str:
    """A password as the file keeps it, with a salt of its own.

    Raises:
        SettingsError: The password is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise SettingsError(f"a password has {SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters")
    return _hashing().hash(password)


def check_password(accounts: Mapping[str, str], name: str, password: str) -> bool:
    """Whether this is the user's password; takes as long for a user that there is none of, but for lines of scrypt."""
    kept = accounts.get(name)
    if len(password) > _LONGEST_PASSWORD:
        return False
    if kept and (line := _SCRYPT.fullmatch(kept)):
        return _is_by_scrypt(line, password)
    typed = password.encode("utf-8", "surrogatepass")
    return _hashing().verify(typed, kept or _hash_of_nobody()) and kept is not None


@cache
def _hashing() -> PasswordHash:
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    return PasswordHash((Argon2Hasher(),))


@cache
def _hash_of_nobody() -> str:
    return _hashing().hash(secrets.token_hex())


def _is_by_scrypt(line: re.Match[str], password: str) -> bool:
    cost, block, parallel = (int(line[place]) for place in (1, 2, 3))
    try:
        salt, expected = (base64.b64decode(line[place]) for place in (4, 5))
        typed = password.encode("utf-8", "surrogatepass")
        given = hashlib.scrypt(typed, salt=salt, n=2**cost, r=block, p=parallel, maxmem=_MOST_MEMORY)
    except ValueError:  # a line that was changed by hand
        return False
    return hmac.compare_digest(given, expected)
