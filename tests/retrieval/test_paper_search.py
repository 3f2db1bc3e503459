"""Looking through a library by words."""

from __future__ import annotations

import pytest

from rag import Assistant, Filter
from rag.text.words import fold
from tests.conftest import write_titled

PAPERS = (
    ("Über-Encoders: Füße", "We train GPT-4 on Tülu data. Storage is cheap on average."),
    ("RAG for Bees", "A retrieval-augmented hive answers questions."),
)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory, seed_settings) -> Assistant:
    folder = tmp_path_factory.mktemp("mentions")
    assistant = Assistant.open(seed_settings.model_copy(update={"home": folder / "home"}))
    assistant.ingest([write_titled(folder / "a.txt", [(title, abstract * 8) for title, abstract in PAPERS])])
    return assistant


@pytest.mark.parametrize(
    ("containing", "titles"),
    [
        ("", ["Über-Encoders: Füße", "RAG for Bees"]),
        ("  ", ["Über-Encoders: Füße", "RAG for Bees"]),
        ("uber tulu", ["Über-Encoders: Füße"]),
        ("FÜSSE", ["Über-Encoders: Füße"]),
        ("gpt-4", ["Über-Encoders: Füße"]),
        ("rag", ["RAG for Bees"]),  # not within storage and average
        ("retriev bee", ["RAG for Bees"]),
        ("bee tulu", []),
        ("(.*[", ["Über-Encoders: Füße", "RAG for Bees"]),
    ],
)
def test_every_word_begins_one_of_title_or_abstract_whatever_its_capitals_and_accents(assistant, containing, titles):
    assert [paper.title for paper in assistant.papers(containing=containing)] == titles


def test_words_and_filter_both_hold(assistant):
    bees = assistant.papers(containing="bees")[0]
    assert assistant.papers(containing="we", where=Filter(paper_ids=(bees.id,))) == []
    assert assistant.papers(containing="hive", where=Filter(paper_ids=(bees.id,))) == [bees]


def test_words_of_a_paper_that_comes_later_are_found(tmp_path, settings):
    assistant = Assistant.open(settings)
    assistant.ingest([write_titled(tmp_path / "a.txt", [("On Bees", "Bees fly far. " * 20)])])
    assert assistant.papers(containing="kites") == []
    assistant.ingest([write_titled(tmp_path / "b.txt", [("On Kites", "Kites fly high. " * 20)])])
    assert [paper.title for paper in assistant.papers(containing="kites")] == ["On Kites"]


@pytest.mark.parametrize("text", ["Plain ASCII 42", "Ünïcödé Straße", "İstanbul", "ﬁne", "カタカナ"])
def test_folding_is_the_same_whether_or_not_a_text_is_ascii(text):
    assert fold(text + "é")[:-1] == fold(text)
