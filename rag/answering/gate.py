"""The gate before an answer: whether the library holds evidence enough, and what of a question it does not know."""

from __future__ import annotations

from collections.abc import Sequence

from rag.answering.unstated import is_misspelt, spellings
from rag.library.library import Library
from rag.retrieval.ranking import Ranking
from rag.text.words import find_content_words, find_forms

_WHERE_SPELT = 5  # the best papers, in which a word is looked for that the question misspells


def has_evidence(ranking: Ranking, unknown: Sequence[str], gate: float) -> bool:
    """Whether there is evidence enough to write an answer from.

    Args:
        unknown: Words of the question that no paper has.
        gate: Least cosine of a chunk or sentence with what was asked.
    """
    return bool(ranking.passages) and ranking.evidence >= gate and not has_strayed(ranking, unknown, gate)


def has_strayed(ranking: Ranking, unknown: Sequence[str], gate: float) -> bool:
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


def find_unknown_terms(library: Library, question: str) -> tuple[str, ...]:
    """Content words of the question that no paper has in any form."""
    lexical = library.lexical
    unknown = []
    for word in find_content_words(question):
        terms = [term for form in find_forms(word) for term in lexical.terms_of(form)]
        if terms and not any(map(lexical.frequency, terms)):
            unknown.append(word)
    return tuple(unknown)


def share_of_papers(library: Library, word: str) -> float:
    """The share of the papers that have the word in a form of it, or the rarest part of it; 0 where none has."""
    lexical = library.lexical
    found = (min(map(lexical.frequency, lexical.terms_of(form)), default=0) for form in find_forms(word))
    return max(found) / library.size
