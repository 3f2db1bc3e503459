"""The figures of a text: values with their units, however they are written; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from rag.text.word_lists import read_table

ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen""".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SPELLED = {word: value for value, word in enumerate(ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_FACTORS: dict[str, Decimal] = {
    **dict.fromkeys(("twice", "double", "doubles", "doubled", "doubling"), Decimal(2)),
    **dict.fromkeys(("thrice", "triple", "triples", "tripled", "tripling"), Decimal(3)),
}
_HALF = frozenset(("half", "halves", "halved", "halving"))
_ROMAN = {"II": 2, "III": 3, "IV": 4, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}  # not I, V and X, which are letters, too
_MAGNITUDES = {
    "k": 3, "thousand": 3, "thousands": 3, "m": 6, "mn": 6, "million": 6, "millions": 6, "b": 9, "bn": 9,
    "billion": 9, "billions": 9, "t": 12, "trillion": 12, "trillions": 12, "hundred": 2, "hundreds": 2,
    "mio": 6, "millionen": 6, "millones": 6, "mrd": 9, "milliarden": 9, "milliards": 9,
}  # fmt: skip
_UNIT_OF = {way: unit for unit, ways in read_table("units").items() for way in ways}
_UNIT = "|".join(re.escape(way) for way in sorted(_UNIT_OF, key=len, reverse=True))
_MAGNITUDE = "|".join(sorted(_MAGNITUDES, key=len, reverse=True))
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:[.·]\d+)?|\d+(?:[.,·]\d+)*|[.·]\d+"
# A digit inside a word belongs to a name, GPT-4, H100, 3D; the 2 of "2-bit", "7B" and "10-20" does not.
_WRITTEN = re.compile(
    rf"(?<![\w.·,])(?<![A-Za-z]-)(?P<currency>[$€£])?\s?(?P<digits>{_DIGITS})(?:(?P<ordinal>st|nd|rd|th)\b"
    rf"|(?:(?:\s|-)?(?P<magnitude>{_MAGNITUDE})(?![\w]))?(?:[\s-]?(?P<unit>{_UNIT})(?!\w))?(?![A-Za-z_]))",
    re.IGNORECASE,
)
_UNIT_BEHIND = re.compile(rf"[\s-]?({_UNIT})(?!\w)", re.IGNORECASE)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_DOTTED_THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}")  # 1.500, as German and others write 1,500
_WORD = re.compile(r"[A-Za-z]+")
_FRACTION = re.compile(r"[ -](?:thirds?|quarters?|fourths?|fifths?|sixths?|tenths?|hundredths?)\b")
_INSIDE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}/\Z")  # OCT3/4
_HEDGE = re.compile(
    r"(?:\b(?:about|around|roughly|nearly|approximately|approx\.|over|more than|almost|some|close to)\s|[~≈∼]\s?)\Z",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s?(?:[-–—]|to|and|or|,|/)\s?(?:and\s|or\s)?")


def spell_numbers(first: int, last: int) -> str:
    """Numbers below twenty in words, as alternatives of a pattern: "two|three|four"."""
    return "|".join(ONES[first : last + 1])


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure: `value` in plain units (7B is 7,000,000,000), `unit` "" where none is written; rough behind "about"."""

    value: Decimal
    unit: str
    written: str
    start: int
    end: int
    is_rough: bool = False

    def is_as(self, other: Figure) -> bool:
        """Whether both say the same: equal, or this one is the other rounded; 41 % is also 0.41."""
        if self.unit and other.unit and self.unit != other.unit:
            return False
        if _rounds_to(other.value, self.value, is_rough=self.is_rough):
            return True
        if _DOTTED_THOUSANDS.fullmatch(self.written) and self.value * 1000 == other.value:
            return True
        if "%" in (self.unit, other.unit) and self.unit != other.unit:
            here = self.value / 100 if self.unit == "%" else self.value
            there = other.value / 100 if other.unit == "%" else other.value
            return here == there
        return False


def find_figures(text: str) -> list[Figure]:
    """The figures of a text in order, those of a range each with its unit; "one" is mostly no figure and none here."""
    found = [
        replace(figure, is_rough=bool(_HEDGE.search(text, max(0, figure.start - 20), figure.start)))
        for figure in sorted((*_in_digits(text), *_in_words(text)), key=lambda figure: figure.start)
    ]
    shared: list[Figure] = []
    for figure in reversed(found):  # "10 to 20 %": the unit stands behind the last one
        follower = shared[-1] if shared else None
        if follower and not figure.unit and follower.unit and _RANGE.fullmatch(text, figure.end, follower.start):
            shared.append(replace(figure, unit=follower.unit))
        else:
            shared.append(figure)
    return shared[::-1]


def _in_digits(text: str) -> Iterator[Figure]:
    for found in _WRITTEN.finditer(text):
        value = _plain(found["digits"])
        if value is None or _INSIDE_NAME.search(text, max(0, found.start() - 16), found.start()):
            continue
        unit = _UNIT_OF.get((found["unit"] or "").lower(), "")
        magnitude = found["magnitude"]
        if magnitude and not unit and magnitude == "m" and not found["currency"]:
            unit = "m"  # metres
        elif magnitude:
            value = value.scaleb(_MAGNITUDES[magnitude.lower()])
        if found["ordinal"]:
            unit = "th"
        yield Figure(value, found["currency"] or unit, found[0].strip(), found.start(), found.end())


def _in_words(text: str) -> Iterator[Figure]:
    """Figures in words: `twenty-five`, `three hundred`, `two million`, `twice`, `half`; but not a lone `one`."""
    value, start, end = Decimal(0), -1, -1
    for word in (*_WORD.finditer(text), None):
        lower = word[0].lower() if word else ""
        joined = word is not None and start >= 0 and text[end : word.start()] in (" ", "-", " and ")
        if word and joined and lower in _MAGNITUDES and len(lower) > 2:
            value, end = value.scaleb(_MAGNITUDES[lower]), word.end()
            continue
        if joined and lower == "and" and value >= 100:
            continue  # "one hundred and twenty"
        tens = value % 100 in range(20, 100, 10) and lower in ONES[1:10]
        if word and joined and lower in _SPELLED and (tens or (value >= 100 and value % 100 == 0)):
            value, end = value + _SPELLED[lower], word.end()
            continue
        if start >= 0 and not _FRACTION.match(text, end) and not (value == 1 and text[start:end].lower() == "one"):
            yield _spelled(text, value, start, end)
        start = -1
        if word is None or (word.start() and text[word.start() - 1] in "-'’." and not joined):
            continue
        if lower in _SPELLED:
            value, start, end = Decimal(_SPELLED[lower]), word.start(), word.end()
        elif word[0] in _ROMAN:
            yield Figure(Decimal(_ROMAN[word[0]]), "", word[0], word.start(), word.end())
        elif lower in _HALF:
            yield Figure(Decimal("0.5"), "", word[0], word.start(), word.end())
        elif lower.endswith("fold") and lower[:-4] in _SPELLED:
            yield Figure(Decimal(_SPELLED[lower[:-4]]), "x", word[0], word.start(), word.end())
        elif lower in _FACTORS:
            yield Figure(_FACTORS[lower], "x", word[0], word.start(), word.end())


def _spelled(text: str, value: Decimal, start: int, end: int) -> Figure:
    unit = _UNIT_BEHIND.match(text[end : end + 24])
    stop = end + (unit.end() if unit else 0)
    return Figure(value, _UNIT_OF[unit[1].lower()] if unit else "", text[start:stop], start, stop)


def _plain(digits: str) -> Decimal | None:
    """`1,500.0` as 1500; a lone comma that sets off no thousands is a decimal one."""
    digits = digits.replace("·", ".")
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    digits = digits.replace(",", ".")
    return Decimal(digits) if digits.count(".") <= 1 else None


def _rounds_to(exact: Decimal, rounded: Decimal, *, is_rough: bool) -> bool:
    """Whether `rounded` is `exact` with fewer digits; with a single one, or rounded down, only where it is rough."""
    if exact == rounded:
        return True
    digits = len(rounded.normalize().as_tuple().digits)
    if not exact or (digits < 2 and not is_rough):
        return False
    last = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return exact.quantize(last) == rounded or (is_rough and exact.quantize(last, ROUND_DOWN) == rounded)
