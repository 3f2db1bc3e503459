"""Ways in which a file goes bad."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 5_000)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwritten(start: float, end: float) -> Callable[[Path], None]:
    """Random bytes between two shares of the file's length."""

    def spoil(path: Path) -> None:
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(int(size * start))
            file.write(random.Random(1).randbytes(int(size * (end - start))))  # noqa: S311 (a fixed seed)

    return spoil
