"""Dense and lexical search: the papers worth scoring, those that either index finds within a filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from rag.library.candidates import Values
from rag.library.lexical_index import LexicalHit
from rag.library.library import Library
from rag.library.paper_rows import Papers
from rag.library.records import Vectors
from rag.retrieval.signals import CONTEXT_WEIGHT
from rag.types import Filter

_DENSE_CHUNKS = 150
_LEXICAL_PAPERS = 100
_ALL_ADMITTED = 500  # a filter that admits no more papers than this needs no candidates: all are scored
_SPARE = 1.2  # times as many are asked for as would do if a filter admitted papers at random
_FURTHER = 10  # times as many once more, before the chunks of all that it admits are compared
# So many that are near and admitted are enough; they are the nearest of all that are. Of 100,000 papers 98 of a hundred
# of the best ten are then those of the whole comparison (by hand, three filters).
_ENOUGH = 40
_ENOUGH_HITS = 5  # papers that have words of the question: those of the best BM25 that are admitted
_OF_ADMITTED = 0.5  # more chunks than half the papers admitted: Chroma takes longer than to compare all of these


def find_candidates(
    library: Library, question: str, context: str, vector: Vectors, where: Filter
) -> tuple[list[str], Mapping[str, float]]:
    """Finds the papers worth scoring: their ids, and BM25 scores by id.

    Args:
        vector: Of the whole query, as `embed_query` makes it.
    """
    find = partial(library.lexical.search, question, weights={context: CONTEXT_WEIGHT} if context else None)
    if where == Filter():
        dense = [paper_id for paper_id, _ in library.dense.find_nearest(vector, _DENSE_CHUNKS)]
        hits = find(_LEXICAL_PAPERS)
    elif not (count := library.reader.count(where)):
        return [], {}
    elif count <= _ALL_ADMITTED:
        dense = library.reader.read(lambda papers: papers.ids(where))
        hits = find(count, among=dense)
    else:
        dense, hits = _ask_for_more(library, find, vector, where, count)
    return list(dict.fromkeys((*dense, *(hit.paper_id for hit in hits)))), {hit.paper_id: hit.bm25 for hit in hits}


def _ask_for_more(
    library: Library, find: Callable[..., list[LexicalHit]], vector: Vectors, where: Filter, count: int
) -> tuple[list[str], list[LexicalHit]]:
    """Finds what is near, and what has words of the question, among the `count` papers that the filter admits.

    Both indexes are asked for more than is wanted, and what is not admitted is left out. Where that leaves too little,
    they are asked once more, or for all that is admitted.
    """
    more = _SPARE * library.size / count
    hits, dense = find(most := round(more * _LEXICAL_PAPERS)), list[str]()
    for times in (1, _FURTHER):  # again, where the filter leaves out just what is near
        asked_for = round(times * more * _DENSE_CHUNKS)
        if len(dense) < _ENOUGH and asked_for <= count * _OF_ADMITTED:
            near = [paper_id for paper_id, _ in library.dense.find_nearest(vector, asked_for)]
            found = {*near, *(hit.paper_id for hit in hits)}
            admitted = library.reader.read(partial(Papers.admitted, paper_ids=found, where=where))
            dense = [paper_id for paper_id in near if paper_id in admitted][:_DENSE_CHUNKS]
    if are_all := len(dense) < _ENOUGH:
        dense, admitted = library.reader.read(lambda papers: _compare_all(papers, vector, where))
    within = [hit for hit in hits if hit.paper_id in admitted]
    if len(within) < _ENOUGH_HITS and len(hits) == most:  # it leaves out just what has these words most
        if are_all:
            return dense, find(_LEXICAL_PAPERS, among=list(admitted))
        hits = find(_FURTHER * most)
        admitted = library.reader.read(partial(Papers.admitted, paper_ids=[hit.paper_id for hit in hits], where=where))
        within = [hit for hit in hits if hit.paper_id in admitted]
    return dense, within[:_LEXICAL_PAPERS]


def _compare_all(papers: Papers, vector: Vectors, where: Filter) -> tuple[list[str], set[str]]:
    """Compares all papers that the filter admits: ids of the nearest, and of all."""
    admitted: list[str] = []
    cosines: list[Values] = []
    for paper_ids, chunks in papers.chunk_vectors(where):
        admitted += paper_ids
        cosines.append(chunks.greatest(chunks.vectors @ vector))
    nearest = np.argsort(-np.concatenate(cosines), kind="stable")[:_DENSE_CHUNKS] if cosines else ()
    return [admitted[row] for row in nearest], set(admitted)
