"""Files -> library as a sync: what is new is embedded, what is unchanged costs nothing, what is gone leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from rag.chroma import chroma_errors, place
from rag.corpus.sources import SEEDS, Place, Reading, canonical, read_sources
from rag.embedding import EmbeddingModel, open_model
from rag.errors import LibraryError, LibraryMissing
from rag.index import Library, rebuild
from rag.indexing import embed_papers
from rag.records import Record, chunk_id, make_paper
from rag.settings import Settings
from rag.types import IngestReport, Paper
from rag.words import words

Progress = Callable[[int, int], None]  # papers done, papers to do
_Fresh = tuple[str, str, tuple[Place, ...]]  # paper id, abstract, places

_BATCH = 32  # papers embedded and written at once; a kill costs at most the embedding of these
_LOCK_WAIT_S = 2.0


@dataclass(slots=True)
class _Plan:
    """What a sync will do: papers to embed, papers whose places moved, papers to remove."""

    embed: list[_Fresh] = field(default_factory=list)
    move: list[Record] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    report: IngestReport = field(default_factory=IngestReport)


def sync(
    settings: Settings,
    paths: Sequence[str | Path] = (),
    *,
    prune: bool = False,
    progress: Progress | None = None,
    wait_s: float = _LOCK_WAIT_S,
) -> IngestReport:
    """Brings the library in step with files and folders; without paths, with those it knows already.

    Args:
        prune: Whether papers of files that are missing or unreadable are removed; they are kept otherwise.
        progress: Called with (papers done, papers to do) after every batch that is safely written.
        wait_s: How long to wait for another sync to end.

    Raises:
        CorpusError: A path does not exist and the library does not know it either.
        LibraryError: The library cannot be opened or written.
    """
    with _one_at_a_time(settings, wait_s):
        library = Library.open(settings)
        known = {record.paper.id: record for record in library.records()} if library else {}
        known_roots = library.stamp.roots if library else ()
        roots = tuple(canonical(path) for path in paths) or known_roots or (SEEDS,)
        names = {place.path: place.name for record in known.values() for place in record.places}
        reading = read_sources(roots, names, known_roots)
        plan = _plan(reading, known, prune=prune)
        forgotten = reading.gone if prune else set()
        useless = {skip for skip in roots if skip not in known_roots and skip in reading.fruitless}
        roots = tuple(root for root in dict.fromkeys((*known_roots, *roots)) if root not in forgotten | useless)
        nothing_to_do = not (plan.embed or plan.move or plan.remove)
        if nothing_to_do and (library is None or (roots == known_roots and not library.stamp.syncing)):
            return plan.report
        return _carry_out(settings, library, known, plan, roots=roots, progress=progress)


def is_idle(settings: Settings) -> bool:
    """Whether no sync is at work from this home."""
    try:
        with _one_at_a_time(settings, 0):
            return True
    except LibraryError:
        return False


def reembed(settings: Settings, *, progress: Progress | None = None) -> IngestReport:
    """Embeds every paper of the library again with the model that the settings name; needs no source files.

    Raises:
        LibraryMissing: There is no library yet.
    """
    model = open_model(settings, settings.embedding_precision)
    count = embedded = 0

    def make(old: Library, new: Library) -> None:
        nonlocal count, embedded
        records = list(old.records())
        for batch in _batches([(record.paper.id, record.paper.abstract, record.places) for record in records]):
            embedded += _embed_and_write(new, model, batch, known={})
            count += len(batch)
            if progress:
                progress(count, len(records))

    with _one_at_a_time(settings, _LOCK_WAIT_S):
        if not rebuild(settings, model.dimension, make):
            raise LibraryMissing("There is no library to rebuild yet; run `footnote ingest` first.")
    return IngestReport(changed=count, embedded=embedded, total=count)


def _plan(reading: Reading, known: dict[str, Record], *, prune: bool) -> _Plan:
    """Compares what the files say with what the library holds; pure."""
    settled = reading.paths | (reading.gone if prune else set())
    plan = _Plan()
    added: list[str] = []
    changed = unchanged = merged = 0
    for paper_id, places in reading.places.items():
        merged += len(places) - 1
        record = known.get(paper_id)
        abstract = reading.abstracts[paper_id]
        if record is None:
            added.append(paper_id)
            plan.embed.append((paper_id, abstract, tuple(places)))
            continue
        kept = _kept(record, settled)
        new_places = tuple(sorted((*kept, *places), key=_order(record, places)))
        from_elsewhere = len(kept) == len(record.places)
        paper = make_paper(paper_id, record.paper.abstract, new_places)
        if paper.title != record.paper.title or (abstract != record.paper.abstract and not kept):
            changed += 1
            plan.embed.append((paper_id, abstract if not kept else record.paper.abstract, new_places))
            continue
        if from_elsewhere:
            merged += 1
        elif _shows_the_same(paper, record.paper):
            unchanged += 1
        else:
            changed += 1
        if new_places != record.places:
            plan.move.append(replace(record, paper=paper, places=new_places))
    for paper_id, record in known.items():
        kept = _kept(record, settled)
        if paper_id in reading.places or len(kept) == len(record.places):
            continue
        if not kept:
            plan.remove.append(paper_id)
            continue
        paper = make_paper(paper_id, record.paper.abstract, kept)
        if paper.title == record.paper.title:
            plan.move.append(replace(record, paper=paper, places=kept))
        else:  # the place that gave the title is gone; the chunks were embedded under it
            plan.embed.append((paper_id, paper.abstract, kept))
    edited = _edited([known[paper_id] for paper_id in plan.remove], added, reading)
    plan.report = IngestReport(
        added=len(added) - edited,
        changed=changed + edited,
        unchanged=unchanged,
        removed=len(plan.remove) - edited,
        merged=merged,
        skipped=tuple(reading.skipped),
        kept=0 if prune else sum(all(at.path in reading.gone for at in record.places) for record in known.values()),
        total=len(known) + len(added) - len(plan.remove),
    )
    return plan


def _shows_the_same(one: Paper, other: Paper) -> bool:
    """Whether two views of a paper differ in its places at most, which a reader does not call a change."""
    return replace(one, source="", line=0, also_in=()) == replace(other, source="", line=0, also_in=())


def _kept(record: Record, settled: set[str]) -> tuple[Place, ...]:
    """Places in files that this sync says nothing about."""
    return tuple(place for place in record.places if place.path not in settled)


def _order(record: Record, places: Sequence[Place]) -> Callable[[Place], tuple[int, int]]:
    """Keeps a paper's first file first: by the order in which its files were seen, then by line."""
    ranks: dict[str, int] = {}
    for each in (*record.places, *places):
        ranks.setdefault(each.path, len(ranks))
    return lambda each: (ranks[each.path], each.line)


def _edited(removed: Sequence[Record], added: Sequence[str], reading: Reading) -> int:
    """How many removed papers came back edited in the same file: under the same title, or with most of their words."""
    left = list(added)
    for record in removed:
        paths = {place.path for place in record.places}
        for paper_id in left:
            there = [place for place in reading.places[paper_id] if place.path in paths]
            same_title = any(place.title and place.title == record.paper.title for place in there)
            if there and (same_title or _overlap(record.paper.abstract, reading.abstracts[paper_id]) >= 0.5):
                left.remove(paper_id)
                break
    return len(added) - len(left)


def _overlap(one: str, other: str) -> float:
    """Jaccard similarity of the words of two texts."""
    a, b = set(words(one.lower())), set(words(other.lower()))
    return len(a & b) / max(1, len(a | b))


def _carry_out(
    settings: Settings,
    library: Library | None,
    known: dict[str, Record],
    plan: _Plan,
    *,
    roots: tuple[str, ...],
    progress: Progress | None,
) -> IngestReport:
    """Writes a plan: first what is new, then moved places, last what leaves; a kill in between loses nothing."""
    model = open_model(settings, settings.embedding_precision) if plan.embed or library is None else None
    if library is None:
        assert model is not None  # noqa: S101 (the line above)
        library = Library.create(settings, model.dimension)
    if library.stamp.syncing:  # a sync was killed before its end
        library.sweep()
    library.restamp(syncing=True, roots=roots)
    embedded = done = 0
    for batch in _batches(plan.embed):
        assert model is not None  # noqa: S101 (opened because there is something to embed)
        embedded += _embed_and_write(library, model, batch, known)
        done += len(batch)
        if progress:
            progress(done, len(plan.embed))
    library.rewrite_places(plan.move)
    library.remove(plan.remove)
    library.restamp(syncing=False)
    _ = library.lexical  # made now rather than by the next question
    return replace(plan.report, embedded=embedded)


def _embed_and_write(
    library: Library, model: EmbeddingModel, papers: Sequence[_Fresh], known: dict[str, Record]
) -> int:
    """Returns how many texts were embedded."""
    fresh = embed_papers(model, papers)
    surplus = [
        chunk_id(record.paper.id, number)
        for record in fresh.records
        if record.paper.id in known
        for number in range(len(record.chunks), len(known[record.paper.id].chunks))
    ]
    library.write(fresh.records, fresh.chunk_vectors, surplus=surplus)
    return fresh.texts


def _batches(papers: Sequence[_Fresh]) -> Iterator[Sequence[_Fresh]]:
    for first in range(0, len(papers), _BATCH):
        yield papers[first : first + _BATCH]


@contextmanager
def _one_at_a_time(settings: Settings, wait_s: float) -> Iterator[None]:
    """Two syncs from one home would plan against a library that the other is changing."""
    with chroma_errors(settings):
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home / "sync.lock")
        try:
            lock.acquire(timeout=wait_s)
        except Timeout as error:
            raise LibraryError(
                f"Another ingest is at work on {place(settings)}; wait until it is done, then run this again."
            ) from error
    try:
        yield
    finally:
        lock.release()
