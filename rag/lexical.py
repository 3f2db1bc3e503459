"""The lexical index: BM25 over titles and abstracts, on tantivy; derived from the library and never its only copy."""

from __future__ import annotations

import hashlib
import math
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import tantivy

from rag.types import Paper
from rag.words import content_words

_ANALYZER = "footnote_en"
_WRITER_BYTES = 64_000_000
# Written last, with the digest of all else: a folder without it is a build that was interrupted, and tantivy brings
# the process down when it meets damaged files in a search.
_READY = "ready"


@dataclass(frozen=True, slots=True)
class LexicalHit:
    """A paper that shares words with the question, and its BM25 score."""

    paper_id: str
    bm25: float


class LexicalIndex:
    """One immutable generation of the index; a changed library gets a new one."""

    def __init__(self, index: tantivy.Index) -> None:
        self._index = index
        self._searcher = index.searcher()
        self._analyzer = _analyzer()
        self.size = int(self._searcher.num_docs)

    @classmethod
    def open_or_build(cls, folder: Path, papers: Iterable[Paper]) -> LexicalIndex:
        """The index in `folder`, built there first where it is missing; `papers` are read only then.

        Where the folder cannot be written, the index is kept in memory, and the papers are read once more for it.
        """
        try:
            if not _is_whole(folder):
                _build(folder, papers)
            return cls(_opened(folder))
        except (OSError, ValueError):  # no room, not allowed, or removed by a process that is ahead; tantivy has both
            return cls.in_memory(papers)

    @classmethod
    def in_memory(cls, papers: Iterable[Paper]) -> LexicalIndex:
        """An index that is gone with the process."""
        index = tantivy.Index(_schema())
        index.register_tokenizer(_ANALYZER, _analyzer())
        _fill(index, papers)
        return cls(index)

    def search(self, text: str, limit: int, *, weights: dict[str, float] | None = None) -> list[LexicalHit]:
        """Papers that share content words with the text, best first.

        Args:
            weights: Further texts, each with the weight of its words beside those of `text`, which weigh 1.
        """
        by_term = dict.fromkeys(self.terms(text), 1.0)
        for other, weight in (weights or {}).items():
            for term in self.terms(other):
                by_term.setdefault(term, weight)
        if not by_term or not self.size:
            return []
        schema = self._index.schema
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(tantivy.Query.term_query(schema, "text", term), weight))
            for term, weight in by_term.items()
        ]
        found = self._searcher.search(tantivy.Query.boolean_query(clauses), min(limit, self.size), count=False)
        return [LexicalHit(self._searcher.doc(address)["paper_id"][0], float(score)) for score, address in found.hits]

    def spelt_nearly(self, word: str, limit: int) -> list[str]:
        """Ids of papers that have a word of one letter's difference, or of two neighbours swapped."""
        clauses = [
            (tantivy.Occur.Should, tantivy.Query.fuzzy_term_query(self._index.schema, "text", term, distance=1))
            for term in self.terms_of(word)
        ]
        if not clauses or not self.size:
            return []
        found = self._searcher.search(tantivy.Query.boolean_query(clauses), min(limit, self.size), count=False)
        return [str(self._searcher.doc(address)["paper_id"][0]) for _, address in found.hits]

    def terms(self, text: str) -> list[str]:
        """The index terms (lower case, no accents, stemmed) of the content words of a text, each once."""
        return list(dict.fromkeys(term for word in content_words(text) for term in self.terms_of(word)))

    def terms_of(self, word: str) -> list[str]:
        """The index terms of one word; a hyphenated word has several."""
        return list(self._analyzer.analyze(word))

    def idf(self, term: str) -> float:
        """Inverse document frequency of an index term, as in BM25; highest where no paper has it."""
        frequency = self.frequency(term)
        return math.log(1 + (self.size - frequency + 0.5) / (frequency + 0.5))

    def word_idf(self, word: str) -> float:
        """Inverse document frequency of a word, of its commonest term where it has several."""
        return min((self.idf(term) for term in self.terms_of(word)), default=0.0)

    def frequency(self, term: str) -> int:
        """How many papers have the index term."""
        return int(self._searcher.doc_freq("text", term))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("paper_id", stored=True, tokenizer_name="raw")
    builder.add_text_field("text", tokenizer_name=_ANALYZER)
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


def _build(folder: Path, papers: Iterable[Paper]) -> None:
    """Builds aside and moves into place, so that two processes can do it at once."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        aside.mkdir(parents=True)
        _fill(_opened(aside), papers)
        (aside / _READY).write_text(_digest(aside))
        if not _is_whole(folder):
            shutil.rmtree(folder, ignore_errors=True)  # damaged: it is derived, so make it again
            aside.replace(folder)
    except OSError:
        if not _is_whole(folder):  # by another process, just now
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    _remove_others(folder)


def _fill(index: tantivy.Index, papers: Iterable[Paper]) -> None:
    writer = index.writer(_WRITER_BYTES, 1)
    for paper in papers:
        writer.add_document(tantivy.Document(paper_id=paper.id, text=f"{paper.title} {paper.abstract}"))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()


def _remove_others(folder: Path) -> None:
    """Earlier generations and what killed builds of them left; who still has one open keeps its files until the end."""
    for other in folder.parent.iterdir():
        if other != folder and not other.name.startswith(f".{folder.name}."):
            shutil.rmtree(other, ignore_errors=True)
