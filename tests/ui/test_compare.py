"""The table of papers side by side: accessible, and inert whatever the papers say."""

from __future__ import annotations

import re
from html import unescape

from rag import Cell, Comparison, ComparisonRow, comparison_csv
from tests.ui.conftest import HOSTILE, paper
from ui.compare import draw_comparison

COLUMNS = ("aim", "method", "result", "asked")


def row(text: str, number: int | None = 1, **cells: Cell) -> ComparisonRow:
    given = {name: Cell(text, 0, len(text), "") for name in COLUMNS} | cells
    return ComparisonRow(paper(text, text, f"{text}.txt", 1), number, given)


def test_the_table_has_a_caption_and_heads_and_a_button_at_every_cited_sentence():
    html = draw_comparison(Comparison("Which?", (row("We try."), row("They try.", None))))
    assert (
        "<caption>Papers compared&#58; Which&#63;</caption>" in html
        or "<caption>Papers compared: Which&#63;</caption>" in html
    )
    assert re.findall(r'<th scope="col"[^>]*>([^<]+)', html) == ["Paper", "Aim", "Method", "Result", "On the question"]
    assert html.count('scope="row"') == 2
    assert html.count('data-start="0"') == 4
    assert "Show in the abstract of citation 1" in html


def test_an_empty_cell_says_why():
    html = unescape(
        draw_comparison(
            Comparison("Q?", (row("We try.", asked=Cell(reason="in the sentence under result"), aim=Cell()),))
        )
    )
    assert "in the sentence under “Result”" in html
    assert "not stated in the abstract" in html


def test_the_file_to_save_is_in_the_page_as_it_is():
    compared = Comparison('"Which", she\nasked?', (row("=1+1, <b>"),))
    saved = re.search(r'data-save="([^"]*)"', draw_comparison(compared))
    assert saved is not None
    assert unescape(saved[1]) == comparison_csv(compared)
    assert 'data-name="comparison.csv"' in unescape(draw_comparison(compared))


def test_a_hostile_paper_is_inert():
    html = draw_comparison(Comparison(HOSTILE, (row(HOSTILE, asked=Cell(reason=HOSTILE)),)))
    for tag in ("<script", "<img", "<a ", "</article", "${", "{{"):
        assert tag not in html


def test_nothing_to_compare_is_said():
    assert "no papers to compare" in draw_comparison(Comparison("Q?", ()))
