"""Files: replaced at once, so that a reader or a kill finds the old one or the new one whole; and those we ship."""

from __future__ import annotations

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
