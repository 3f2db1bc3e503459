"""The wording of questions: which part of one asks, what it names, and that none takes long to read."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rag import Turn
from rag.answering.followup import find_context
from rag.answering.unstated import unstated
from rag.corpus.duplicates import make_paper
from rag.library.lexical_index import LexicalIndex
from rag.text import cues, quantities
from rag.text.names import count_names, find_asked_names

MOST_CHARS = 8_000  # of a question
LINE = 65_000  # characters of an abstract that is one sentence
LONG = ["how much ", "what costs ", "how do x ", "comparing a ", "papers ", "1 ", "1", "1.", "a", " ", "cost ", "faster 2 ",
        "a? ", "and ", "that ", "the second ", "[", "(1) ", "Zorb1 ", "Zör-b ", ".", "'", "- ", "was it ", "both "]  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return time.thread_time() - started


@pytest.fixture(scope="module")
def lexical() -> LexicalIndex:
    from rag.corpus.duplicates import Place

    return LexicalIndex.in_memory(
        [make_paper("0123abcd", "Kites fly on long tails.", [Place("k.txt", "k.txt", 1, "")])]
    )


@pytest.mark.parametrize("piece", LONG)
def test_a_long_line_is_soon_read(lexical, piece):
    line = f"3 {piece * (LINE // len(piece))} end"
    questions = ["How much does it cost?", "How long does it take?", "How often?", "What year?", "Who wrote it?"]
    for question in questions:
        assert seconds(lambda asked=question: quantities.states(asked, line, lexical.terms)) < 1, question
    for cue in ("finding", "idea", "motivation", "pointer", "reason"):
        assert seconds(lambda asked=cue: cues.has_cue(line, asked)) < 1, cue
    assert seconds(lambda: count_names(line)) < 1


@pytest.mark.parametrize("piece", LONG)
def test_a_long_question_is_soon_read(lexical, piece):
    from rag.corpus.duplicates import Place

    question = f"What {piece * (MOST_CHARS // len(piece))} end"
    paper = make_paper("0123abcd", "Kites fly on tails. " * 500, [Place("k.txt", "k.txt", 1, "")])
    for reading in (cues.asks_several, cues.split_question, cues.remove_extent):
        assert seconds(lambda read=reading: read(question)) < 1, reading
    for cue in ("asks_number", "asks_name", "asks_reason"):
        assert seconds(lambda asked=cue: cues.has_cue(question, asked)) < 1, cue
    said = [Turn("user", "What are kites?"), Turn("assistant", f"Kites fly. {piece * (MOST_CHARS // len(piece))}")]
    assert seconds(lambda: find_context(question, said, lambda _: 0.1)) < 1
    assert seconds(lambda: unstated(question, [paper], terms=lexical.terms, share=lambda _: 0.0)) < 1


def test_many_invented_names_are_soon_missed_and_few_are_listed(lexical):
    from rag.corpus.duplicates import Place

    made = [f"wo{n:x}rd{n * 7919 % 9973:x}" for n in range(20_000)]
    paper = make_paper("0123abcd", " ".join(made), [Place("k.txt", "k.txt", 1, "")])
    question = "What are " + ", ".join(f"Zo{n}rbX" for n in range(900)) + "?"
    started = time.thread_time()
    lacks = unstated(question, [paper], terms=lexical.terms, share=lambda _: 0.0)
    assert time.thread_time() - started < 1
    assert lacks.unknown == tuple(f"Zo{n}rbX" for n in range(8))


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which benchmarks does Synapse use?", False),
        ("what methods does timearena use to simulate time?", False),
        ("What benchmarks are used by the Synapse authors?", False),
        ("Which approaches run on Ego4D videos?", True),
        ("Which methods lower hallucination in LLMs?", True),
        ("What are other ways to detect hallucinations?", True),
        ("Which papers use TimeArena?", True),
    ],
)
def test_objects_of_a_named_thing_are_not_several_papers(question, several):
    assert cues.asks_several(question) == several


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Explain Section 4.2 of WebArena", ["WebArena"]),
        ("¿Qué es grokking?", []),
        ("I read about WebArena. How many tasks does it have?", ["WebArena"]),
        ("I'm Anna from Berlin. What is grokking?", []),
        ("benchmarks like WebArena", ["WebArena"]),
    ],
)
def test_names_are_looked_for_in_what_asks(question, named):
    assert list(find_asked_names(cues.find_asking(question))) == named


def test_a_blank_to_be_filled_in_is_not_counted():
    assert quantities.find_counted("how many __ are there") == ""
