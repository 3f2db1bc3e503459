"""Grounding a model's answer: its sentences, the quote behind each marker, a verdict on each claim."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rag.checks.ledger import Judge, find_absence
from rag.llm.prompts import CANNOT_ANSWER, declines
from rag.markers.citation_forms import MARKER
from rag.markers.reader import BLANKS
from rag.text.figures import find_figures
from rag.text.prompt_injection import find_statements
from rag.text.sentences import find_sentences
from rag.text.words import fold, is_stop_word, stem
from rag.types import Answer, Citation, Claim, Outcome, Paper, Passage, Verdict

_ATTRIBUTED_FROM = 3  # the nearest papers, one of which may carry a sentence that cites none
_LINE, _WORD, _HAS_WORD = re.compile(r"[^\n]+"), re.compile(r"[^\W\d_]\w+"), re.compile(r"\w")
_MARKERS_AFTER_STOP = re.compile(
    rf"([.!?…])([\"'”’)]*[{BLANKS}]*(?:{MARKER.pattern}[{BLANKS}]*)*{MARKER.pattern})(?!\w)"
)


def ground_answer(draft: Answer, given: Sequence[Passage], order: Sequence[int], judge: Judge) -> Answer:
    """A model's text with a quote behind every marker and a verdict on every sentence; the text stays as it is.

    Args:
        given: The passages that the model was given to read.
        order: The passages it cites, counted from 1, in the order of their numbers in the text.
    """
    if declines(draft.text):
        return replace(draft, text=CANNOT_ANSWER, outcome=Outcome.NOT_IN_CORPUS)
    cited = [given[place - 1].paper for place in order]
    citations: dict[tuple[int, int], Citation] = {}
    claims, missing = [], []
    for start, end, numbers in read_claims(draft.text):
        sentence = draft.text[start:end]
        claim = Claim(
            start, end, numbers, *judge.verdict(sentence, [(number, cited[number - 1]) for number in numbers])
        )
        if silent := find_absence(sentence):
            missing.append(MARKER.sub("", sentence[slice(*silent)]).strip())
        if not numbers and claim.verdict is not Verdict.NO_CLAIM:
            claim = _attributed(claim, sentence, cited, [passage.paper for passage in given], judge)
        for number in claim.citations:
            paper = cited[number - 1]
            first, last = best_quote(sentence, paper.abstract)
            citations.setdefault((number, first), Citation(number, paper, paper.abstract[first:last], first, last))
        claims.append(claim)
    return replace(
        draft,
        citations=tuple(citations[key] for key in sorted(citations)),
        claims=tuple(claims),
        outcome=_outcome(claims, missing),
        missing=tuple(missing),
    )


def read_claims(text: str) -> list[tuple[int, int, tuple[int, ...]]]:
    """Sentences of an answer as (start, end, numbers of the citations it carries), in order.

    Markers behind a full stop, or on a line of their own, belong to the sentence before them.
    """
    claims: list[tuple[int, int, tuple[int, ...]]] = []
    for line in _LINE.finditer(text):
        for start, end in find_sentences(_MARKERS_AFTER_STOP.sub(_stop_last, line[0])):
            sentence = text[line.start() + start : line.start() + end]
            span = (line.start() + start, line.start() + end)
            numbers = tuple(dict.fromkeys(int(number) for number in MARKER.findall(sentence)))
            if claims and not _HAS_WORD.search(MARKER.sub("", sentence)):
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
    spans = find_statements(abstract)
    candidates = [_words(abstract[start:end]) for start, end in spans]
    spread = Counter(word for words in candidates for word in words)
    wanted = _words(sentence)

    def worth(index: int) -> tuple[float, int]:
        words = candidates[index]
        shared = sum(max(wanted[word], words[word]) / spread[word] for word in wanted.keys() & words.keys())
        # The root keeps long sentences, which share some words with anything, from winning by length.
        return shared / (8 + len(words)) ** 0.5, -index

    return spans[max(range(len(spans)), key=worth)]


def _attributed(claim: Claim, sentence: str, cited: list[Paper], given: Sequence[Paper], judge: Judge) -> Claim:
    """An uncited claim with the paper that supports it best, if one does, which is numbered behind those cited."""
    nearest = sorted(given, key=lambda paper: -judge.support(sentence, paper))[:_ATTRIBUTED_FROM]
    judged = ((paper, *judge.verdict(sentence, [(1, paper)])) for paper in nearest)
    carrying = next(((paper, checks) for paper, verdict, checks in judged if verdict is Verdict.SUPPORTED), None)
    if carrying is None:
        return claim
    paper, checks = carrying
    if paper not in cited:
        cited.append(paper)
    number = cited.index(paper) + 1
    return replace(claim, citations=(number,), verdict=Verdict.SUPPORTED, checks=checks, attributed=True)


def _outcome(claims: Sequence[Claim], missing: Sequence[str]) -> Outcome:
    """Answered where a claim is supported; else an answer is a part, or none where nothing of it holds or is cited."""
    verdicts = {claim.verdict for claim in claims}
    if Verdict.SUPPORTED in verdicts:
        return Outcome.PARTIAL if missing else Outcome.ANSWERED
    holds = Verdict.PARTIAL in verdicts or any(claim.citations for claim in claims)
    return Outcome.PARTIAL if holds else Outcome.NOT_IN_CORPUS


def _stop_last(found: re.Match[str]) -> str:
    """`. [1]` as `xxxx.`, as long as before: so the sentence ends behind its markers."""
    return "x" * len(found[2]) + found[1]


def _words(text: str) -> Counter[str]:
    """The words that say something, cut to their stems, each with its weight; numbers in their plain form."""
    words: Counter[str] = Counter({str(figure.value.normalize()): 3 for figure in find_figures(text)})
    for word in _WORD.findall(text):
        folded = fold(word)
        if not is_stop_word(folded):
            # Names and acronyms tell sentences apart better than other words do.
            words[stem(folded)] = max(words[stem(folded)], 2 if word[1:] != word[1:].lower() else 1)
    return words
