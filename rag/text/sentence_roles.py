"""Which sentence of an abstract says its aim, its method, its result: by the words it is put in and by its place; pure.

Cue phrases with the place in the text are the classic signals (Teufel and Moens 2002, argumentative zoning). What they
are worth here: tests/bench/results/roles.json.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rag.text.cues import has_cue
from rag.text.word_lists import fill_parts, read_table

ROLES = ("aim", "method", "result")
LEAST = 0.5  # of a score, for a sentence to be shown in a role

_OURS = r"(?:we|i|this (?:paper|work|study|article|survey|review|report)|the (?:present|current) (?:paper|study|work))"
# Where in an abstract a role is at home, 0 its first sentence and 1 its last; and how much being there counts.
_HOME = {"aim": 0.3, "method": 0.5, "result": 0.9}
_PLACE = {"aim": 0.5, "method": 0.4, "result": 0.5}
_FOLLOWS = 0.55  # for a method: right behind the aim, less with every sentence further
_FADES = 0.1
_FOUND = 0.6  # of what speaks for a result, against a method
_MOTIVATION = 0.5
_POINTER = 1.0


def score_roles(sentences: Sequence[str]) -> dict[str, list[float]]:
    """For each role how well each sentence fills it; see `LEAST`.

    An abstract tells how it was done and what came of it after it has said what it is about.
    """
    last = max(1, len(sentences) - 1)
    said = {role: [_said(sentence, role) for sentence in sentences] for role in ROLES}
    aims = [score and score + _at_home("aim", place / last) for place, score in enumerate(said["aim"])]
    aim = max(range(len(aims)), key=lambda place: aims[place], default=0)
    aim = aim if aims and aims[aim] >= LEAST else 0
    methods, results = [], []
    for place, (how, found) in enumerate(zip(said["method"], said["result"], strict=True)):
        near = _FOLLOWS - _FADES * max(0, place - aim - 1) + _at_home("method", place / last)
        methods.append(how + near - _FOUND * max(0.0, found) if place >= aim and how >= 0 else 0.0)
        results.append(found + _at_home("result", place / last) if place >= aim and found > 0 else 0.0)
    return {"aim": aims, "method": methods, "result": results}


def _said(sentence: str, role: str) -> float:
    """What the wording of a sentence says for a role, or against any."""
    if not sentence or has_cue(sentence, "pointer"):
        return -_POINTER
    said = sum(weight for weight, cue in _cues()[role] if cue.search(sentence))
    return said - _MOTIVATION * has_cue(sentence, "motivation")


@cache
def _cues() -> dict[str, list[tuple[float, re.Pattern[str]]]]:
    """What speaks for each role, with its weight; the weights of all that are found add up."""
    cues: dict[str, list[tuple[float, re.Pattern[str]]]] = {role: [] for role in ROLES}
    for key, patterns in read_table("role_cues").items():
        role, weight = key.split()
        cues[role] += [(float(weight), re.compile(fill_parts(each, ours=_OURS), re.IGNORECASE)) for each in patterns]
    return cues


def _at_home(role: str, place: float) -> float:
    return _PLACE[role] * (1 - abs(place - _HOME[role]))
