"""Example questions made from the library itself: another library, other examples."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from rag.types import Paper
from rag.words import STOP_WORDS, fold, words

# "CogGPT: Unleashing the Power ...": a name that the title explains; a word with a capital or digit inside it.
_NAMED = re.compile(r"^([A-Z][\w-]*?[A-Z0-9][\w-]{0,20}): \w")
_TOPIC_SHARE = 0.06
_ASKED = ("What is {}?", "What does {} do, and how well?", "How does {} work?")


def example_questions(papers: Iterable[Paper], k: int) -> list[str]:
    """Up to k questions that the papers answer: about named methods, and about what many titles share."""
    titles = sorted((paper.title for paper in papers if paper.title), key=_shuffled)
    names = list(dict.fromkeys(found[1] for title in titles if (found := _NAMED.match(title))))
    topic = _commonest_phrase(titles)
    questions = [_ASKED[number % len(_ASKED)].format(name) for number, name in enumerate(names[: k - bool(topic)])]
    return [*questions, *([f"Which papers are about {topic}?"] if topic else [])][:k]


def _shuffled(title: str) -> str:
    """A fixed order that is not the order of the files."""
    return hashlib.sha256(title.encode()).hexdigest()


def _commonest_phrase(titles: Iterable[str]) -> str:
    """The commonest two-word phrase of the titles that is not what the whole library is about; "" if there is none."""
    counts: Counter[str] = Counter()
    titles = list(titles)
    for title in titles:
        parts = [fold(word) for word in words(title)]
        pairs = pairwise(parts)
        counts.update({f"{one} {other}" for one, other in pairs if not {one, other} & STOP_WORDS})
    return next((phrase for phrase, count in counts.most_common() if 1 < count <= _TOPIC_SHARE * len(titles)), "")
