"""Which text shares most words with another, rare words counting more: the same on every machine, unlike an embedding."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

_COMMON = 0.1  # words in more than this share of the texts tell nothing apart


class WordIndex:
    """Texts by id, searched by the cosine of their words' weights."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        counts = {each: Counter(words_of(text)) for each, text in sorted(texts.items())}
        frequency = Counter(word for found in counts.values() for word in found)
        most = max(3.0, _COMMON * len(counts))
        self._weight = {word: math.log(1 + len(counts) / n) for word, n in frequency.items() if n <= most}
        self._holders: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for each, found in counts.items():
            for word, weight in self._weights(found).items():
                self._holders[word].append((each, weight))

    def nearest(self, text: str, besides: Collection[str]) -> str:
        """The id of the text most like this one, besides those named; "" where none shares a word."""
        scores: dict[str, float] = defaultdict(float)
        for word, weight in sorted(self._weights(Counter(words_of(text))).items()):
            for each, weight_of_other in self._holders.get(word, ()):
                scores[each] += weight * weight_of_other
        others = [each for each in scores if each not in besides]
        return max(others, key=lambda each: (round(scores[each], 9), each), default="")

    def _weights(self, counts: Counter[str]) -> dict[str, float]:
        weights = {
            word: (1 + math.log(count)) * self._weight[word] for word, count in counts.items() if word in self._weight
        }
        length = math.sqrt(math.fsum(weight**2 for weight in weights.values())) or 1.0
        return {word: weight / length for word, weight in weights.items()}


def words_of(text: str) -> list[str]:
    """Words of four letters or more, in lower case."""
    return re.findall(r"[a-z][a-z\-]{3,}", text.lower())
