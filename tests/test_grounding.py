"""Quotes and claims: what the reader of an answer can rely on."""

from __future__ import annotations

import pytest

from rag.grounding import best_quote, check_claim, read_claims
from rag.types import Verdict

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


@pytest.mark.parametrize(
    ("sentence", "verdict", "checks"),
    [
        ("It reaches 41.5 % on three datasets [2].", Verdict.SUPPORTED, ()),
        ("It improved over BERT on 1500 tasks [2].", Verdict.SUPPORTED, ()),
        ("Improving over BERT, it reaches 43 % on 3 datasets [2].", Verdict.PARTIAL, ("43 % is not in [2]",)),
        ("It reaches 43 % on the datasets [2].", Verdict.UNSUPPORTED, ("43 % is not in [2]",)),
        ("Cats like fish and cold milk [2].", Verdict.UNSUPPORTED, ("4 of its 4 words are not in [2]",)),
        ("TimeArena agents environment for cooking rice [2].", Verdict.SUPPORTED, ()),
        ("In short:", Verdict.NO_CLAIM, ()),
    ],
)  # fmt: skip
def test_a_claim_is_checked_against_what_it_cites(sentence, verdict, checks):
    assert check_claim(sentence, [(2, ABSTRACT)]) == (verdict, checks)


def test_evidence_counts_together_and_is_named_together():
    evidence = [(1, "Dogs bark at 40 dB."), (3, "Cats purr at 20 dB.")]
    assert check_claim("Dogs bark at 40 dB and cats purr at 20 dB [1][3].", evidence) == (
        Verdict.SUPPORTED,
        (),
    )
    verdict, checks = check_claim("Dogs bark at 90 dB and cats purr at 20 dB [1][3].", evidence)
    assert (verdict, checks) == (Verdict.PARTIAL, ("90 is not in [1] or [3]",))


def test_a_number_inside_another_number_is_not_that_number():
    assert check_claim("It reaches 41 % with 500 tasks on datasets.", [(1, ABSTRACT)])[1] == (
        "41 % is not in [1]",
        "500 is not in [1]",
    )


def test_a_claim_without_a_citation_is_unsupported():
    assert check_claim("Cats eat fish.", []) == (Verdict.UNSUPPORTED, ("it carries no citation",))
    assert check_claim("It is 5.", []) == (Verdict.UNSUPPORTED, ("it carries no citation",))
