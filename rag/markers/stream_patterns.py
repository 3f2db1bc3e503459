"""Patterns for a stream, which may end anywhere: each knows its own beginnings, so that no more waits than must."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Form:
    """A pattern, and one of its beginnings: it matches where the text ends within what the first would match."""

    whole: str
    begun: str

    def __add__(self, other: Form) -> Form:
        return Form(self.whole + other.whole, f"(?:{self.begun}|{self.whole}{other.begun})")

    def __or__(self, other: Form) -> Form:
        return Form(f"(?:{self.whole}|{other.whole})", f"(?:{self.begun}|{other.begun})")


@dataclass(frozen=True)
class LazyPattern:
    """A regular expression that is compiled at its first use: the beginnings of a marker take a fifth of a second."""

    pattern: str
    flags: int = 0

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, self.flags)

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """As `re.Pattern.match`."""
        return self._compiled.match(text, start)


def chars(kind: str, least: int = 1, most: int = 1) -> Form:
    """So many characters of a kind, given as a class: `[a-z]`."""
    return Form(f"{kind}{{{least},{most}}}", rf"{kind}{{0,{most}}}\Z")


def words(*words: str) -> Form:
    """One of these words."""
    begun = {re.escape(word[:length]) for word in words for length in range(len(word) + 1)}
    # The longest first: of "passages", "passage" alone is no name.
    whole = sorted(map(re.escape, words), key=len, reverse=True)
    return Form(f"(?:{'|'.join(whole)})", rf"(?:{'|'.join(sorted(begun))})\Z")


def maybe(form: Form) -> Form:
    """The form or nothing."""
    return Form(f"(?:{form.whole})?", form.begun)


def many(form: Form, most: int) -> Form:
    """The form again and again, or nothing."""
    return Form(f"(?:{form.whole}){{0,{most}}}", f"(?:{form.whole}){{0,{most}}}{form.begun}")


def sequence(*forms: Form) -> Form:
    """The forms one behind the other."""
    *before, last = forms
    for form in reversed(before):  # from behind: the pattern of beginnings stays short
        last = form + last
    return last
