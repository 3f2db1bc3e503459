"""Files -> library as a sync: what is new is embedded, what is unchanged costs nothing, what is gone leaves."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from rag.corpus.duplicates import FoundPaper, Place, Reading, make_paper
from rag.corpus.sources import SEEDS, canonical, read_sources
from rag.errors import LibraryError, LibraryMissing
from rag.ingestion.embed_papers import Embedded, Fresh, embed_papers
from rag.ingestion.lease import lease
from rag.ingestion.rebuild import rebuild
from rag.library.chroma import chroma_errors, place
from rag.library.library import Library
from rag.library.records import Record, Said, chunk_id
from rag.models.embedding import open_model
from rag.paging import pages, pages_within
from rag.settings import Settings
from rag.text.words import split_words
from rag.types import IngestReport, Paper

Progress = Callable[[int, int], None]  # papers done, papers to do
Check = Callable[[], None]  # raises where another may be writing by now
Embedder = Callable[[Settings, Iterable[Sequence[Fresh]]], Generator[Embedded, None, None]]

_FEWEST, _MOST = 32, 256  # papers embedded and written at once; a write of 32 takes Chroma 6 ms a paper, of 256 2 ms
_MOST_CHARACTERS = 1_000_000  # of these papers: three times what 256 abstracts have
_PAGE = 500  # papers read or changed at once
_MOST_COMPARED = 1_000  # removed papers, and new ones, to see which of them is which
_LOCK_WAIT_S = 2.0
_LOOK_UP_S = 0.5  # how often who waits looks whether it is told to stop


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

    def kept(self, record: Said) -> tuple[Place, ...]:
        """Places in files that this sync says nothing about."""
        return tuple(place for place in record.places if place.path not in self.settled)

    def papers(self, paper_ids: Sequence[str]) -> Iterator[tuple[Fresh, Said | None, FoundPaper | None]]:
        """Each of these papers as it shall be, as it is in the library, and as it was read."""
        for page in pages(paper_ids, _PAGE):
            self.check()
            known = {said.paper.id: said for said in self.library.said(page)} if self.library else {}
            read = {found.paper_id: found for found in self.reading.papers(page)}
            for paper_id in page:
                record, found = known.get(paper_id), read.get(paper_id)
                yield self._merged(paper_id, record, found), record, found

    def _merged(self, paper_id: str, record: Said | None, found: FoundPaper | None) -> Fresh:
        if record is None:
            assert found is not None  # noqa: S101 (it is from one of the two)
            return paper_id, found.abstract, found.places
        kept = self.kept(record)
        if found is None:
            return paper_id, record.paper.abstract, kept
        places = tuple(sorted((*kept, *found.places), key=_order(record, found.places)))
        return paper_id, record.paper.abstract if kept else found.abstract, places


def embedded_here(
    settings: Settings, batches: Iterable[Sequence[Fresh]], stop: threading.Event | None = None
) -> Generator[Embedded, None, None]:
    """Embeds in this process; while one batch is computed, the next is already cut into chunks.

    Args:
        stop: Once set, what is begun ends with `CancelledError`. Set here, too, where the papers are not waited for.
    """
    stop = stop or threading.Event()
    check_stop = partial(_check_stop, stop)
    model = open_model(settings, settings.embedding_precision).until(stop)
    with ThreadPoolExecutor(2, "footnote-batch") as threads:
        try:
            begun: deque[Future[Embedded]] = deque()
            for batch in batches:
                begun.append(threads.submit(embed_papers, model, batch, check_stop))
                if len(begun) == 2:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        except BaseException:
            stop.set()  # who interrupts an ingest does not wait for what is begun
            raise


def sync(
    settings: Settings,
    paths: Sequence[str | Path] = (),
    *,
    prune: bool = False,
    progress: Progress | None = None,
    wait_s: float = _LOCK_WAIT_S,
    stop: threading.Event | None = None,
    embedded_by: Embedder = embedded_here,
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
    with _one_at_a_time(settings, wait_s, stop) as check:
        library = Library.open(settings)
        names = {at.path: at.name for said in library.all_said() for at in said.places} if library else {}
        known_roots = library.stamp.roots if library else ()
        roots = tuple(canonical(path) for path in paths) or known_roots or (SEEDS,)
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


def is_idle(settings: Settings) -> bool:
    """Whether no sync is at work from this home."""
    try:
        with _one_at_a_time(settings, 0):
            return True
    except LibraryError:
        return False


def reembed(
    settings: Settings, *, progress: Progress | None = None, embedded_by: Embedder = embedded_here
) -> IngestReport:
    """Embeds every paper of the library again with the model that the settings name; needs no source files.

    Raises:
        LibraryMissing: There is no library yet.
    """
    model = open_model(settings, settings.embedding_precision)
    count = embedded = 0

    def make(old: Library, new: Library) -> None:
        nonlocal count, embedded
        fresh = ((said.paper.id, said.paper.abstract, said.places) for said in old.all_said())
        with closing(_written(new, None, embedded_by(settings, _batches(fresh, old.size)), check)) as batches:
            for written in batches:
                count += len(written.records)
                embedded += written.texts
                if progress:
                    progress(count, old.size)

    with _one_at_a_time(settings, _LOCK_WAIT_S) as check:
        if not rebuild(settings, model.dimension, make, check):
            raise LibraryMissing("There is no library to rebuild yet; run `footnote ingest` first.")
    return IngestReport(changed=count, embedded=embedded, total=count)


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
        paper_id, _, places = fresh
        counts["merged"] += len(found.places) - 1 if found else 0
        if record is None or _says_otherwise(fresh, record):
            plan.embed.append(paper_id)
            if record is None:
                added.append(paper_id)
            else:
                counts["changed"] += 1
            continue
        if len(comparison.kept(record)) == len(record.places):
            counts["merged"] += 1
        else:
            counts["unchanged" if _shows_the_same(make_paper(*fresh), record.paper) else "changed"] += 1
        if places != record.places:
            plan.move.append(paper_id)
    return added, counts


def _plan_what_was_not(comparison: _Comparison, plan: _Plan) -> tuple[int, int]:
    """How many papers the library has, and how many of these are only in files that are gone."""
    total = in_gone_files = 0
    for record in comparison.library.all_said() if comparison.library else ():
        total += 1
        in_gone_files += all(place.path in comparison.reading.gone for place in record.places)
        kept = comparison.kept(record)
        if len(kept) == len(record.places) or record.paper.id in comparison.reading:
            continue
        if not kept:
            plan.remove.append(record.paper.id)
        elif _says_otherwise((record.paper.id, record.paper.abstract, kept), record):
            plan.embed.append(record.paper.id)  # the place that gave the title is gone; it was embedded under that
        else:
            plan.move.append(record.paper.id)
    return total, in_gone_files


def _says_otherwise(fresh: Fresh, record: Said) -> bool:
    """Whether what is embedded of a paper, its title and abstract, has become another."""
    paper = make_paper(*fresh)
    return (paper.title, paper.abstract) != (record.paper.title, record.paper.abstract)


def _shows_the_same(one: Paper, other: Paper) -> bool:
    """Whether two views of a paper differ in its places at most, which a reader does not call a change."""
    return replace(one, source="", line=0, also_in=()) == replace(other, source="", line=0, also_in=())


def _order(record: Said, places: Sequence[Place]) -> Callable[[Place], tuple[int, int]]:
    """Keeps a paper's first file first: by the order in which its files were seen, then by line."""
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
    for record in comparison.library.said(removed[:_MOST_COMPARED]):
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
    if library.stamp.syncing:  # a sync was killed before its end
        library.sweep()
    library.restamp(syncing=True, roots=roots)
    fresh = (fresh for fresh, _, _ in comparison.papers(plan.embed))
    embedded = done = 0
    made = embedded_by(settings, _batches(fresh, len(plan.embed)))
    with closing(_written(library, comparison.library, made, check)) as batches:
        for written in batches:
            embedded += written.texts
            done += len(written.records)
            if progress:
                progress(done, len(plan.embed))
    for page in pages(plan.move, _PAGE):
        records = {record.paper.id: record for record in library.fetch(page)}
        check()
        library.rewrite_places([_moved(fresh, records[fresh[0]]) for fresh, _, _ in comparison.papers(page)])
    check()
    library.remove(plan.remove)
    library.restamp(syncing=False)
    _ = library.lexical  # made now rather than by the next question
    return replace(plan.report, embedded=embedded)


def _moved(fresh: Fresh, record: Record) -> Record:
    paper_id, abstract, places = fresh
    return replace(record, paper=make_paper(paper_id, abstract, places), places=places)


def _written(
    library: Library, before: Library | None, embedded: Generator[Embedded, None, None], check: Check
) -> Generator[Embedded, None, None]:
    """Writes what is embedded, while the next is being embedded; yields what is safe. Ends `embedded` with itself.

    Args:
        before: The library as it was, where these papers may be in it already.
    """
    with ThreadPoolExecutor(1, "footnote-write") as writer, closing(embedded):
        writing: Future[Embedded] | None = None
        for fresh in embedded:
            if writing:
                yield writing.result()
            check()
            writing = writer.submit(_write, library, before, fresh)
        if writing:
            yield writing.result()


def _write(library: Library, before: Library | None, fresh: Embedded) -> Embedded:
    chunks = {record.paper.id: len(record.chunks) for record in fresh.records}
    surplus = [
        chunk_id(known.paper.id, number)
        for known in (before.said(list(chunks)) if before else ())
        for number in range(chunks[known.paper.id], len(known.chunks))
    ]
    library.write(fresh.records, fresh.chunk_vectors, surplus=surplus)
    return fresh


def _batches(papers: Iterable[Fresh], count: int) -> Iterator[Sequence[Fresh]]:
    """A fifth of the work at a time: a kill costs at most the embedding of two of these, and so much is in memory."""
    most = min(max(count // 5, _FEWEST), _MOST)
    return pages_within(papers, (lambda _: 1, most), (lambda fresh: len(fresh[1]), _MOST_CHARACTERS))


@contextmanager
def _one_at_a_time(settings: Settings, wait_s: float, stop: threading.Event | None = None) -> Iterator[Check]:
    """Two syncs would plan against a library that the other is changing; on a server, also those of two homes."""
    check_stop = partial(_check_stop, stop)
    with chroma_errors(settings):
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home / "sync.lock")
        _wait_for(lock, settings, wait_s, check_stop)
    try:
        with lease(settings, wait_s, check_stop) if settings.chroma_url else nullcontext(check_stop) as check:
            yield check
    finally:
        lock.release()


def _check_stop(stop: threading.Event | None) -> None:
    if stop and stop.is_set():
        raise CancelledError


def _wait_for(lock: FileLock, settings: Settings, wait_s: float, check_stop: Check) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        left_s = max(deadline - time.monotonic(), 0)
        try:
            lock.acquire(timeout=min(left_s, _LOOK_UP_S))
            return
        except Timeout as error:
            check_stop()
            if left_s <= _LOOK_UP_S:
                raise LibraryError(
                    f"Another ingest is at work on {place(settings)}; wait until it is done, then run this again."
                ) from error
