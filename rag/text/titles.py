"""What a paper calls its own work, and its title as a phrase within a sentence; pure."""

from __future__ import annotations

import re

from rag.text.words import is_stop_word
from rag.types import Paper

# A word with a capital or digit inside it: TimeArena, HTML-T5, LEGO.
_NAME = r"[A-Z][\w-]*?[A-Z0-9][\w-]{0,20}\+{0,2}"
# "Tryage: Real-time Routing ...": a name that the title explains.
_EXPLAINED = re.compile(r"^([A-Z][\w-]{2,24}): \w")
# "we introduce WebAgent, an LLM-driven agent"
_INTRODUCED = re.compile(
    rf"""\b(?:[Ww]e|paper|work|study|article)\s+(?:\w+ly\s+|also\s+)?
        (?:introduces?|propos(?:es?|ed)|presents?|develops?|releases?)\s+({_NAME})
        (?=[,.;:]|\s+(?:that|which|to|for|as|is)\b|\s+[(–—-])""",
    re.VERBOSE,
)


def own_name(paper: Paper) -> str:
    """The name that a paper gives to its work, if its abstract has it too; "" where it gives none."""
    for text, pattern in ((paper.title, _EXPLAINED), (paper.abstract, _INTRODUCED)):
        found = pattern.search(text)
        if found and found[1] in paper.abstract and _is_a_name(found[1], paper.abstract):
            return found[1]
    return ""


def _is_a_name(word: str, abstract: str) -> bool:
    """Whether a word with a capital is one of its own, not "Attention"."""
    inner = re.search(r"[A-Z0-9]", word[1:]) and len(word) > 2
    return bool(inner) or not re.search(rf"\b{re.escape(word.lower())}", abstract)


def as_phrase(paper: Paper) -> str:
    """The title as it stands within a sentence: capitals are left to what its abstract writes with capitals too."""
    words = paper.title.strip().rstrip(".").rstrip().split()
    known = set(re.findall(r"(?<=[\w,;(] )[\w'’-]+", paper.abstract))  # not the first word of a sentence

    def within(word: str) -> str:
        bare = word.strip("\"'“”‘’(),;:.?!")
        if is_stop_word(bare) or bare.lower() in known:
            return word.lower()
        named = bare in known or re.search(r"(?<![-/])[A-Z0-9]", bare[1:])
        return word if named else word.lower()

    return " ".join(map(within, words))
