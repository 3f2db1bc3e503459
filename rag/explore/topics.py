"""Groups of papers that are about the same, named in their own words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rag.explore.projection import MOST_FITTED
from rag.library.records import Vectors
from rag.text.word_lists import read_words
from rag.text.words import fold, is_stop_word, visible

MOST_TOPICS = 16  # as many as a legend and eight colours with two shapes can tell apart
_READ = 150  # papers nearest to a topic's middle, from whose words its name is made
_NAME_TERMS = 3
_LONGEST_TERM = 32
_TERM_SHARE = 0.1  # of a topic's papers that have a term, at least
_SMOOTHING = 0.02  # a share of papers: what a term must occur in elsewhere before that counts against it
_PHRASE_BONUS = 1.6  # "attention heads" tells more than "heads"
_IS_PLURAL = re.compile(r"[^sui]s$")
_WORD = re.compile(r"[^\W\d_][\w]*(?:[-’'][^\W_]+)*")

Groups = NDArray[np.int64]


def group_papers(plane: Vectors) -> tuple[Groups, Vectors]:
    """Divides the map into topics by k-means, the largest first.

    It divides the map and not the vectors: the topics are then regions of the map (of ten neighbours 8 share a topic,
    else 6), and their names are as good.

    Returns:
        The topic of every place, shape `(n,)`, and the middles of the topics, shape `(topics, 2)`.
    """
    from sklearn.cluster import KMeans

    count = min(max(round(math.sqrt(len(plane) / 2)), 1), MOST_TOPICS, len(np.unique(plane[:MOST_FITTED], axis=0)))
    if len(plane) < 8:  # too few to be of several kinds
        count = 1
    fitted = KMeans(count, n_init=4, random_state=0).fit(plane[:MOST_FITTED])
    found = fitted.predict(plane)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    rank = np.argsort(order)
    return rank[found].astype(np.int64), fitted.cluster_centers_[order]


def find_typical(plane: Vectors, topic_of: Groups, middles: Vectors) -> list[list[int]]:
    """Finds the papers nearest to the middle of each topic, nearest first: its name is made from them."""
    nearest = []
    for number, middle in enumerate(middles):
        members = np.flatnonzero(topic_of == number)
        away = ((plane[members] - middle) ** 2).sum(axis=1)
        nearest.append([int(member) for member in members[np.argsort(away, kind="stable")][:_READ]])
    return nearest


def name_topics(texts: Sequence[Sequence[str]]) -> list[str]:
    """Names each topic, no two alike, by words that its papers have and the others have not.

    Args:
        texts: The titles and abstracts of each topic's papers.
    """
    written: Counter[str] = Counter()
    counts = [Counter[str]() for _ in texts]
    for count, of_topic in zip(counts, texts, strict=True):
        for text in of_topic:
            as_written = set(_terms(visible(text)))
            written.update(as_written)
            count.update({_form(term) for term in as_written})
    sizes = [len(of_topic) for of_topic in texts]
    everywhere = sum(counts, Counter[str]())
    spelling = _spellings(written)
    scores = [_scores(count, size, everywhere, sum(sizes)) for count, size in zip(counts, sizes, strict=True)]
    best = {term: max(of.get(term, 0.0) for of in scores) for of_topic in scores for term in of_topic}
    made = []
    for number, score in enumerate(scores, start=1):
        own = sorted((term for term in score if score[term] == best[term]), key=lambda term: (-score[term], term))
        chosen = [spelling[term] for term in _different(own)]
        for term in chosen:  # of terms that two topics have in equal measure, the first has them
            best[_form(term)] = math.inf
        name = ", ".join(chosen)
        made.append(name[:1].upper() + name[1:] if name else f"Topic {number}")
    return made


def _terms(text: str) -> Iterator[str]:
    """Words and pairs of neighbouring words that could name something, as written."""
    found = list(_WORD.finditer(text))
    for word in found:
        if _tells(word[0]):
            yield word[0]
    for one, other in pairwise(found):
        pair = text[one.start() : other.end()]
        if other.start() == one.end() + 1 and text[one.end()] == " " and _tells(one[0]) and _tells(other[0]):
            yield pair


@lru_cache(maxsize=200_000)
def _form(term: str) -> str:
    """What a term has in common with its other spellings: case, accents, and whether it is one or many."""
    folded = fold(term)
    return folded[:-1] if len(folded) > 3 and _IS_PLURAL.search(folded) else folded


@lru_cache(maxsize=50_000)
def _tells(word: str) -> bool:
    folded = fold(word).replace("’", "'")
    return 2 < len(word) <= _LONGEST_TERM and not is_stop_word(folded) and folded not in read_words("scholarly_words")


def _spellings(written: Mapping[str, int]) -> dict[str, str]:
    """The commonest way to write each form of a term, but in capitals only what is never written otherwise."""
    spelling: dict[str, str] = {}
    for term in sorted(written, key=lambda term: (not term.isupper(), written[term], term)):
        spelling[_form(term)] = term
    return spelling


def _scores(count: Mapping[str, int], size: int, everywhere: Mapping[str, int], total: int) -> dict[str, float]:
    """How typical each term is: the share of the topic's papers that have it, by how much rarer it is elsewhere."""
    least = max(1 if size < 4 else 2, _TERM_SHARE * size)
    scores = {}
    for term, having in count.items():
        if having < least:
            continue
        inside = having / size
        outside = (everywhere[term] - having) / (total - size) if total > size else 0.0
        rarer = math.log((inside + _SMOOTHING) / (outside + _SMOOTHING))
        if rarer > 0:
            scores[term] = inside * rarer * (_PHRASE_BONUS if " " in term else 1.0)
    return scores


def _different(terms: Iterable[str]) -> list[str]:
    """The first few terms that share no word with one before them, be it in another form."""
    chosen: list[str] = []
    for term in terms:
        if len(chosen) == _NAME_TERMS:
            break
        if not any(_alike(one, other) for before in chosen for one in before.split() for other in term.split()):
            chosen.append(term)
    return chosen


def _alike(one: str, other: str) -> bool:
    """Whether two words are forms of one: "robot" and "robotics", "policy" and "policies"."""
    same = max(3, min(len(one), len(other)) - 2)
    return one[:same] == other[:same]
