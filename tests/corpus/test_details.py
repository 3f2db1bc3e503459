"""Authors, year, venue, address and DOI: read from JSON lines, kept with the paper, and never a reason to lose it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag import Assistant, Filter, Outcome, Settings
from rag.corpus.details import NOTHING_KNOWN, Details, Entry, merge_details, read_details
from rag.corpus.formats import read_file
from rag.ingestion.sync import sync
from rag.library.library import Library
from tests.command import inside

PENGUINS = "Penguins huddle in the cold, and we measure how the heat flows between them during the polar night."
BRIDGES = "Bridges age. We predict from the sound of passing trains which of their bolts will have to be replaced."
KNOWN: dict[str, Any] = {
    "authors": ["Ada Byron", "Çelik, Ümit"], "year": 2021, "venue": "Polar Letters",
    "url": "https://example.org/p?a=1&b=2", "doi": "10.1000/182",
}  # fmt: skip
WHOLE = Details(("Ada Byron", "Çelik, Ümit"), 2021, "Polar Letters", "https://example.org/p?a=1&b=2", "10.1000/182")


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (KNOWN, WHOLE),
        ({}, NOTHING_KNOWN),
        ({"authors": "Ada Byron and Çelik, Ümit"}, Details(("Ada Byron", "Çelik, Ümit"))),
        ({"authors": "A. One; B. Two ;C. Three"}, Details(("A. One", "B. Two", "C. Three"))),
        ({"authors": "A. One, and B. Two"}, Details(("A. One", "B. Two"))),
        ({"authors": "Andrew Sandford"}, Details(("Andrew Sandford",))),
        ({"authors": ["K. Ohno", "S. Tadokoro", "K. Ohno", "S. Tadokoro"]}, Details(("K. Ohno", "S. Tadokoro"))),
        ({"authors": ["Fr\\'ed\\'eric  Jean\n", "", " ", 7, None, ["x"], "x" * 201]}, Details(("Frédéric Jean",))),
        ({"authors": {"name": "x"}, "year": None, "venue": 3, "url": [], "doi": {}}, NOTHING_KNOWN),
        ({"year": " 1999 "}, Details(year=1999)),
        ({"booktitle": "Proc. of X", "venue": ""}, Details(venue="Proc. of X")),
        ({"journal": "J. of Y", "booktitle": None}, Details(venue="J. of Y")),
        ({"venue": "CVPR", "booktitle": "Conference on Computer Vision"}, Details(venue="CVPR")),
        ({"venue": "x" * 301}, NOTHING_KNOWN),
        ({"url": " http://example.org "}, Details(url="http://example.org")),
    ],
)
def test_what_is_well_formed_is_kept_and_the_rest_is_as_good_as_not_there(row, expected):
    assert read_details(row) == expected


@pytest.mark.parametrize("year", [999, 3000, 0, -2020, 20200, True, 2020.0, "2020-05-01", "٢٠٢٠", "MMXX", "", "x" * 9])
def test_what_is_no_year_is_none(year):
    assert read_details({"year": year}) == NOTHING_KNOWN


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://example.org/x", "//example.org", "example.org", "https://",
        "file:///etc/passwd", "http://user:word@example.org", "https://[bad", "https://example.org/a b",
        'https://example.org/"onmouseover="x', "https://example.org/<x>", "https://example.org/\u202ex",
        "https://example.org/\nx", "https://example.org/`x`", "https://example.org/" + "x" * 2000, "\ud83dhttps://x.org",
    ],
)  # fmt: skip
def test_an_address_that_is_no_plain_one_of_the_web_is_dropped(url):
    assert read_details({"url": url}) == NOTHING_KNOWN


@pytest.mark.parametrize(
    "doi",
    [
        "10.1000/182", "doi:10.1000/182", "DOI: 10.1000/182", "https://doi.org/10.1000/182", " http://dx.doi.org/10.1000/182",
        "https://doi.org/10.1000%2F182",
    ],
)  # fmt: skip
def test_a_doi_is_kept_bare_however_it_was_written(doi):
    assert read_details({"doi": doi}).doi == "10.1000/182"


@pytest.mark.parametrize(
    "doi", ["182", "10.1000", "10.1000/", "10.1/x", "https://evil.org/10.1000/182", "10.1000/" + "x" * 400]
)
def test_what_is_no_doi_is_dropped(doi):
    assert read_details({"doi": doi}).doi == ""


def test_what_is_kept_is_bounded():
    found = read_details({"authors": [f"Author {n}" for n in range(6_000)]})
    assert len(found.authors) == 5_000


def test_a_malformed_detail_does_not_cost_the_paper(tmp_path):
    path = write(
        tmp_path / "x.jsonl", {"abstract": PENGUINS, "authors": [[{}]], "year": {"a": 1}, "url": "\x00", "doi": 1}
    )
    assert list(read_file(path)) == [Entry("", PENGUINS, 1)]


def test_of_several_places_each_field_is_of_the_first_that_knows_it():
    one, other = Details(year=2020, venue="A"), Details(("X",), 1999, "B", "https://b.org", "10.1000/b")
    assert merge_details([NOTHING_KNOWN, one, other]) == Details(("X",), 2020, "A", "https://b.org", "10.1000/b")


def test_details_are_kept_in_the_library_and_come_back_with_the_paper(settings, tmp_path):
    path = write(tmp_path / "x.jsonl", {"abstract": PENGUINS, **KNOWN}, {"abstract": BRIDGES})
    sync(settings, [path])
    first, second = Assistant.open(settings).papers()
    assert (first.authors, first.year, first.venue, first.url, first.doi) == (
        WHOLE.authors, WHOLE.year, WHOLE.venue, WHOLE.url, WHOLE.doi,
    )  # fmt: skip
    assert (second.authors, second.year, second.venue, second.url, second.doi) == ((), None, "", "", "")


def test_corrected_details_change_the_record_and_embed_nothing(settings, tmp_path):
    path = write(tmp_path / "x.jsonl", {"abstract": PENGUINS, **KNOWN}, {"abstract": BRIDGES})
    sync(settings, [path])
    again = sync(settings, [path])
    assert (again.unchanged, again.changed) == (2, 0)
    write(path, {"abstract": PENGUINS, **KNOWN, "year": 2022}, {"abstract": BRIDGES})
    report = sync(settings, [path])
    assert (report.unchanged, report.changed, report.added, report.embedded) == (1, 1, 0, 0)
    assert [paper.year for paper in Assistant.open(settings).papers()] == [2022, None]
    write(path, {"abstract": BRIDGES}, {"abstract": PENGUINS, **KNOWN, "year": 2022})
    assert sync(settings, [path]).unchanged == 2, "a paper that only moved has not changed"


def test_a_further_place_adds_what_the_first_did_not_know_and_takes_it_along_when_it_goes(settings, tmp_path):
    plain = tmp_path / "a.txt"
    plain.write_text(f"Abstract:{PENGUINS}\n", "utf-8")
    known = write(tmp_path / "b.jsonl", {"abstract": PENGUINS, **KNOWN})
    sync(settings, [plain])
    report = sync(settings, [known])
    assert (report.merged, report.changed, report.embedded) == (1, 0, 0)
    (paper,) = Assistant.open(settings).papers()
    assert (paper.source, paper.year, paper.authors) == ("a.txt", 2021, WHOLE.authors)
    known.unlink()
    sync(settings, prune=True)
    (paper,) = Assistant.open(settings).papers()
    assert (paper.places, paper.year, paper.authors) == ((("a.txt", 1),), None, ())


def test_a_library_written_before_there_were_details_opens_and_learns_them_without_embedding(settings, tmp_path):
    path = write(tmp_path / "x.jsonl", {"abstract": PENGUINS, **KNOWN})
    sync(settings, [path])
    library = Library.open(settings)
    assert library is not None
    (head,) = library.collection.get(where={"head": True}, include=["metadatas"])["metadatas"] or []
    stored = json.loads(str(head["paper"]))
    del stored["details"]
    library.collection.update(ids=[f"{head['paper_id']}:0"], metadatas=[{**head, "paper": json.dumps(stored)}])
    shutil.rmtree(settings.home / "papers")  # such a library has nothing derived from it yet
    (paper,) = Assistant.open(settings).papers()
    assert (paper.abstract, paper.year, paper.authors) == (PENGUINS, None, ())
    report = sync(settings, [path])
    assert (report.changed, report.embedded) == (1, 0)
    assert Assistant.open(settings).papers() == [
        replace(paper, authors=WHOLE.authors, year=2021, venue=WHOLE.venue, url=WHOLE.url, doi=WHOLE.doi)
    ]


def test_a_filter_by_year_or_venue_restricts_search_and_answer(settings: Settings, tmp_path: Path) -> None:
    rows = [
        {"abstract": PENGUINS, "year": 2021, "venue": "Polar Letters"},
        {"abstract": PENGUINS.replace("Penguins", "Seals"), "year": 2015, "venue": "Polar Letters"},
        {"abstract": PENGUINS.replace("Penguins", "Bats"), "year": 2021, "venue": "Caves"},
        {"abstract": PENGUINS.replace("Penguins", "Owls")},
    ]
    sync(settings, [write(tmp_path / "x.jsonl", *rows)])
    assistant = Assistant.open(settings)

    def found(where: Filter) -> set[str]:
        passages = assistant.search("How does heat flow in the polar night?", where=where)
        assert {passage.paper for passage in passages} == set(assistant.papers(where=where))
        return {passage.paper.abstract.split()[0] for passage in passages}

    assert found(Filter()) == {"Penguins", "Seals", "Bats", "Owls"}
    assert found(Filter(years=(2021, 2021))) == {"Penguins", "Bats"}
    assert found(Filter(years=(1000, 2020))) == {"Seals"}
    assert found(Filter(venues=("Polar Letters",))) == {"Penguins", "Seals"}
    assert found(Filter(years=(2021, 2021), venues=("Polar Letters",))) == {"Penguins"}
    assert found(Filter(venues=("Nowhere",))) == set()
    answer = assistant.answer("Which animals huddle in the cold?", where=Filter(years=(2015, 2015)))
    assert answer.outcome is Outcome.ANSWERED
    assert {citation.paper.year for citation in answer.citations} == {2015}


def test_show_prints_what_is_known_of_a_paper(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(settings.home))
    sync(
        settings, [write(tmp_path / "x.jsonl", {"abstract": PENGUINS, "title": "Warm", **KNOWN}, {"abstract": BRIDGES})]
    )
    first, second = Assistant.open(settings).papers()
    said = inside("papers", "show", first.id).out
    assert said.startswith(
        "Warm\nAda Byron, Çelik, Ümit\nPolar Letters 2021\ndoi:10.1000/182\nhttps://example.org/p?a=1&b=2\n\nPenguins"
    )
    assert inside("papers", "show", second.id).out.startswith(f"{second.label} [untitled]\n\nBridges")
    assert json.loads(inside("papers", "show", first.id, "--json").out)["year"] == 2021
