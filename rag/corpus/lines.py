"""Reads the lines of a text file, packed or not; what it may unpack to is bounded."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

PACKINGS = ("", ".gz", ".xz")
MOST_BYTES = 1 << 30  # of a packed file, unpacked: a small file can be made to unpack to terabytes
_MOST_PACKED, _PLENTY = 100, 1 << 22  # text packs to a tenth or a third; more is looked at from 4 MB on
_MOST_LINE_BYTES = 1 << 24  # no abstract is that long, and a line is held in memory whole


class Unreadable(Exception):
    """A file that yields no abstract, with the reason in words."""


def read_lines(path: Path) -> Iterator[str]:
    """Reads the lines of a file with their ends; the end of its name tells how it is packed.

    Raises:
        Unreadable: The file is empty, is not UTF-8, is damaged, unpacks to too much, or cannot be opened.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise Unreadable("it is empty")
        is_packed = path.suffix.lower() in PACKINGS
        with _opened(path) as file:
            yield from _decoded(file, most=min(MOST_BYTES, max(_PLENTY, _MOST_PACKED * size)) if is_packed else None)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise Unreadable(f"it cannot be unpacked ({error}); fetch or pack it again") from error
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror})") from error


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return lzma.open(path, "rb") if path.suffix.lower() == ".xz" else path.open("rb")


def _decoded(file: IO[bytes], *, most: int | None) -> Iterator[str]:
    number = unpacked = 0
    while raw := file.readline(_MOST_LINE_BYTES + 1):
        number += 1
        unpacked += len(raw)
        if len(raw) > _MOST_LINE_BYTES:
            raise Unreadable(f"line {number} is longer than {_MOST_LINE_BYTES:,} bytes")
        if most and unpacked > most:
            raise Unreadable(f"it unpacks to more than {most:,} bytes; unpack and split it")
        if b"\0" in raw:
            raise Unreadable(f"it is not text (line {number} has a zero byte)")
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise Unreadable(f"it is not UTF-8 (line {number}); save it as UTF-8") from error
