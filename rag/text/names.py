"""The names in a text, found by how they are written, and what a paper calls its own work; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.text.words import compile_start, find_content_words, fold, is_stop_word, keep_letters, split_words
from rag.types import Paper

# Capitals and a plural's s, LLMs. What may be short for words of a text is wider, `rag.checks.numbers_and_names`;
# what no speller may touch is any three capitals in a row, `rag.retrieval.spelling`.
SIGN_OF_A_NAME = re.compile(r"[A-Z0-9]")  # within a word
ACRONYM = re.compile(r"\b[A-Z]{2,6}s?\b")
_WITHIN_SENTENCE = re.compile(r"(?<=[\w,(] )[\"'(]?[A-Z][\w-]*")
# Parts joined by hyphens belong together: GPT-4, X-Embodiment.
_WORD = re.compile(r"[^\W_]+(?:[-.+&/@:][^\W_]+)*\+{0,2}")
_SIGN = re.compile(r"[A-Z]|[a-z]-?\d")
_NAMED_FROM_A_DIGIT = re.compile(r"\d+[A-Z][a-zA-Z]*\Z|\d+-?D\b")  # 3D, 7B
_JOINTS = re.compile(r"[-/&+@:.]+")
_NAMES_BY_ITSELF = re.compile(r"[A-Z0-9]|^[^\Wa-z_]")
_PREFIX = re.compile(r"^[a-z]{1,2}(?=[A-Z]{2})")
_WITHIN = re.compile(r"(?<=[\w,;(] )[\w'’-]+")  # not the first word of a sentence
_INNER_SIGN = re.compile(r"(?<![-/])[A-Z0-9]")
_OPENS = re.compile(r"(?:^|[.?!:;•]|\n)[\s\"'“‘(\[*-]{0,8}\Z")
_OPENING = 8  # characters of quotes and brackets before the first word of a sentence
_OPENING_MARKS = " \t\n\"'“‘([¿¡"
_POSSESSIVE = re.compile(r"['’]s$")
_PLACE_IN_A_PAPER = re.compile(
    r"(?:section|sec|table|figure|fig|appendix|chapter|page|equation|theorem)s?\.?\s+[\dIVX]", re.IGNORECASE
)
_FEW = 3  # content words, from which on all capitals are a title
_GREEK = str.maketrans(
    {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "κ": "kappa", "λ": "lambda", "μ": "mu",
     "σ": "sigma", "τ": "tau", "ω": "omega"}
)  # fmt: skip
# A word with a capital or digit inside it: TimeArena, HTML-T5, LEGO.
_COINED = r"[A-Z][\w-]*?[A-Z0-9][\w-]{0,20}\+{0,2}"
# "Tryage: Real-time Routing ...": a name that the title explains.
_EXPLAINED = re.compile(r"^([A-Z][\w-]{2,24}): \w")
# "we introduce WebAgent, an LLM-driven agent"
_INTRODUCED = re.compile(
    rf"""\b(?:[Ww]e|paper|work|study|article)\s+(?:\w+ly\s+|also\s+)?
        (?:introduces?|propos(?:es?|ed)|presents?|develops?|releases?)\s+({_COINED})
        (?=[,.;:]|\s+(?:that|which|to|for|as|is)\b|\s+[(–—-])""",
    re.VERBOSE,
)


def find_names(text: str) -> Iterator[tuple[int, str]]:
    """The words of a paper or an answer that are written as names, as (start, word): `Cybench`, `X-Embodiment`."""
    written = _WORD.findall(text)
    in_capitals = sum(word[0].isupper() for word in written) > len(written) / 2  # a title
    for found in _WORD.finditer(text):
        word = found[0]
        if word[0].isdigit() and not _NAMED_FROM_A_DIGIT.match(word):
            continue
        if not _SIGN.search(word):
            continue
        if is_stop_word(word) or len(word) == 1:
            continue
        inner = any(letter.isupper() for letter in word[1:]) or any(letter.isdigit() for letter in word)
        if not inner and (in_capitals or _OPENS.search(text, max(0, found.start() - _OPENING), found.start())):
            continue
        yield found.start(), _POSSESSIVE.sub("", word)


def find_asked_names(question: str) -> Iterator[str]:
    """The words of a question that are written as names: `Cybench`, `gpt-4`, `NSzED`.

    Readers write otherwise than papers: all in capitals or in none, and of a name with digits only the digits tell.
    """
    meant = find_content_words(question)
    in_capitals = question.isupper() or (len(meant) >= _FEW and all(word[0].isupper() for word in meant))
    position = 0
    for word in split_words(question):
        start = question.index(word, position)
        position = start + len(word)
        if word[0].isdigit() or is_stop_word(word) or _PLACE_IN_A_PAPER.match(question, start):
            continue
        has_digit = any(char.isdigit() for char in word)
        plain = (word.capitalize() == word or question.isupper()) and not has_digit
        before = question[:start].rstrip(_OPENING_MARKS)
        opens = not before or before[-1] in ".?!:"
        if (word != word.lower() or has_digit) and not (plain and (opens or in_capitals)):
            yield _POSSESSIVE.sub("", word)


def count_names(sentence: str) -> int:
    """How many words within the sentence begin with a capital."""
    return len(_WITHIN_SENTENCE.findall(sentence))


def join_name(name: str) -> str:
    """A name without what joins its parts and without a plural's s: `GPT-4s` -> `gpt4`."""
    bare = keep_letters(fold(name).translate(_GREEK))
    return bare[:-1] if bare.endswith("s") and len(bare) > 3 else bare


def split_name(name: str) -> list[str]:
    """The parts of a compound that are names: `AMP-activated` -> `AMP`, `GPT-4-based` -> `GPT-4`."""
    parts: list[str] = []
    before = ""
    for part in _JOINTS.split(name):
        if part[:1].isdigit() and before:  # GPT-4, interleukin-2
            parts = [*(parts[:-1] if parts and parts[-1] == before else parts), before + part]
            before = parts[-1]
            continue
        before = part
        if len(part) > 1 and _NAMES_BY_ITSELF.search(part):
            parts.append(part)
    return parts


def remove_prefix(name: str) -> str:
    """An acronym without the small letters before it, which say what kind it is of: `mtDNA` -> `DNA`."""
    return _PREFIX.sub("", name)


def find_own_name(paper: Paper) -> str:
    """The name that a paper gives to its work, if its abstract has it too; "" where it gives none."""
    for text, pattern in ((paper.title, _EXPLAINED), (paper.abstract, _INTRODUCED)):
        found = pattern.search(text)
        if found and found[1] in paper.abstract and _is_coined(found[1], paper.abstract):
            return found[1]
    return ""


def title_as_phrase(paper: Paper) -> str:
    """The title as it stands within a sentence: capitals are left to what its abstract writes with capitals too."""
    known = set(_WITHIN.findall(paper.abstract))

    def within(word: str) -> str:
        bare = word.strip("\"'“”‘’(),;:.?!")
        if is_stop_word(bare) or bare.lower() in known:
            return word.lower()
        named = bare in known or _INNER_SIGN.search(bare[1:])
        return word if named else word.lower()

    return " ".join(map(within, paper.title.strip().rstrip(".").split()))


def _is_coined(word: str, abstract: str) -> bool:
    """Whether a word with a capital is one of its own, not "Attention"."""
    inner = SIGN_OF_A_NAME.search(word, 1) and len(word) > 2
    return bool(inner) or not compile_start(word.lower()).search(abstract)
