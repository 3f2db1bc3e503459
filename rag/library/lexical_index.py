"""The lexical index: BM25 over titles and abstracts, on tantivy; derived from the library and never its only copy."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import tantivy

from rag.text.words import find_content_words
from rag.types import Paper

_ANALYZER = "footnote_en"
_WRITER_BYTES = 64_000_000
# Written last, with the digest of all else: a folder without it is a build that was interrupted, and tantivy brings
# the process down when it meets damaged files in a search.
_READY = "ready"
_STALE = "stale"  # how many papers the index was told to forget, which count in its statistics until it is built anew
_BUILT_ANEW = 2_000  # papers that take no longer to be indexed (80 ms) than a few of them to be exchanged
MOST_CHANGED = 0.1  # of the papers; BM25 and the frequencies are off by no more


class LexicalHit(NamedTuple):
    """A paper that shares words with the question, and its BM25 score."""

    paper_id: str
    bm25: float


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since an earlier index.

    Attributes:
        earlier: The folder of that index.
        papers: Papers that are new or were replaced.
        gone: Ids of papers that left.
    """

    earlier: Path
    papers: Sequence[Paper]
    gone: Sequence[str]


class LexicalIndex:
    """One immutable state of the index; a changed library gets a new one.

    Attributes:
        size: Papers in it.
        stale: Papers that it was told to forget since it was built.
    """

    def __init__(self, index: tantivy.Index, stale: int = 0) -> None:
        self._index = index
        self._searcher = index.searcher()
        self._analyzer = _analyzer()
        self.size = int(self._searcher.num_docs)
        self.stale = stale

    @classmethod
    def open(cls, folder: Path) -> LexicalIndex | None:
        """Opens the index in a folder; None where there is none or it is not whole."""
        try:
            return cls(_opened(folder), int((folder / _STALE).read_text())) if _is_whole(folder) else None
        except (OSError, ValueError):  # removed just now; tantivy has both
            return None

    @classmethod
    def open_or_build(cls, folder: Path, papers: Iterable[Paper], changes: Changes | None = None) -> LexicalIndex:
        """Opens the index in `folder`, or builds it there from `papers`.

        The papers are not read where it is there. Where the folder cannot be written, they are read once more and the
        index is kept in memory.

        Args:
            changes: By which the papers differ from those of an earlier index, which is then taken over.
        """
        if found := cls.open(folder):
            return found
        try:
            _build(folder, papers, changes)
            return cls(_opened(folder), int((folder / _STALE).read_text()))
        except (OSError, ValueError):  # no room, not allowed, or removed by a process that is ahead; tantivy has both
            return cls.in_memory(papers)

    @classmethod
    def in_memory(cls, papers: Iterable[Paper]) -> LexicalIndex:
        """Builds an index that is gone with the process."""
        index = tantivy.Index(_schema())
        index.register_tokenizer(_ANALYZER, _analyzer())
        _write(index, papers)
        return cls(index)

    def search(
        self,
        text: str,
        limit: int,
        *,
        weights: Mapping[str, float] | None = None,
        among: Sequence[str] | None = None,
    ) -> list[LexicalHit]:
        """Papers that share content words with the text, best first.

        Args:
            weights: Further texts, each with the weight of its words beside those of `text`, which weigh 1.
            among: Ids of the only papers to look at.
        """
        by_term = dict.fromkeys(self.terms(text), 1.0)
        for other, weight in (weights or {}).items():
            for term in self.terms(other):
                by_term.setdefault(term, weight)
        if not by_term or min(limit, self.size) < 1:
            return []
        schema = self._index.schema
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, "text", term), weight))
            for term, weight in by_term.items()
        ]
        query = tantivy.Query.boolean_query(clauses)
        if among is not None:
            these = tantivy.Query.term_set_query(schema, "paper", list(map(_number, among)))
            within = (tantivy.Occur.Must, tantivy.Query.const_score_query(these, 0.0))
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, query), within])
        found = self._searcher.search(query, min(limit, self.size), count=False)
        paper_ids = self._paper_ids([address for _, address in found.hits])
        return [LexicalHit(key, float(score)) for key, (score, _) in zip(paper_ids, found.hits, strict=True)]

    def spelt_nearly(self, word: str, limit: int) -> list[str]:
        """Ids of papers that have a word of one letter's difference, or of two neighbours swapped."""
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.fuzzy_term_query(self._index.schema, "text", term, distance=1))
            for term in self.terms_of(word)
        ]
        if not clauses or not self.size:
            return []
        found = self._searcher.search(tantivy.Query.boolean_query(clauses), min(limit, self.size), count=False)
        return self._paper_ids([address for _, address in found.hits])

    def terms(self, text: str) -> list[str]:
        """The index terms (lower case, no accents, stemmed) of the content words of a text, each once."""
        return list(dict.fromkeys(term for word in find_content_words(text) for term in self.terms_of(word)))

    def terms_of(self, word: str) -> list[str]:
        """The index terms of one word; a hyphenated word has several."""
        return list(self._analyzer.analyze(word))

    def idf(self, term: str) -> float:
        """Inverse document frequency of an index term, as in BM25; highest where no paper has it."""
        frequency = min(self.frequency(term), self.size)  # which counts papers that are stale, too
        return math.log(1 + (self.size - frequency + 0.5) / (frequency + 0.5))

    def word_idf(self, word: str) -> float:
        """Inverse document frequency of a word, of its commonest term where it has several."""
        return min((self.idf(term) for term in self.terms_of(word)), default=0.0)

    def frequency(self, term: str) -> int:
        """How many papers have the index term."""
        frequency = int(self._searcher.doc_freq("text", term))
        if not 0 < frequency <= self.stale:
            return frequency
        query = tantivy.Query.term_query(self._index.schema, "text", term)  # none that has it may be left
        found = self._searcher.search(query, 1, count=True)
        return int(found.count)  # type: ignore[attr-defined]  # tantivy's stub leaves it out

    def has(self, paper_id: str) -> bool:
        """Whether the paper is in the index."""
        query = tantivy.Query.term_query(self._index.schema, "paper", _number(paper_id))
        return bool(self._searcher.search(query, 1, count=False).hits)

    def paper_ids(self) -> set[str]:
        """Ids of all papers in the index; takes a while."""
        found = self._searcher.search(tantivy.Query.all_query(), max(self.size, 1), count=False)
        return set(self._paper_ids([address for _, address in found.hits]))

    def _paper_ids(self, addresses: list[tantivy.DocAddress]) -> list[str]:
        return [f"{number:016x}" for number in self._searcher.fast_field_values("paper", addresses)]


def _number(paper_id: str) -> int:
    return int(paper_id, 16)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    # A paper's id as a number, which is read of a thousand papers in the time that text is of a few.
    builder.add_unsigned_field("paper", indexed=True, fast=True)
    builder.add_text_field("text", tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


@lru_cache(maxsize=1)
def _analyzer() -> tantivy.TextAnalyzer:
    """As tantivy's own `en_stem`, but `Tülu` is found by "tulu"."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(64),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()


def _opened(folder: Path) -> tantivy.Index:
    index = tantivy.Index(_schema(), path=str(folder))
    index.register_tokenizer(_ANALYZER, _analyzer())
    return index


def _is_whole(folder: Path) -> bool:
    try:
        return (folder / _READY).read_text() == _digest(folder)
    except (OSError, ValueError):
        return False


def _digest(folder: Path) -> str:
    """SHA-256 of the index's files; tantivy's own books and locks, which change, begin with a dot."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.name != _READY and not file.name.startswith("."):
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _build(folder: Path, papers: Iterable[Paper], changes: Changes | None) -> None:
    """Builds aside and moves into place, so that two processes can do it at once."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.mkdir(parents=True)
        stale = _taken_over(aside, changes) if changes else None
        if stale is None:
            shutil.rmtree(aside)
            aside.mkdir()
            _write(_opened(aside), papers)
        (aside / _STALE).unlink(missing_ok=True)  # a link: written to, it would change in the earlier folder as well
        (aside / _STALE).write_text(str(stale or 0))
        (aside / _READY).write_text(_digest(aside))
        if LexicalIndex.open(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)  # damaged: it is derived, so make it again
            aside.replace(folder)
    except OSError:
        if not _is_whole(folder):  # by another process, just now
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _remove_others(folder)


def _taken_over(aside: Path, changes: Changes) -> int | None:
    """Fills a folder with an earlier index and the changes since; what is in it of that is linked, not copied.

    tantivy writes a file once and never changes it, but for its books, which it replaces.

    Returns:
        How many papers are stale in it; None where it is better built anew.
    """
    earlier = LexicalIndex.open(changes.earlier)
    if earlier is None:
        return None
    forgotten = [key for key in (*changes.gone, *(paper.id for paper in changes.papers)) if earlier.has(key)]
    stale = earlier.stale + len(forgotten)
    touched = max(len(changes.papers) + len(changes.gone), stale)
    if earlier.size <= _BUILT_ANEW or touched > MOST_CHANGED * earlier.size:
        return None
    try:
        for file in changes.earlier.iterdir():
            if file.name not in (_READY, _STALE) and not file.name.endswith(".lock"):
                os.link(file, aside / file.name)
        _write(_opened(aside), changes.papers, forgotten)
    except (OSError, ValueError):  # no links on this disk, or removed by a process that is ahead; tantivy has both
        return None
    return stale


def _write(index: tantivy.Index, papers: Iterable[Paper], forgotten: Iterable[str] = ()) -> None:
    writer = index.writer(_WRITER_BYTES, 1)
    for paper_id in forgotten:
        # By query: deleted by its term, a number stays where it is.
        writer.delete_documents_by_query(tantivy.Query.term_query(index.schema, "paper", _number(paper_id)))
    for paper in papers:
        document = tantivy.Document(text=f"{paper.title} {paper.abstract}")
        document.add_unsigned("paper", _number(paper.id))
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()


def _remove_others(folder: Path) -> None:
    """Removes earlier states and what killed builds left; a process that has one open keeps its files."""
    for other in folder.parent.iterdir():
        if other != folder and not other.name.startswith(f".{folder.name}."):
            shutil.rmtree(other, ignore_errors=True)
