"""The support ledger: a verdict on every sentence of an answer, from checks against the papers it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rag.checks.contradiction import check_direction, check_negation
from rag.checks.evidence import Evidence, Sentence, Source
from rag.checks.numbers_and_names import check_links, check_names, check_numbers
from rag.markers.citation_forms import MARKER
from rag.text.figures import spell_numbers
from rag.text.word_lists import read_words
from rag.text.words import fold, is_stop_word, split_words
from rag.types import Check, CheckKind, Paper, Verdict

# The greatest cosine of a text with a sentence of a paper's abstract.
Nearness = Callable[[str, Paper], float]
# (premise, sentence) -> "entailment", "neutral" or "contradiction".
Entailment = Callable[[str, str], str]

_FEWEST_WORDS = 2
_LEAST_SUPPORT = 0.60  # what 1.5 in 100 supported train claims of SciFact lack: tests/bench/results/ledger.json
_PREMISE_SENTENCES = 3
_LONGEST_CHARS = 1_500
# Checks whose failing leaves a sentence in part: it is not contradicted, nor foreign to all that it cites.
_SLIGHT = frozenset({CheckKind.NAMES, CheckKind.CITATION, CheckKind.LANGUAGE})
_LAST_LATIN = "\u024f"
# An assistant that talks of itself. Not "I" alone: "the Phase I trial".
_TALK = re.compile(
    r"\bI (?:hope|am|can|cannot|could|will|would|do|don['’]t|did|have|apologi[sz]e)\b|\bI['’](?:m|ll|ve|d)\b"
    r"|\b(?:let me|feel free|hope (?:this|that)|happy to)\b"
)
# What numbers an item or passages, and states nothing: "2. ", "**Finding 1:** ", "passage 3", "two passages".
_NUMBERING = re.compile(
    r"\A\W*(?:\(?\d{1,2}[.)]\s+)|\A\W*[A-Z][\w ]{0,30} \d{1,2}\**:\**"
    r"|\b(?:passages?|papers?|abstracts?|sources?|stud(?:y|ies))\s+\d{1,2}\b"
    rf"|\b(?i:{spell_numbers(2, 6)}|\d{{1,2}})\s+(?=(?:of the )?(?:passages|papers|abstracts|sources|studies)\b)"
)
_GIVEN = r"(?:given|provided|available|retrieved) (?:texts?|context|sources?|documents?)"
_SPEAKERS = rf"(?:passages?|papers?|abstracts?|excerpts?|{_GIVEN})"
_SAYING = (
    r"(?:stat|mention|sa[yi]|report|specif|provid|giv|describ|discuss|contain|includ|address|detail|indicat|nam|list"
    r"|explain|compar|answer|disclos|quantif|cover)\w*"
)
# "The passages do not state", "is not stated in the abstracts", "none of the papers says".
_ABSENCE = re.compile(
    rf"\b{_SPEAKERS}(?: (?!that\b)[\w\[\]-]+){{0,2}} (?:(?:do|does|did) not|don[’']t|doesn[’']t|cannot|never)"
    rf"(?: \w+ly)? {_SAYING}"
    rf"|\bnot (?:\w+ly )?{_SAYING} (?:in|by) (?:the|any|these|this|either) (?:of )?(?:the )?(?:\w+ )?{_SPEAKERS}"
    rf"|\b(?:none of (?:the|these) (?:\w+ )?{_SPEAKERS}|no (?:passage|abstract|excerpt))(?: \w+ly)? {_SAYING}",
    re.IGNORECASE,
)
_CLAUSE_BEGINS = re.compile(
    r"[,;:—–](?: (?:but|and|although|though|while|however))?\s|\s(?:but|although|though|while)\s"
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
        claim = Sentence(_claimed(text))
        if _is_no_claim(claim, cites=bool(papers)):
            return Verdict.NO_CLAIM, ()
        if not papers:
            return Verdict.UNSUPPORTED, (Check(CheckKind.CITATION, False, "it carries no citation"),)
        if len(claim.text) > _LONGEST_CHARS:
            reason = f"it is longer than {_LONGEST_CHARS:,} characters, which are too many to check"
            return Verdict.UNSUPPORTED, (Check(CheckKind.WORDING, False, reason),)
        evidence = Evidence(papers)
        if self._verbatim and any(_plain(claim.text) == _plain(each.text) for each in evidence.sentences):
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
            made = (Check(CheckKind.LANGUAGE, False, reason), check_numbers(claim, sources, evidence))
        else:
            made = (
                self._wording(claim, evidence, sources),
                self._citations(claim, evidence),
                check_numbers(claim, sources, evidence),
                check_names(claim, sources, evidence),
                check_links(claim, evidence),
                check_direction(claim, sources),
                check_negation(claim, sources),
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

    def _citations(self, claim: Sentence, evidence: Evidence) -> Check | None:
        """Whether each of several papers has something to do with the sentence."""
        idle = [
            f"[{number}] says nothing of this" for number, paper in evidence.papers
            if len(evidence.papers) > 1 and self.support(claim.text, paper) < _LEAST_SUPPORT
        ]  # fmt: skip
        return Check(CheckKind.CITATION, False, "; ".join(idle)) if idle else None

    def _support(self, claim: Sentence, evidence: Evidence, sources: Sequence[Source]) -> float:
        return sources[0].fit + max(self._nearness(claim.text, paper) for _, paper in evidence.papers)


def find_absence(text: str) -> tuple[int, int] | None:
    """Offsets of the clause that says that the papers do not state something; None where there is none."""
    found = _ABSENCE.search(text)
    if found is None:
        return None
    before = [clause.end() for clause in _CLAUSE_BEGINS.finditer(text, 0, found.start() + 1)]
    behind = None if before else _CLAUSE_BEGINS.search(text, found.end())
    return (before[-1] if before else 0), (behind.start() if behind else len(text))


def is_foreign(text: str) -> bool:
    """Whether a text is in another language than English, by its function words or its script."""
    letters = [letter for letter in text if letter.isalpha()]
    if sum(letter > _LAST_LATIN for letter in letters) > len(letters) / 3:
        return True
    said = [fold(word) for word in split_words(text) if not word.isupper()]
    return sum(word in read_words("foreign_words") for word in said) > sum(map(is_stop_word, said))


def _claimed(text: str) -> str:
    """What a sentence claims: without markers, numbering, and a clause on the silence of the papers."""
    silent = find_absence(text)
    told = MARKER.sub("", text[: silent[0]] + text[silent[1] :] if silent else text)
    return _NUMBERING.sub("", told).strip()


def _is_no_claim(claim: Sentence, *, cites: bool) -> bool:
    """A greeting, a heading, a question; nothing that has a figure or a name."""
    if claim.figures or claim.name_slots:
        return False
    if len(claim.content) < _FEWEST_WORDS:
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
    return Verdict.PARTIAL if failed <= _SLIGHT else Verdict.UNSUPPORTED


def _plain(text: str) -> str:
    """A sentence but for its case, its white space and the mark at its end."""
    return " ".join(text.split()).casefold().rstrip(" .")
