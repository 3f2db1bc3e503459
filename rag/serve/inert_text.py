"""Text whose Markdown and HTML do nothing in a client that renders them: an image's address can carry data away."""

from __future__ import annotations

import re

# What makes an image, a link, a link's address at another place, and a tag: each sign, before what makes it live.
_LIVE = re.compile(r"!(?=\[)|\](?=[(:])|<(?=[a-z/!?])", re.IGNORECASE)
# A backslash behind, not before: before, one of the model's own would undo it; for that reason no `\<` either.
_INERT = {"!": "!\\", "]": "]\\", "<": "&lt;"}


def inert(text: str) -> str:
    """The text with images, links and tags as they are written; markers such as [1] stay."""
    return _LIVE.sub(lambda sign: _INERT[sign[0]], text)


class InertStream:
    """Makes text inert that comes in pieces, also where a sign and what makes it live are split."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown after the next piece."""
        text = self._held + piece
        self._held = text[-1:] if text.endswith(tuple(_INERT)) else ""
        return inert(text)[: -len(self._held) or None]

    def rest(self) -> str:
        """What was held back; at the end of a text a sign makes nothing live."""
        rest, self._held = self._held, ""
        return rest
