"""The names and figures of a sentence, each with the words around it, to lay two sentences side by side; pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from rag.text.figures import Figure, figures
from rag.text.words import fold, is_stop_word

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# A name as it is written: capitals within, or digits behind letters, or a capital inside a sentence; parts joined by
# hyphens belong together, GPT-4, X-Embodiment.
_WORD = re.compile(r"[^\W_]+(?:[-.+&/@:][^\W_]+)*\+{0,2}")
_OPENS = re.compile(r"(?:^|[.?!:;•]|\n)[\s\"'“‘(\[*-]*\Z")
_LETTERS = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "κ": "kappa", "λ": "lambda",
            "μ": "mu", "σ": "sigma", "τ": "tau", "ω": "omega"}  # fmt: skip
_GREEK = str.maketrans(_LETTERS)
_OPENING = 8  # characters of quotes and brackets before the first word of a sentence
_REACH = 6  # words to either side of a slot that tell what it is about
_STOP_WEIGHT = 0.25


@dataclass(frozen=True, slots=True)
class Slot:
    """A name or a figure in its place.

    Attributes:
        written: As the text has it.
        around: Weights of the words around it, by (side, stem).
        figure: Its value and unit; None for a name.
    """

    written: str
    around: Mapping[tuple[str, str], float]
    figure: Figure | None = None

    def is_as(self, other: Slot) -> bool:
        """Whether both say the same; of names one may be part of the other, `DNA` of `mtDNA`."""
        if self.figure and other.figure:
            return self.figure.is_as(other.figure)
        here, there = joined(self.written), joined(other.written)
        return here in there or there in here

    def may_stand_for(self, other: Slot) -> bool:
        """Whether one could have been put in the other's place: figures have a common unit, or none."""
        return not (self.figure and other.figure) or self.figure.unit == other.figure.unit


@dataclass(frozen=True)
class Sentence:
    """A sentence taken apart."""

    text: str

    @cached_property
    def tokens(self) -> list[re.Match[str]]:
        """Its words, the parts of hyphenated ones apart."""
        return list(_TOKEN.finditer(self.text))

    @cached_property
    def _starts(self) -> list[int]:
        return [token.start() for token in self.tokens]

    @cached_property
    def stems(self) -> list[str]:
        """The stem of each token."""
        return [stem(fold(token[0])) for token in self.tokens]

    @cached_property
    def content(self) -> frozenset[str]:
        """Stems of the words that say something, figures apart."""
        spans = [(figure.start, figure.end) for figure in self.figures]
        return frozenset(
            stemmed for token, stemmed in zip(self.tokens, self.stems, strict=True)
            if not is_stop_word(token[0]) and not any(start <= token.start() < end for start, end in spans)
        )  # fmt: skip

    @cached_property
    def figures(self) -> list[Figure]:
        """Its figures, those inside of names left out."""
        return figures(self.text)

    @cached_property
    def figure_slots(self) -> list[Slot]:
        """Its figures with what stands around them."""
        return [Slot(figure.written, self._around(figure.start, figure.end), figure) for figure in self.figures]

    @cached_property
    def name_slots(self) -> list[Slot]:
        """Its names with what stands around them."""
        taken = [(figure.start, figure.end) for figure in self.figures]
        return [
            Slot(name, self._around(start, start + len(name))) for start, name in names(self.text)
            if not any(first <= start < end for first, end in taken)
        ]  # fmt: skip

    @cached_property
    def initials(self) -> tuple[str, str]:
        """The first letters of its words, of all and of those that carry meaning; of digits all."""
        every = meant = ""
        for token in self.tokens:
            parts = re.findall(r"\d+|\D+", fold(token[0]))
            first = "".join(part if part.isdigit() else part[0] for part in parts)
            every += first
            meant += "" if is_stop_word(token[0]) else first
        return every, meant

    def places(self, stemmed: str) -> list[int]:
        """Where a stem occurs, counted in tokens."""
        return [place for place, each in enumerate(self.stems) if each == stemmed]

    def around(self, place: int) -> Mapping[tuple[str, str], float]:
        """The words around a token."""
        return self._around(self.tokens[place].start(), self.tokens[place].end())

    def _around(self, start: int, end: int) -> dict[tuple[str, str], float]:
        first = bisect_left(self._starts, start)
        behind = bisect_left(self._starts, end)
        sides = (("before", range(first - 1, max(-1, first - 1 - _REACH), -1)),
                 ("after", range(behind, min(len(self.tokens), behind + _REACH))))  # fmt: skip
        around: dict[tuple[str, str], float] = {}
        for side, places in sides:
            for distance, place in enumerate(places, start=1):
                base = _STOP_WEIGHT if is_stop_word(self.tokens[place][0]) else 1.0
                feature = (side, self.stems[place])
                around[feature] = max(around.get(feature, 0.0), base / distance**0.5)
        return around


def names(text: str) -> Iterator[tuple[int, str]]:
    """The words that are written as names, as (start, word): `Cybench`, `GPT-4`, `X-Embodiment`."""
    words = _WORD.findall(text)
    in_capitals = sum(word[0].isupper() for word in words) > len(words) / 2  # a title
    for found in _WORD.finditer(text):
        word = found[0]
        if word[0].isdigit() and not re.match(r"\d+[A-Z][a-zA-Z]*\Z|\d+-?D\b", word):
            continue
        if not re.search(r"[A-Z]", word) and not re.search(r"[a-z]-?\d", word):
            continue
        inner = any(letter.isupper() for letter in word[1:]) or any(letter.isdigit() for letter in word)
        if is_stop_word(word) or len(word) == 1:
            continue
        if not inner and (in_capitals or _OPENS.search(text, max(0, found.start() - _OPENING), found.start())):
            continue
        yield found.start(), re.sub(r"['’]s$", "", word)


def joined(name: str) -> str:
    """A name without what joins its parts and without a plural's s: `GPT-4s` -> `gpt4`."""
    bare = re.sub(r"[\W_]", "", fold(name).translate(_GREEK))
    return bare[:-1] if bare.endswith("s") and len(bare) > 3 else bare


def core(name: str) -> list[str]:
    """The parts of a compound that are names: `AMP-activated` -> `AMP`, `GPT-4-based` -> `GPT-4`."""
    parts: list[str] = []
    before = ""
    for part in re.split(r"[-/&+@:.]+", name):
        if part[:1].isdigit() and before:  # GPT-4, interleukin-2
            parts = [*(parts[:-1] if parts and parts[-1] == before else parts), before + part]
            before = parts[-1]
            continue
        before = part
        if len(part) > 1 and re.search(r"[A-Z0-9]|^[^\Wa-z_]", part):
            parts.append(part)
    return parts


def without_prefix(name: str) -> str:
    """An acronym without the small letters before it, which say what kind it is of: `mtDNA` -> `DNA`."""
    return re.sub(r"^[a-z]{1,2}(?=[A-Z]{2})", "", name)


def alike(one: Mapping[tuple[str, str], float], other: Mapping[tuple[str, str], float]) -> float:
    """The share, by weight, of what stands around one slot that stands around the other too; 0 to 1."""
    total = sum(one.values())
    return sum(min(weight, other.get(feature, 0.0)) for feature, weight in one.items()) / total if total else 0.0


def stem(word: str) -> str:
    """A crude stem, the same for improve, improves, improved and improving."""
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
