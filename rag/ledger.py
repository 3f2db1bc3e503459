"""The support ledger: a verdict on every sentence of an answer, from checks against the papers it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rag import contradiction, stated
from rag.evidence import Evidence, Source
from rag.markers import MARKER
from rag.slots import Sentence
from rag.types import Check, CheckKind, Paper, Verdict
from rag.words import STOP_WORDS, fold, words

# The greatest cosine of a text with a sentence of a paper's abstract.
Nearness = Callable[[str, Paper], float]
# (premise, sentence) -> "entailment", "neutral" or "contradiction".
Entailment = Callable[[str, str], str]

_FEWEST_WORDS = 2
_LEAST_SUPPORT = 0.67  # of SciFact's supported train claims 97 in 100 have more: tests/bench/results/ledger.json
_PREMISE_SENTENCES = 3
_LAST_LATIN = "\u024f"
# Frequent function words of German, French, Spanish, Italian, Portuguese and Dutch that are no English words.
_FOREIGN = frozenset(
    """der das und ist nicht mit fur auf von ein eine einer einem den dem des sich auch als bei zu werden wird durch
    le les est une dans pour que qui sur par aux du sont avec plus ce cette el los las del por para una con es y se
    il di che gli non sono della nel della dei um uma nao com os het een van niet zijn voor en op dat""".split()
)
# Words of the answer that talk of the conversation, and of its sources as silent.
_TALK = re.compile(r"\b(?:I|I['’]\w+|let me|feel free|hope this|happy to)\b")
_SPEAKERS = (
    r"(?:passages?|papers?|abstracts?|sources?|texts?|documents?|excerpts?|context|library|corpus|stud(?:y|ies)|they)"
)
_SAYING = (
    r"(?:stat|mention|sa[yi]|report|specif|provid|giv|describ|discuss|contain|includ|address|detail|indicat|nam|list"
    r"|explain|compar|answer|disclos|quantif|cover)\w*"
)
_ABSENCE = re.compile(
    rf"\b{_SPEAKERS}\b.{{0,80}}?(?:\b(?:do(?:es)? not|cannot|never|no)\b|n[’']t\b).{{0,40}}?\b{_SAYING}"
    rf"|\bnot (?:explicitly |directly )?{_SAYING} (?:in|by) (?:the|any|these|this)\b.{{0,40}}?\b{_SPEAKERS}\b"
    rf"|\b(?:no|none of the) {_SPEAKERS}\b.{{0,80}}?\b{_SAYING}",
    re.IGNORECASE,
)


class Judge:
    """Judges sentences against papers.

    Args:
        nearness: Tells a near meaning where words differ.
        entailment: A model that says whether a text entails or contradicts a sentence, where one is named.
        verbatim: Whether a sentence that stands in a cited paper word for word needs no further check.
    """

    def __init__(self, nearness: Nearness, entailment: Entailment | None = None, *, verbatim: bool = True) -> None:
        self._nearness, self._entailment, self._verbatim = nearness, entailment, verbatim

    def verdict(self, text: str, papers: Sequence[tuple[int, Paper]]) -> tuple[Verdict, tuple[Check, ...]]:
        """Whether the papers carry a sentence of an answer, and every check that was made.

        Args:
            text: The sentence, with or without its markers.
            papers: What it cites, by number.
        """
        claim = Sentence(MARKER.sub("", text).strip())
        if _is_no_claim(claim, cites=bool(papers)):
            return Verdict.NO_CLAIM, ()
        if not papers:
            return Verdict.UNSUPPORTED, (Check(CheckKind.CITATION, False, "it carries no citation"),)
        evidence = Evidence(papers)
        if self._verbatim and _letters(claim.text) in _letters(evidence.text):
            return Verdict.SUPPORTED, (Check(CheckKind.VERBATIM, True),)
        made = tuple(self._checks(claim, evidence))
        return _verdict(made), made

    def support(self, text: str, paper: Paper) -> float:
        """How much of a text's words one sentence of a paper has, and how near its meaning comes: 0 to 2."""
        claim, evidence = Sentence(MARKER.sub("", text)), Evidence([(1, paper)])
        return self._support(claim, evidence, evidence.sources(claim))

    def _checks(self, claim: Sentence, evidence: Evidence) -> Iterator[Check]:
        sources = evidence.sources(claim)
        made: tuple[Check | None, ...]
        if is_foreign(claim.text) != is_foreign(evidence.text):
            reason = f"it is in another language than {evidence.cited}: only its figures were compared"
            made = (Check(CheckKind.WORDING, False, reason), stated.numbers(claim, sources, evidence))
        else:
            made = (
                self._wording(claim, evidence, sources),
                stated.numbers(claim, sources, evidence),
                stated.names(claim, sources, evidence),
                contradiction.direction(claim, sources),
                contradiction.negation(claim, sources),
            )
        yield from filter(None, made)
        if self._entailment is not None:
            yield _entailed(claim, evidence, sources, self._entailment)

    def _wording(self, claim: Sentence, evidence: Evidence, sources: Sequence[Source]) -> Check:
        """Wording and meaning together: a near meaning makes up for few shared words, and the other way round."""
        if self._support(claim, evidence, sources) >= _LEAST_SUPPORT:
            return Check(CheckKind.WORDING, True)
        absent = len(claim.content - evidence.stems)
        reason = f"{absent} of its {len(claim.content)} words are not in {evidence.cited}, nor is its meaning near"
        return Check(CheckKind.WORDING, False, reason)

    def _support(self, claim: Sentence, evidence: Evidence, sources: Sequence[Source]) -> float:
        return sources[0].fit + max(self._nearness(claim.text, paper) for _, paper in evidence.papers)


def is_absence(text: str) -> bool:
    """Whether a sentence only says that the papers do not state something."""
    return bool(_ABSENCE.search(text))


def is_foreign(text: str) -> bool:
    """Whether a text is in another language than English, by its function words or its script."""
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter > _LAST_LATIN for letter in letters) > len(letters) / 3:
        return True
    said = [fold(word) for word in words(text)]
    return sum(word in _FOREIGN for word in said) > sum(word in STOP_WORDS for word in said)


def _is_no_claim(claim: Sentence, *, cites: bool) -> bool:
    """A greeting, a heading, a question, or a word on the papers' silence."""
    if (len(claim.content) < _FEWEST_WORDS and not claim.figures) or is_absence(claim.text):
        return True
    return not cites and (claim.text.endswith((":", "?")) or bool(_TALK.search(claim.text)))


def _entailed(claim: Sentence, evidence: Evidence, sources: Sequence[Source], entailment: Entailment) -> Check:
    """What the named model says, given the sentences that fit best."""
    premise = " ".join(source.sentence.text for source in sources[:_PREMISE_SENTENCES])
    label = entailment(premise, claim.text)
    reason = "" if label == "entailment" else f"by the entailment model it does not follow from {evidence.cited}"
    if label == "contradiction":
        reason = f"by the entailment model it contradicts {evidence.cited}"
    return Check(CheckKind.ENTAILMENT, label == "entailment", reason)


def _verdict(made: Sequence[Check]) -> Verdict:
    failed = {check.kind for check in made if not check.passed}
    if not failed:
        return Verdict.SUPPORTED
    return Verdict.PARTIAL if failed in ({CheckKind.NAMES}, {CheckKind.WORDING}) else Verdict.UNSUPPORTED


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
