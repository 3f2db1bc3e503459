"""Sentences with one number changed to another that a reader would believe."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

SPELLED = dict(zip("two three four five six seven eight nine ten eleven twelve".split(), range(2, 13), strict=True))
_UNIT = r"%|\s?percent(?:age points)?\b|x\b|×|[BMKk]\b|\s(?:thousand|million|billion|trillion|times|hours?|days?|minutes?)\b"
# No part of a name (GPT-4, CIFAR-10), of a range (3-20x), a list mark ("(1)", "2)", "1."), a version or a formula.
_DIGITS = re.compile(
    rf"(?<![\w.,/\-–^_=+*#~:$\\{{])(?<!\d [–-] )(?P<digits>\d{{1,3}}(?:,\d{{3}})+|\d+)(?P<decimals>\.\d+)?(?P<unit>{_UNIT})?"
    r"(?![\w/)(^°:%]|[-–]\d|[.,]\d|-?[DdHh]\b|\.?\s?[)\]]|\s?[–-]\s?\d)(?!\.\s+[A-Za-z])"
)
_WORD = re.compile(rf"(?<![\w-])(?:{'|'.join(SPELLED)})(?=[\s-])", re.IGNORECASE)
_IN_A_NAME = re.compile(
    r"(?:^|\s)[(\"“]?[A-ZÀ-Þ][\w.\-+]*\s$|[a-z][A-Z]\w*\s$|\b(?:[Ss]ection|track|phase|step|no\.)\s$"
)
_OPENS = re.compile(
    r"^(?:With|In|Of|The|Using|To|Across|From|On|By|At|For|Over|We|Our|Through|These|Those|All|After|Only|Among)\s$"
)
_MORE_THAN = re.compile(
    r"(?:over|more than|at least|above|exceed\w*|beyond|surpass\w*|up to|around|nearly|almost)\s(?:a\s)?$"
)
_LESS_THAN = re.compile(r"(?:under|less than|fewer than|at most|below|within)\s$")
_THE_TWO = re.compile(r"\b(?:the|these|those|other|between|or|last|first|our|next)\s$", re.IGNORECASE)
_UNITS = {
    "B": "M", "M": "B", "K": "M", "k": "M", "x": "%", "×": "%", " times": "%", " thousand": " million",
    " million": " billion", " billion": " million", " trillion": " billion", " hours": " days", " hour": " day",
    " days": " hours", " day": " hour", " minutes": " hours", " minute": " hour",
}  # fmt: skip
_RISES_BY = re.compile(r"\bby\s(?:up to\s|over\s|more than\s|an average of\s|about\s)?(?:a\s)?$")
_RATIO = re.compile(
    r"\s(?:\w+\s)?(?:faster|fewer|less|higher|lower|reduction|improvements?|increase|speed-?up|boost|gains?|better)\b"
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text: `text[start:end]`, unit included, whose digits or word end at `split`."""

    start: int
    split: int
    end: int
    text: str
    unit: str
    value: float

    @property
    def shape(self) -> str:
        """Numbers of one shape can stand in each other's place."""
        return self.unit or ("word" if self.text.isalpha() else "." if "." in self.text else "count")


def numbers(text: str) -> list[Number]:
    """The numbers that say how many or how much."""
    found = []
    for match in _DIGITS.finditer(text):
        before = text[: match.start()]
        if _IN_A_NAME.search(before) and not _OPENS.search(before):
            continue
        if re.fullmatch(r"(?:19|20)\d\d", match["digits"]) and not re.search(
            r"\b(?:in|since|by|from|until)\s$", before
        ):
            continue  # the year of a reference
        split = match.end("decimals") if match["decimals"] else match.end("digits")
        digits = text[match.start() : split]
        value = float(digits.replace(",", ""))
        found.append(Number(match.start(), split, match.end(), digits, match["unit"] or "", value))
    for match in _WORD.finditer(text):
        if not _THE_TWO.search(text[: match.start()]):
            word = match.group()
            found.append(Number(match.start(), match.end(), match.end(), word, "", SPELLED[word.lower()]))
    return sorted(found, key=lambda number: number.start)


def number_changes(sentence: str, abstract: str, drawing: random.Random) -> Iterator[tuple[str, str, str]]:
    """Changed sentences as (subkind, sentence, change): foreign, swapped and unit."""
    here, values = numbers(sentence), _all_values(abstract)
    if not here:
        return
    number = drawing.choice(here)
    new = _another(number, sentence, values, drawing)
    if new:
        yield "foreign", *_replaced(sentence, number, new + sentence[number.split : number.end])
    said = {each.value for each in here}
    others = [
        (number, other)
        for number in here
        for other in numbers(abstract)
        if other.shape == number.shape and other.value not in said and not _entailed(sentence, number, other.value)
    ]
    if others:
        number, other = drawing.choice(others)
        yield (
            "swapped",
            *_replaced(sentence, number, _cased(other.text, number.text) + sentence[number.split : number.end]),
        )
    pairs = [(one, two) for one in here for two in here if one.start < two.start and _exchangeable(sentence, one, two)]
    if pairs:
        one, two = drawing.choice(pairs)
        exchanged = (
            sentence[: one.start] + two.text + sentence[one.split : two.start] + one.text + sentence[two.split :]
        )
        yield "swapped", exchanged, f"{one.text} <-> {two.text}"
    for number in here:
        unit = _other_unit(sentence, number)
        if unit:
            yield "unit", *_replaced(sentence, number, number.text + unit)
            break


def _replaced(sentence: str, number: Number, new: str) -> tuple[str, str]:
    changed = sentence[: number.start] + new + sentence[number.end :]
    return changed, f"{sentence[number.start : number.end]} -> {new}"


def _all_values(text: str) -> set[float]:
    """Every value the text has in any form, also inside names and lists."""
    values = {float(digits.replace(",", "")) for digits in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)}
    return values | {SPELLED[word.lower()] for word in re.findall(r"[A-Za-z]+", text) if word.lower() in SPELLED}


def _another(number: Number, sentence: str, taken: set[float], drawing: random.Random) -> str:
    """A number of the same form that the abstract does not have, or ""."""
    if number.text.lower() in SPELLED:
        words = [word for word, value in SPELLED.items() if value not in taken and value <= 10]
        words = [word for word in words if not _entailed(sentence, number, SPELLED[word])]
        if re.search(r"\ba\s$", sentence[: number.start]):
            words = [word for word in words if word != "eight"]
        return _cased(drawing.choice(words), number.text) if words else ""
    choices = [
        text
        for text in _variants(number)
        if (value := float(text.replace(",", ""))) not in taken
        and value != 1
        and (_is_a_year(number) or abs(value - number.value) > 0.1 * number.value)
        and not (number.unit == "%" and number.value <= 100 < value)
        and not _entailed(sentence, number, value)
    ]
    return drawing.choice(choices) if choices else ""


def _variants(number: Number) -> list[str]:
    """One digit slipped, two digits transposed, half, double, ten times; years near the year."""
    text, whole = number.text, number.value
    if _is_a_year(number):
        return [str(int(whole) + by) for by in (-7, -4, 3, 5)]
    slips = [
        text[:at] + digit + text[at + 1 :]
        for at, old in enumerate(text)
        if old.isdigit() and at < 2
        for digit in "123456789"
        if digit != old
    ]
    swaps = [
        text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        for at in range(min(2, len(text) - 1))
        if text[at : at + 2].isdigit() and text[at + 1] != "0"
    ]
    places = len(text.partition(".")[2])
    scaled = [whole * factor for factor in ((0.5, 2, 10) if whole < 1000 else (0.1, 0.5, 3))]
    commas = "," if "," in text else ""
    return slips + 3 * swaps + 2 * [f"{value:{commas}.{places}f}" for value in scaled if places or value == int(value)]


def _is_a_year(number: Number) -> bool:
    return not number.unit and bool(re.fullmatch(r"(?:19|20)\d\d", number.text))


def _entailed(sentence: str, number: Number, value: float) -> bool:
    """Whether the sentence with this value follows from the one it was: over 100 is also over 90."""
    before = sentence[: number.start]
    if _MORE_THAN.search(before) or sentence[number.end :].startswith("+"):
        return value < number.value
    return bool(_LESS_THAN.search(before)) and value > number.value


def _exchangeable(sentence: str, one: Number, two: Number) -> bool:
    """Same shape, other value, and no mere list or range ("2 and 3 layers", "from 2 to 3")."""
    between = sentence[one.end : two.start]
    return one.shape == two.shape and one.value != two.value and len(between.split()) >= 2 and " to" not in between[-4:]


def _other_unit(sentence: str, number: Number) -> str:
    if number.unit == "%":
        if sentence[number.end :].startswith(" points"):
            return ""
        compared = _RISES_BY.search(sentence[: number.start]) or _RATIO.match(sentence[number.end :])
        return " times" if compared and number.value > 2 else ""
    return _UNITS.get(number.unit, "")


def _cased(word: str, like: str) -> str:
    return word.capitalize() if like[:1].isupper() else word.lower()
