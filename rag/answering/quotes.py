"""Which sentence of an answer rests on which passage: the sentences of a text, and the quote behind each."""

from __future__ import annotations

import re
from collections import Counter

from rag.checks.slots import stem
from rag.markers.reader import BLANKS, MARKER
from rag.text.figures import figures
from rag.text.prompt_injection import statements
from rag.text.sentences import sentence_spans
from rag.text.words import STOP_WORDS, fold

_MARKERS_AFTER_STOP = re.compile(rf"([.!?…])([\"'”’)]*[{BLANKS}]*(?:\[\d{{1,3}}\][{BLANKS}]*)*\[\d{{1,3}}\])(?!\w)")


def read_claims(text: str) -> list[tuple[int, int, tuple[int, ...]]]:
    """Sentences of an answer as (start, end, numbers of the citations it carries), in order.

    Markers behind a full stop, or on a line of their own, belong to the sentence before them.
    """
    claims: list[tuple[int, int, tuple[int, ...]]] = []
    for line in re.finditer(r"[^\n]+", text):
        for start, end in sentence_spans(_MARKERS_AFTER_STOP.sub(_stop_last, line[0])):
            sentence = text[line.start() + start : line.start() + end]
            span = (line.start() + start, line.start() + end)
            numbers = tuple(dict.fromkeys(int(number) for number in MARKER.findall(sentence)))
            if claims and not re.search(r"\w", MARKER.sub("", sentence)):
                begin, _, earlier = claims.pop()
                claims.append((begin, span[1], tuple(dict.fromkeys(earlier + numbers))))
            else:
                claims.append((*span, numbers))
    return claims


def best_quote(sentence: str, abstract: str) -> tuple[int, int]:
    """Offsets of the sentence of a non-empty abstract that shares most with a sentence of an answer.

    Shared words count by kind (see `_words`) and less the more sentences of the abstract have them; of two
    sentences that share the same, the one with fewer other words wins, then the earlier one.
    """
    spans = statements(abstract)
    candidates = [_words(abstract[start:end]) for start, end in spans]
    spread = Counter(word for words in candidates for word in words)
    wanted = _words(sentence)

    def worth(index: int) -> tuple[float, int]:
        words = candidates[index]
        shared = sum(max(wanted[word], words[word]) / spread[word] for word in wanted.keys() & words.keys())
        # The root keeps long sentences, which share some words with anything, from winning by length.
        return shared / (8 + len(words)) ** 0.5, -index

    return spans[max(range(len(spans)), key=worth)]


def _stop_last(found: re.Match[str]) -> str:
    """`. [1]` as `xxxx.`, as long as before: so the sentence ends behind its markers."""
    return "x" * len(found[2]) + found[1]


def _words(text: str) -> Counter[str]:
    """The words that say something, cut to their stems, each with its weight; numbers in their plain form."""
    words: Counter[str] = Counter({str(figure.value.normalize()): 3 for figure in figures(text)})
    for word in re.findall(r"[^\W\d_]\w+", text):
        folded = fold(word)
        if folded not in STOP_WORDS:
            # Names and acronyms tell sentences apart better than other words do.
            words[stem(folded)] = max(words[stem(folded)], 2 if word[1:] != word[1:].lower() else 1)
    return words
