"""The corpus: files of three shapes become papers with exact places, and what cannot be read is reported."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from rag.corpus.clean import clean_text
from rag.corpus.details import Entry, Stray
from rag.corpus.duplicates import Reading, make_label, make_paper
from rag.corpus.formats import find_files, read_file
from rag.corpus.lines import Unreadable
from rag.corpus.sources import SEEDS as BUNDLED
from rag.corpus.sources import canonical_path, read_sources
from rag.errors import CorpusError
from rag.types import Paper
from tests.conftest import SEEDS, write_abstracts, write_titled

LONG = "We study how transformers learn to reason about long documents, and find that they do so step by step."
OTHER = "Reward models are trained on preferences of people, which are noisy, and this paper measures how noisy."


def read(*paths: Path) -> Reading:
    return read_sources([canonical_path(path) for path in paths], {})


def papers(reading: Reading) -> list[Paper]:
    return [make_paper(found.paper_id, found.abstract, found.places) for found in reading.papers(reading.paper_ids())]


def reasons(reading: Reading) -> dict[str, str]:
    return {skipped.source: skipped.reason for skipped in reading.skipped}


@pytest.fixture(scope="module")
def seeds() -> list[Paper]:
    return papers(read_sources([BUNDLED], {}))


def test_the_seeds_hold_328_abstracts_of_308_papers_and_every_duplicate_keeps_its_places(seeds: list[Paper]) -> None:
    assert len(seeds) == len({paper.id for paper in seeds}) == 308
    assert sum(len(paper.places) for paper in seeds) == 328
    assert sum(bool(paper.also_in) for paper in seeds) > 0
    assert read_sources([BUNDLED], {}).skipped == []


def test_every_place_of_every_seed_is_the_raw_line_it_names(seeds: list[Paper]) -> None:
    for paper in seeds:
        for source, line in paper.places:
            raw = (SEEDS / source).read_bytes().split(b"\n")[line - 1].decode("utf-8").strip()
            assert clean_text(raw.removeprefix("Abstract:")) == paper.abstract or paper.also_in


def test_every_title_of_the_seeds_stands_on_the_line_with_text_before_its_abstract(seeds: list[Paper]) -> None:
    for paper in seeds:
        if not paper.title:
            continue
        above = []
        for source, line in paper.places:
            lines = (SEEDS / source).read_text(encoding="utf-8").split("\n")[: line - 1]
            above.append(next((text for text in reversed(lines) if text.strip()), ""))
        assert any(clean_text(text).endswith(paper.title) for text in above)


def test_the_shapes_of_the_seeds_are_untitled_titled_and_titled_with_blank_lines() -> None:
    by_file = {
        path.name[:3]: Counter(bool(entry.title) for entry in read_file(path) if isinstance(entry, Entry))
        for path in SEEDS.iterdir()
    }
    for untitled in ("000", "001", "002"):
        assert set(by_file[untitled]) == {False}
    for titled in ("003", "004"):
        assert set(by_file[titled]) == {True}


def test_furniture_of_the_site_is_neither_paper_nor_title_and_subscribe_is_unglued(seeds: list[Paper]) -> None:
    for paper in seeds:
        for word in ("Subscribe", "Get trending", "byAK", "research community", "email inbox"):
            assert word not in paper.title
            assert not paper.abstract.startswith(word)
        assert paper.title not in ("new", "Mar 14")
    titles = {paper.title for paper in seeds}
    assert "Inverse Dynamics Pretraining Learns Good Representations for Multitask Imitation" in titles


def test_an_untitled_paper_is_labelled_with_its_opening_words_and_says_so(seeds: list[Paper]) -> None:
    untitled = [paper for paper in seeds if not paper.title]
    assert len(untitled) == 18
    for paper in untitled:
        assert paper.label_is_made
        assert paper.abstract.startswith(paper.label.removesuffix("…"))
        assert 20 <= len(paper.label) <= 73
    assert all(paper.label == paper.title for paper in seeds if paper.title)


def test_a_made_label_ends_with_a_whole_word_and_a_short_abstract_is_its_own_label() -> None:
    assert make_label("Short enough.") == "Short enough."
    label = make_label(LONG)
    assert label.endswith("…")
    assert LONG[len(label) - 1] in " ,"
    assert make_label("x" * 500) == "x" * 72 + "…"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("gap", [1, 2, 5])
def test_line_ends_byte_order_marks_and_blank_lines_change_no_text_and_no_line_number(
    tmp_path: Path, newline: str, mark: str, gap: int
) -> None:
    lines = ["A Title", LONG, "Another: Title?", OTHER]
    (tmp_path / "x.txt").write_bytes((mark + (newline * gap).join(lines)).encode())
    found = list(read_file(tmp_path / "x.txt"))
    assert found == [Entry("A Title", LONG, 1 + gap), Entry("Another: Title?", OTHER, 1 + 3 * gap)]


def test_separators_within_a_line_do_not_count_as_lines(tmp_path: Path) -> None:
    """Python's splitlines would count U+2028, form feeds and a lone carriage return; editors and grep do not."""
    (tmp_path / "x.txt").write_bytes(f"Abstract: one\u2028two\x0cthree\rfour.\nAbstract:{LONG}\n".encode())
    first, second = read_file(tmp_path / "x.txt")
    assert first.line == 1
    assert isinstance(first, Entry)
    assert first.abstract == "one two three four."
    assert second.line == 2


@pytest.mark.parametrize("head", ["Abstract", "ABSTRACT:", "Abstract: ", "abstract -"])
def test_a_heading_abstract_on_its_own_line_leaves_the_title_to_the_text_below(tmp_path: Path, head: str) -> None:
    (tmp_path / "x.txt").write_text(f"A Title\n{head}\n{LONG}\n", encoding="utf-8")
    assert list(read_file(tmp_path / "x.txt")) == [Entry("A Title", LONG, 3)]


@pytest.mark.parametrize("head", ["Abstract:", "Abstract: ", "ABSTRACT: ", "Abstract. ", "Abstract— ", "Abstract - "])
def test_an_abstract_can_be_short_where_it_is_marked(tmp_path: Path, head: str) -> None:
    (tmp_path / "x.txt").write_text(f"A Title\n{head}It works.\n", encoding="utf-8")
    assert list(read_file(tmp_path / "x.txt")) == [Entry("A Title", "It works.", 2)]


def test_a_title_that_begins_with_the_word_abstract_is_a_title(tmp_path: Path) -> None:
    for title in ("Abstract-to-Executable Trajectory Translation", "Abstracts: A Corpus", "Abstract Reasoning in Nets"):
        (tmp_path / "x.txt").write_text(f"{title}\n{LONG}\n", encoding="utf-8")
        assert list(read_file(tmp_path / "x.txt")) == [Entry(title, LONG, 2)]


def test_a_button_is_unglued_only_at_the_front_of_what_follows_furniture(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(f"Subscribe\nWhy We SubscribeAll the Time\n{LONG}\n", encoding="utf-8")
    assert list(read_file(tmp_path / "x.txt")) == [Entry("Why We SubscribeAll the Time", LONG, 3)]


def test_a_title_without_an_abstract_is_reported_with_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text(f"Lonely Title\nA Title\n{LONG}\nLast Title\n", encoding="utf-8")
    assert [entry for entry in read_file(path) if isinstance(entry, Stray)] == [
        Stray(1, "no abstract follows 'Lonely Title'"),
        Stray(4, "no abstract follows 'Last Title'"),
    ]
    reading = read(path)
    assert len(reading.paper_ids()) == 1
    assert set(reasons(reading)) == {"x.txt:1", "x.txt:4"}
    assert "Lonely Title" in reasons(reading)["x.txt:1"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n \r\n\t\n", "no abstract"),
        (b"\xef\xbb\xbf", "no abstract"),
        (b"new\nSubscribe\nGet trending papers in your email inbox!\n", "no abstract"),
        (b"A Title\n\nAnother Title\n", "no abstract"),
        (b"Abstract:\nAbstract: \n", "no abstract"),
        (f"Abstract:{LONG}\n".encode("utf-16"), "not"),
        (f"Abstract:{LONG}\n".encode("utf-16-le"), "zero byte"),
        (f"Abstract:{LONG}\nAbstract: caf\xe9 {OTHER}\n".encode("latin-1"), "UTF-8 (line 2)"),
        (bytes(range(256)) * 40, "not"),
        (b"%PDF-1.7\n" + b"\x00\x01\x02" * 1000, "zero byte"),
    ],
)
def test_a_file_that_holds_nothing_readable_is_reported_by_name_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=r".*"):
        list(read_file(path))
    write_abstracts(tmp_path / "good.txt", [LONG])
    reading = read(tmp_path)
    assert reason in reasons(reading)["bad.txt"]
    assert len(reading.paper_ids()) == 1, "the rest is read all the same"
    assert reading.paths == {canonical_path(tmp_path / "good.txt")}


def test_a_file_that_breaks_off_being_text_gives_none_of_its_abstracts(tmp_path: Path) -> None:
    """Half a file would look like a file from which papers were removed."""
    path = tmp_path / "half.txt"
    path.write_bytes(f"Stray\nA Title\n{LONG}\n".encode() + b"\xff\xfe broken")
    reading = read(path)
    assert reading.paper_ids() == []
    assert list(reasons(reading)) == ["half.txt"]
    assert "line 4" in reasons(reading)["half.txt"]


def test_a_folder_is_read_through_whatever_its_files_and_folders_are_called(tmp_path: Path) -> None:
    odd = [
        "a b.txt",
        "quo'te\".txt",
        "new\nline.txt",
        "ünï😀.txt",
        "-rf.txt",
        "UPPER.TXT",
        ".hidden.txt",
        "a;b&c|d.txt",
    ]
    for number, name in enumerate(odd):
        write_abstracts(tmp_path / "deep" / "er" / name, [f"{LONG} Copy {number}."])
    (tmp_path / "x.txt").mkdir()
    write_abstracts(tmp_path / "x.txt" / "inner.txt", [OTHER])
    (tmp_path / "notes.md").write_text(f"Abstract:{LONG}")
    (tmp_path / "empty.txt").touch()
    reading = read(tmp_path)
    assert {paper.source for paper in papers(reading)} == {*odd, "inner.txt"}
    assert reasons(reading) == {"empty.txt": "it is empty"}


def test_a_file_whose_name_is_no_text_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.txt")).write_text(f"Abstract:{LONG}\n")
    write_abstracts(tmp_path / "good.txt", [OTHER])
    reading = read(tmp_path)
    assert [paper.source for paper in papers(reading)] == ["good.txt"]
    assert reasons(reading) == {"bad\\udcff.txt": "its name is not UTF-8; rename it"}


def test_a_file_of_another_kind_is_reported_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(f"Abstract:{LONG}")
    assert "its kind is not known" in reasons(read(tmp_path / "notes.md"))["notes.md"]


def test_a_folder_without_any_text_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text(f"Abstract:{LONG}")
    (reason,) = reasons(read(tmp_path)).values()
    assert reason.startswith("there is no .txt or ")


def test_a_path_that_does_not_exist_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere\.txt: there is no such file or folder"):
        read(tmp_path / "nowhere.txt")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nowhere.txt")
    with pytest.raises(CorpusError):
        find_files(tmp_path / "broken.txt")
    assert find_files(tmp_path) == [], "a link to nothing within a folder is no file"


def test_a_link_is_read_under_its_own_name_even_if_it_leads_to_a_name_without_a_suffix(tmp_path: Path) -> None:
    """Stores of data sets keep `x.txt` as a link to a file called by its hash."""
    blob = write_abstracts(tmp_path / "blobs" / "0a1b2c", [LONG])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").symlink_to(blob)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for path in (tmp_path / "data", tmp_path / "link", tmp_path / "link" / "x.txt"):
        assert [paper.source for paper in papers(read(path))] == ["x.txt"]
    assert canonical_path(tmp_path / "link" / "x.txt") == canonical_path(tmp_path / "data" / ".." / "data" / "x.txt")


def test_a_folder_that_links_to_itself_is_read_once(tmp_path: Path) -> None:
    write_abstracts(tmp_path / "x.txt", [LONG])
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    reading = read(tmp_path)
    assert [paper.places for paper in papers(reading)] == [(("x.txt", 1),)]


def test_files_given_twice_and_within_their_folder_are_read_once(tmp_path: Path) -> None:
    path = write_abstracts(tmp_path / "x.txt", [LONG])
    assert [len(paper.places) for paper in papers(read(path, tmp_path, path))] == [1]


def test_same_named_files_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder, text in (("a", LONG), ("b", OTHER), ("c/b", f"{LONG} More.")):
        write_abstracts(tmp_path / folder / "x.txt", [text])
    assert {paper.source for paper in papers(read(tmp_path))} == {"x.txt", "b/x.txt", "c/b/x.txt"}


def test_bundled_seeds_keep_one_spelling_wherever_they_are_installed() -> None:
    assert canonical_path(SEEDS) == BUNDLED
    assert canonical_path(SEEDS / "000_6502c803306ef48d.txt") == "seeds:000_6502c803306ef48d.txt"


def test_the_first_title_of_a_papers_places_is_its_title(tmp_path: Path) -> None:
    write_abstracts(tmp_path / "a.txt", [LONG])
    write_titled(tmp_path / "b.txt", [("The Title", LONG.replace(",", " ,"))])
    (paper,) = papers(read(tmp_path))
    assert (paper.title, paper.label, paper.places) == ("The Title", "The Title", (("a.txt", 1), ("b.txt", 2)))
