"""Where a reader is in the library: what the browser says is taken with care, and a choice becomes a filter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag import Filter, Paper
from tests.ui.conftest import HOSTILE, paper
from ui.papers.browsing import PAGE, Browsing, build_filter, build_listing
from ui.papers.view import draw_paper_page, draw_papers_table

PAPERS = [
    paper(f"Title {number:02}", f"Abstract {number}.", "ab"[number % 2] + ".txt", number, year=2000 + number)
    for number in range(60)
]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"do": 3, "to": None},
        {"do": "sort", "to": "<b>"},
        {"do": "sort", "to": ["title"]},
        {"do": "page", "to": "-1"},
        {"do": "page", "to": "²"},
        {"do": "page", "to": 2},
        {"do": "open", "to": "../../etc/passwd"},
        {"do": "open", "to": {"a": 1}},
        {"boxes": [1, 2], "ticks": 0},
        {"boxes": {"<script>": True, "f" * 17: True, "0" * 16: "yes"}, "ticks": 0},
        {"boxes": {"0" * 16: True}},
        {"boxes": {"0" * 16: True}, "ticks": True},
        {"boxes": {"0" * 16: True}, "ticks": "9"},
        {"boxes": {"0" * 16: True}, "ticks": -1},
    ],
)
def test_what_makes_no_sense_changes_nothing(said):
    assert Browsing().after(said) == Browsing()


def test_ticks_are_of_the_page_and_others_stay():
    before = Browsing(ticked=frozenset({"0" * 16, "1" * 16}))
    after = before.after({"boxes": {"1" * 16: False, "2" * 16: True}, "ticks": 1})
    assert after.ticked == {"0" * 16, "2" * 16}
    many = {f"{number:016x}": True for number in range(10 * PAGE)}
    assert len(Browsing().after({"boxes": many, "ticks": 1}).ticked) == PAGE


def test_ticks_that_come_behind_later_ones_are_out_of_date():
    later = Browsing().after({"boxes": {"1" * 16: True, "2" * 16: True}, "ticks": 2})
    assert later.after({"boxes": {"1" * 16: True, "2" * 16: False}, "ticks": 1}) == later
    assert (
        later.after({"do": "untick", "boxes": {}, "ticks": 3}).after({"boxes": {"1" * 16: True}, "ticks": 2}).ticked
        == set()
    )


def test_the_same_column_again_turns_the_order_around():
    once = Browsing().after({"do": "sort", "to": "title"})
    twice = once.after({"do": "sort", "to": "title"})
    assert [each.label for each in once.ordered(PAPERS)][:2] == ["Title 00", "Title 01"]
    assert [each.label for each in twice.ordered(PAPERS)][:2] == ["Title 59", "Title 58"]
    assert not twice.after({"do": "sort", "to": "title"}).descending


def test_a_page_that_is_not_there_is_the_last_one():
    shown = build_listing(Browsing(page=999_999_999), PAPERS, PAPERS)
    assert (shown.number, shown.first, len(shown.papers)) == (3, 51, 10)
    assert build_listing(Browsing(page=2), [], PAPERS).number == 1


@pytest.mark.parametrize(
    ("browsing", "found", "expected"),
    [
        (Browsing(), PAPERS, None),
        (Browsing(words="nothing"), [], None),
        (Browsing(where=Filter(sources=("a.txt",))), PAPERS[::2], Filter(sources=("a.txt",))),
        (Browsing(ticked=frozenset(each.id for each in PAPERS)), PAPERS, None),
        (Browsing(ticked=frozenset({PAPERS[3].id})), PAPERS, Filter(paper_ids=(PAPERS[3].id,))),
        (Browsing(ticked=frozenset({"f" * 16})), PAPERS, None),
        (
            Browsing(where=Filter(sources=("b.txt",)), ticked=frozenset(each.id for each in PAPERS[1::2])),
            PAPERS[1::2],
            Filter(sources=("b.txt",)),
        ),
    ],
)
def test_a_choice_is_told_as_simply_as_it_can_be(browsing, found, expected):
    assert build_filter(browsing, found, PAPERS) == expected


def test_a_search_is_told_as_the_papers_that_it_finds():
    chosen = build_filter(Browsing(words="x", where=Filter(years=(2000, 2010))), PAPERS[:5], PAPERS)
    assert chosen is not None
    assert chosen == Filter(paper_ids=tuple(sorted(each.id for each in PAPERS[:5])))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://[", "//a.test"])
def test_only_addresses_of_the_web_are_links(url):
    page = draw_paper_page(replace(PAPERS[0], url=url), ())
    assert "<a " not in page
    assert '<a href="https&#58;&#47;&#47;a&#46;test"' in draw_paper_page(replace(PAPERS[0], url="https://a.test"), ())


def test_what_others_wrote_is_inert_in_table_and_page():
    hostile = Paper(
        "0" * 16, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, ((HOSTILE, 2),), (HOSTILE,), 1, HOSTILE, HOSTILE, HOSTILE
    )
    for html in (draw_papers_table(build_listing(Browsing(), [hostile], [hostile])), draw_paper_page(hostile, ())):
        assert "<script" not in html
        assert "<img" not in html
        assert "<a " not in html
        assert "${" not in html
        assert "{{" not in html
        assert "\u202e" not in html


def test_a_title_of_a_book_is_shortened_where_it_would_break_the_layout():
    endless = replace(PAPERS[0], title="A" * 30_000, label="A" * 30_000)
    assert len(draw_papers_table(build_listing(Browsing(), [endless], [endless]))) < 5_000
    page = draw_paper_page(endless, ())
    assert page.index("</h2>") < 1_000
    assert "A" * 30_000 in page
