"""The sentences that the ledger is measured on: always the same, each one changed, each original verbatim."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from rag import Assistant
from rag.settings import Settings
from rag.types import Paper
from tests.bench.ledger import half, interval
from tests.bench.nearest import WordIndex
from tests.bench.perturbations import UNTOUCHED, WRONG_PAPER, Case, perturbed

BENCH = Path(__file__).parents[1] / "bench"
CHANGED = ("number", "entity", "negation", "direction")


@pytest.fixture(scope="module")
def papers(seed_settings: Settings) -> list[Paper]:
    return Assistant.open(seed_settings).papers()


@pytest.fixture(scope="module")
def cases(papers: list[Paper]) -> list[Case]:
    return perturbed(papers)


def test_the_cases_are_the_same_whatever_the_order_of_the_papers_and_others_for_another_seed(
    papers: list[Paper],
) -> None:
    some = papers[:40]
    shuffled = list(some)
    random.Random(1).shuffle(shuffled)  # noqa: S311 (a fixed order is the point)
    assert perturbed(shuffled) == perturbed(some) != perturbed(some, seed=8)


def test_there_are_enough_of_every_kind(cases: list[Case]) -> None:
    counts = Counter(case.kind for case in cases)
    assert all(counts[kind] >= 150 for kind in (*CHANGED, WRONG_PAPER))
    assert counts[UNTOUCHED] >= 300


def test_a_changed_sentence_differs_from_its_original_and_is_nowhere_in_its_abstract(
    papers: list[Paper], cases: list[Case]
) -> None:
    abstracts = {paper.id: paper.abstract for paper in papers}
    changed = [case for case in cases if case.kind in CHANGED]
    assert changed
    assert [case for case in changed if case.sentence in abstracts[case.paper_id] or not case.change] == []


def test_an_original_is_verbatim_in_the_abstract_of_its_own_paper(papers: list[Paper], cases: list[Case]) -> None:
    abstracts = {paper.id: paper.abstract for paper in papers}
    for case in cases:
        own = case.change.split(" -> ")[0] if case.kind == WRONG_PAPER else case.paper_id
        assert case.original in abstracts[own]


def test_a_sentence_cited_to_a_wrong_paper_is_not_in_that_paper(papers: list[Paper], cases: list[Case]) -> None:
    abstracts = {paper.id: paper.abstract for paper in papers}
    wrong = [case for case in cases if case.kind == WRONG_PAPER]
    assert wrong
    assert [case for case in wrong if case.sentence in abstracts[case.paper_id]] == []


def test_the_nearest_text_shares_the_rarest_words() -> None:
    index = WordIndex(
        {
            "a": "sparse autoencoders of language models",
            "b": "autoencoders that are sparse",
            "c": "robots grasp cups",
            "d": "robots grasp plates of language",
        }
    )
    assert index.nearest("sparse autoencoders of language models", besides={"a"}) == "b"
    assert index.nearest("robots grasp cups", besides={"c"}) == "d"
    assert index.nearest("nothing in common", besides=()) == ""


def test_every_handwritten_sentence_names_a_paper_and_is_not_copied_from_it(papers: list[Paper]) -> None:
    abstracts = {paper.id: paper.abstract for paper in papers}
    lines = (BENCH / "paraphrases.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert Counter(row["kind"] for row in rows) == {"paraphrase": 170, "contradiction": 40}
    assert len({row["id"] for row in rows}) == len(rows)
    assert [row for row in rows if row["sentence"] in abstracts[row["paper_id"]]] == []


def test_the_halves_are_about_as_large(papers: list[Paper]) -> None:
    share = sum(half(paper.id) == "dev" for paper in papers) / len(papers)
    assert 0.4 < share < 0.6


def test_the_interval_is_wilsons() -> None:
    assert interval(0, 10) == (0.0, 0.278)
    assert interval(50, 100) == (0.404, 0.596)
    assert interval(10, 10) == (0.722, 1.0)
