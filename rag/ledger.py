"""The support ledger: a verdict on every sentence of an answer, from checks against the papers it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag import contradiction, stated
from rag.evidence import Evidence
from rag.markers import MARKER
from rag.slots import Sentence
from rag.types import Check, CheckKind, Paper, Verdict

# The greatest cosine of a text with a sentence of a paper's abstract.
Nearness = Callable[[str, Paper], float]

_FEWEST_WORDS = 2
_LEAST_SUPPORT = 0.5
_COSINE_WEIGHT = 1.0
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
        nearness: Tells a near meaning where words differ; without it, words alone are compared.
        verbatim: Whether a sentence that stands in a cited paper word for word needs no further check.
    """

    def __init__(self, nearness: Nearness | None = None, *, verbatim: bool = True) -> None:
        self._nearness, self._verbatim = nearness, verbatim

    def verdict(self, text: str, papers: Sequence[tuple[int, Paper]]) -> tuple[Verdict, tuple[Check, ...]]:
        """Whether the papers carry a sentence of an answer, and every check that was made.

        Args:
            text: The sentence, with or without its markers.
            papers: What it cites, by number.
        """
        plain = MARKER.sub("", text).strip()
        claim = Sentence(plain)
        if _is_no_claim(claim) and not papers:
            return Verdict.NO_CLAIM, ()
        if not papers:
            return Verdict.UNSUPPORTED, (Check(CheckKind.CITATION, False, "it carries no citation"),)
        evidence = Evidence(papers)
        if self._verbatim and _letters(plain) in _letters(evidence.text):
            return Verdict.SUPPORTED, (Check(CheckKind.VERBATIM, True),)
        sources = evidence.sources(claim)
        made = (
            self._wording(claim, evidence),
            stated.numbers(claim, sources, evidence),
            stated.names(claim, sources, evidence),
            contradiction.direction(claim, sources),
            contradiction.negation(claim, sources),
        )
        found = tuple(check for check in made if check is not None)
        return _verdict(found), found

    def support(self, text: str, paper: Paper) -> float:
        """How much of a text's words a paper has, and how near its meaning comes: 0 to 2."""
        return self._support(Sentence(MARKER.sub("", text)), Evidence([(1, paper)]))

    def _support(self, claim: Sentence, evidence: Evidence) -> float:
        share = len(claim.content & evidence.stems) / max(1, len(claim.content))
        if self._nearness is None:
            return share
        return share + _COSINE_WEIGHT * max(self._nearness(claim.text, paper) for _, paper in evidence.papers)

    def _wording(self, claim: Sentence, evidence: Evidence) -> Check:
        """Wording and meaning together: a near meaning makes up for few shared words, and the other way round."""
        if self._support(claim, evidence) >= _LEAST_SUPPORT:
            return Check(CheckKind.WORDING, True)
        absent = len(claim.content - evidence.stems)
        return Check(
            CheckKind.WORDING, False, f"{absent} of its {len(claim.content)} words are not in {evidence.cited}"
        )


def is_absence(text: str) -> bool:
    """Whether a sentence only says that the papers do not state something."""
    return bool(_ABSENCE.search(text))


def _is_no_claim(claim: Sentence) -> bool:
    """A greeting, a heading, a question, or a word on the papers' silence."""
    if len(claim.content) < _FEWEST_WORDS and not claim.figures:
        return True
    return claim.text.endswith((":", "?")) or bool(_TALK.search(claim.text)) or is_absence(claim.text)


def _verdict(made: Sequence[Check]) -> Verdict:
    failed = {check.kind for check in made if not check.passed}
    if not failed:
        return Verdict.SUPPORTED
    return Verdict.PARTIAL if failed in ({CheckKind.NAMES}, {CheckKind.WORDING}) else Verdict.UNSUPPORTED


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
