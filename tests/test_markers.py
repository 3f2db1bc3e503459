"""Markers in a stream: what a reader of an answer sees of them, however they were written and cut."""

from __future__ import annotations

import random
import re
import time

import pytest

from rag.grounding import read_claims
from rag.markers import MARKER, MarkerReader


def read(text: str, passages: int = 6, sizes: object = None) -> tuple[str, MarkerReader]:
    """The text through a reader, in pieces of the sizes given, by default all at once."""
    reader, out, at = MarkerReader(passages), "", 0
    while at < len(text):
        size = next(sizes) if sizes else len(text)  # type: ignore[call-overload]
        out += reader.feed(text[at : at + size])
        at += size
    return out + reader.finish(), reader


@pytest.mark.parametrize(
    "written",
    [
        "[2]", "[ 2 ]", "[^2]", "【2】", "【2†source】", "[2†L0-L9]", "［2］", "[[2]]", "([2])",
        "[passage 2]", "[Source 2]", "(passage 2)", "[2](http://evil.example/a)", "[2](http://evil.example/a(b)c)",
        '[2](<http://evil a> "title")',
        "[[2]](http://evil.example)", "[2](a)", "[2]()",
    ],
)  # fmt: skip
def test_every_way_to_write_a_marker_becomes_one_form(written):
    assert read(f"It holds {written}.")[0] == "It holds [1]."


@pytest.mark.parametrize(
    ("written", "markers", "order"),
    [
        ("[3, 1]", "[1][2]", [3, 1]),
        ("[3; 1]", "[1][2]", [3, 1]),
        ("[1 and 2]", "[1][2]", [1, 2]),
        ("[3][1][3]", "[1][2][1]", [3, 1]),
        ("[2-4]", "[1][2][3]", [2, 3, 4]),
        ("[2–4]", "[1][2][3]", [2, 3, 4]),
        ("[passages 5 & 6]", "[1][2]", [5, 6]),
        ("[1, 1]", "[1]", [1]),
        ("[1], [2]", "[1], [2]", [1, 2]),
    ],
)
def test_lists_and_ranges_are_taken_apart_and_numbered_by_first_citation(written, markers, order):
    text, reader = read(f"It holds {written}. And")
    assert text == f"It holds {markers}. And"
    assert reader.order == order
    assert reader.removed == []


@pytest.mark.parametrize(
    "text",
    [
        "Predict [MASK] and [see 4] or [a1].",
        "Take arr[0] and arr[1] = x_2[3] + f[2] here.",
        "tokens[7] is past the end",
        "In the interval [0, 1] or [0.5, 2] or [-1, 1].",
        "First (1) and (2) follow; see eq. (3).",
        "In [2019] they [12345] did.",
        "A list: [ ] todo, [x] done, [] none, [, 1].",
        "Unclosed [1 and [2",
        "【", "[", "[1", "[[1", "([1", "(passage 1", "(pass", "[1, ", "[1†so",
        "Spaces at the end   ",
        "[source] (passage) [passages]",
    ],
)  # fmt: skip
def test_what_is_no_marker_passes_as_it_is(text):
    passed, reader = read(text)
    assert passed == text
    assert reader.order == []
    assert reader.removed == []
    assert not MARKER.search(passed)


@pytest.mark.parametrize(
    ("text", "left", "removed"),
    [
        ("It holds [9].", "It holds.", ["[9]"]),
        ("It [9] holds", "It holds", ["[9]"]),
        ("It holds [8][9] [7].", "It holds.", ["[8]", "[9]", "[7]"]),
        ("It holds [1, 9].", "It holds [1].", ["[9]"]),
        ("It holds [5-8].", "It holds [1][2].", ["[5-8]"]),
        ("It holds [1-999].", "It holds [1][2][3][4][5][6].", ["[1-999]"]),
        ("It holds [0].", "It holds.", ["[0]"]),
        ("It holds【9†source】.", "It holds.", ["【9†source】"]),
        ("It holds [9](http://evil.example).", "It holds.", ["[9]"]),
        ("[9] It holds", "It holds", ["[9]"]),
        ("Line\n[9] It holds", "Line\nIt holds", ["[9]"]),
        ("It holds[9].", "It holds.", ["[9]"]),
        ("It holds [9]", "It holds", ["[9]"]),
    ],
)
def test_markers_that_name_no_passage_are_left_out_and_reported_as_written(text, left, removed):
    passed, reader = read(text)
    assert passed == left
    assert reader.removed == removed


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("So says BERT[2], and 5.[1] Then", "So says BERT [1], and 5.[2] Then"),
        ("It is low[2][1].", "It is low [1][2]."),
        ("方法【2】很好。", "方法 [1]很好。"),
    ],
)
def test_a_marker_glued_to_a_word_is_a_marker_and_is_set_apart(text, left):
    assert read(text)[0] == left


@pytest.mark.parametrize(
    "text",
    [
        "[1](http://evil.example)",
        "[1](a)(http://evil.example)",
        "[1] (see http://evil.example)",
        "[1](see here)",
        "[1]: http://evil.example",
        "Sources\n- [1]: http://evil.example",
        "[1](<http://evil.example/a b>)",
        "f[1](http://evil.example)",
        "[1](http://evil.example",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_no_marker_ever_becomes_a_markdown_link(text, size):
    passed, _ = read(text, sizes=iter(lambda: size, None))
    assert "[1]" in passed
    assert not re.search(r"\[1\]\(", passed)
    assert not re.search(r"(?m)^\W*\[1\]:", passed)


def test_the_text_does_not_depend_on_how_the_stream_was_cut():
    alphabet = [*"[]1290- ()【】^:x\n", ", ", ". ", "word", "(http://x)", "†s", "passage "]
    dice = random.Random(7)  # noqa: S311  a seed, so that a failure can be repeated
    for _ in range(1_500):
        text = "".join(dice.choices(alphabet, k=dice.randint(1, 14)))
        whole, reader = read(text, 5)
        for cut in (lambda: 1, lambda: dice.randint(1, 4)):
            cut_up, other = read(text, 5, iter(cut, None))
            assert (cut_up, other.order, other.removed) == (whole, reader.order, reader.removed), text
        assert {int(n) for n in MARKER.findall(whole)} == set(range(1, len(reader.order) + 1)), text


def test_as_little_text_as_possible_waits():
    reader = MarkerReader(3)
    assert reader.feed("The model [MA") == "The model [MA"
    assert reader.feed("SK] is good ") == "SK] is good"
    assert reader.feed("[") == ""
    assert reader.feed("1") == ""
    assert reader.feed("]") == ""  # a link may follow
    assert reader.feed(".") == " [1]."
    assert reader.feed(" (see") == " (see"
    assert reader.finish() == ""


def test_a_hostile_text_takes_no_time():
    start = time.perf_counter()
    for text in (
        "[" * 11_000,
        "[1" + " " * 11_000,
        "[1](" * 3_000,
        "(" * 11_000,
        "[1, " * 3_000,
        " " * 11_000 + "[",
    ):
        read(text)
        read_claims(text)
    assert time.perf_counter() - start < 5
