"""Retrieval: what either index finds, fused, one passage a paper, best first, within the filter."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from rag import Assistant, Filter, LibraryMissing, Outcome, QuestionError
from rag.corpus.duplicates import Place, make_paper
from rag.langchain.retriever import PaperRetriever
from rag.langchain.vectorstore import open_vectorstore
from rag.library.library import Library
from rag.library.library_writer import LibraryWriter
from rag.library.records import EmbeddedPaper
from rag.retrieval.ranking import Query, retrieve
from rag.retrieval.signals import WEIGHTS, compute_neighbours, fuse_signals

FIRST, SECOND, THIRD = "000_6502c803306ef48d.txt", "001_c99d86dff1c05efa.txt", "002_171020d50a5c37d9.txt"
# No word of it stands in the abstract of TimeArena, which it describes.
PARAPHRASE = "bots doing several chores simultaneously to be done earlier"
# An acronym of one abstract, spelled in word pieces that mean nothing to the embedding model.
ACRONYM = "CALVIN"


@pytest.fixture(scope="module")
def assistant(seed_settings):
    return Assistant.open(seed_settings)


@pytest.fixture(scope="module")
def answering(assistant):
    return assistant.answering


@pytest.fixture(scope="module")
def retriever(answering):
    return PaperRetriever(handle=answering.handle, model=answering.model, k=5)


def test_a_paraphrase_is_found_although_it_shares_no_word_with_the_paper(assistant):
    best = assistant.search(PARAPHRASE)[0]
    assert best.paper.label.startswith("TimeArena")
    assert best.signals["bm25"] == 0


def test_a_rare_acronym_is_found_although_its_vector_is_far_from_the_paper(assistant, answering):
    best = assistant.search(ACRONYM)[0]
    assert ACRONYM in best.paper.abstract
    nearest = [
        paper_id
        for paper_id, _ in answering.handle.filled().dense.find_nearest(answering.model.embed([ACRONYM])[0], 150)
    ]
    assert best.paper.id not in nearest[:50]


@pytest.mark.parametrize("k", [1, 10, 20, 50])
def test_every_paper_comes_once_and_the_best_first(assistant, k):
    passages = assistant.search("How do language models reason?", k=k)
    assert len({passage.paper.id for passage in passages}) == k
    scores = [passage.score for passage in passages]
    assert scores == sorted(scores, reverse=True)


def test_the_same_question_gives_the_same_ranking(assistant):
    rankings = [assistant.search("What helps agents plan?", k=20) for _ in range(2)]
    assert rankings[0] == rankings[1]


def test_a_passage_is_a_run_of_the_abstract_and_says_what_each_signal_gave(assistant):
    for passage in assistant.search("What is grokking?", k=20):
        assert passage.text == passage.paper.abstract[passage.start : passage.end]
        assert passage.text
        assert passage.signals.keys() == {*WEIGHTS, "cosine"}
        assert passage.score == pytest.approx(fuse_signals(passage.signals))
        assert passage.signals["sentences"] <= passage.signals["sentence"]
        assert passage.signals["bm25"] >= 0


@pytest.mark.parametrize("source", [FIRST, SECOND, THIRD])
def test_a_filter_by_file_admits_what_stands_there_first_or_again(assistant, source):
    passages = assistant.search("language models", k=400, where=Filter(sources=(source,)))
    assert all(source in dict(passage.paper.places) for passage in passages)
    everything = {paper.id for paper in assistant.papers() if source in dict(paper.places)}
    assert {passage.paper.id for passage in passages} == everything
    if source == SECOND:  # most of its papers stand in another file before
        assert [p for p in passages if p.paper.source != source]


def test_filters_by_several_files_and_by_paper_add_up(assistant):
    both = {p.paper.id for p in assistant.search("models", k=400, where=Filter(sources=(FIRST, THIRD)))}
    assert len(both) == len({p.id for p in assistant.papers(where=Filter(sources=(FIRST, THIRD)))})
    chosen = sorted(both)[:3]
    found = assistant.search("models", where=Filter(sources=(FIRST, THIRD), paper_ids=(*chosen, "no-such-id")))
    assert {passage.paper.id for passage in found} == set(chosen)


def test_an_empty_filter_is_no_filter(assistant):
    ids = [[p.paper.id for p in assistant.search("planning", where=where)] for where in (None, Filter())]
    assert ids[0] == ids[1]


def test_a_source_that_no_paper_is_from_is_an_error_that_names_the_nearest(assistant):
    for ask in (assistant.search, assistant.answer):
        with pytest.raises(QuestionError, match=r"did you mean 000_6502c803306ef48d\.txt\?"):
            ask("What is grokking?", where=Filter(sources=("000_6502c803306ef48d.tx",)))


@pytest.mark.parametrize(
    "where", [Filter(paper_ids=("0" * 16,)), Filter(years=(1990, 1999)), Filter(venues=("NeurIPS",))]
)
def test_a_filter_that_admits_nothing_finds_nothing_and_says_so(assistant, where):
    assert assistant.search("What is grokking?", where=where) == []
    answer = assistant.answer("What is grokking?", where=where)
    assert answer.outcome == Outcome.NOT_IN_CORPUS
    assert answer.passages == answer.citations == ()
    assert answer.text == "No paper that the filter admits answers this question."


@pytest.mark.parametrize(
    "question",
    [
        "the of and to", "???!!!", "🙂🙂🙂", 'AND ( "', "title:foo^2 AND -bar OR *~", "[1] [2]", "\ud800",
        "a" * 8_000, "what is it", "$question ${x} %s {0}", "<script>alert(1)</script>", "ไทย العربية 中文",
    ],
)  # fmt: skip
def test_a_question_that_is_hardly_one_does_no_harm(assistant, question):
    assert len(assistant.search(question)) == 10
    answer = assistant.answer(question)
    assert answer.outcome == Outcome.NOT_IN_CORPUS
    assert len(answer.passages) >= 10


@pytest.mark.parametrize("question", ["", "  \n\t ", "\x00\u200b", None, 7, "x" * 100_000])
def test_search_refuses_what_answer_refuses(assistant, question):
    with pytest.raises(QuestionError):
        assistant.search(question)


def test_words_are_found_within_a_filter_that_leaves_out_most_papers_that_have_them(settings, answering):
    """Of 1,500 papers 700 are admitted, three of which have the word once; 800 others have it three times."""
    dice = np.random.default_rng(5)
    library = Library.create(settings, 384)
    records = []
    for number in range(1_500):
        source = "in.txt" if number < 700 else "out.txt"
        word = "zebra" if number < 3 else "horse" if number < 700 else "zebra zebra zebra"
        place = Place(f"/{source}", source, number + 1, "")
        paper = make_paper(f"{number:016x}", f"Paper {number} is about a {word} and its stripes.", (place,))
        vectors = dice.normal(size=(2, 384)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        span = ((0, len(paper.abstract)),)
        records.append(EmbeddedPaper(paper, (place,), span, span, vectors, b""))
    LibraryWriter(library).write(records)
    LibraryWriter(library).restamp(syncing=False)
    found = retrieve(library, answering.model, Query("zebra"), k=700, where=Filter(sources=("in.txt",))).passages
    assert {passage.paper.source for passage in found} == {"in.txt"}
    assert {passage.paper.line for passage in found if passage.signals["bm25"] > 0} == {1, 2, 3}


def test_it_is_a_retriever_of_langchain(retriever, assistant):
    [document, *others] = retriever.invoke("What is TimeArena?")
    assert len(others) == 4
    assert isinstance(document, Document)
    passage = assistant.search("What is TimeArena?", k=1)[0]
    assert (document.id, document.page_content) == (passage.paper.id, passage.text)
    assert document.metadata == {
        "paper_id": passage.paper.id, "label": passage.paper.label, "source": passage.paper.source,
        "line": passage.paper.line, "start": passage.start, "end": passage.end, "score": passage.score,
    }  # fmt: skip
    assert retriever.batch(["What is TimeArena?", "grokking"])[0][0] == document
    assert asyncio.run(retriever.ainvoke("What is TimeArena?"))[0] == document
    piped = retriever | RunnableLambda(lambda documents: documents[0].id)
    assert piped.invoke("What is TimeArena?") == document.id


def test_the_retriever_keeps_to_its_filter(answering):
    within = PaperRetriever(handle=answering.handle, model=answering.model, where=Filter(sources=(THIRD,)))
    admitted = {
        paper.id for paper in answering.handle.filled().reader.all_papers().values() if THIRD in dict(paper.places)
    }
    assert {document.id for document in within.invoke("models")} <= admitted


def test_the_retriever_of_an_empty_library_names_the_command(settings, answering):
    empty = PaperRetriever(handle=Assistant.open(settings).answering.handle, model=answering.model)
    with pytest.raises(LibraryMissing, match="footnote ingest"):
        empty.invoke("What is TimeArena?")


def test_the_chunks_are_a_vector_store_of_langchain(answering):
    store = open_vectorstore(answering.settings, answering.model)
    [(document, distance)] = store.similarity_search_with_score("What is TimeArena?", k=1)
    assert "TimeArena" in document.page_content
    assert 0 <= distance < 1
    assert document.metadata["source"] == "003_857b39fc0039485e.txt"
    assert store.as_retriever(search_kwargs={"k": 3}).invoke("grokking")


def test_similar_papers_are_near_and_never_the_paper_itself(assistant):
    paper = assistant.search("What is TimeArena?", k=1)[0].paper
    passages = assistant.similar(paper.id, k=8)
    assert len({passage.paper.id for passage in passages}) == 8
    assert paper.id not in {passage.paper.id for passage in passages}
    scores = [passage.score for passage in passages]
    assert scores == sorted(scores, reverse=True)
    assert any("agent" in passage.paper.abstract.lower() for passage in passages[:3])


def test_similar_to_no_paper_says_how_to_find_one(assistant):
    with pytest.raises(LibraryMissing, match="footnote papers list"):
        assistant.similar("0123456789abcdef")


def test_what_a_follow_up_refers_to_weighs_less_than_what_it_asks(answering):
    alone = retrieve(answering.handle.filled(), answering.model, Query("What is grokking?"), k=5)
    leaning = retrieve(
        answering.handle.filled(), answering.model, Query("What is grokking?", "TimeArena tests agents."), k=5
    )
    assert "rok" in leaning.passages[0].paper.abstract
    assert alone.passages[0].paper.id in {passage.paper.id for passage in leaning.passages}
    assert Query("Why?", "TimeArena").standalone == "Why? (TimeArena)"


def test_a_score_is_the_weighted_sum_of_the_signals_that_there_are():
    assert fuse_signals({"a": 2.0, "b": 1.0, "other": 9.0}, {"a": 0.5, "b": 3.0, "missing": 7.0}) == 4.0


def test_a_paper_among_good_ones_of_its_kind_gains_and_one_alone_has_no_neighbours(assistant):
    library = assistant.answering.handle.filled()
    means = np.stack([record.chunk_vectors.mean(axis=0) for record in list(library.reader.read_all_embedded())[:12]])
    assert compute_neighbours(means[:1], np.array([0.7])).tolist() == [0.0]
    assert compute_neighbours(means[:2], np.array([0.7, 0.2])) == pytest.approx([0.2, 0.7])
    even = compute_neighbours(means, np.full(12, 0.5))
    assert even == pytest.approx([0.5] * 12)
    raised = compute_neighbours(means, np.array([0.5] * 11 + [1.5]))
    assert (raised >= even - 1e-6).all()
    assert raised[11] == pytest.approx(0.5), "its own score is not its neighbours'"
