"""The lexical index: derived from the library, and made again whatever happens to its files."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.corpus.duplicates import Place, make_paper
from rag.ingestion.sync import sync
from rag.library.lexical_index import LexicalIndex
from rag.library.library import Library
from rag.settings import Settings
from rag.types import Paper
from tests.conftest import write_titled
from tests.ingestion.test_sync import SHORT, opened

TITLES = ["Cold Birds", "Tülu: Noisy Rewards", "GPT-4's Features", "Bridges", "Methane"]


@pytest.fixture
def some() -> list[Paper]:
    return [
        make_paper(f"{number:016x}", text, (Place("/x.txt", "x.txt", number, title),))
        for number, (title, text) in enumerate(zip(TITLES, SHORT, strict=True), start=1)
    ]


def first(index: LexicalIndex, question: str) -> str | None:
    hits = index.search(question, 3)
    return TITLES[int(hits[0].paper_id, 16) - 1] if hits else None


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("penguin", "Cold Birds"),
        ("PENGUINS huddling?", "Cold Birds"),
        ("tulu", "Tülu: Noisy Rewards"),
        ("TÜLU", "Tülu: Noisy Rewards"),
        ("what is gpt-4", "GPT-4's Features"),
        ("birds", "Cold Birds"),
        ("the of and", None),
        ("", None),
        ("xylophone", None),
        ('( " AND OR NOT + - * ~ ^ : \\ /', None),
        ('penguins AND ( "', "Cold Birds"),
        ("text:methane^5 OR *", "Methane"),
        ("漢字 😀 \x00 \ud800", None),
    ],
)
def test_papers_are_found_by_their_words_whatever_else_a_question_holds(
    some: list[Paper], question: str, title: str | None
) -> None:
    assert first(LexicalIndex.in_memory(some), question) == title


def test_words_of_other_texts_weigh_what_they_are_given(some: list[Paper]) -> None:
    index = LexicalIndex.in_memory(some)
    alone = {hit.paper_id: hit.bm25 for hit in index.search("methane", 5)}
    mixed = {hit.paper_id: hit.bm25 for hit in index.search("bridges", 5, weights={"methane": 0.5})}
    (key,) = alone
    assert mixed[key] == pytest.approx(alone[key] / 2, rel=1e-4)
    assert len(mixed) == 2


def test_an_index_without_papers_finds_nothing() -> None:
    index = LexicalIndex.in_memory([])
    assert (index.size, index.search("penguins", 5), index.frequency("penguin")) == (0, [], 0)


def test_rare_words_weigh_more_and_unknown_ones_most(some: list[Paper]) -> None:
    index = LexicalIndex.in_memory(some)
    assert index.terms("the penguins of Penguin Island") == ["penguin", "island"]
    (model,), (penguin,) = index.terms("model"), index.terms("penguin")
    assert index.idf("nowhere") > index.idf(penguin) >= index.idf(model)


def test_a_folder_is_built_once_and_then_opened(some: list[Paper], tmp_path: Path) -> None:
    def unread() -> Iterator[Paper]:
        raise AssertionError
        yield

    assert LexicalIndex.open_or_build(tmp_path / "lexical" / "one", some).size == 5
    assert first(LexicalIndex.open_or_build(tmp_path / "lexical" / "one", unread()), "penguin") == "Cold Birds"


def test_a_new_generation_takes_the_place_of_others_and_of_what_killed_builds_left(
    some: list[Paper], tmp_path: Path
) -> None:
    old = LexicalIndex.open_or_build(tmp_path / "one", some)
    (tmp_path / ".one.1234abcd").mkdir()
    LexicalIndex.open_or_build(tmp_path / "two", some[:2])
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    assert first(old, "penguins") == "Cold Birds", "who has the old one open can still search it"


@pytest.fixture
def built(some: list[Paper], tmp_path: Path) -> Path:
    LexicalIndex.open_or_build(tmp_path / "one", some)
    return tmp_path / "one"


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "ready" and not path.name.startswith("."))


def _emptied(path: Path) -> None:
    _rewritten(path, b"")


def _overwritten(path: Path) -> None:
    _rewritten(path, b"garbage" * 100)


def _rewritten(path: Path, content: bytes) -> None:
    """As another file: an index that is still open maps the old one, and none survives its shrinking."""
    path.unlink()
    path.write_bytes(content)


def _flipped(path: Path) -> None:
    """In the middle, where tantivy would only look in a search, and then bring the process down."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    _rewritten(path, bytes(content))


@pytest.mark.parametrize("spoil", [_emptied, _overwritten, _flipped, Path.unlink])
def test_damage_to_any_file_of_the_index_has_it_made_again(
    built: Path, some: list[Paper], spoil: Callable[[Path], None]
) -> None:
    kinds = [path.suffix for path in _segments(built)]
    assert len(kinds) >= 5
    for kind in kinds:
        spoil(next(path for path in _segments(built) if path.suffix == kind))
        index = LexicalIndex.open_or_build(built, some)
        assert [first(index, word) for word in ("penguins", "methane", "bolts")] == [
            "Cold Birds",
            "Methane",
            "Bridges",
        ]


def test_an_interrupted_build_is_made_again(built: Path, some: list[Paper]) -> None:
    (built / "ready").unlink()
    assert LexicalIndex.open_or_build(built, some).size == 5
    assert (built / "ready").exists()


def test_where_its_folder_cannot_be_written_the_index_is_kept_in_memory(some: list[Paper], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file" / "one", Path("/proc/lexical/one"), Path("/dev/null/one")):
        assert first(LexicalIndex.open_or_build(folder, iter(some)), "penguins") == "Cold Birds"


def test_where_there_is_no_room_left_the_index_is_kept_in_memory(some: list[Paper], tmp_path: Path) -> None:
    """The papers have to be read again for it: half of them were already in the files that broke off."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        index = LexicalIndex.open_or_build(tmp_path / "one", some)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (index.size, first(index, "penguins")) == (5, "Cold Birds")
    assert LexicalIndex.open_or_build(tmp_path / "one", some).size == 5
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_eight_threads_that_build_one_folder_at_once_all_have_it(some: list[Paper], tmp_path: Path) -> None:
    sizes: list[int] = []

    def work() -> None:
        sizes.append(LexicalIndex.open_or_build(tmp_path / "one", some).size)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [5] * 8
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def _gone(folder: Path) -> None:
    shutil.rmtree(folder)


def _a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


@pytest.mark.parametrize("spoil", [_gone, _a_file])
def test_a_library_makes_its_lexical_index_again_from_chroma(
    settings: Settings, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = write_titled(tmp_path / "x.txt", list(zip(TITLES, SHORT, strict=True)))
    sync(settings, [path])
    path.unlink()
    spoil(settings.home / "lexical")
    library = opened(settings)
    assert library.size == 5
    assert library.lexical.search("tulu", 1)[0].paper_id in library.reader.all_papers()


def test_an_index_of_an_earlier_generation_is_not_taken_for_the_library_of_now(
    settings: Settings, tmp_path: Path
) -> None:
    path = write_titled(tmp_path / "x.txt", list(zip(TITLES[:1], SHORT[:1], strict=True)))
    sync(settings, [path])
    before = Library.open(settings)
    assert before is not None
    write_titled(path, list(zip(TITLES[:2], SHORT[:2], strict=True)))
    sync(settings, [path])
    assert opened(settings).lexical.search("tulu", 1)
    (folder,) = (settings.home / "lexical" / "footnote").iterdir()
    assert LexicalIndex.open(folder) is not None
    assert opened(settings).disagreements() == {}
