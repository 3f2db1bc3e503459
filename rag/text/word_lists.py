"""Reads the word lists in `rag/text/data`: plain text, in which a line that begins with "# " is a comment."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def read_lines(name: str) -> tuple[str, ...]:
    """The entries of a list that has one a line."""
    text = files("rag.text").joinpath("data", f"{name}.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("# "))


@cache
def read_words(name: str) -> frozenset[str]:
    """The words of a list that has them apart by blanks."""
    return frozenset(" ".join(read_lines(name)).split())


@cache
def read_table(name: str) -> dict[str, tuple[str, ...]]:
    """The entries of a list by their key, in its order: a line is "key: entry, entry", a key may have several lines."""
    table: dict[str, tuple[str, ...]] = {}
    for line in read_lines(name):
        key, _, entries = line.partition(": ")
        table[key] = (*table.get(key, ()), *entries.split(", "))
    return table


@cache
def read_patterns(name: str, **parts: str) -> dict[str, re.Pattern[str]]:
    """Patterns by their key, that ignore case: a line is "key: pattern", the lines of a key are alternatives.

    Args:
        parts: What stands for each "{part}" of a pattern.
    """
    alternatives: dict[str, list[str]] = {}
    for line in read_lines(name):
        key, _, pattern = line.partition(": ")
        alternatives.setdefault(key, []).append(fill_parts(pattern, **parts))
    return {key: re.compile("|".join(each), re.IGNORECASE) for key, each in alternatives.items()}


def fill_parts(pattern: str, **parts: str) -> str:
    """A pattern with what stands for each "{part}"; other braces are its own."""
    for name, part in parts.items():
        pattern = pattern.replace(f"{{{name}}}", part)
    return pattern
