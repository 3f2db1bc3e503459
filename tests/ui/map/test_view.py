"""What the map and the overview send to the browser, and what is taken from it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import cast

import gradio as gr
import pytest

from rag import Filter, Paper, PaperMap, Topic
from tests.ui.conftest import HOSTILE, paper
from ui.map import view as map_view
from ui.map.tab import _build_filter
from ui.shared import read_sent

PAPERS = {
    each.id: each for each in (paper(f"Title {n}", f"Abstract number {n} says so.", "a.txt", n) for n in range(3))
}
IDS = list(PAPERS)


def names_of_tags(markup: str) -> set[str]:
    return set(re.findall(r"<\s*/?\s*([a-zA-Z][a-zA-Z0-9]*)", markup))


def test_points_are_plain_values_and_leave_out_papers_that_are_gone() -> None:
    found = PaperMap(
        (IDS[0], "gone", IDS[2]), ((-1, 1), (0, 0), (0.5, 0.25)), (1, 0, 0), (Topic("A", 2), Topic("B", 1)), 3
    )
    sent = map_view.build_map_points(found, PAPERS)
    assert sent["ids"] == [IDS[0], IDS[2]]
    assert sent["x"] == [-10_000, 5_000]
    assert sent["y"] == [10_000, 2_500]
    assert sent["topic"] == [1, 0]
    assert sent["labels"] == ["Title 0", "Title 2"]
    assert sent["topics"] == [{"name": "A", "size": 2}, {"name": "B", "size": 1}]


def test_a_title_of_any_length_is_short_on_the_map_and_turns_no_text_around() -> None:
    long = paper("\u202e" + "x" * 30_000, "An abstract.", "a.txt", 1)
    (label,) = map_view.build_map_points(PaperMap((long.id,), ((0, 0),), (0,), (Topic("A", 1),), 1), {long.id: long})[
        "labels"
    ]
    assert label == "x" * 160 + "…"


def test_the_card_of_a_hostile_paper_is_inert() -> None:
    hostile = paper(HOSTILE, f"{HOSTILE} {HOSTILE}.", f"{HOSTILE}.txt", 1)
    markup = map_view.draw_map_card(hostile)
    assert names_of_tags(markup) == {"article", "h3", "p", "button"}
    assert f'data-ask="{hostile.id}"' in markup


def test_the_marks_say_in_words_how_many_papers_of_the_answer_are_on_the_map() -> None:
    assert "3 papers of the current answer are marked" in map_view.draw_marks([*IDS, "<gone>"], PAPERS)
    one = map_view.draw_marks(IDS[:1], PAPERS)
    assert "1 paper of the current answer is marked" in one
    assert f'data-ids="{IDS[0]}"' in one
    assert "data-ids" not in map_view.draw_marks([], PAPERS)


@pytest.mark.parametrize(
    "sent", [None, [], {}, {"ids": None}, {"ids": []}, {"ids": "abc"}, {"ids": [7]}, {"ids": ["gone"]}, {"ids": [[]]},
             {"ids": [*IDS, "gone"]}, {"ids": [IDS[0]] * 4}]
)  # fmt: skip
def test_what_names_no_papers_of_the_library_restricts_nothing(sent: object) -> None:
    event = cast("gr.EventData", SimpleNamespace(_data=sent))
    assert _build_filter(read_sent(event), PAPERS) is None


def test_a_selection_of_papers_of_the_library_is_a_filter() -> None:
    assert _build_filter({"ids": IDS[:2]}, PAPERS) == Filter(paper_ids=tuple(IDS[:2]))


def test_the_opening_is_the_first_sentence() -> None:
    opening: Paper = paper("T", "Models of e.g. two kinds are compared here at length. They differ.", "a.txt", 1)
    assert "at length&#46;</p>" in map_view.draw_map_card(opening)
