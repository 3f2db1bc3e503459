"""What a question's wording demands, names and quantities, and which of it the papers of an answer do not state."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rag.text import cues
from rag.text.names import ACRONYM, find_asked_names
from rag.text.quantities import Terms, find_asked_quantities
from rag.text.sentences import find_sentences
from rag.text.word_lists import read_words
from rag.text.words import (
    LETTER_RUN,
    LETTERS,
    compile_start,
    find_content_words,
    fold,
    join_words,
    keep_letters,
    split_words,
)
from rag.types import Paper

Share = Callable[[str], float]

# Neighbouring values of the three: tests/bench/results/honesty.json.
GENERIC_SHARE = 0.02  # of the papers; an acronym that more of them have is a term of the field and may be written out
SAME_SPELLING = 0.8  # difflib's ratio, from which a word is taken for another one misspelt
NAMED_SHARE = 0.1  # of a question's content words; less than that is said by the way

_PART = re.compile(rf"{LETTERS}|\d+")
_SHORTEST_JOINED = 5  # letters of "Dobb-E", to be looked for as "dobbe" in a text without spaces
_FEW = 3  # letters, beyond which words have misspellings
_MOST_NAMES = 8  # of a question; who invents more has been told enough


@dataclass(frozen=True, slots=True)
class Unstated:
    """What a question asks and no paper of its answer states.

    Attributes:
        unknown: Names that occur nowhere in the library.
        absent: Names that occur in the library, but not in these papers.
        details: Quantities and other details, as phrases: "how many GPU hours".
    """

    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    @property
    def phrases(self) -> tuple[str, ...]:
        """All of it, for `Answer.missing`."""
        return (*self.unknown, *self.absent, *self.details)

    def sentence(self, papers: int) -> str:
        """All of it in a sentence for the reader of an answer from so many papers."""
        abstracts, do = ("abstract found", "does") if papers == 1 else ("abstracts found", "do")
        clauses = [("mention", self.absent), ("state", self.details)]
        lacks = " or ".join(f"{verb} {join_words(items)}" for verb, items in clauses if items)
        of_these = f"the {abstracts} {do} not {lacks}" if lacks else ""
        of_all = f"no abstract of the library mentions {join_words(self.unknown)}" if self.unknown else ""
        text = ", and ".join(filter(None, (of_all, of_these)))
        return f"{text[:1].upper()}{text[1:]}."


def unstated(question: str, papers: Sequence[Paper], *, terms: Terms, share: Share) -> Unstated:
    """What the question asks and these papers do not state, as far as its wording tells.

    Args:
        terms: The index terms of a text.
        share: For a word, the share of the library's papers that have it; 0 where none has.
    """
    text = "\n".join(f"{paper.title}\n{paper.abstract}" for paper in papers)
    found = _Text(text, terms(text))
    subject = cues.find_asking(question)
    sentences = [line[start:end] for line in text.split("\n") for start, end in find_sentences(line)]
    details = tuple(
        asked.phrase for asked in find_asked_quantities(question, terms) if not any(map(asked.is_stated, sentences))
    )
    asked = {word for detail in details for word in split_words(detail)}
    lacking = [
        name for name in islice(dict.fromkeys(find_asked_names(subject)), _MOST_NAMES)
        if name not in asked and not _occurs(name, found, terms, share)
    ]  # fmt: skip
    unknown = [name for name in lacking if not share(name)]
    absent = _joined_as_asked([name for name in lacking if share(name)], question)
    if len(unknown) < min(_MOST_NAMES, NAMED_SHARE * len(find_content_words(subject))):
        unknown = []
    if cues.asks_several(question):
        unknown += _unknown_subjects(subject, unknown, found, terms, share)
    kept = (detail for detail in details if not set(split_words(detail)) - {"the"} <= set(unknown))
    return Unstated(tuple(unknown), absent, tuple(kept))


def spellings(text: str) -> frozenset[str]:
    """The different words of a text, for `is_misspelt`."""
    return frozenset(fold(word) for word in split_words(text))


def is_misspelt(word: str, spelt: frozenset[str]) -> bool:
    """Whether one of the words is spelt nearly so, which is then what is meant."""
    return len(word) > _FEW and bool(difflib.get_close_matches(fold(word), spelt, n=1, cutoff=SAME_SPELLING))


def _joined_as_asked(found: Sequence[str], question: str) -> tuple[str, ...]:
    """Names that follow one another in the question are one: "Open" and "X-Embodiment"."""
    joined: list[str] = []
    for name in found:
        if joined and f"{joined[-1]} {name}" in question:
            joined[-1] += f" {name}"
        else:
            joined.append(name)
    return tuple(joined)


def _unknown_subjects(
    question: str, known_missing: Sequence[str], found: _Text, terms: Terms, share: Share
) -> Iterator[str]:
    """What papers are asked for on a subject that no paper has."""
    asking = read_words("asking_words")
    unheard = (word for word in find_content_words(question) if fold(word) not in asking and not share(word))
    for word in islice(unheard, _MOST_NAMES):
        if word not in known_missing and not _occurs(word, found, terms, share):
            yield word


class _Text:
    """The papers' text as names are looked for in it, each way made once."""

    def __init__(self, text: str, terms: Iterable[str]) -> None:
        self.folded = fold(text)
        self.joined = _joined(text)
        self.terms = frozenset(terms)
        self.initials = "".join(word[0] for word in LETTER_RUN.findall(self.folded))
        self.spelt = spellings(text)


def _occurs(name: str, found: _Text, terms: Terms, share: Share) -> bool:
    """Whether a name is in the text: as it is, written together, written out, or spelt a little differently."""
    parts = terms(name)
    if (len(parts) == 1 and parts[0] in found.terms) or _follow_one_another(name, found.folded):
        return True
    if ACRONYM.fullmatch(name) and (share(name) > GENERIC_SHARE or fold(name.rstrip("s")) in found.initials):
        return True
    joined = _joined(name)
    if len(joined) >= _SHORTEST_JOINED and joined in found.joined:
        return True
    return is_misspelt(name, found.spelt)


def _follow_one_another(name: str, folded: str) -> bool:
    """Whether the parts of "RT-2" stand together in the text, as "RT2" or "RT 2", not "RT" here and "2" there."""
    return compile_start(*_PART.findall(fold(name))).search(folded) is not None


def _joined(text: str) -> str:
    return keep_letters(fold(text))
