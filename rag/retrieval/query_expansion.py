"""Searches in the field's own terms, beside a question in lay words: read from a reply, and fused with its ranking."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from rag.retrieval.ranking import Ranking
from rag.text.words import keep_letters, make_encodable
from rag.types import Passage

DEPTH = 200  # papers of each ranking that are fused: as many as are ranked by all signals

_MOST_SEARCHES = 3
_LONGEST_SEARCH = 150  # characters; a longer line is no search, but an answer or an explanation
_CHARS_READ = 4_000
# Of the best of the searches; the rest is the question's. The best, not the mean: one search of three that strays
# then does little harm.
_WEIGHT = 0.4
_BEFORE = re.compile(r"^(?:[\W_]+|\d{1,2}[.):]\s|(?:search|query)\s*\d?\s*:)+", re.IGNORECASE)
_AFTER = " \"'“”‘’`*_.;,"


def read_searches(reply: str, question: str) -> tuple[str, ...]:
    """The searches that a model wrote, a line each, without what it put around them; others than the question."""
    searches: dict[str, str] = {}
    for line in make_encodable(reply[:_CHARS_READ]).splitlines():
        printable = "".join(char if char.isprintable() else " " for char in line)
        search = _BEFORE.sub("", " ".join(printable.split())).rstrip(_AFTER)
        if 0 < len(search) <= _LONGEST_SEARCH and not search.endswith(":"):  # "Here are three searches:"
            searches.setdefault(keep_letters(search.casefold()), search)
    searches.pop(keep_letters(question.casefold()), None)
    searches.pop("", None)
    return tuple(searches.values())[:_MOST_SEARCHES]


def fuse_rankings(ranking: Ranking, others: Sequence[Ranking]) -> Ranking:
    """The question's ranking with a say for the searches' rankings; a paper that one lacks is its last."""
    if not others:
        return ranking
    scores = [{passage.paper.id: passage.score for passage in each.passages} for each in (ranking, *others)]
    least = [min(of_one.values(), default=0.0) for of_one in scores]
    passages: dict[str, Passage] = {}
    for each in (ranking, *others):
        for passage in each.passages:
            passages.setdefault(passage.paper.id, passage)

    def fused(passage: Passage) -> Passage:
        own, *found = (of_one.get(passage.paper.id, last) for of_one, last in zip(scores, least, strict=True))
        score = (1 - _WEIGHT) * own + _WEIGHT * max(found)
        return replace(passage, score=score, signals={**passage.signals, "expansion": max(found)})

    best = sorted(map(fused, passages.values()), key=lambda passage: (-passage.score, passage.paper.id))
    records = {key: record for each in (*others, ranking) for key, record in each.records.items()}
    return replace(ranking, passages=tuple(best), records=records)
