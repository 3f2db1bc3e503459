"""JSON lines of papers: plain and packed, places by line, damage reported, and unpacking bounded."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest

from rag.corpus import lines
from rag.corpus.details import Entry, Stray
from rag.corpus.formats import read_file
from rag.corpus.lines import Unreadable
from rag.corpus.sources import canonical_path, read_sources
from tests.command import inside
from tests.conftest import write_abstracts

LONG = "We study how transformers learn to reason about long documents, and find that they do so step by step."
OTHER = "Reward models are trained on preferences of people, which are noisy, and this paper measures how noisy."


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_title_and_text_or_abstract_are_read_with_the_line_they_stand_on(tmp_path, suffix, pack):
    plain = write(
        tmp_path / "rows.jsonl",
        {"_id": "7", "title": "First", "text": LONG},
        "",
        {"title": None, "abstract": f"Two\nlines: {OTHER}", "text": "the whole paper"},
    ).read_bytes()
    path = tmp_path / f"corpus.jsonl{suffix}"
    path.write_bytes(b"\xef\xbb\xbf" + plain if not suffix else pack(plain))
    assert list(read_file(path)) == [Entry("First", LONG, 1), Entry("", f"Two lines: {OTHER}", 3)]


def test_a_bad_line_is_reported_with_its_number_and_the_rest_is_read(tmp_path):
    path = write(
        tmp_path / "x.jsonl",
        '{"title": "cut off',
        [1, 2],
        {"_id": "q1", "text": "a query has text and no title"},
        {"title": "Empty", "text": " \n "},
        {"title": "A number", "abstract": 7},
        "[" * 100_000,
        {"title": "Half \ud83d a pair", "text": f"\ud83d {LONG}"},
    )
    found = list(read_file(path))
    assert [entry.line for entry in found if isinstance(entry, Stray)] == [1, 2, 3, 4, 5, 6]
    assert found[-1] == Entry("Half ? a pair", f"? {LONG}", 7)
    reading = read_sources([canonical_path(path)], {})
    reasons = {skipped.source: skipped.reason for skipped in reading.skipped}
    assert "not JSON" in reasons["x.jsonl:1"]
    assert "not a JSON object" in reasons["x.jsonl:2"]
    assert 'no "abstract"' in reasons["x.jsonl:3"]
    assert "is empty" in reasons["x.jsonl:4"]
    assert 'no "abstract"' in reasons["x.jsonl:5"]
    assert "nested" in reasons["x.jsonl:6"]


def test_queries_beside_a_corpus_are_not_taken_for_papers(tmp_path):
    path = write(tmp_path / "queries.jsonl", {"_id": "1", "text": "what is a wing ."})
    with pytest.raises(Unreadable, match='with "abstract", or with "title" and "text"'):
        list(read_file(path))


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda _: b"no archive at all"])
def test_a_damaged_archive_is_reported_and_gives_no_half_of_its_papers(tmp_path, suffix, damage):
    pack = {".gz": gzip.compress, ".xz": lzma.compress}[suffix]
    path = tmp_path / f"corpus.jsonl{suffix}"
    path.write_bytes(damage(pack((json.dumps({"title": "T", "text": LONG}) + "\n").encode() * 50)))
    reading = read_sources([canonical_path(path)], {})
    assert reading.paper_ids() == []
    assert "cannot be unpacked" in reading.skipped[0].reason


def test_what_a_small_file_unpacks_to_is_bounded(tmp_path, monkeypatch):
    path = tmp_path / "bomb.jsonl.xz"
    path.write_bytes(lzma.compress(b"0" * 40_000_000))
    assert path.stat().st_size < 20_000
    with pytest.raises(Unreadable, match="line 1 is longer than 16,777,216 bytes"):
        list(read_file(path))
    monkeypatch.setattr(lines, "MOST_BYTES", 10_000)
    path.write_bytes(lzma.compress((json.dumps({"title": "T", "text": LONG}) + "\n").encode() * 200))
    with pytest.raises(Unreadable, match="unpacks to more than 10,000 bytes"):
        list(read_file(path))


def test_the_command_ingests_json_lines_beside_text_and_the_same_abstract_is_one_paper(tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "x.jsonl", {"title": "T", "text": LONG})
    write_abstracts(tmp_path / "in" / "y.txt", [LONG, OTHER])
    done = inside("ingest", str(tmp_path / "in"))
    assert done.code == 0
    assert "2 papers in the library: 2 added, 0 changed, 0 unchanged, 0 removed, 1 merged" in done.out
    assert "x.jsonl:1  T" in inside("papers", "list").out
