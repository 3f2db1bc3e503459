"""Files: replaced at once, so that a reader or a kill finds the old one or the new one whole; and those we ship."""

from __future__ import annotations

import errno
import os
import uuid
from pathlib import Path


def replace_file(path: Path, content: str | bytes, *, private: bool = False, durable: bool = False) -> None:
    """Writes a hidden file beside `path`, `.NAME.<8 hex digits>`, and gives it that name.

    Args:
        private: Whether only its owner can read it.
        durable: Whether it is there after a power cut, too, once this returns.

    Raises:
        OSError: It cannot be written; the old one is as it was.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with open(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(aside, path)
        if durable:
            _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def make_private_folder(folder: Path) -> None:
    """Makes a folder, and those above it that are missing, for its owner alone; one that is there stays as it is.

    Raises:
        OSError: It cannot be made, or a file is in its place.
    """
    check_folder(folder)
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def check_folder(folder: Path) -> None:
    """Makes sure that no file is in the place of a folder.

    Raises:
        NotADirectoryError: One is.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is in the place of this folder", str(folder))


def _sync_folder(folder: Path) -> None:
    """Writes a folder's names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def bundled(name: str) -> Path:
    """The folder `seeds` or `prompts` as shipped."""
    package = Path(__file__).resolve().parent
    installed = package / "_bundled" / name
    return installed if installed.is_dir() else package.parent / name
