"""Who may log in: a file of `user:scrypt` lines, with what is needed to check a password and not to learn it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from rag import SettingsError, replace_file

SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_LINE = re.compile(r"scrypt\$(\d{1,2})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]{16,})\$([A-Za-z0-9+/=]{40,})")
_COST, _BLOCK, _PARALLEL = 15, 8, 1  # 32 MB and some 60 ms a try; the cost is the binary logarithm of scrypt's N
_MOST_MEMORY = 256_000_000  # bytes; a line of a file that asks for more is refused


def read_accounts(path: Path) -> dict[str, str]:
    """The scrypt lines of the users by name.

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
        if not _NAME.fullmatch(name) or not _LINE.fullmatch(kept):
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
    salt = secrets.token_bytes(16)
    digest = _digest(password, salt, _COST, _BLOCK, _PARALLEL)
    encoded = (base64.b64encode(part).decode() for part in (salt, digest))
    return "$".join(("scrypt", str(_COST), str(_BLOCK), str(_PARALLEL), *encoded))


def check_password(accounts: Mapping[str, str], name: str, password: str) -> bool:
    """Whether this is the user's password; takes as long for a user that there is none of."""
    kept = accounts.get(name)
    match = _LINE.fullmatch(kept or _NOBODY)
    if match is None or len(password) > _LONGEST_PASSWORD:
        return False
    cost, block, parallel = (int(match[place]) for place in (1, 2, 3))
    salt, expected = (base64.b64decode(match[place]) for place in (4, 5))
    try:
        given = _digest(password, salt, cost, block, parallel)
    except ValueError:  # a line that was changed by hand
        return False
    return hmac.compare_digest(given, expected) and kept is not None


def _digest(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=2**cost, r=block, p=parallel, maxmem=_MOST_MEMORY
    )


_NOBODY = f"scrypt${_COST}${_BLOCK}${_PARALLEL}${'A' * 22}==${'A' * 86}=="
