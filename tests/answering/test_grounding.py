"""Quotes and claims: what the reader of an answer can rely on."""

from __future__ import annotations

import pytest

from rag.answering.grounding import best_quote, read_claims

ABSTRACT = (
    "We present TimeArena, an environment for agents. It reaches 41.5% on 3 datasets with 1,500 tasks,"
    " improving over BERT. Code is released."
)


def spelled(text: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(text[start:end], numbers) for start, end, numbers in read_claims(text)]


def test_each_sentence_carries_its_own_citations():
    assert spelled("It is 5 [1]. By Smith et al. it is 6.5 [2][1]. Nobody knows.") == [
        ("It is 5 [1].", (1,)),
        ("By Smith et al. it is 6.5 [2][1].", (2, 1)),
        ("Nobody knows.", ()),
    ]


def test_markers_behind_the_full_stop_belong_to_the_sentence_before():
    assert spelled('It is 5. [1] It is 6.[2][3] They say "no." [1]\nIt is 7!\n[2] [3]') == [
        ("It is 5. [1]", (1,)),
        ("It is 6.[2][3]", (2, 3)),
        ('They say "no." [1]', (1,)),
        ("It is 7!\n[2] [3]", (2, 3)),
    ]


def test_lines_of_a_list_are_sentences_and_offsets_fit():
    assert spelled("Two ways:\n- one [1]\n- two [2]\n\nDone.") == [
        ("Two ways:", ()),
        ("- one [1]", (1,)),
        ("- two [2]", (2,)),
        ("Done.", ()),
    ]
    assert read_claims("") == []
    assert read_claims("[1]") == [(0, 3, (1,))]


@pytest.mark.parametrize(
    ("sentence", "quote"),
    [
        ("TimeArena is made for agents [1].", "We present TimeArena, an environment for agents."),
        (
            "BERT was improved upon, by 41.5 % [1].",
            "It reaches 41.5% on 3 datasets with 1,500 tasks, improving over BERT.",
        ),
        ("They released their code [1].", "Code is released."),
        ("Nothing in common", "We present TimeArena, an environment for agents."),
    ],
)
def test_the_quote_is_the_sentence_that_shares_most(sentence, quote):
    start, end = best_quote(sentence, ABSTRACT)
    assert ABSTRACT[start:end] == quote
