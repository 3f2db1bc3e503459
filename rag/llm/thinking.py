"""What a model thinks aloud, and what of its text is the answer."""

from __future__ import annotations

import re

_THOUGHTS = ("<think>", "<thinking>")
_END_OF_THOUGHTS = re.compile(r"(?<![`\"'“])</think(?:ing)?>")


def after_thoughts(text: str) -> str:
    """The text behind thoughts that are closed but were never opened: some servers have put <think> into the prompt.

    It is known only when all has been written; a tag that is quoted, or that an opening one stands before, ends none.
    """
    end = _END_OF_THOUGHTS.search(text)
    return text[end.end() :].lstrip() if end and "<think" not in text[: end.start()] else text


class Thoughts:
    """Leaves out what a model thinks aloud: a <think> or <thinking> block at the very beginning of its answer.

    Attributes:
        length: Characters of thought so far.
    """

    def __init__(self) -> None:
        self.length = 0
        self._held = ""
        self._state, self._end = "unknown", ""

    def without(self, piece: str) -> str:
        """The part of the next piece that is answer."""
        if self._state == "answering":
            return piece
        self._held += piece
        begin = self._held.lstrip()
        if self._state == "unknown" and (opened := next(filter(begin.startswith, _THOUGHTS), None)):
            self._state, self._end = "thinking", f"</{opened[1:]}"
        if self._state == "thinking":
            self.length += len(piece)
            thought, end, answer = self._held.partition(self._end)
            # Only what may be the beginning of the end is kept, so that long thoughts cost nothing.
            self._held = answer.lstrip() if end else thought[-len(self._end) :]
            if not end:
                return ""
        elif any(tag.startswith(begin) for tag in _THOUGHTS):
            return ""
        self._state = "answering"
        return self.rest()

    def rest(self) -> str:
        """What was held back and is no thought."""
        rest, self._held = ("" if self._state == "thinking" else self._held), ""
        return rest
