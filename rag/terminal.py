"""Text from papers, models and file names on its way to a terminal, where control characters are commands."""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text without control characters other than new lines and tabs."""
    return _CONTROLS.sub("", text)


def printable(name: str) -> str:
    """A file name on one line."""
    return plain(name.replace("\n", "\\n"))
