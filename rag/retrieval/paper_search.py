"""Papers looked up without a question: by filter, by their words, or by a paper that they are like."""

from __future__ import annotations

from collections.abc import Iterator

from rag.errors import LibraryMissing
from rag.library.library import Library
from rag.library.paper_rows import Papers
from rag.library.records import Vectors
from rag.retrieval.ranking import make_passages, order_by_score, take
from rag.retrieval.signals import compute_cheap, fuse_signals, to_unit
from rag.text.words import ALNUM_RUN, compile_start, fold
from rag.types import Filter, Paper, Passage


def list_papers(library: Library, where: Filter | None, containing: str) -> list[Paper]:
    """Lists the papers that a filter admits and that have all words of a text, in the library's order."""
    if containing.strip():
        found = _find_words(library, containing)
        return where.among(found) if where else list(found)
    if where is None or where == Filter():
        return list(library.reader.all_papers().values())
    return library.reader.read(lambda papers: list(papers.papers(where)))


def _find_words(library: Library, text: str) -> Iterator[Paper]:
    """Finds the papers in whose title or abstract every word of the text begins a word."""
    folded, wanted = library.reader.folded_texts(), dict.fromkeys(ALNUM_RUN.findall(fold(text)))
    starts = [(word, compile_start(word)) for word in wanted]
    for key, paper in library.reader.all_papers().items():
        # Most papers fail at the plain test, which costs a tenth of the other.
        if all(word in folded[key] and start.search(folded[key]) for word, start in starts):
            yield paper


def find_similar(library: Library | None, paper_id: str, *, k: int) -> list[Passage]:
    """Finds the k papers nearest to a paper, by its chunks.

    Raises:
        LibraryMissing: There is no such paper.
    """
    found = library.reader.read_embedded([paper_id]) if library else []
    if library is None or not found:
        raise LibraryMissing(f"There is no paper {paper_id!r} in the library; `footnote papers list` shows them.")
    vector = to_unit(found[0].chunk_vectors.mean(axis=0))
    near = [key for key, _ in library.dense.find_nearest(vector, 2 * k + 4) if key != paper_id]
    return list(library.reader.read(lambda papers: _score(papers, near, vector, k)))


def _score(papers: Papers, paper_ids: list[str], vector: Vectors, k: int) -> tuple[Passage, ...]:
    """The k best of the papers by the signals that cost little."""
    found = papers.candidates(paper_ids)
    if not found.paper_ids:
        return ()
    signals = compute_cheap(found, vector, {})
    order = order_by_score(found.paper_ids, fuse_signals(signals))[:k]
    records = papers.read_embedded([found.paper_ids[row] for row in order])
    return make_passages(records, vector, take(signals, order))
