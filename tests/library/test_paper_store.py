"""The paper store: derived from Chroma, in step with it, and made again whatever happens to its file."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rag.ingestion.library_handle
import rag.library.derived
import rag.library.lexical_index
import rag.library.paper_store
from rag.errors import LibraryError
from rag.ingestion.library_handle import LibraryHandle
from rag.ingestion.sync import sync
from rag.library.derived import read_heads
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.paper_store import PaperStore
from rag.settings import Settings
from rag.types import Filter
from tests.conftest import Python, wait_for
from tests.ingestion.test_sync import assert_whole, opened
from tests.spoiling import cut, garbage, overwritten

WORDS = "penguins methane bridges rewards features labels heat trains rice orbit noise bolts polar night field".split()


def entry(number: int, said: str = "") -> dict[str, object]:
    """A paper whose year, venue and words go by its number."""
    chosen = random.Random(number)  # noqa: S311 (a fixed seed)
    text = f"Paper number {number} measures " + " ".join(chosen.choices(WORDS, k=40)) + f". {said}It ends so."
    venue = f"Venue {number % 3}" if number % 5 else ""
    return {"title": f"On {WORDS[number % len(WORDS)]} {number}", "abstract": text, "year": 1990 + number % 12,
            "venue": venue}  # fmt: skip


def write(path: Path, entries: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in entries), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Settings:
    """Sixty papers of two files, ten of which stand in both."""
    folder = tmp_path_factory.mktemp("base")
    write(folder / "papers" / "a.jsonl", [entry(number) for number in range(35)])
    write(folder / "papers" / "b.jsonl", [entry(number) for number in range(25, 60)])
    settings = Settings(_env_file=None, home=folder / "home", embedding_model=str(tiny_model))  # type: ignore[call-arg]
    assert sync(settings, [folder / "papers"]).total == 60
    return settings


@pytest.fixture
def filled(base: Settings, tmp_path: Path) -> Settings:
    """A copy to spoil, with its files."""
    shutil.copytree(base.home.parent / "papers", tmp_path / "papers")
    shutil.copytree(base.home, tmp_path / "home")
    return base.model_copy(update={"home": tmp_path / "home"})


def file_of(settings: Settings) -> Path:
    (path,) = (settings.home / "papers" / settings.collection).glob("*.sqlite3")
    return path


def assert_in_step(settings: Settings) -> Library:
    """Chroma, store and lexical index have the same papers, and the store says of each what Chroma says."""
    library = opened(settings)
    assert library.disagreements() == {}
    paper_ids = list(library.reader.all_papers())
    heads = {head.paper.id: head for head in read_heads(settings, library.collection, paper_ids)}
    assert len(heads) == len(paper_ids) == library.size == library.reader.count()
    for record in library.reader.read_all_embedded():
        head = heads[record.paper.id]
        assert (record.paper, record.places) == (head.paper, head.places)
        assert (record.chunks, record.sentences) == (head.chunks, head.sentences)
        assert record.packed_tokens == head.packed_tokens
    return library


def test_after_a_sync_chroma_the_store_and_the_lexical_index_agree(filled: Settings) -> None:
    assert assert_in_step(filled).size == 60


def test_what_does_not_agree_is_named(filled: Settings) -> None:
    library = opened(filled)
    assert library.size == 60
    (gone, *_) = library.reader.all_papers()
    library.collection.delete(where={"paper_id": gone})
    assert library.disagreements() == {"paper store": {gone}, "lexical index": {gone}}


def test_a_store_that_was_deleted_is_made_again_and_one_that_is_in_step_is_not_touched(filled: Settings) -> None:
    before = file_of(filled)
    assert_in_step(filled)
    assert file_of(filled) == before
    shutil.rmtree(filled.home / "papers")
    assert_in_step(filled)
    assert file_of(filled) != before


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "spoil",
    [
        garbage,
        _emptied,
        cut,
        overwritten(0, 0.1),
        overwritten(0.3, 0.5),
        overwritten(0.5, 0.8),
        overwritten(0.8, 1),
    ],
    ids=["garbage", "emptied", "cut", "start", "middle", "behind it", "end"],
)
def test_a_damaged_store_is_made_again(filled: Settings, spoil: Callable[[Path], None]) -> None:
    expected = list(opened(filled).reader.read_all_embedded())
    spoil(file_of(filled))
    found = list(opened(filled).reader.read_all_embedded())
    assert [record.paper for record in found] == [record.paper for record in expected]
    assert all((one.vectors == other.vectors).all() for one, other in zip(found, expected, strict=True))
    assert_in_step(filled)


def test_a_store_that_is_spoilt_or_deleted_while_it_is_open_is_made_again(filled: Settings) -> None:
    library = opened(filled)
    paper_ids = list(library.reader.all_papers())
    file_of(filled).unlink()
    assert len(library.reader.read_embedded(paper_ids)) == 60, "who has it open keeps it"
    shutil.rmtree(filled.home / "papers")
    assert_in_step(filled)


def test_only_what_changed_is_read_again(filled: Settings, tmp_path: Path) -> None:
    with_lines_moved = [
        {"title": "New", "abstract": "A paper that stands first moves all others by a line, and no more."}
    ]
    write(tmp_path / "papers" / "b.jsonl", with_lines_moved + [entry(number) for number in range(25, 58)])
    before = opened(filled).reader.read(lambda papers: papers.state)
    report = sync(filled, [tmp_path / "papers" / "b.jsonl"])
    assert report.added == 1, "the copied file is another than the one that was ingested"
    assert_in_step(filled)
    write(tmp_path / "papers" / "b.jsonl", with_lines_moved * 1 + [entry(number) for number in range(25, 57)])
    assert sync(filled, [tmp_path / "papers" / "b.jsonl"]).total == 61
    library = assert_in_step(filled)
    state = library.reader.read(lambda papers: papers.state)
    assert state.made == before.made
    assert state.revision == library.stamp.revision == before.revision + 2
    changed, gone = library.reader.read(lambda papers: papers.changed_since(before.touched + 1))
    assert len(changed) == 1, "the paper that lost a place; the other lines did not move this time"
    assert gone == []


def test_two_syncs_at_once_have_every_asker_look_at_everything(filled: Settings) -> None:
    """As from two homes on one server: the changes of the one that began first carry the smaller number."""
    first, second, asker = opened(filled), opened(filled), opened(filled)
    made = asker.reader.read(lambda papers: papers.state.made)
    LibraryWriter(first).restamp(syncing=True)
    LibraryWriter(second).restamp(syncing=True)
    LibraryWriter(second).restamp(syncing=False)
    assert opened(filled).reader.read(lambda papers: papers.state.made) == made
    (record, *_) = asker.reader.read_all_embedded()
    moved = record.places[0].__class__(record.places[0].path, record.places[0].name, 999, record.places[0].title)
    LibraryWriter(first).rewrite_places([record.__class__(record.paper, (moved,), record.chunks, record.sentences, record.vectors,
                                           record.packed_tokens)])  # fmt: skip
    LibraryWriter(first).restamp(syncing=False)
    library = assert_in_step(filled)
    assert library.reader.read_embedded([record.paper.id])[0].paper.line == 999


_REFRESH = """
import sys
import rag.library.derived
from rag.library.library import Library
from rag.library.paper_store import PaperStore
from rag.settings import Settings

rag.library.derived._PAGE = 7
change = PaperStore.change

def told(self, heads, gone):
    change(self, heads, gone)
    print(len(heads))
    sys.stdin.readline()  # waits for the kill right here

PaperStore.change = told
print(Library.open(Settings(home=sys.argv[1], embedding_model=sys.argv[2])).size)
"""


@pytest.mark.slow
def test_a_refresh_that_is_killed_is_completed_by_the_next(filled: Settings, python: Python) -> None:
    shutil.rmtree(filled.home / "papers")
    for pages in (2, 3):
        process = python(_REFRESH, filled.home, filled.embedding_model, stdin=True)
        assert process.stdin is not None
        assert process.stdout is not None
        for page in range(pages):
            assert process.stdout.readline() == "7\n"
            if page < pages - 1:
                process.stdin.write("\n")
                process.stdin.flush()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
    store = PaperStore(file_of(filled))
    with store.reading() as papers:
        assert papers.count() == 35, "five pages, each written whole"
        assert papers.state.generation == ""
    assert_in_step(filled)


_SYNC = """
import sys
from rag.settings import Settings
from rag.ingestion.sync import sync
print("loaded")
sync(Settings(home=sys.argv[1], embedding_model=sys.argv[2]), [sys.argv[3]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.1, 0.5, 0.9])
def test_after_a_killed_sync_the_next_one_has_all_agree(
    filled: Settings, tmp_path: Path, python: Python, after_s: float
) -> None:
    import time

    path = write(tmp_path / "papers" / "c.jsonl", [entry(number, "Changed. ") for number in range(20, 50)])
    process = python(_SYNC, filled.home, filled.embedding_model, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "loaded\n"
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    assert opened(filled).disagreements() == {}, "also of what the killed one left"
    assert sync(filled, [path]).total == 90
    assert_in_step(filled)
    assert_whole(filled)


_SYNC_TO_ITS_FIRST_REPORT = """
import sys
from rag.settings import Settings
from rag.ingestion.sync import sync

def told(done, total):
    print(done, total)
    sys.stdin.readline()

sync(Settings(home=sys.argv[1], embedding_model=sys.argv[2]), [sys.argv[3]], progress=told)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("goes_on", "line_above"), [(True, False), (False, False), (False, True)])
def test_what_a_killed_sync_replaced_in_place_is_known_to_the_next(
    filled: Settings, tmp_path: Path, python: Python, goes_on: bool, line_above: bool
) -> None:
    """Papers get longer titles, the sync is killed after it reported some, and the file is put back as it was."""
    originals = [entry(number) for number in range(100, 140)]
    path = write(tmp_path / "papers" / "c.jsonl", originals)
    sync(filled, [path])
    retitled = [{**each, "title": f"{each['title']}, seen again under a much longer title"} for each in originals]
    write(path, retitled)
    process = python(_SYNC_TO_ITS_FIRST_REPORT, filled.home, filled.embedding_model, path, stdin=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "32 40\n", "two batches"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=300)
    there = Counter(paper.title for paper in assert_in_step(filled).reader.all_papers().values())
    assert sum(there[str(each["title"])] for each in retitled) >= 32, "what was reported is what askers see"
    if goes_on:
        assert sync(filled, [path]).changed <= 8, "the rest, and nothing once more"
        assert_in_step(filled)
        return
    above = [entry(99)] if line_above else []
    write(path, [*above, *originals])
    report = sync(filled, [path])
    assert report.changed >= 32
    library = assert_in_step(filled)
    titles = {
        paper.abstract: paper.title for paper in library.reader.all_papers().values() if paper.source == "c.jsonl"
    }
    assert titles == {each["abstract"]: each["title"] for each in (*above, *originals)}
    assert_whole(filled)
    assert sync(filled, [path]).embedded == 0


_OPEN = """
import sys
from rag.library.library import Library
from rag.settings import Settings
sys.stdin.readline()
library = Library.open(Settings(home=sys.argv[1], embedding_model=sys.argv[2]))
print(library.size, library.reader.count(), len(library.reader.all_papers()), library.disagreements())
"""


def test_two_processes_that_make_the_store_at_once_both_have_it(filled: Settings, python: Python) -> None:
    shutil.rmtree(filled.home / "papers")
    started = [python(_OPEN, filled.home, filled.embedding_model, stdin=True) for _ in range(2)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=300) for process in started] == [("60 60 60 {}\n", "")] * 2
    file_of(filled)
    assert_in_step(filled)


@pytest.mark.parametrize("taken", ["papers", "papers/footnote"])
def test_where_the_home_cannot_be_written_the_papers_are_kept_in_memory(filled: Settings, taken: str) -> None:
    shutil.rmtree(filled.home / "papers")
    (filled.home / taken).parent.mkdir(exist_ok=True)
    (filled.home / taken).touch()
    assert assert_in_step(filled).size == 60
    assert (filled.home / taken).is_file()


def test_in_memory_threads_that_ask_and_threads_that_list_do_not_wait_for_each_other(filled: Settings) -> None:
    """There is one connection then; who reads and who holds the library's lock must not each want the other's."""
    from rag.models.embedding import open_model
    from rag.retrieval.ranking import Query, retrieve

    shutil.rmtree(filled.home / "papers")
    (filled.home / "papers").touch()
    library, model = opened(filled), open_model(filled)
    done: list[str] = []

    def asks() -> None:
        for _ in range(40):
            assert retrieve(library, model, Query("Which penguins are there?"), k=3).passages
        done.append("asked")

    def lists() -> None:
        for _ in range(40):
            library.reader._papers = library.reader._folded = None
            assert len(library.reader.folded_texts()) == 60
        done.append("listed")

    threads = [threading.Thread(target=work, daemon=True) for work in (asks, lists, asks, lists)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(done) == ["asked", "asked", "listed", "listed"]


def test_a_store_that_is_locked_is_no_damaged_one(filled: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rag.library.paper_store, "_BUSY_S", 0.1)
    path, library = file_of(filled), opened(filled)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("pragma locking_mode = exclusive")
    holder.execute("begin exclusive")
    holder.execute("update state set touched = touched")
    with pytest.raises(LibraryError, match=r"cannot be read now .* ask again"):
        library.reader.count()
    holder.execute("rollback")
    holder.close()
    assert library.reader.count() == 60
    assert file_of(filled) == path


def test_an_open_handle_sees_what_changed_leave_and_come(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.ingestion.library_handle, "_CHECK_EVERY_S", 0.0)
    handle = LibraryHandle(filled)
    path = write(tmp_path / "papers" / "c.jsonl", [entry(number) for number in range(100, 110)])
    sync(filled, [path])
    wait_for(lambda: (handle.current() or opened(filled)).size == 70, what="the new papers")
    write(path, [entry(number) for number in range(105, 110)])
    sync(filled, [path])
    wait_for(lambda: (handle.current() or opened(filled)).size == 65, what="that papers left")
    assert_in_step(filled)


@pytest.fixture
def exchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Has the lexical index exchange papers however few there are; counts how often it did."""
    monkeypatch.setattr(rag.library.lexical_index, "_BUILT_ANEW", 0)
    taken: list[int] = []
    take_over = rag.library.lexical_index._taken_over

    def counted(*given: object) -> int | None:
        stale = take_over(*given)  # type: ignore[arg-type]
        if stale is not None:
            taken.append(stale)
        return stale

    monkeypatch.setattr(rag.library.lexical_index, "_taken_over", counted)
    return iter([taken])  # type: ignore[return-value]


def test_a_few_new_papers_are_added_to_the_lexical_index_and_a_few_are_forgotten(
    filled: Settings, tmp_path: Path, exchanged: Iterator[list[int]]
) -> None:
    (taken,) = exchanged
    path = write(tmp_path / "papers" / "c.jsonl", [entry(number, "Zebra. ") for number in range(100, 103)])
    sync(filled, [path])
    assert taken == [0]
    library = assert_in_step(filled)
    (zebra,) = library.lexical.terms("zebra")
    assert library.lexical.frequency(zebra) == len(library.lexical.search("zebra", 9)) == 3
    write(path, [entry(102, "Zebra. ")])
    sync(filled, [path])
    assert taken == [0, 3], "two that left, and one that stands on another line now"
    library = assert_in_step(filled)
    assert library.lexical.frequency(zebra) == len(library.lexical.search("zebra", 9)) == 1
    assert library.lexical.stale == 3
    assert library.lexical.word_idf("measures") > 0, "which all papers have, and those that are stale had"
    path.unlink()
    sync(filled, [path], prune=True)
    library = assert_in_step(filled)
    assert library.lexical.frequency(zebra) == 0, "no paper has it, whatever is still in the files"
    assert library.lexical.search("zebra", 9) == []
    write(path, [entry(number, "Zebra. ") for number in range(200, 230)])
    sync(filled, [path])
    assert len(taken) == 3, "built anew where many changed"
    assert assert_in_step(filled).lexical.stale == 0


FILTERS = [
    Filter(),
    Filter(sources=("a.jsonl",)),
    Filter(sources=("a.jsonl", "b.jsonl")),
    Filter(sources=("none.jsonl",)),
    Filter(years=(1992, 1995)),
    Filter(years=(1995, 1992)),
    Filter(years=(0, 10**30)),
    Filter(venues=("Venue 1",)),
    Filter(venues=("Venue 1", "Venue 2"), years=(1990, 1999)),
    Filter(sources=("b.jsonl",), venues=("Venue 0",), years=(1991, 1991)),
    Filter(venues=("it's; drop table papers", "\ud800", "")),
]


@pytest.mark.parametrize("where", FILTERS, ids=str)
def test_a_filter_admits_in_sql_what_it_admits_paper_by_paper(base: Settings, where: Filter) -> None:
    library = opened(base)
    papers = list(library.reader.all_papers().values())
    expected = [paper.id for paper in where.among(papers)]
    assert library.reader.read(lambda store: store.ids(where)) == expected
    assert library.reader.count(where) == len(expected)
    shuffled = random.Random(3).sample([paper.id for paper in papers], len(papers))  # noqa: S311 (a fixed seed)
    admitted = library.reader.read(lambda store: store.admitted([*shuffled, "no such paper"], where))
    assert admitted == set(expected)
    assert library.reader.read(lambda store: store.admitted(shuffled[:9], where)) == set(expected) & set(shuffled[:9])
    chosen = Filter(where.sources, tuple(shuffled[:20]), where.years, where.venues)
    assert library.reader.count(chosen) == len(set(expected) & set(shuffled[:20]))


@pytest.mark.parametrize("where", FILTERS, ids=str)
@pytest.mark.parametrize(
    "limits", [(500, 40, 0.5), (0, 40, 0.5), (0, 1_000, 1e3), (0, 1, 1e3)], ids=["all", "whole", "further", "near"]
)
def test_however_a_filter_is_carried_out_the_ranking_is_that_of_all_it_admits(
    base: Settings, monkeypatch: pytest.MonkeyPatch, where: Filter, limits: tuple[float, ...]
) -> None:
    import rag.retrieval.candidate_search
    import rag.retrieval.ranking
    from rag.models.embedding import open_model

    library, model = opened(base), open_model(base)
    query = rag.retrieval.ranking.Query("How do penguins and bridges measure methane?")
    everything = rag.retrieval.ranking.retrieve(library, model, query, k=100, weights={"chunk": 1.0, "bm25": 0.01})
    expected = [p.paper.id for p in everything.passages if where.admits(p.paper)]
    for name, limit in zip(("_ALL_ADMITTED", "_ENOUGH", "_OF_ADMITTED"), limits, strict=True):
        monkeypatch.setattr(rag.retrieval.candidate_search, name, limit)
    found = rag.retrieval.ranking.retrieve(
        library, model, query, k=100, where=where, weights={"chunk": 1.0, "bm25": 0.01}
    )
    assert [p.paper.id for p in found.passages] == expected


def test_the_sources_are_listed_and_looked_up(base: Settings) -> None:
    library = opened(base)
    assert library.reader.read(lambda papers: papers.sources()) == ["a.jsonl", "b.jsonl"]
    assert library.reader.read(lambda papers: (papers.has_source("a.jsonl"), papers.has_source("a.json"))) == (
        True,
        False,
    )
