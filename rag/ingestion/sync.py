"""Keeps the library in step with files: new papers are embedded, unchanged ones cost nothing, missing ones leave."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from rag.corpus.duplicates import FoundPaper, Place, Reading
from rag.corpus.sources import SEEDS, canonical_path, read_sources
from rag.ingestion.embed_papers import Embedder, Progress, embed_here
from rag.ingestion.ingest_lock import LOCK_WAIT_S, Check, ingest_lock
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper, StoredPaper, chunk_id, pages, pages_within
from rag.models.embedding import open_model
from rag.settings import Settings
from rag.text.words import split_words
from rag.types import IngestReport, Paper

_FEWEST, _MOST = 32, 256  # papers embedded and written at once; a write of 32 takes Chroma 6 ms a paper, of 256 2 ms
_MOST_CHARACTERS = 1_000_000  # of these papers: three times what 256 abstracts have
_PAGE = 500  # papers read or changed at once
_MOST_COMPARED = 1_000  # removed papers, and new ones, to see which of them is which


@dataclass(slots=True)
class _Plan:
    """What a sync will do, as ids: papers to embed, papers whose places moved, papers to remove."""

    embed: list[str] = field(default_factory=list)
    move: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    report: IngestReport = field(default_factory=IngestReport)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What the files say beside what the library holds; both are read a page at a time.

    Attributes:
        settled: Files that this sync says all about.
        check: Called before every page.
    """

    reading: Reading
    library: Library | None
    settled: frozenset[str]
    check: Check

    def kept(self, record: StoredPaper) -> tuple[Place, ...]:
        """Places in files that this sync says nothing about."""
        return tuple(place for place in record.places if place.path not in self.settled)

    def papers(self, paper_ids: Sequence[str]) -> Iterator[tuple[FoundPaper, StoredPaper | None, FoundPaper | None]]:
        """Each of these papers as it shall be, as it is in the library, and as it was read."""
        for page in pages(paper_ids, _PAGE):
            self.check()
            known = {each.paper.id: each for each in self.library.reader.read_stored(page)} if self.library else {}
            read = {found.paper_id: found for found in self.reading.papers(page)}
            for paper_id in page:
                record, found = known.get(paper_id), read.get(paper_id)
                yield self._merged(paper_id, record, found), record, found

    def _merged(self, paper_id: str, record: StoredPaper | None, found: FoundPaper | None) -> FoundPaper:
        if record is None:
            assert found is not None  # noqa: S101 (it is from one of the two)
            return found
        kept = self.kept(record)
        if found is None:
            return FoundPaper(paper_id, record.paper.abstract, kept)
        places = tuple(sorted((*kept, *found.places), key=_order(record, found.places)))
        return FoundPaper(paper_id, record.paper.abstract if kept else found.abstract, places)


def sync(
    settings: Settings,
    paths: Sequence[str | Path] = (),
    *,
    prune: bool = False,
    progress: Progress | None = None,
    wait_s: float = LOCK_WAIT_S,
    stop: threading.Event | None = None,
    embedded_by: Embedder = embed_here,
) -> IngestReport:
    """Brings the library in step with files and folders; without paths, with those it knows already.

    Args:
        prune: Whether papers of files that are missing or unreadable are removed; they are kept otherwise.
        progress: Called with (papers done, papers to do) after every batch that is safely written.
        wait_s: How long to wait for another sync to end.
        stop: Once set, by any thread, the sync ends before its next step. What was written stays.
        embedded_by: Who makes the vectors; in any order, every paper once.

    Raises:
        CancelledError: `stop` was set.
        CorpusError: A path does not exist and the library does not know it either.
        LibraryError: The library cannot be opened or written.
    """
    with ingest_lock(settings, wait_s, stop) as check:
        library = Library.open(settings)
        stored = library.reader.read_all_stored() if library else ()
        names = {place.path: place.name for each in stored for place in each.places}
        known_roots = library.stamp.roots if library else ()
        roots = tuple(canonical_path(path) for path in paths) or known_roots or (SEEDS,)
        reading = read_sources(roots, names, known_roots, check)
        settled = frozenset(reading.paths | (reading.gone if prune else set()))
        comparison = _Comparison(reading, library, settled, check)
        plan = _plan(comparison, prune=prune)
        forgotten = reading.gone if prune else set()
        useless = {skip for skip in roots if skip not in known_roots and skip in reading.fruitless}
        roots = tuple(root for root in dict.fromkeys((*known_roots, *roots)) if root not in forgotten | useless)
        nothing_to_do = not (plan.embed or plan.move or plan.remove)
        if nothing_to_do and (library is None or (roots == known_roots and not library.stamp.syncing)):
            return plan.report
        return _carry_out(
            settings, comparison, plan, roots=roots, embedded_by=embedded_by, progress=progress, check=check
        )


def _plan(comparison: _Comparison, *, prune: bool) -> _Plan:
    """Compares what the files say with what the library holds."""
    plan = _Plan()
    added, counts = _plan_what_was_read(comparison, plan)
    total, in_gone_files = _plan_what_was_not(comparison, plan)
    edited = _edited(plan.remove, added, comparison)
    plan.report = IngestReport(
        added=len(added) - edited,
        changed=counts["changed"] + edited,
        unchanged=counts["unchanged"],
        removed=len(plan.remove) - edited,
        merged=counts["merged"],
        skipped=tuple(comparison.reading.skipped),
        kept=0 if prune else in_gone_files,
        total=total + len(added) - len(plan.remove),
    )
    return plan


def _plan_what_was_read(comparison: _Comparison, plan: _Plan) -> tuple[list[str], Counter[str]]:
    """Ids of the papers that are new, and how many are changed, unchanged and merged."""
    added: list[str] = []
    counts: Counter[str] = Counter()
    for fresh, record, found in comparison.papers(comparison.reading.paper_ids()):
        counts["merged"] += len(found.places) - 1 if found else 0
        if record is None or _says_otherwise(fresh, record):
            plan.embed.append(fresh.paper_id)
            if record is None:
                added.append(fresh.paper_id)
            else:
                counts["changed"] += 1
            continue
        if len(comparison.kept(record)) == len(record.places):
            counts["merged"] += 1
        else:
            counts["unchanged" if _shows_the_same(fresh.paper, record.paper) else "changed"] += 1
        if fresh.places != record.places:
            plan.move.append(fresh.paper_id)
    return added, counts


def _plan_what_was_not(comparison: _Comparison, plan: _Plan) -> tuple[int, int]:
    """How many papers the library has, and how many of these are only in files that are gone."""
    total = in_gone_files = 0
    for record in comparison.library.reader.read_all_stored() if comparison.library else ():
        total += 1
        in_gone_files += all(place.path in comparison.reading.gone for place in record.places)
        kept = comparison.kept(record)
        if len(kept) == len(record.places) or record.paper.id in comparison.reading:
            continue
        if not kept:
            plan.remove.append(record.paper.id)
        elif _says_otherwise(FoundPaper(record.paper.id, record.paper.abstract, kept), record):
            plan.embed.append(record.paper.id)  # the place that gave the title is gone; it was embedded under that
        else:
            plan.move.append(record.paper.id)
    return total, in_gone_files


def _says_otherwise(fresh: FoundPaper, record: StoredPaper) -> bool:
    """Whether what is embedded of a paper, its title and abstract, has become another."""
    paper = fresh.paper
    return (paper.title, paper.abstract) != (record.paper.title, record.paper.abstract)


def _shows_the_same(one: Paper, other: Paper) -> bool:
    """Whether two views of a paper differ in its places at most, which a reader does not call a change."""
    return replace(one, source="", line=0, also_in=()) == replace(other, source="", line=0, also_in=())


def _order(record: StoredPaper, places: Sequence[Place]) -> Callable[[Place], tuple[int, int]]:
    """The key that sorts a paper's places by the order in which their files were seen, then by line."""
    ranks: dict[str, int] = {}
    for each in (*record.places, *places):
        ranks.setdefault(each.path, len(ranks))
    return lambda each: (ranks[each.path], each.line)


def _edited(removed: Sequence[str], added: Sequence[str], comparison: _Comparison) -> int:
    """How many removed papers came back edited in the same file: under the same title, or with most of their words."""
    if not (removed and added and comparison.library):
        return 0
    left = comparison.reading.papers(added[:_MOST_COMPARED])
    before = len(left)
    for record in comparison.library.reader.read_stored(removed[:_MOST_COMPARED]):
        paths = {place.path for place in record.places}
        for found in left:
            there = [place for place in found.places if place.path in paths]
            same_title = any(place.title and place.title == record.paper.title for place in there)
            if there and (same_title or _overlap(record.paper.abstract, found.abstract) >= 0.5):
                left.remove(found)
                break
    return before - len(left)


def _overlap(one: str, other: str) -> float:
    """Jaccard similarity of the words of two texts."""
    a, b = set(split_words(one.lower())), set(split_words(other.lower()))
    return len(a & b) / max(1, len(a | b))


def _carry_out(
    settings: Settings,
    comparison: _Comparison,
    plan: _Plan,
    *,
    roots: tuple[str, ...],
    embedded_by: Embedder,
    progress: Progress | None,
    check: Check,
) -> IngestReport:
    """Writes a plan: first what is new, then moved places, last what leaves; a kill in between loses nothing."""
    check()  # planning may have taken minutes
    library = comparison.library or Library.create(settings, open_model(settings).dimension)
    writer = LibraryWriter(library)
    if library.stamp.syncing:  # a sync was killed before its end
        writer.remove_orphans()
    writer.restamp(syncing=True, roots=roots)
    fresh = (fresh for fresh, _, _ in comparison.papers(plan.embed))
    embedded = done = 0
    made = embedded_by(settings, cut_batches(fresh, len(plan.embed)))
    with closing(write_embedded(writer, comparison.library, made, check)) as batches:
        for written in batches:
            embedded += count_texts(written)
            done += len(written)
            if progress:
                progress(done, len(plan.embed))
    for page in pages(plan.move, _PAGE):
        known = {each.paper.id: each for each in library.reader.read_embedded(page)}
        check()
        writer.rewrite_places(
            [
                replace(known[fresh.paper_id], paper=fresh.paper, places=fresh.places)
                for fresh, _, _ in comparison.papers(page)
            ]
        )
    check()
    writer.remove(plan.remove)
    writer.restamp(syncing=False)
    _ = library.lexical  # made now rather than by the next question
    return replace(plan.report, embedded=embedded)


def count_texts(papers: Iterable[EmbeddedPaper]) -> int:
    """How many texts were embedded for these papers."""
    return sum(len(each.vectors) for each in papers)


def write_embedded(
    writer: LibraryWriter, before: Library | None, embedded: Generator[list[EmbeddedPaper], None, None], check: Check
) -> Generator[list[EmbeddedPaper], None, None]:
    """Writes what is embedded, while the next is being embedded; yields what is safe. Ends `embedded` with itself.

    Args:
        before: The library as it was, where these papers may be in it already.
    """
    with ThreadPoolExecutor(1, "footnote-write") as thread, closing(embedded):
        writing: Future[list[EmbeddedPaper]] | None = None
        for papers in embedded:
            if writing:
                yield writing.result()
            check()
            writing = thread.submit(_write, writer, before, papers)
        if writing:
            yield writing.result()


def _write(writer: LibraryWriter, before: Library | None, papers: list[EmbeddedPaper]) -> list[EmbeddedPaper]:
    chunks = {each.paper.id: len(each.chunks) for each in papers}
    surplus = [
        chunk_id(known.paper.id, number)
        for known in (before.reader.read_stored(list(chunks)) if before else ())
        for number in range(chunks[known.paper.id], len(known.chunks))
    ]
    writer.write(papers, surplus=surplus)
    return papers


def cut_batches(papers: Iterable[FoundPaper], count: int) -> Iterator[Sequence[FoundPaper]]:
    """Cuts the work into five or more batches: a kill costs the embedding of two, and so much is in memory."""
    most = min(max(count // 5, _FEWEST), _MOST)
    return pages_within(papers, (lambda _: 1, most), (lambda found: len(found.abstract), _MOST_CHARACTERS))
