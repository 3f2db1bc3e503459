"""Example questions made from the library itself: another library, other examples."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise, zip_longest

from rag.text.names import find_own_name, title_as_phrase
from rag.text.words import fold, is_stop_word, split_words
from rag.types import Paper

_TOPIC_SHARE = 0.06
_ON_A_NAME = ("What is {}?", "How does {} work?", "What results does {} report?")
_EFFECT = re.compile(r"^(effects?|influence|impact|role)\s+of\s+(?=.*\b(?:on|in)\b)", re.IGNORECASE)
# "Determinants of neonatal mortality in Indonesia": a few words, then what they belong to; not a sentence.
_SUBJECT = re.compile(r"(?:[\w/'’-]+ ){1,2}(?:of|in|for|by|with|using|between|from|via) [\w/ '’-]+")
_NO_SUBJECT = re.compile(
    r"""\b(?:is|are|was|were|can|do|does|has|have|we|notes?|towards?|further|part|preliminary|introduction|investigations?
        |stud(?:y|ies)|survey|review|analysis)\b|^(?:on|an?|the)\b|\bor\ for\b""",
    re.IGNORECASE | re.VERBOSE,
)
_WORDS_OF_A_SUBJECT = range(3, 10)
_ASKS = re.compile(
    r"(?:Are|Is|Do|Does|Can|How|Why|What|When|Which|Should|Has|Have)\s[\w ,'’()-]{8,140}\?"  # no markup
)


def make_example_questions(papers: Iterable[Paper], k: int) -> list[str]:
    """Makes up to k questions that the papers answer: from names, from titles, and on a topic."""
    papers = sorted(papers, key=_shuffled)
    topic = _find_commonest_phrase([paper.title for paper in papers if paper.title])
    room = k - bool(topic)
    names = dict.fromkeys(name for paper in papers if (name := find_own_name(paper)))
    on_names = [_ON_A_NAME[number % len(_ON_A_NAME)].format(name) for number, name in enumerate(list(names)[:k])]
    asked = [title for paper in papers if is_question(title := paper.title.strip())]
    subjects = [question for paper in papers if (question := ask_about_subject(paper))]
    # In turn, so that the first few show what can be asked.
    mixed = [each for three in zip_longest(on_names, asked, subjects) for each in three if each]
    return [*dict.fromkeys(mixed[:room]), *([f"Which papers are about {topic}?"] if topic else [])][: max(0, k)]


def is_question(title: str) -> bool:
    """Whether a title asks by itself: "Are Sixteen Heads Really Better than One?"."""
    return bool(_ASKS.fullmatch(title))


def ask_about_subject(paper: Paper) -> str:
    """A question on what the title names; "" where it names no plain subject."""
    phrase = title_as_phrase(paper)
    plain = _SUBJECT.fullmatch(phrase) and not _NO_SUBJECT.search(phrase)
    if not plain or len(phrase.split()) not in _WORDS_OF_A_SUBJECT:
        return ""
    if effect := _EFFECT.match(phrase):
        return f"What {'are' if effect[1].endswith('s') else 'is'} the {phrase}?"
    return f"What is known about {phrase}?"


def _shuffled(paper: Paper) -> str:
    """A fixed order that is not the order of the files."""
    return hashlib.sha256((paper.title or paper.abstract).encode()).hexdigest()


def _find_commonest_phrase(titles: Sequence[str]) -> str:
    """The commonest two-word phrase of the titles that is not what the whole library is about; "" if there is none."""
    counts: Counter[str] = Counter()
    for title in titles:
        parts = [fold(word) for word in split_words(title)]
        counts.update({" ".join(pair) for pair in pairwise(parts) if not any(map(is_stop_word, pair))})
    return next((phrase for phrase, count in counts.most_common() if 1 < count <= _TOPIC_SHARE * len(titles)), "")
