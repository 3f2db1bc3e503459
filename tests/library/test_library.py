"""The library on disk: what is missing, of another model, damaged or not writable is said, and nothing is lost."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import rag.ingestion.library_handle
import rag.ingestion.rebuild
import rag.library.dense_search
from rag.corpus.duplicates import Place, make_paper
from rag.errors import LibraryDamaged, LibraryError, LibraryMismatch
from rag.ingestion.library_handle import LibraryHandle
from rag.ingestion.rebuild import rebuild, reembed
from rag.ingestion.sync import sync
from rag.langchain.vectorstore import open_vectorstore
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper
from rag.models.embedding import open_model
from rag.settings import BUNDLED_MODEL, Settings
from tests.conftest import Python, write_abstracts
from tests.ingestion.test_sync import SHORT, assert_whole, counts, found_by_vector, opened, papers
from tests.spoiling import cut, garbage, overwritten

if TYPE_CHECKING:
    from chromadb.api.client import Client


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Settings:
    """Five papers under the tiny model."""
    folder = tmp_path_factory.mktemp("base")
    write_abstracts(folder / "x.txt", SHORT)
    settings = Settings(_env_file=None, home=folder / "home", embedding_model=str(tiny_model))  # type: ignore[call-arg]
    assert counts(sync(settings, [folder / "x.txt"])) == {"added": 5}
    return settings


@pytest.fixture
def filled(base: Settings, tmp_path: Path) -> Settings:
    """A copy of the five papers to spoil."""
    shutil.copytree(base.home, tmp_path / "home")
    return base.model_copy(update={"home": tmp_path / "home"})


def with_bundled(settings: Settings) -> Settings:
    return settings.model_copy(update={"embedding_model": BUNDLED_MODEL})


def used(settings: Settings) -> int:
    """Opens the library and uses every part of it."""
    library = opened(settings)
    library.dense.find_nearest(np.ones(16, dtype=np.float32) / 4, 3)
    assert len(library.reader.read_embedded(list(library.reader.all_papers()))) == library.size
    return library.size


def database(settings: Settings) -> Path:
    return settings.home / "chroma" / "chroma.sqlite3"


def test_where_nothing_was_ingested_there_is_no_library_and_looking_makes_none(settings: Settings) -> None:
    assert Library.open(settings) is None
    assert LibraryHandle(settings).current() is None
    assert not settings.home.exists()


@pytest.mark.parametrize("home", ["/dev/null/x", "/proc/x", "file/x", "file"])
def test_a_home_that_cannot_be_one_is_an_error_that_names_it(tmp_path: Path, base: Settings, home: str) -> None:
    (tmp_path / "file").touch()
    settings = base.model_copy(update={"home": tmp_path / home})
    with pytest.raises(LibraryError, match="cannot be written") as caught:
        sync(settings)
    assert str(settings.home) in str(caught.value)
    assert "RAG_HOME" in str(caught.value)


def test_other_papers_and_other_collections_do_not_show(filled: Settings, tmp_path: Path) -> None:
    other = filled.model_copy(update={"collection": "other"})
    assert Library.open(other) is None
    sync(other, [write_abstracts(tmp_path / "y.txt", ["Something else entirely."])])
    assert (used(other), used(filled)) == (1, 5)


def test_a_library_of_another_model_names_both_and_the_command_that_mends_it(filled: Settings) -> None:
    with pytest.raises(LibraryMismatch) as caught:
        Library.open(with_bundled(filled))
    for part in (filled.embedding_model, BUNDLED_MODEL, "footnote ingest --rebuild", "RAG_EMBEDDING_MODEL"):
        assert part in str(caught.value)
    with pytest.raises(LibraryMismatch):
        sync(with_bundled(filled))
    with pytest.raises(LibraryMismatch):
        LibraryHandle(with_bundled(filled)).current()
    assert used(filled) == 5


def test_embedding_again_mends_a_library_of_another_model(filled: Settings) -> None:
    before = papers(filled)
    report = reembed(with_bundled(filled))
    assert (report.changed, report.total) == (5, 5)
    assert report.embedded >= 10
    assert papers(with_bundled(filled)) == before
    assert found_by_vector(with_bundled(filled), "methane from rice").abstract == SHORT[4]
    assert_whole(with_bundled(filled))
    with pytest.raises(LibraryMismatch):
        Library.open(filled)
    assert sync(with_bundled(filled)).embedded == 0


def test_an_open_handle_says_so_when_the_library_is_embedded_again_with_another_model(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rag.ingestion.library_handle, "_CHECK_EVERY_S", 0.0)
    handle = LibraryHandle(filled)
    assert handle.current() is not None
    reembed(with_bundled(filled))
    with pytest.raises(LibraryMismatch):
        handle.current()


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def test_embedding_again_that_is_killed_leaves_the_old_library_and_can_be_done_again(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.ingestion.sync._FEWEST", 2)

    def kill(done: int, total: int) -> None:
        assert total == 5
        if done == 4:
            raise Killed

    with pytest.raises(Killed):
        reembed(with_bundled(filled), progress=kill)
    assert used(filled) == 5
    assert reembed(with_bundled(filled)).total == 5
    assert used_with_bundled(filled) == 5


def used_with_bundled(settings: Settings) -> int:
    assert_whole(with_bundled(settings))
    return opened(with_bundled(settings)).size


def test_embedding_again_that_is_killed_between_its_last_steps_is_completed_by_the_next_opening(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old collection is deleted, and the new one has not its name yet."""
    from chromadb.api.models.Collection import Collection

    modify = Collection.modify

    def killed(self: Collection, name: str | None = None, **more: object) -> None:
        if name is not None:
            raise Killed
        modify(self, name, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Collection, "modify", killed)
        reembed(with_bundled(filled))
    assert used_with_bundled(filled) == 5
    assert sync(with_bundled(filled)).embedded == 0


def test_who_asks_between_the_last_steps_of_embedding_again_disturbs_neither(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = with_bundled(filled)
    reembed(settings)
    handle = LibraryHandle(settings)
    assert handle.current() is not None
    put_in_place = rag.ingestion.rebuild._put_in_place

    def asked_first(settings: Settings, client: Client) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("rag.ingestion.library_handle._CHECK_EVERY_S", 0.0)
            seen = handle.current()
        assert seen is not None
        assert seen.size == 5
        put_in_place(settings, client)

    monkeypatch.setattr("rag.ingestion.rebuild._put_in_place", asked_first)
    assert reembed(settings).total == 5
    assert used_with_bundled(filled) == 5
    monkeypatch.setattr("rag.ingestion.library_handle._CHECK_EVERY_S", 0.0)
    newest = handle.current()
    assert newest is not None
    assert newest.stamp == opened(settings).stamp


def test_a_library_that_has_no_papers_yet_has_no_nearest_ones(settings: Settings) -> None:
    """As an ingest leaves it that is killed before its first batch."""
    library = Library.create(settings, 384)
    assert library.dense.find_nearest(np.ones(384, dtype=np.float32), 3) == []


def test_papers_with_more_chunks_than_chroma_takes_at_once_are_written_in_parts(filled: Settings) -> None:
    """Never a part of a paper: it is there whole, or not at all."""
    from rag.library.library_writer import _writable

    records = list(opened(filled).reader.read_all_embedded())
    counts = [len(record.chunks) for record in records]
    most = max(counts) + 1
    parts = list(_writable(records, most))
    assert [record for part in parts for record in part] == records
    assert len(parts) > 1
    assert all(sum(len(record.chunks) for record in part) <= most for part in parts)


def test_what_a_killed_rebuild_left_is_not_taken_for_a_library(filled: Settings) -> None:
    settings = filled.model_copy(update={"collection": "fresh"})
    Library.create(settings, 16, collection="fresh-rebuilt")
    assert Library.open(settings) is None
    assert not rebuild(settings, 16, lambda old, new: None, lambda: None)  # noqa: ARG005


def _stump(path: Path) -> None:
    os.truncate(path, 100)


@pytest.mark.parametrize(
    "spoil",
    [garbage, cut, _stump, overwritten(0, 0.2), overwritten(0.01, 1), overwritten(0.3, 0.8), overwritten(0.8, 1)],
    ids=["garbage", "cut", "stump", "start", "all but its head", "middle", "end"],
)
def test_a_damaged_database_is_an_error_that_says_what_to_do_and_no_crash(
    filled: Settings, spoil: Callable[[Path], None]
) -> None:
    """Or the damage hit nothing that is used: then all papers are there."""
    spoil(database(filled))
    try:
        assert used(filled) == 5
    except LibraryDamaged as error:
        for part in (str(filled.home / "chroma"), "is damaged", "move that folder away", "footnote ingest"):
            assert part in str(error)
    else:
        return
    with pytest.raises(LibraryError):
        assert sync(filled).unchanged == 99
    shutil.move(filled.home / "chroma", filled.home / "damaged")
    write_abstracts(filled.home / "x.txt", SHORT)
    assert counts(sync(filled, [filled.home / "x.txt"])) == {"added": 5}
    assert used(filled) == 5


def without_derived(settings: Settings) -> Settings:
    """What is derived from Chroma is gone, so that Chroma itself is read."""
    shutil.rmtree(settings.home / "papers")
    return settings


def _heads(settings: Settings) -> list[tuple[int, str]]:
    with sqlite3.connect(database(settings)) as connection:
        return connection.execute("select id, string_value from embedding_metadata where key = 'paper'").fetchall()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"abstract": "x"}', '{"abstract": 1, "places": [], "chunks": [], "sentences": []}'],
)
def test_a_paper_whose_record_is_damaged_is_an_error_that_says_what_to_do(filled: Settings, text: str) -> None:
    (row, _), *_ = _heads(filled)
    with sqlite3.connect(database(filled)) as connection:
        connection.execute("update embedding_metadata set string_value = ? where id = ? and key = 'paper'", (text, row))
    connection.close()
    assert used(filled) == 5, "what is derived from it is whole"
    without_derived(filled)
    with pytest.raises(LibraryDamaged, match=r"a paper cannot be read.*move that folder away"):
        used(filled)
    with pytest.raises(LibraryDamaged):
        sync(filled)


@pytest.mark.parametrize("vectors", ["", "!!", "AAAA", "x" * 1_001])
def test_small_vectors_that_are_damaged_are_an_error(filled: Settings, vectors: str) -> None:
    (row, _), *_ = _heads(filled)
    with sqlite3.connect(database(filled)) as connection:
        connection.execute(
            "update embedding_metadata set string_value = ? where id = ? and key = 'vectors'", (vectors, row)
        )
    connection.close()
    with pytest.raises(LibraryDamaged):
        used(without_derived(filled))


@pytest.mark.parametrize(
    "stamp",
    [{}, {"schema": 99}, {"schema": 1}, {"schema": 1, "model": "m", "generation": "g", "syncing": False, "roots": "{"}],
)
def test_a_collection_that_is_no_library_of_ours_is_an_error(settings: Settings, stamp: dict[str, object]) -> None:
    from rag.library.chroma import connect

    client = connect(settings)
    client.create_collection(settings.collection, embedding_function=None, metadata=stamp or None)
    client.close()
    with pytest.raises(LibraryDamaged, match=r"RAG_COLLECTION|is damaged"):
        Library.open(settings)


def test_a_library_of_an_earlier_version_says_how_to_make_it_anew_and_loses_nothing(filled: Settings) -> None:
    before = [record.paper for record in opened(filled).reader.read_all_embedded()]
    with sqlite3.connect(database(filled)) as connection:
        connection.execute("update collection_metadata set int_value = 1 where key = 'schema'")
    connection.close()
    for use in (used, sync):
        with pytest.raises(LibraryMismatch, match="earlier version of Footnote; run `footnote ingest --rebuild`"):
            use(filled)
    assert reembed(filled).changed == len(before)
    assert [record.paper for record in opened(filled).reader.read_all_embedded()] == before


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """So many vectors that Chroma keeps them in files beside its database."""
    home = tmp_path_factory.mktemp("large") / "home"
    settings = Settings(_env_file=None, home=home, embedding_model="large")  # type: ignore[call-arg]
    library = Library.create(settings, 16)
    vectors = np.random.default_rng(1).normal(size=(10_500, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    records = []
    for number, vector in enumerate(vectors):
        place = Place("/x.txt", "x.txt", number + 1, "")
        both = np.stack([vector, vector])
        records.append(
            EmbeddedPaper(make_paper(f"{number:016x}", "A.", [place]), (place,), ((0, 2),), ((0, 2),), both, bytes(2))
        )
    LibraryWriter(library).write(records)
    LibraryWriter(library).restamp(syncing=False)
    library.close()
    assert len(list(home.glob("chroma/*/*.bin"))) == 4
    return settings


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("*", Path.unlink),
        ("header.bin", Path.unlink),
        ("data_level0.bin", Path.unlink),
        ("index_metadata.pickle", Path.unlink),
        ("index_metadata.pickle", garbage),  # in the other files it may bring Chroma's engine down, and us with it
    ],
)
def test_vector_files_that_are_gone_or_garbage_are_an_error_and_not_an_empty_answer(
    large: Settings, tmp_path: Path, name: str, spoil: Callable[[Path], None]
) -> None:
    shutil.copytree(large.home, tmp_path / "home")
    settings = large.model_copy(update={"home": tmp_path / "home"})
    vector = np.random.default_rng(2).normal(size=16).astype(np.float32)
    assert opened(settings).size > rag.library.dense_search._COMPARED
    assert len(opened(settings).dense.find_nearest(vector, 20)) == 20
    for path in settings.home.glob(f"chroma/*/{name}"):
        spoil(path)
    with pytest.raises(LibraryDamaged, match="is damaged"):
        opened(settings).dense.find_nearest(vector, 20)


def test_the_nearest_of_a_small_library_are_the_same_by_comparing_all_and_by_the_graph(
    seed_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = opened(seed_settings)
    vector = open_model(seed_settings).embed(["Which benchmark asks agents to shop online?"])[0]
    compared = library.dense.find_nearest(vector, 20)
    monkeypatch.setattr(rag.library.dense_search, "_COMPARED", 0)
    by_graph = library.dense.find_nearest(vector, 20)
    assert [key for key, _ in compared[:5]] == [key for key, _ in by_graph[:5]]
    assert len(compared) <= 20
    assert [cosine for _, cosine in compared] == sorted((cosine for _, cosine in compared), reverse=True)
    assert dict(compared)[compared[0][0]] == pytest.approx(dict(by_graph)[compared[0][0]], abs=0.02)


@pytest.fixture
def full_disk() -> Iterator[Callable[[int], None]]:
    """Lets no file grow beyond a size: what a full disk does, without filling one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 200_000])
def test_a_full_disk_is_an_error_and_what_was_there_is_kept(
    filled: Settings, tmp_path: Path, abstracts: list[str], full_disk: Callable[[int], None], room: int
) -> None:
    path = write_abstracts(tmp_path / "y.txt", abstracts)
    full_disk(database(filled).stat().st_size + room)
    with pytest.raises(LibraryError, match="cannot be written") as caught:
        sync(filled, [path])
    assert "free some disk space" in str(caught.value)
    full_disk(resource.RLIM_INFINITY)
    assert set(SHORT) <= set(papers(filled))
    report = sync(filled, [path])
    assert report.added + report.unchanged == 40
    assert used(filled) == 45
    assert_whole(filled)


def test_a_disk_that_is_full_from_the_start_is_an_error_and_leaves_nothing_in_the_way(
    settings: Settings, base: Settings, tmp_path: Path, full_disk: Callable[[int], None]
) -> None:
    settings = base.model_copy(update={"home": settings.home})
    path = write_abstracts(tmp_path / "y.txt", SHORT)
    full_disk(10_000)
    with pytest.raises(LibraryError, match="cannot be written"):
        sync(settings, [path])
    full_disk(resource.RLIM_INFINITY)
    assert counts(sync(settings, [path])) == {"added": 5}
    assert used(settings) == 5


_USE = """
import sys
from rag.settings import Settings
from rag.langchain.vectorstore import open_vectorstore
from rag.library.library import Library
library = Library.open(Settings(home=sys.argv[1], embedding_model=sys.argv[2]))
sys.stdin.readline()
print(library.size, len(library.reader.all_papers()), len(library.lexical.search("methane", 3)))
"""


def test_two_processes_open_one_library_at_once(filled: Settings, python: Python) -> None:
    shutil.rmtree(filled.home / "lexical")
    started = [python(_USE, filled.home, filled.embedding_model, stdin=True) for _ in range(2)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert used(filled) == 5
    assert [process.communicate(timeout=300) for process in started] == [("5 5 1\n", "")] * 2


def test_a_view_of_a_library_that_was_made_anew_with_another_model_says_so(filled: Settings) -> None:
    view = opened(filled)
    reembed(with_bundled(filled))
    with pytest.raises(LibraryMismatch, match="was made with the embedding model"):
        view.dense.find_nearest(np.ones(16, dtype=np.float32), 3)


def test_a_library_can_be_opened_more_often_than_there_are_spellings_of_its_folder(filled: Settings) -> None:
    """Each view has an engine of its own, or it would not see what others added."""
    views = [opened(filled) for _ in range(70)]
    assert {len(view.dense.find_nearest(np.ones(16, dtype=np.float32), 3)) for view in (views[0], views[-1])} != {0}
    handle = LibraryHandle(filled)
    assert handle.current() is handle.current()


def test_langchains_view_of_the_chunks_says_where_each_stands(filled: Settings) -> None:
    store = open_vectorstore(filled, open_model(filled))
    (document,) = store.similarity_search(SHORT[0][:60], k=1)
    paper = papers(filled)[SHORT[0]]
    assert paper.abstract[document.metadata["start"] : document.metadata["end"]] == document.page_content
    assert (document.metadata["paper_id"], document.metadata["source"]) == (paper.id, "x.txt")


def test_the_catalogue_is_in_the_order_of_sources_and_lines(seed_settings: Settings) -> None:
    found = [(paper.source, paper.line) for paper in opened(seed_settings).reader.all_papers().values()]
    assert found == sorted(found)
    assert len(found) == 308


def test_a_stored_paper_is_the_one_that_was_read(filled: Settings) -> None:
    (_, text), *_ = _heads(filled)
    stored = json.loads(text)
    record = opened(filled).reader.read_embedded([paper.id for paper in papers(filled).values()])[0]
    assert stored["abstract"] in papers(filled)
    assert record.paper == papers(filled)[record.paper.abstract]
    assert opened(filled).reader.read_embedded([]) == []
    assert opened(filled).reader.read_embedded(["no such paper"]) == []
