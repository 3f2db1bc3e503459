"""Sync: the library follows its files, unchanged papers cost nothing, and nothing leaves that was not told to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rag.corpus.duplicates import FoundPaper
from rag.errors import CorpusError, LibraryError, LibraryMissing
from rag.ingestion.library_handle import LibraryHandle
from rag.ingestion.rebuild import reembed
from rag.ingestion.sync import cut_batches, sync
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper
from rag.models.embedding import open_model
from rag.settings import Settings
from rag.types import IngestReport, Paper
from tests.conftest import SEEDS, Python, wait_for, write_abstracts, write_titled

SHORT = [
    "Penguins huddle in the cold, and we measure how the heat flows between them during the polar night.",
    "Reward models learn what people prefer, and we show that a third of the labels they learn from are noise.",
    "Sparse autoencoders find features in the activations of a model. We find that few of them have one meaning.",
    "Bridges age. We predict from the sound of passing trains which of their bolts will have to be replaced.",
    "Rice paddies emit methane, which we measure from orbit with an error of less than nine per cent per field.",
]


def opened(settings: Settings) -> Library:
    library = Library.open(settings)
    assert library is not None
    return library


def records(settings: Settings) -> dict[str, EmbeddedPaper]:
    return {record.paper.abstract: record for record in opened(settings).reader.read_all_embedded()}


def papers(settings: Settings) -> dict[str, Paper]:
    return {abstract: record.paper for abstract, record in records(settings).items()}


def counts(report: IngestReport) -> dict[str, int]:
    """The numbers that are not zero, without the texts embedded and the total."""
    names = ("added", "changed", "unchanged", "removed", "merged")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def found_by_vector(settings: Settings, text: str) -> Paper:
    library = opened(settings)
    (paper_id, _), *_ = library.dense.find_nearest(open_model(settings).embed([text])[0], 3)
    return library.reader.read_embedded([paper_id])[0].paper


def found_by_words(settings: Settings, text: str) -> list[str]:
    library = opened(settings)
    ids = [hit.paper_id for hit in library.lexical.search(text, 5)]
    by_id = {record.paper.id: record.paper for record in library.reader.read_embedded(ids)}
    return [by_id[each].abstract for each in ids]


def assert_whole(settings: Settings) -> None:
    """Every paper has each of its chunks once, with text, places and vectors that fit it; nothing else is there."""
    library = opened(settings)
    stored = library.collection.get(include=["documents", "metadatas"])
    by_id = dict(zip(stored["ids"], zip(stored["documents"], stored["metadatas"], strict=True), strict=True))
    expected = set()
    for record in library.reader.read_all_embedded():
        paper = record.paper
        assert len(record.chunk_vectors) == len(record.chunks) > 0
        assert np.allclose(np.linalg.norm(record.vectors, axis=1), 1, atol=1e-5)
        for number, (start, end) in enumerate(record.chunks):
            key = f"{paper.id}:{number}"
            expected.add(key)
            document, said = by_id[key]
            assert document == paper.abstract[start:end]
            assert (said["label"], said["source"], said["start"], said["end"]) == (
                paper.label,
                paper.source,
                start,
                end,
            )
    assert set(by_id) == expected
    assert library.size == len(library.reader.all_papers())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "papers").mkdir()
    return tmp_path / "papers"


def test_new_papers_are_added_and_found_by_vector_and_by_word(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "x.txt", SHORT)
    report = sync(settings, [folder])
    assert counts(report) == {"added": 5}
    assert report.total == 5
    assert report.embedded >= 5 + 6
    assert found_by_vector(settings, "birds keeping warm").abstract == SHORT[0]
    assert found_by_words(settings, "methane emission")[0] == SHORT[4]
    assert_whole(settings)


def test_a_second_sync_embeds_nothing_and_changes_nothing(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "x.txt", SHORT[:2])
    sync(settings, [folder])
    stamp = opened(settings).stamp
    for paths in ([folder], [folder / "x.txt"], []):
        report = sync(settings, paths)
        assert counts(report) == {"unchanged": 2}
        assert (report.embedded, report.total) == (0, 2)
    assert opened(settings).stamp.model == stamp.model
    assert not opened(settings).stamp.syncing


def test_an_edited_abstract_is_changed_and_its_old_text_is_gone(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "x.txt", SHORT[:3])
    sync(settings, [folder])
    edited = SHORT[1].replace("a third", "a quarter")
    write_abstracts(folder / "x.txt", [SHORT[0], edited, SHORT[2]])
    report = sync(settings, [folder])
    assert counts(report) == {"changed": 1, "unchanged": 2}
    assert set(papers(settings)) == {SHORT[0], edited, SHORT[2]}
    assert found_by_words(settings, "third") == []
    assert found_by_words(settings, "quarter") == [edited]
    assert found_by_vector(settings, edited).abstract == edited
    assert_whole(settings)


def test_an_abstract_that_differs_only_in_marks_is_the_same_paper_with_its_new_text(
    settings: Settings, folder: Path
) -> None:
    write_abstracts(folder / "x.txt", [SHORT[0], SHORT[1]])
    sync(settings, [folder])
    (before,) = (paper.id for text, paper in papers(settings).items() if text == SHORT[0])
    marked = SHORT[0].replace(", and", "; and")
    write_abstracts(folder / "x.txt", [marked, SHORT[1]])
    assert counts(sync(settings, [folder])) == {"changed": 1, "unchanged": 1}
    assert papers(settings)[marked].id == before
    assert_whole(settings)


def test_an_edited_title_is_changed_and_searched_for(settings: Settings, folder: Path) -> None:
    write_titled(folder / "x.txt", [("Cold Birds", SHORT[0]), ("Noisy Rewards", SHORT[1])])
    sync(settings, [folder])
    write_titled(folder / "x.txt", [("Thermodynamics", SHORT[0]), ("Noisy Rewards", SHORT[1])])
    assert counts(sync(settings, [folder])) == {"changed": 1, "unchanged": 1}
    assert papers(settings)[SHORT[0]].title == "Thermodynamics"
    assert found_by_words(settings, "thermodynamics") == [SHORT[0]]
    assert_whole(settings)


def test_a_moved_line_is_unchanged_with_its_new_line(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "x.txt", SHORT[:2])
    sync(settings, [folder])
    write_abstracts(folder / "x.txt", [SHORT[2], *SHORT[:2]])
    report = sync(settings, [folder])
    assert counts(report) == {"added": 1, "unchanged": 2}
    assert [papers(settings)[text].line for text in SHORT[:3]] == [2, 3, 1]
    (folder / "x.txt").write_text("\n\n" + (folder / "x.txt").read_text())
    report = sync(settings, [folder])
    assert (counts(report), report.embedded) == ({"unchanged": 3}, 0)
    assert [papers(settings)[text].line for text in SHORT[:3]] == [4, 5, 3]
    assert_whole(settings)


def test_a_paper_that_left_its_file_is_removed(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "x.txt", SHORT[:3])
    sync(settings, [folder])
    write_abstracts(folder / "x.txt", SHORT[:2])
    report = sync(settings, [folder])
    assert (counts(report), report.embedded, report.total) == ({"unchanged": 2, "removed": 1}, 0, 2)
    assert found_by_words(settings, "autoencoders") == []
    assert_whole(settings)


def test_only_papers_of_the_paths_given_now_are_removed(settings: Settings, folder: Path) -> None:
    one, other = write_abstracts(folder / "one.txt", SHORT[:2]), write_abstracts(folder / "other.txt", SHORT[2:4])
    sync(settings, [one])
    assert counts(sync(settings, [other])) == {"added": 2}
    write_abstracts(one, SHORT[:1])
    write_abstracts(other, SHORT[2:3])
    report = sync(settings, [other])
    assert counts(report) == {"unchanged": 1, "removed": 1}
    assert set(papers(settings)) == set(SHORT[:3])
    assert counts(sync(settings)) == {"unchanged": 2, "removed": 1}


def _unlink(path: Path) -> None:
    path.unlink()


def _garble(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00garbage")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [_unlink, _garble, _empty, _directory])
def test_a_file_that_is_missing_or_became_unreadable_keeps_its_papers_until_told_otherwise(
    settings: Settings, folder: Path, spoil: Callable[[Path], None]
) -> None:
    write_abstracts(folder / "good.txt", SHORT[:1])
    bad = write_abstracts(folder / "bad.txt", SHORT[1:3])
    sync(settings, [folder])
    spoil(bad)
    for paths in ([folder], []):
        report = sync(settings, paths)
        assert counts(report) == {"unchanged": 1}
        assert report.total == 3
        (skipped,) = report.skipped
        assert skipped.source == "bad.txt"
        assert report.kept == 2
    report = sync(settings, [folder], prune=True)
    assert report.kept == 0
    assert (counts(report), report.total) == ({"unchanged": 1, "removed": 2}, 1)
    assert_whole(settings)


def test_a_file_given_by_name_that_is_gone_keeps_its_papers_and_prune_forgets_it(
    settings: Settings, folder: Path
) -> None:
    path = write_abstracts(folder / "x.txt", SHORT[:2])
    write_abstracts(folder / "y.txt", SHORT[2:3])
    sync(settings, [path, folder / "y.txt"])
    path.unlink()
    for paths in ([path], []):
        report = sync(settings, paths)
        assert report.total == 3
        assert [skipped.source for skipped in report.skipped] == ["x.txt"]
    assert counts(sync(settings, [path], prune=True)) == {"removed": 2}
    assert sync(settings).skipped == ()
    assert opened(settings).stamp.roots == (str(folder / "y.txt"),)


def test_a_folder_that_is_gone_can_be_pruned_and_later_syncs_go_on(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "gone" / "x.txt", SHORT[:1])
    write_abstracts(folder / "stays" / "y.txt", SHORT[1:2])
    (folder / "never").mkdir()
    sync(settings, [folder / "gone", folder / "stays", folder / "never"])
    shutil.rmtree(folder / "gone")
    shutil.rmtree(folder / "never")
    report = sync(settings)
    assert (counts(report), report.total) == ({"unchanged": 1}, 2)
    assert {skipped.source for skipped in report.skipped} == {"x.txt", str(folder / "never")}
    assert counts(sync(settings, prune=True)) == {"unchanged": 1, "removed": 1}
    report = sync(settings)
    assert (counts(report), report.skipped) == ({"unchanged": 1}, ())


def test_a_path_that_never_was_is_an_error_and_nothing_is_changed(settings: Settings, folder: Path) -> None:
    with pytest.raises(CorpusError, match="there is no such file or folder"):
        sync(settings, [folder / "nowhere"])
    assert Library.open(settings) is None
    write_abstracts(folder / "x.txt", SHORT[:1])
    sync(settings, [folder])
    with pytest.raises(CorpusError, match="nowhere"):
        sync(settings, [folder, folder / "nowhere"])
    assert opened(settings).stamp.roots == (str(folder),)


def test_without_paths_the_known_ones_are_synced_and_new_files_in_them_found(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_abstracts(folder / "x.txt", SHORT[:1])
    monkeypatch.chdir(folder)
    sync(settings, ["."])
    monkeypatch.chdir("/")
    write_abstracts(folder / "below" / "y.txt", SHORT[1:2])
    assert counts(sync(settings)) == {"added": 1, "unchanged": 1}


def test_a_folder_with_nothing_to_read_reports_why_and_makes_no_library(settings: Settings, folder: Path) -> None:
    (folder / "empty.txt").touch()
    report = sync(settings, [folder])
    assert (counts(report), report.total) == ({}, 0)
    assert [skipped.source for skipped in report.skipped] == ["empty.txt"]
    assert Library.open(settings) is None


def test_same_named_files_of_two_folders_stay_distinct_whichever_comes_back(settings: Settings, folder: Path) -> None:
    for name, text in (("a", SHORT[0]), ("b", SHORT[1])):
        write_abstracts(folder / name / "x.txt", [text])
        sync(settings, [folder / name])
    sources = {text: paper.source for text, paper in papers(settings).items()}
    assert sources == {SHORT[0]: "x.txt", SHORT[1]: "b/x.txt"}
    for paths in ([folder / "b"], [folder / "b" / "x.txt", folder / "a"], []):
        report = sync(settings, paths)
        assert (report.embedded, report.removed) == (0, 0)
        assert {text: paper.source for text, paper in papers(settings).items()} == sources
    write_abstracts(folder / "a" / "x.txt", [SHORT[2]])
    sync(settings, [folder / "a"])
    assert {text: paper.source for text, paper in papers(settings).items()} == {
        SHORT[2]: "x.txt",
        SHORT[1]: "b/x.txt",
    }


def test_a_paper_in_two_files_leaves_only_with_its_last_place(settings: Settings, folder: Path) -> None:
    one, other = write_abstracts(folder / "one.txt", SHORT[:2]), write_abstracts(folder / "other.txt", SHORT[1:3])
    report = sync(settings, [folder])
    assert counts(report) == {"added": 3, "merged": 1}
    assert papers(settings)[SHORT[1]].places == (("one.txt", 2), ("other.txt", 1))
    write_abstracts(one, SHORT[:1])
    report = sync(settings, [one])
    assert (counts(report), report.embedded, report.total) == ({"unchanged": 1}, 0, 3)
    assert papers(settings)[SHORT[1]].places == (("other.txt", 1),)
    assert_whole(settings)
    write_abstracts(other, SHORT[2:3])
    assert counts(sync(settings, [other])) == {"unchanged": 1, "removed": 1}
    assert SHORT[1] not in papers(settings)


def test_a_further_place_is_merged_and_costs_no_embedding(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "one.txt", SHORT[:2])
    sync(settings, [folder / "one.txt"])
    write_abstracts(folder / "other.txt", [SHORT[1].replace(" ", "  "), SHORT[1]])
    report = sync(settings, [folder / "other.txt"])
    assert (counts(report), report.embedded) == ({"merged": 2}, 0)
    assert papers(settings)[SHORT[1]].also_in == (("other.txt", 1), ("other.txt", 2))
    assert_whole(settings)


def test_a_title_that_goes_with_its_place_goes_from_the_vectors_too(settings: Settings, folder: Path) -> None:
    write_abstracts(folder / "plain.txt", [SHORT[0], SHORT[3]])
    titled = write_titled(folder / "titled.txt", [("Quantum Chromodynamics", SHORT[0]), ("Other", SHORT[1])])
    sync(settings, [folder])
    write_titled(titled, [("Other", SHORT[1])])
    report = sync(settings, [titled])
    assert counts(report) == {"unchanged": 1}
    assert papers(settings)[SHORT[0]].title == ""
    assert found_by_words(settings, "chromodynamics") == []
    fresh = open_model(settings).embed([SHORT[0]])[0]
    assert records(settings)[SHORT[0]].chunk_vectors[0] @ fresh > 0.99
    assert_whole(settings)


def test_the_numbers_of_a_report_add_up_to_the_abstracts_read(settings: Settings, folder: Path) -> None:
    """One sync with everything in it: added, changed in text and in title, unchanged, moved, removed, merged."""
    one = write_titled(folder / "one.txt", [("A", SHORT[0]), ("B", SHORT[1]), ("C", SHORT[2])])
    other = write_abstracts(folder / "other.txt", [SHORT[2], SHORT[3]])
    sync(settings, [folder])
    write_titled(one, [("C", SHORT[2]), ("A2", SHORT[0]), ("B", f"{SHORT[1]} And more."), ("D", SHORT[4])])
    write_abstracts(other, [SHORT[0], SHORT[0], f"New. {SHORT[1]}"])
    report = sync(settings, [folder])
    assert report.added + report.changed + report.unchanged + report.merged == 7
    assert (report.changed, report.unchanged, report.removed) == (2, 1, 1)
    assert report.total == len(papers(settings)) == 5
    assert counts(sync(settings)) == {"unchanged": 5, "merged": 2}
    assert_whole(settings)


def test_seeds_synced_twice_and_then_one_by_one_embed_nothing(seed_home: Path, tmp_path: Path) -> None:
    shutil.copytree(seed_home, tmp_path / "home")
    settings = Settings(_env_file=None, home=tmp_path / "home")  # type: ignore[call-arg]
    assert_whole(settings)
    report = sync(settings)
    assert (counts(report), report.embedded, report.total) == ({"unchanged": 308, "merged": 20}, 0, 308)
    for path in sorted(SEEDS.iterdir()):
        report = sync(settings, [path])
        assert (report.added, report.changed, report.removed, report.embedded) == (0, 0, 0, 0)
        assert report.total == 308
    copy = shutil.copytree(SEEDS, tmp_path / "copy")
    report = sync(settings, [copy])
    assert (counts(report), report.embedded) == ({"merged": 328}, 0)
    (first, *_) = opened(settings).reader.read_all_embedded()
    assert first.paper.source in {path.name for path in SEEDS.iterdir()}
    shutil.rmtree(copy)
    report = sync(settings, [copy], prune=True)
    assert (report.removed, report.total) == (0, 308)


def test_progress_counts_up_to_the_papers_to_embed(
    settings: Settings, folder: Path, tiny_model: Path, abstracts: list[str]
) -> None:
    settings = settings.model_copy(update={"embedding_model": str(tiny_model)})
    write_abstracts(folder / "x.txt", abstracts)
    told: list[tuple[int, int]] = []
    sync(settings, [folder], progress=lambda done, total: told.append((done, total)))
    assert told == [(32, 40), (40, 40)]
    sync(settings, [folder], progress=lambda done, total: told.append((done, total)))
    assert len(told) == 2, "nothing to embed, nothing to tell"


def test_replaced_papers_leave_no_chunk_behind_even_if_the_sync_was_killed_before_it_cleared_up(
    settings: Settings, folder: Path, tiny_model: Path, abstracts: list[str]
) -> None:
    """Under a shorter title a paper has fewer chunks; the tiny model makes many of each."""
    settings = settings.model_copy(update={"embedding_model": str(tiny_model)})
    path = write_titled(folder / "x.txt", [("A title of thirty or so letters", text) for text in abstracts[:3]])
    sync(settings, [folder])
    before = {text: len(record.chunks) for text, record in records(settings).items()}
    write_titled(path, [("T", text) for text in abstracts[:3]])
    assert sync(settings, [folder]).changed == 3
    assert all(len(record.chunks) < before[text] for text, record in records(settings).items())
    assert_whole(settings)
    library = opened(settings)
    (paper_id, *_) = library.reader.all_papers()
    library.collection.add(ids=[f"{paper_id}:99"], embeddings=[[1.0] * 16], documents=["left over"])
    LibraryWriter(library).restamp(syncing=True)
    sync(settings, [folder])
    assert_whole(settings)


def test_a_library_without_papers_is_told_from_no_library(settings: Settings, folder: Path) -> None:
    path = write_abstracts(folder / "x.txt", SHORT[:1])
    sync(settings, [folder])
    path.unlink()
    assert sync(settings, prune=True).total == 0
    library = opened(settings)
    assert library.size == 0
    assert library.reader.all_papers() == {}
    assert library.dense.find_nearest(open_model(settings).embed(["x"])[0], 3) == []
    assert library.lexical.search("penguins", 3) == []


def test_embedding_again_needs_a_library_but_not_its_files(settings: Settings, folder: Path) -> None:
    with pytest.raises(LibraryMissing, match="footnote ingest"):
        reembed(settings)
    write_abstracts(folder / "x.txt", SHORT[:3])
    sync(settings, [folder])
    before = papers(settings)
    shutil.rmtree(folder)
    report = reembed(settings)
    assert (report.changed, report.total) == (3, 3)
    assert papers(settings) == before
    assert opened(settings).stamp.roots == (str(folder),)
    assert_whole(settings)


_SLOW_SYNC = """
import sys
from rag.settings import Settings
from rag.ingestion.sync import sync

def told(done, total):
    print(done, total)
    sys.stdin.readline()

print(sync(Settings(home=sys.argv[1]), [sys.argv[2]], progress=told).total)
"""


@pytest.mark.slow
def test_a_sync_of_another_process_keeps_others_out_and_is_seen_within_five_seconds_by_an_open_handle(
    settings: Settings, folder: Path, python: Python
) -> None:
    """The vectors too: Chroma shows another process's additions in its counts but not in its searches."""
    write_abstracts(folder / "x.txt", SHORT[:2])
    sync(settings, [folder])
    model = open_model(settings)
    handle = LibraryHandle(settings)
    vector = model.embed(["methane from rice"])[0]

    def sees() -> bool:
        library = handle.current()
        assert library is not None
        nearest = library.reader.read_embedded([library.dense.find_nearest(vector, 1)[0][0]])[0].paper.abstract
        lexical = library.lexical.search("methane", 1)
        return (
            nearest == SHORT[4]
            and bool(lexical)
            and SHORT[4] in {paper.abstract for paper in library.reader.all_papers().values()}
        )

    assert not sees()
    write_abstracts(folder / "y.txt", SHORT[2:])
    other = python(_SLOW_SYNC, settings.home, folder / "y.txt", stdin=True)
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == "3 3\n"
    with pytest.raises(LibraryError, match=r"Another ingest is at work on .*; wait until it is done"):
        sync(settings, [folder], wait_s=0.2)
    library = handle.current()
    assert library is not None
    assert library.size == 2, "a sync that is under way is not shown"
    other.stdin.write("\n")
    other.stdin.flush()
    assert other.stdout.readline() == "5\n"
    wait_for(sees, what="the other process's papers")
    assert counts(sync(settings)) == {"unchanged": 5}
    assert_whole(settings)


def test_what_is_embedded_at_once_is_bounded_in_papers_and_in_characters() -> None:
    def batches(*lengths: int) -> list[list[int]]:
        found = [FoundPaper(f"{number:016x}", "x" * length, ()) for number, length in enumerate(lengths)]
        return [[len(each.abstract) for each in batch] for batch in cut_batches(iter(found), len(found))]

    assert [len(batch) for batch in batches(*[10] * 70)] == [32, 32, 6]
    assert [len(batch) for batch in batches(*[10] * 2_000)] == [256] * 7 + [208]
    assert batches(400_000, 400_000, 200_000, 1, 900_000) == [[400_000, 400_000, 200_000], [1, 900_000]]
    assert batches(3_000_000, 10) == [[3_000_000], [10]]


def test_what_is_longer_than_any_abstract_is_left_out_with_the_reason(settings: Settings, tmp_path: Path) -> None:
    path = write_abstracts(tmp_path / "x.txt", [SHORT[0], "long " * 40_001, SHORT[1]])
    report = sync(settings, [path])
    assert counts(report) == {"added": 2}
    assert [(each.source, each.reason) for each in report.skipped] == [
        ("x.txt:2", "it has more than 200,000 characters, as no abstract has")
    ]
