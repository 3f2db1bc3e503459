"""From a draft with its passages to a finished answer: refused, quoted from the papers, or grounded after a model."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial

from rag.answering.extractive import extract
from rag.answering.quotes import best_quote, read_claims
from rag.answering.unstated import is_misspelt, spellings, unstated
from rag.checks.ledger import Judge, absence
from rag.library.library import Library
from rag.llm.prompts import CANNOT_ANSWER, declines
from rag.markers.reader import MARKER
from rag.retrieval.ranking import Ranking
from rag.text import cues
from rag.text.words import content_words, forms, listed
from rag.types import Answer, Citation, Claim, Outcome, Paper, Passage, Token, Verdict

_NEAREST_SENTENCES = 2
_ATTRIBUTED_FROM = 3  # the nearest papers, one of which may carry a sentence that cites none
_WHERE_SPELT = 5  # the best papers, in which a word is looked for that the question misspells
_NO_ANSWER = "answers this question."
_REFUSAL = re.compile(rf"(?:None of the [\d,]+ papers in the library|No paper that the filter admits) {_NO_ANSWER}")


def is_refusal(text: str) -> bool:
    """Whether an answer only says that there is none."""
    return bool(_REFUSAL.match(text)) or declines(text)


def refused(draft: Answer, library: Library, *, filtered: bool) -> Generator[Token, None, Answer]:
    """What is not there, in plain words; the passages of the draft are the near misses."""
    where = "No paper that the filter admits" if filtered else f"None of the {library.size:,} papers in the library"
    text = f"{where} {_NO_ANSWER}"
    if draft.unknown_terms:
        text += f" No abstract of the library mentions {listed(draft.unknown_terms)}."
    yield Token(text)
    return replace(draft, text=text, outcome=Outcome.NOT_IN_CORPUS)


def strays(ranking: Ranking, unknown: Sequence[str], gate: float) -> bool:
    """Whether a follow-up has left the library: only what went before is found in it, not what is asked now.

    Args:
        unknown: Words of the question that no paper has.
        gate: Least cosine of a sentence with the question alone.
    """
    if not ranking.query.context or not unknown:
        return False
    papers = [passage.paper for passage in ranking.passages[:_WHERE_SPELT]]
    spelt = spellings(" ".join(f"{paper.title} {paper.abstract}" for paper in papers))
    if all(is_misspelt(word, spelt) for word in unknown):
        return False
    vectors = (record.sentence_vectors for record in ranking.records.values())
    return max(float((each @ ranking.question_vector).max()) for each in vectors) < gate


def quoted(draft: Answer, ranking: Ranking, library: Library) -> Generator[Token, None, Answer]:
    """The sentences of the papers that answer the question, behind a sentence on what they do not state."""
    lexical, query = library.lexical, ranking.query
    read = partial(extract, query.question, ranking, terms=lexical.terms, idf=lexical.idf, context=query.context)
    found = read()
    papers = list({citation.number: citation.paper for citation in found.citations}.values())
    lacks = unstated(query.question, papers, terms=lexical.terms, share=partial(share_of_papers, library))
    if lacks.phrases and len(cues.parts(query.question)) == 1:  # no other part is answered: less says as much
        found = read(most=_NEAREST_SENTENCES)
    if lacks.phrases:
        found = found.opened_by(lacks.sentence(len(papers)))
    for start, end in zip(
        (0, *(claim.end for claim in found.claims[:-1])), (claim.end for claim in found.claims), strict=True
    ):
        yield Token(found.text[start:end])
    yield Token(found.text[found.claims[-1].end :])
    return replace(
        draft,
        text=found.text,
        outcome=Outcome.PARTIAL if lacks.phrases else Outcome.ANSWERED,
        missing=lacks.phrases,
        citations=found.citations,
        claims=found.claims,
    )


def grounded(draft: Answer, given: Sequence[Passage], order: Sequence[int], judge: Judge) -> Answer:
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
        if silent := absence(sentence):
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


def unknown_terms(library: Library, question: str) -> tuple[str, ...]:
    """Content words of the question that no paper has in any form."""
    lexical = library.lexical
    unknown = []
    for word in content_words(question):
        terms = [term for form in forms(word) for term in lexical.terms_of(form)]
        if terms and not any(map(lexical.frequency, terms)):
            unknown.append(word)
    return tuple(unknown)


def share_of_papers(library: Library, word: str) -> float:
    """The share of the papers that have the word in a form of it, or the rarest part of it; 0 where none has."""
    lexical = library.lexical
    found = (min(map(lexical.frequency, lexical.terms_of(form)), default=0) for form in forms(word))
    return max(found) / library.size
