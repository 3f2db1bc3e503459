"""Markers in a stream: what a reader of an answer sees of them, however they were written and cut."""

from __future__ import annotations

import itertools
import random
import re
import time

import pytest

from rag.answering.grounding import read_claims
from rag.markers.citation_forms import MARKER
from rag.markers.reader import MarkerReader


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
        "(2)", "（2）", "(see [2])", "(cf. passage 2)", "(ref. 2)", "[P2]", "[Passage 2]",
        "[ref. 2]", "[doc #2]", "[citation:2]", "[cite: 2]", "[2, p. 3]", "[2, p3]", "[2: Table 1]", "[2, §4]",
        '[passage number="2"]', '<passage number="2">', '<passage number="2" />', "<ref>2</ref>", "<cite>[2]</cite>",
        "<sup>2</sup>", "<sup>[2]</sup>", "^2", "^{2}", "^[2]", "²",
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
        ("[2 to 4]", "[1][2][3]", [2, 3, 4]),
        ("[P2-P3]", "[1][2]", [2, 3]),
        ("[passage 3, passage 1]", "[1][2]", [3, 1]),
        ("[3、1]", "[1][2]", [3, 1]),
        ("(3, 1)", "[1][2]", [3, 1]),
        ("(2-4)", "[1][2][3]", [2, 3, 4]),
        ("(3) (1)", "[1] [2]", [3, 1]),
        ("(3)(1)", "[1][2]", [3, 1]),
        ("³,¹", "[1][2]", [3, 1]),
        ("^3 ^{1,2}", "[1] [2][3]", [3, 1, 2]),
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
        "(1) It is so.\n(2) It is not.\n- (3) Nor this.",
        "There are three: (1) one, (2) two and (3) three.",
        "We use Eq. (1), equation (2); see Table (3).",
        "The three (3), and the condition (1) and (2).",
        "It calls f(1), g (x), h(2).",
        "In the year (2019), (100) of (0, 1).",
        "On 10² km², m^2, x², R² and x^{2} or f^(3).",
        "It is 5 m<sup>2</sup> and x<sup>3</sup> <b>big</b>.",
        "`tokens[1]` and `x (1).`",
        "```\ntokens[1] = tokens[2]\n```",
        "See [p. 3], [Table 1] and [eq. 2].",
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
        ("It holds [ref. 9], too.", "It holds, too.", ["[ref. 9]"]),
        ("It holds <ref>9</ref>.", "It holds.", ["<ref>9</ref>"]),
        ("It holds【4:0†source】.", "It holds.", ["【4:0†source】"]),
        ("So it holds.⁹", "So it holds.", ["⁹"]),
        ("So it holds^12.", "So it holds.", ["^12"]),
        ('"It holds"</passage> [1].', '"It holds" [1].', ["</passage>"]),
        ("It is (1). Another (9).", "It is [1]. Another.", ["(9)"]),
        ("- [9] It holds", "- It holds", ["[9]"]),
        ("In `x [9]`.", "In `x `.", ["[9]"]),
        ("It is [[9]1] so.", "It is [ 1] so.", ["[9]"]),
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
        ("Au café[2], im Süß[1].", "Au café [1], im Süß [2]."),
        ("이는 사실이다[2].", "이는 사실이다 [1]."),
    ],
)
def test_a_marker_glued_to_a_word_is_a_marker_and_is_set_apart(text, left):
    assert read(text)[0] == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("准确率达到41%[2]。而且 [1]很好。", "准确率达到41%[1]。而且 [2]很好。"),
        ("方法【2】很好。", "方法[1]很好。"),
        ("精度が高い[2][1]。", "精度が高い[1][2]。"),
        ("ผลดี[2]", "ผลดี[1]"),
    ],
)
def test_a_script_without_blanks_between_words_gets_none_before_a_marker(text, left):
    passed, reader = read(text)
    assert passed == left
    assert {int(n) for n in MARKER.findall(passed)} == set(range(1, len(reader.order) + 1))


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
        "[1]【456】(456, 9)",
        "[1](a)【456】(http://evil.example",
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_no_marker_ever_becomes_a_markdown_link(text, size):
    passed, _ = read(text, sizes=iter(lambda: size, None))
    assert "[1]" in passed
    assert not re.search(r"\[1\]\(", passed)
    assert not re.search(r"(?m)^\W*\[1\]:", passed)


def test_markers_within_code_and_lists_are_markers():
    text, reader = read("- One `[2]`\n  1. two (3)\n\n```\n# as in [2]\n```\n**[9]** end [1]")
    assert text == "- One `[1]`\n  1. two [2]\n\n```\n# as in [1]\n```\n**** end [3]"
    assert (reader.order, reader.removed) == ([2, 3, 1], ["[9]"])


def test_a_bare_number_behind_what_was_counted_is_a_citation():
    assert read("TimeArena has 30 tasks (2), in 3 stages (1).")[0] == "TimeArena has 30 tasks [1], in 3 stages [2]."


def test_a_bare_number_that_names_nothing_stays_where_no_other_was_a_citation():
    assert read("In most states (9).")[0] == "In most states (9)."


def test_what_shows_nothing_is_left_out_of_the_text():
    text, reader = read("It\u200b is\u202e so [\u20602\u200d].\r\nمی\u200cخواهم\U000e0041")
    assert text == "It is so [1].\nمی\u200cخواهم"
    assert reader.order == [2]


@pytest.mark.parametrize(
    "text", ["videos[9](http://evil.example)", "f[9](http://evil.example)", "`f[9](http://evil.example)"]
)
def test_a_marker_of_no_passage_glued_to_a_word_leaves_no_link_either(text):
    passed, reader = read(text)
    assert "evil" not in passed
    assert reader.removed == ["[9]"]
    assert read("hand[9](0, 6) x")[0] == "hand(0, 6) x"


def test_the_text_does_not_depend_on_how_the_stream_was_cut():
    alphabet = [
        *"[]1290- ()【】^:x\n`*#<>²⁹", ", ", ". ", "word", "(http://x)", "†s", "passage ", "\n\n", "Sources", "References:\n",
        "**Quellen**", "- ", "1. ", "[1] Title", "[^2]: note", "[1]", "[2]", "(1)", "(3).", "(9).", "<sup>", "1</sup>",
        "```\n", "arr[1]", "Eq. ", "see ", "^2", "---\n", "\u200b", "ب", "\u200c", ", p. 3", '<passage number="', '">',
        "</passage>", "  x", "It is so [1].", "率", "か", "é",
    ]  # fmt: skip
    dice = random.Random(7)  # noqa: S311  a seed, so that a failure can be repeated
    for _ in range(2_000):
        text = "".join(dice.choices(alphabet, k=dice.randint(1, 20)))
        whole, reader = read(text, 5)
        for cut in (lambda: 1, lambda: dice.randint(1, 4), lambda: dice.randint(1, 30)):
            cut_up, other = read(text, 5, iter(cut, None))
            assert (cut_up, other.order, other.removed, other.dropped) == (
                whole, reader.order, reader.removed, reader.dropped,
            ), text  # fmt: skip
        assert {int(n) for n in MARKER.findall(whole)} == set(range(1, len(reader.order) + 1)), text
        assert not re.search(rf"{MARKER.pattern}\(", whole), text


def test_as_little_text_as_possible_waits():
    reader = MarkerReader(3)
    assert reader.feed("The model [MA") == "The model [MA"
    assert reader.feed("SK] is good ") == "SK] is good"
    assert reader.feed("[") == ""
    assert reader.feed("1") == ""
    assert reader.feed("]") == ""  # a link may follow
    assert reader.feed(".") == " [1]."
    assert reader.feed(" (as") == " (as"
    assert reader.finish() == ""


@pytest.mark.parametrize("piece", ["[1](", "[1](a", '[1]("', "[1](http://x.example/aaaa", "[1]"])
def test_links_that_never_close_take_time_in_proportion_to_the_text(piece):
    def seconds(length: int, sizes: object = None) -> float:
        took = []
        for _ in range(3):
            start = time.thread_time()
            read(piece * (length // len(piece)), sizes=sizes)
            took.append(time.thread_time() - start)
        return min(took)

    one_by_one = itertools.repeat(1)
    assert seconds(40_000) < 8 * seconds(10_000), "four times the text: 16 would be quadratic"
    assert seconds(8_000, one_by_one) < 8 * seconds(2_000, one_by_one)


def test_a_hostile_text_takes_no_time():
    start = time.thread_time()
    for text in (
        "[" * 11_000,
        "[1" + " " * 11_000,
        "[1](" * 3_000,
        "(" * 11_000,
        "[1, " * 3_000,
        " " * 11_000 + "[",
        "<passage " * 2_000,
        "^" * 11_000,
        "¹," * 5_000,
        "(1)" * 3_000,
        "(1) " * 3_000 + "x",
        "so.\n" + "Sources\n" * 2_000,
        "so.\n" + "- " * 5_000,
        "so [1].\n" + "[1] A\n" * 2_000,
        "so.\n" + "-" * 11_000,
        "\n" * 11_000,
        "`" * 11_000,
        "[1, passage " * 1_000,
    ):
        read(text)
        read(text[:1_000], sizes=iter(lambda: 1, None))
        read_claims(text)
    assert time.thread_time() - start < 5
